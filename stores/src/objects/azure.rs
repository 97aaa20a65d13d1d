//! Azure Blob Storage.

use std::sync::Arc;

use async_trait::async_trait;
use base64::prelude::{Engine as _, BASE64_STANDARD};
use bytes::Bytes;
use http::header::{HeaderValue, CONTENT_LENGTH, CONTENT_TYPE, IF_NONE_MATCH};
use http::Request;
use object_store::azure::{AzureAuthorizer, AzureConfigKey, MicrosoftAzure, MicrosoftAzureBuilder};
use object_store::client::HttpRequestBody;
use object_store::list::{PaginatedListOptions, PaginatedListStore as _};
use object_store::multipart::PartId;
use object_store::path::Path as ObjectPath;
use object_store::{ClientOptions, TagSet};

use super::connector::{no_retries, Connector};
use super::lists::Unfinished;
use super::{not_opened, refusal_of, ObjectsStore, Vendor};
use crate::credentials::Credentials;
use crate::http::{Http, Refusal};
use crate::pages::Pages;
use binlog::store::support::Address;
use binlog::store::{Listed, StoreOptions};
use binlog::{Error, Result};

/// Keys that are looked up in the file of credentials or the environment.
const CREDENTIALS: &[(&str, AzureConfigKey)] = &[
    ("AZURE_STORAGE_ACCOUNT_KEY", AzureConfigKey::AccessKey),
    ("AZURE_STORAGE_SAS_TOKEN", AzureConfigKey::SasKey),
    ("AZURE_STORAGE_TOKEN", AzureConfigKey::Token),
    ("AZURE_CLIENT_ID", AzureConfigKey::ClientId),
    ("AZURE_CLIENT_SECRET", AzureConfigKey::ClientSecret),
    ("AZURE_TENANT_ID", AzureConfigKey::AuthorityId),
    ("AZURE_AUTHORITY_HOST", AzureConfigKey::AuthorityHost),
    ("AZURE_FEDERATED_TOKEN_FILE", AzureConfigKey::FederatedTokenFile),
    ("IDENTITY_ENDPOINT", AzureConfigKey::MsiEndpoint),
];

struct Azure {
    store: MicrosoftAzure,
    http: Arc<Http>,
    account: String,
    /// URL of the container.
    container: String,
    anonymous: bool,
    /// Access tier and tags of the objects that are stored in parts.
    tier: Option<String>,
    tags: TagSet,
}

pub(crate) fn open(address: &Address, options: &StoreOptions, credentials: &Credentials) -> Result<ObjectsStore> {
    let account = match address.option("account") {
        Some(account) => account.to_owned(),
        None => match credentials.get("AZURE_STORAGE_ACCOUNT_NAME") {
            Some(account) => account.reveal().to_owned(),
            None => {
                let reason =
                    "the storage account is missing: az://CONTAINER/PREFIX?account=… or AZURE_STORAGE_ACCOUNT_NAME";
                return Err(Error::invalid(reason));
            }
        },
    };
    let endpoint = address.option("endpoint").map(str::to_owned);
    let endpoint = endpoint.unwrap_or_else(|| format!("https://{account}.blob.core.windows.net"));
    let server = super::check_endpoint(&endpoint)?;
    let server = server.trim_end_matches('/');
    let http = Arc::new(Http::new(options, credentials)?);
    // Everything in a request is signed, and nothing can be added to one: the condition is in a request of our own.
    let connector = Connector { http: http.clone(), condition: Arc::new(|| None), send_md5: false };
    let anonymous = address.flag("anonymous", false)?;
    let mut builder = MicrosoftAzureBuilder::new()
        .with_client_options(ClientOptions::new().with_allow_http(server.starts_with("http://")))
        .with_http_connector(connector)
        .with_retry(no_retries())
        .with_account(&account)
        .with_container_name(&address.bucket)
        .with_endpoint(server.to_owned())
        .with_skip_signature(anonymous);
    for (key, place) in CREDENTIALS.iter().filter(|_| !anonymous) {
        if let Some(value) = credentials.get(key) {
            builder = builder.with_config(*place, value.reveal());
        }
    }
    let store = builder.build().map_err(|e| not_opened(address, &http, &e))?;
    let container = format!("{server}/{}", super::encoded(&address.bucket));
    let tier = address.option("storage_class").map(str::to_owned);
    let tags = super::tag_set(&super::tags_of(address)?);
    let vendor = Azure { store: store.clone(), http: http.clone(), account, container, anonymous, tier, tags };
    ObjectsStore::new(address, options, http, Arc::new(store), Box::new(vendor))
}

impl Azure {
    fn url_of(&self, path: &ObjectPath, query: &str) -> String {
        format!("{}/{}{query}", self.container, super::encoded(path.as_ref()))
    }

    /// Signs a request, and sends it with this body.
    async fn send(&self, request: http::request::Builder, body: Bytes) -> Result<(), Refusal> {
        let request = request.body(HttpRequestBody::empty());
        let mut request = request.map_err(|e| Refusal::broken(e.to_string()))?;
        if !self.anonymous {
            let credential = self.store.credentials().get_credential().await.map_err(|e| refusal_of(&e))?;
            let signer = AzureAuthorizer::new(&credential, &self.account);
            signer.try_authorize(&mut request).map_err(|e| refusal_of(&e))?;
        }
        let body = if body.is_empty() { vec![] } else { vec![body] };
        self.http.call(request.map(|_| body)).await.map(|_| ())
    }
}

#[async_trait]
impl Vendor for Azure {
    // Names of metadata are identifiers of C#.
    fn sha256_key(&self) -> &'static str {
        "binlog_sha256"
    }

    fn has_suffixes(&self) -> bool {
        false
    }

    fn describes_at_begin(&self) -> bool {
        false
    }

    async fn complete(&self, path: &ObjectPath, _id: &str, parts: Vec<PartId>, sha256: &str) -> Result<(), Refusal> {
        let latest = |part: &PartId| format!("<Latest>{}</Latest>", BASE64_STANDARD.encode(&part.content_id));
        let list: String = parts.iter().map(latest).collect();
        let body = format!("<?xml version=\"1.0\" encoding=\"utf-8\"?><BlockList>{list}</BlockList>");
        let mut request = Request::put(self.url_of(path, "?comp=blocklist"))
            .header(CONTENT_LENGTH, body.len())
            .header(CONTENT_TYPE, HeaderValue::from_static("application/xml"))
            .header(IF_NONE_MATCH, HeaderValue::from_static("*"))
            .header("x-ms-meta-binlog_sha256", sha256);
        if let Some(tier) = &self.tier {
            request = request.header("x-ms-access-tier", tier);
        }
        if !self.tags.encoded().is_empty() {
            request = request.header("x-ms-tags", self.tags.encoded());
        }
        self.send(request, body.into()).await
    }

    /// Removes one object. object_store would put the request into a batch, which needs further permissions.
    async fn remove(&self, path: &ObjectPath) -> Result<(), Refusal> {
        self.send(Request::delete(self.url_of(path, "")), Bytes::new()).await
    }

    async fn list(&self, prefix: &str) -> Result<Vec<Listed>, Refusal> {
        // object_store takes an object of exactly this name for a directory, and leaves it out. The query has one
        // character less.
        let mut shorter = prefix.to_owned();
        if !shorter.ends_with('/') {
            shorter.pop();
        }
        let mut found: Vec<Listed> = vec![];
        let mut pages = Pages::default();
        let mut page_token = None;
        loop {
            let options = PaginatedListOptions {
                delimiter: Some("/".into()),
                max_keys: Some(1000),
                page_token,
                ..PaginatedListOptions::default()
            };
            let asked = Some(&*shorter).filter(|prefix| !prefix.is_empty());
            let page = self.store.list_paginated(asked, options).await.map_err(|e| refusal_of(&e))?;
            let before = found.len();
            found.extend(page.result.objects.into_iter().map(|object| Listed {
                modified_ns: object.last_modified.timestamp_nanos_opt().unwrap_or(0),
                bytes: object.size,
                name: object.location.into(),
            }));
            let names = found[before..].iter().map(|object| &*object.name);
            let prefixes = page.result.common_prefixes.iter().map(|prefix| prefix.as_ref());
            pages.take(names.chain(prefixes), page.page_token.as_deref())?;
            page_token = page.page_token;
            if page_token.is_none() {
                return Ok(found);
            }
        }
    }

    /// Azure removes blocks that belong to no object after a week, and has no list of them.
    async fn unfinished(&self, _prefix: &str) -> Result<Vec<Unfinished>, Refusal> {
        Ok(vec![])
    }
}

//! Google Cloud Storage.

use std::sync::Arc;

use async_trait::async_trait;
use http::header::{HeaderName, HeaderValue, AUTHORIZATION};
use http::Request;
use object_store::gcp::{GoogleCloudStorage, GoogleCloudStorageBuilder};
use object_store::multipart::{MultipartStore as _, PartId};
use object_store::path::Path as ObjectPath;
use object_store::ClientOptions;

use super::connector::{no_retries, Connector};
use super::lists::{self, Unfinished};
use super::{not_opened, refusal_of, ObjectsStore, Vendor};
use crate::credentials::Credentials;
use crate::http::{Http, Refusal};
use binlog::store::support::Address;
use binlog::store::{Listed, StoreOptions};
use binlog::Result;

/// The smallest part that Google accepts.
const SMALLEST_PART: u64 = 5 << 20;

struct Google {
    store: GoogleCloudStorage,
    http: Arc<Http>,
    /// URL of the bucket.
    bucket: String,
    anonymous: bool,
}

pub(crate) fn open(address: &Address, options: &StoreOptions, credentials: &Credentials) -> Result<ObjectsStore> {
    super::check_part_bytes(options, SMALLEST_PART)?;
    let endpoint = address.option("endpoint").unwrap_or("https://storage.googleapis.com");
    let server = super::check_endpoint(endpoint)?;
    let http = Arc::new(Http::new(options, credentials)?);
    let condition = || Some((HeaderName::from_static("x-goog-if-generation-match"), HeaderValue::from_static("0")));
    let connector = Connector { http: http.clone(), condition: Arc::new(condition), send_md5: true };
    let anonymous = address.flag("anonymous", false)?;
    let mut builder = GoogleCloudStorageBuilder::new()
        .with_client_options(ClientOptions::new().with_allow_http(server.starts_with("http://")))
        .with_http_connector(connector)
        .with_retry(no_retries())
        .with_bucket_name(&address.bucket)
        .with_base_url(server.trim_end_matches('/'))
        .with_skip_signature(anonymous);
    if let Some(token) = credentials.get("GOOGLE_ACCESS_TOKEN").filter(|_| !anonymous) {
        builder = builder.with_bearer_token(token.reveal());
    } else if let Some(path) = credentials.get("GOOGLE_APPLICATION_CREDENTIALS").filter(|_| !anonymous) {
        builder = builder.with_application_credentials(path.reveal());
    }
    let store = builder.build().map_err(|e| not_opened(address, &http, &e))?;
    let bucket = format!("{}/{}", server.trim_end_matches('/'), super::encoded(&address.bucket));
    let vendor = Google { store: store.clone(), http: http.clone(), bucket, anonymous };
    ObjectsStore::new(address, options, http, Arc::new(store), Box::new(vendor))
}

impl Google {
    /// A list of the bucket, as XML.
    async fn get_list(&self, query: Vec<(&'static str, String)>) -> Result<String, Refusal> {
        let request = Request::get(super::with_query(&self.bucket, &query)).body(vec![]);
        let mut request = request.map_err(|e| Refusal::broken(e.to_string()))?;
        if !self.anonymous {
            let credential = self.store.credentials().get_credential().await.map_err(|e| refusal_of(&e))?;
            let value = HeaderValue::from_str(&format!("Bearer {}", credential.bearer));
            let mut value = value.map_err(|_| Refusal::broken("the access token is not valid in a request"))?;
            value.set_sensitive(true);
            request.headers_mut().insert(AUTHORIZATION, value);
        }
        let answer = self.http.call(request).await?;
        Ok(String::from_utf8_lossy(answer.body()).into_owned())
    }
}

#[async_trait]
impl Vendor for Google {
    async fn complete(&self, path: &ObjectPath, id: &str, parts: Vec<PartId>, _sha256: &str) -> Result<(), Refusal> {
        let done = self.store.complete_multipart(path, &id.to_owned(), parts).await;
        done.map(|_| ()).map_err(|e| refusal_of(&e))
    }

    async fn remove(&self, path: &ObjectPath) -> Result<(), Refusal> {
        super::remove_by(&self.store, path).await
    }

    async fn list(&self, prefix: &str) -> Result<Vec<Listed>, Refusal> {
        lists::objects(prefix, |query| self.get_list(query)).await
    }

    async fn unfinished(&self, prefix: &str) -> Result<Vec<Unfinished>, Refusal> {
        lists::unfinished(prefix, |query| self.get_list(query)).await
    }
}

//! Amazon S3 and compatible stores.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::Arc;

use async_trait::async_trait;
use http::header::{HeaderValue, IF_NONE_MATCH};
use http::Request;
use object_store::aws::{AmazonS3, AmazonS3Builder, AmazonS3ConfigKey, AwsAuthorizer};
use object_store::client::HttpRequestBody;
use object_store::multipart::{MultipartStore as _, PartId};
use object_store::path::Path as ObjectPath;

use super::connector::{no_retries, Connector};
use super::lists::{self, Unfinished};
use super::profile::Profile;
use super::{not_opened, refusal_of, ObjectsStore, Vendor};
use crate::credentials::Credentials;
use crate::http::{Http, Refusal};
use binlog::store::support::Address;
use binlog::store::{Listed, StoreOptions};
use binlog::{Error, Result};

/// Keys that are looked up in the file of credentials or the environment when there are no access keys.
const OTHER_CREDENTIALS: &[(&str, AmazonS3ConfigKey)] = &[
    ("AWS_WEB_IDENTITY_TOKEN_FILE", AmazonS3ConfigKey::WebIdentityTokenFile),
    ("AWS_ROLE_ARN", AmazonS3ConfigKey::RoleArn),
    ("AWS_ROLE_SESSION_NAME", AmazonS3ConfigKey::RoleSessionName),
    ("AWS_ENDPOINT_URL_STS", AmazonS3ConfigKey::StsEndpoint),
    ("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI", AmazonS3ConfigKey::ContainerCredentialsRelativeUri),
    ("AWS_CONTAINER_CREDENTIALS_FULL_URI", AmazonS3ConfigKey::ContainerCredentialsFullUri),
    ("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE", AmazonS3ConfigKey::ContainerAuthorizationTokenFile),
];
/// Where an instance gets credentials, if not at the usual address; and whether that is switched off.
const INSTANCE: (&str, &str) = ("AWS_EC2_METADATA_SERVICE_ENDPOINT", "AWS_EC2_METADATA_DISABLED");

/// The smallest part that S3 accepts.
const SMALLEST_PART: u64 = 5 << 20;

struct S3 {
    store: AmazonS3,
    http: Arc<Http>,
    region: String,
    /// URL of the bucket.
    bucket: String,
    anonymous: bool,
    conditional: Arc<AtomicBool>,
}

pub(crate) fn open(address: &Address, options: &StoreOptions, credentials: &Credentials) -> Result<ObjectsStore> {
    super::check_part_bytes(options, SMALLEST_PART)?;
    let setting = |key: &str| credentials.get(key).map(|value| value.reveal().to_owned());
    let region = address.option("region").map(str::to_owned);
    let region = region.or_else(|| setting("AWS_REGION")).or_else(|| setting("AWS_DEFAULT_REGION"));
    // AWS's other tools look into the environment first, and then into the profile.
    let anonymous = address.flag("anonymous", false)?;
    let has_keys = credentials.get("AWS_ACCESS_KEY_ID").is_some() || credentials.get("AWS_SECRET_ACCESS_KEY").is_some();
    let profile = if anonymous { None } else { Profile::load(credentials)? };
    let of_profile = |key: &str| profile.as_ref().and_then(|profile| profile.get(key)).map(str::to_owned);
    let region = region.or_else(|| of_profile("region"));
    let region = region.unwrap_or_else(|| "us-east-1".to_owned());
    let endpoint = address.option("endpoint").map(str::to_owned);
    let endpoint = endpoint.or_else(|| setting("AWS_ENDPOINT_URL_S3")).or_else(|| setting("AWS_ENDPOINT_URL"));
    let endpoint = endpoint.or_else(|| of_profile("endpoint_url"));
    // Amazon wants the bucket in the host's name, but no certificate covers a bucket with a dot; other servers mostly
    // have it in the path.
    let path_style = address.flag("path_style", endpoint.is_some() || address.bucket.contains('.'))?;
    let endpoint = endpoint.unwrap_or_else(|| {
        let china = if region.starts_with("cn-") { ".cn" } else { "" };
        format!("https://s3.{region}.amazonaws.com{china}")
    });
    let server = super::check_endpoint(&endpoint)?;
    let bucket = match path_style {
        true => format!("{}/{}", server.trim_end_matches('/'), super::encoded(&address.bucket)),
        false => match server.split_once("://") {
            Some((scheme, host)) => format!("{scheme}://{}.{}", address.bucket, host.trim_end_matches('/')),
            None => return Err(Error::invalid("the option endpoint is a URL such as https://host:port")),
        },
    };
    let conditional = Arc::new(AtomicBool::new(address.flag("conditional", true)?));
    let http = Arc::new(Http::new(options, credentials)?);
    let asked = conditional.clone();
    let condition = move || asked.load(Ordering::Relaxed).then_some((IF_NONE_MATCH, HeaderValue::from_static("*")));
    // A signed request contains its SHA-256 already, and a server computes every checksum that it is given.
    let is_signed = !anonymous && server.starts_with("http://");
    let connector = Connector { http: http.clone(), condition: Arc::new(condition), send_md5: !is_signed };
    let mut builder = AmazonS3Builder::new()
        .with_http_connector(connector)
        .with_retry(no_retries())
        .with_region(&region)
        .with_bucket_name(&address.bucket)
        // The endpoint contains the bucket, in either style, and object_store does not add it again.
        .with_endpoint(&bucket)
        .with_virtual_hosted_style_request(true)
        .with_allow_http(server.starts_with("http://"))
        // TLS protects the body already, and the server compares its MD5.
        .with_unsigned_payload(server.starts_with("https://"))
        .with_skip_signature(anonymous)
        .with_config(AmazonS3ConfigKey::DisableBulkDelete, "true");
    builder = encrypted(builder, address)?;
    let is_web_identity = credentials.get("AWS_WEB_IDENTITY_TOKEN_FILE").is_some();
    let provider = match &profile {
        Some(profile) if !has_keys && !is_web_identity => profile.provider()?,
        _ => None,
    };
    if let Some(provider) = provider {
        builder = builder.with_credentials(provider);
    } else if !anonymous {
        match (credentials.get("AWS_ACCESS_KEY_ID"), credentials.get("AWS_SECRET_ACCESS_KEY")) {
            (Some(id), Some(secret)) => {
                builder = builder.with_access_key_id(id.reveal()).with_secret_access_key(secret.reveal());
                if let Some(token) = credentials.get("AWS_SESSION_TOKEN") {
                    builder = builder.with_token(token.reveal());
                }
            }
            (None, None) => {
                let others = OTHER_CREDENTIALS.iter().filter_map(|(key, place)| Some((place, credentials.get(key)?)));
                let others: Vec<_> = others.collect();
                if others.is_empty() && setting(INSTANCE.1).is_some_and(|value| value.eq_ignore_ascii_case("true")) {
                    credentials.need("AWS_ACCESS_KEY_ID", "the id of the access key")?;
                }
                if let Some(endpoint) = setting(INSTANCE.0) {
                    builder = builder.with_metadata_endpoint(endpoint);
                }
                for (place, value) in others {
                    builder = builder.with_config(*place, value.reveal());
                }
            }
            _ => {
                credentials.need("AWS_ACCESS_KEY_ID", "the id of the access key")?;
                credentials.need("AWS_SECRET_ACCESS_KEY", "the access key")?;
            }
        }
    }
    let store = builder.build().map_err(|e| not_opened(address, &http, &e))?;
    let vendor = S3 { store: store.clone(), http: http.clone(), region, bucket, anonymous, conditional };
    ObjectsStore::new(address, options, http, Arc::new(store), Box::new(vendor))
}

/// How the server encrypts what is stored.
fn encrypted(builder: AmazonS3Builder, address: &Address) -> Result<AmazonS3Builder> {
    let (kind, key) = (address.option("sse"), address.option("sse_kms_key_id"));
    let is_kms = matches!(kind, Some("aws:kms" | "aws:kms:dsse"));
    if kind.is_some_and(|kind| kind != "AES256" && !is_kms) {
        return Err(Error::invalid("the option sse is AES256, aws:kms or aws:kms:dsse"));
    }
    if key.is_some() && !is_kms {
        return Err(Error::invalid("the option sse_kms_key_id needs sse=aws:kms or sse=aws:kms:dsse"));
    }
    let settings = [("aws_server_side_encryption", kind), ("aws_sse_kms_key_id", key)];
    settings.into_iter().try_fold(builder, |builder, (setting, value)| match value {
        Some(value) => {
            let setting: AmazonS3ConfigKey =
                setting.parse().map_err(|_| binlog::store::support::a_defect("encryption is unknown"))?;
            Ok(builder.with_config(setting, value))
        }
        None => Ok(builder),
    })
}

impl S3 {
    /// A list of the bucket, as XML.
    async fn get_list(&self, query: Vec<(&'static str, String)>) -> Result<String, Refusal> {
        let request = Request::get(super::with_query(&self.bucket, &query)).body(HttpRequestBody::empty());
        let mut request = request.map_err(|e| Refusal::broken(e.to_string()))?;
        if !self.anonymous {
            let credential = self.store.credentials().get_credential().await.map_err(|e| refusal_of(&e))?;
            let signer = AwsAuthorizer::new(&credential, "s3", &self.region);
            signer.try_authorize(&mut request, None).map_err(|e| refusal_of(&e))?;
        }
        let answer = self.http.call(request.map(|_| vec![])).await?;
        Ok(String::from_utf8_lossy(answer.body()).into_owned())
    }
}

#[async_trait]
impl Vendor for S3 {
    fn conditional(&self) -> bool {
        self.conditional.load(Ordering::Relaxed)
    }

    fn give_up_conditions(&self) -> bool {
        self.conditional.store(false, Ordering::Relaxed);
        true
    }

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

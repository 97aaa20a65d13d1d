//! object_store's requests, sent by our client: with what object_store does not request from the servers, and without
//! its retries.

use std::fmt;
use std::pin::Pin;
use std::sync::Arc;

use async_trait::async_trait;
use base64::prelude::{Engine as _, BASE64_STANDARD};
use http::header::{HeaderName, HeaderValue};
use http::Method;
use object_store::client::{
    ClientOptions, HttpClient, HttpConnector, HttpError, HttpErrorKind, HttpRequest, HttpResponse, HttpService,
};
use object_store::RetryConfig;

use crate::http::{Body, Http, Refusal};

tokio::task_local! {
    /// MD5 of the body of the current request: the server compares it with what it receives.
    static BODY_MD5: [u8; 16];
}

/// Makes a request whose body has this MD5.
pub(super) async fn with_md5<T>(md5: [u8; 16], request: impl std::future::Future<Output = T>) -> T {
    BODY_MD5.scope(md5, request).await
}

/// The condition on which parts become an object, and whether it is sent.
pub(super) type Condition = Arc<dyn Fn() -> Option<(HeaderName, HeaderValue)> + Send + Sync>;

/// Gives our client to object_store.
#[derive(Clone)]
pub(super) struct Connector {
    pub http: Arc<Http>,
    /// Applied when an upload in parts is completed.
    pub condition: Condition,
    /// Whether a request may have an unsigned Content-MD5.
    pub send_md5: bool,
}

impl HttpConnector for Connector {
    fn connect(&self, _options: &ClientOptions) -> object_store::Result<HttpClient> {
        Ok(HttpClient::new(self.clone()))
    }
}

/// No retries: the caller decides about them, and can be stopped meanwhile.
pub(super) fn no_retries() -> RetryConfig {
    RetryConfig { max_retries: 0, ..RetryConfig::default() }
}

#[async_trait]
impl HttpService for Connector {
    async fn call(&self, request: HttpRequest) -> Result<HttpResponse, HttpError> {
        let (mut head, body) = request.into_parts();
        let body = chunks(body).await?;
        let query = head.uri.query().unwrap_or_default();
        let completes = head.method == Method::POST && query.split('&').any(|pair| pair.starts_with("uploadId="));
        if completes {
            if let Some((name, value)) = (self.condition)() {
                head.headers.insert(name, value);
            }
        }
        if self.send_md5 && head.method == Method::PUT {
            if let Ok(md5) = BODY_MD5.try_with(|md5| BASE64_STANDARD.encode(md5)) {
                if let Ok(value) = HeaderValue::from_str(&md5) {
                    head.headers.insert(HeaderName::from_static("content-md5"), value);
                }
            }
        }
        let refused = |refusal| HttpError::new(HttpErrorKind::Unknown, refusal);
        let response = self.http.call(http::Request::from_parts(head, body)).await.map_err(refused)?;
        if completes {
            if let Some(refusal) = Refusal::of_success(response.body()) {
                return Err(refused(refusal));
            }
        }
        Ok(response.map(Into::into))
    }
}

async fn chunks(mut body: object_store::client::HttpRequestBody) -> Result<Body, HttpError> {
    let mut chunks = vec![];
    while let Some(frame) = std::future::poll_fn(|cx| http_body::Body::poll_frame(Pin::new(&mut body), cx)).await {
        if let Ok(data) = frame?.into_data() {
            chunks.push(data);
        }
    }
    Ok(chunks)
}

impl fmt::Debug for Connector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Connector")
    }
}

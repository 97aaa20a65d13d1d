//! Tokens of TempAuth or Keystone: requested, kept, and renewed in time.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use http::header::{HeaderValue, CONTENT_TYPE};
use http::Request;
use parking_lot::Mutex;
use serde_json::Value;

use super::headers::text;
use super::login::{Login, Way};
use crate::credentials::Secret;
use crate::http::{Http, Refusal};

/// A token, and the account that it gives access to.
pub(super) struct Session {
    /// URL of the account, without a slash at its end.
    pub storage: String,
    token: Secret,
    ends: Option<SystemTime>,
}

impl Session {
    /// The token as the value of a header.
    pub(super) fn header(&self) -> Result<HeaderValue, Refusal> {
        let value = HeaderValue::from_str(self.token.reveal());
        let mut value =
            value.map_err(|_| Refusal::broken("the token that the login gave is not valid in a request"))?;
        value.set_sensitive(true);
        Ok(value)
    }

    /// A token that expires while a large part is being sent would waste that part.
    fn ends_soon(&self) -> bool {
        const SOON: Duration = Duration::from_secs(60);
        self.ends.is_some_and(|ends| ends < SystemTime::now() + SOON)
    }
}

/// The current session, created when it is first needed.
pub(super) struct Sessions {
    login: Login,
    session: Mutex<Option<Arc<Session>>>,
}

impl Sessions {
    pub(super) fn new(login: Login) -> Self {
        Sessions { login, session: Mutex::new(None) }
    }

    /// The current session.
    pub(super) async fn get(&self, http: &Http) -> Result<Arc<Session>, Refusal> {
        let known = self.session.lock().clone();
        match known.filter(|session| !session.ends_soon()) {
            Some(session) => Ok(session),
            None => self.log_in(http).await,
        }
    }

    /// A session other than this one, whose token is no longer accepted.
    pub(super) async fn renew(&self, http: &Http, old: &Arc<Session>) -> Result<Arc<Session>, Refusal> {
        let known = self.session.lock().clone();
        match known.filter(|session| !Arc::ptr_eq(session, old)) {
            // Another thread has renewed it already.
            Some(session) => Ok(session),
            None => self.log_in(http).await,
        }
    }

    async fn log_in(&self, http: &Http) -> Result<Arc<Session>, Refusal> {
        let session = match &self.login.way {
            Way::V1 { url, user, key } => self.v1(http, url, user, key).await,
            Way::V3 { url, identity } => self.v3(http, url, identity).await,
        };
        let session = Arc::new(session.map_err(|refusal| refusal.because("the login failed"))?);
        *self.session.lock() = Some(session.clone());
        Ok(session)
    }

    fn session(&self, storage: String, token: &str, ends: Option<SystemTime>) -> Result<Session, Refusal> {
        let storage = self.login.storage.clone().unwrap_or(storage);
        if storage.is_empty() || token.is_empty() {
            return Err(Refusal::broken("the answer has no token, or does not say where Swift is"));
        }
        Ok(Session { storage: storage.trim_end_matches('/').to_owned(), token: Secret::new(token), ends })
    }

    async fn v1(&self, http: &Http, url: &str, user: &str, key: &Secret) -> Result<Session, Refusal> {
        let request = Request::get(url).header("x-auth-user", user).header("x-auth-key", key.reveal()).body(vec![]);
        let request = request.map_err(|_| Refusal::broken("user or key are not valid in a request"))?;
        let response = http.call(request).await?;
        let headers = response.headers();
        let seconds = text(headers, "x-auth-token-expires").parse().ok();
        let ends = seconds.and_then(|seconds| SystemTime::now().checked_add(Duration::from_secs(seconds)));
        self.session(text(headers, "x-storage-url").to_owned(), text(headers, "x-auth-token"), ends)
    }

    async fn v3(&self, http: &Http, url: &str, identity: &Secret) -> Result<Session, Refusal> {
        let request = Request::post(format!("{url}/auth/tokens"))
            .header(CONTENT_TYPE, "application/json")
            .body(vec![identity.reveal().to_owned().into()]);
        let request = request.map_err(|e| Refusal::broken(e.to_string()))?;
        let response = http.call(request).await?;
        let body: Value = serde_json::from_slice(response.body())
            .map_err(|_| Refusal::broken("what Keystone answers cannot be understood"))?;
        let token = &body["token"];
        let ends = token["expires_at"].as_str().and_then(|at| at.parse::<jiff::Timestamp>().ok()).map(SystemTime::from);
        let storage = match &self.login.storage {
            Some(storage) => storage.clone(),
            None => self.endpoint(&token["catalog"])?,
        };
        self.session(storage, text(response.headers(), "x-subject-token"), ends)
    }

    /// The URL of Swift, from Keystone's catalog.
    fn endpoint(&self, catalog: &Value) -> Result<String, Refusal> {
        let services = catalog.as_array().map(Vec::as_slice).unwrap_or_default();
        let mut endpoints = services
            .iter()
            .filter(|service| service["type"] == "object-store")
            .flat_map(|service| service["endpoints"].as_array().map(Vec::as_slice).unwrap_or_default());
        let fits = |endpoint: &&Value| {
            let region = |wanted: &String| endpoint["region"] == **wanted || endpoint["region_id"] == **wanted;
            endpoint["interface"] == *self.login.interface && self.login.region.as_ref().is_none_or(region)
        };
        let found = endpoints.find(fits).and_then(|endpoint| endpoint["url"].as_str());
        found.map(str::to_owned).ok_or_else(|| {
            let region = self.login.region.as_ref().map_or(String::new(), |region| format!(" in the region {region}"));
            Refusal::broken(format!(
                "Keystone knows no object store{region} with the interface {}",
                self.login.interface
            ))
        })
    }
}

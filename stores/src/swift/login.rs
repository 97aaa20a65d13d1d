//! How to log in to Swift, from the URL and the credentials.

use serde_json::{json, Value};

use crate::credentials::{Credentials, Secret};
use binlog::store::support::Address;
use binlog::{Error, Result};

/// Everything that a request for a token needs.
pub(super) struct Login {
    pub way: Way,
    /// The region and the interface of the endpoint in Keystone's catalog.
    pub region: Option<String>,
    pub interface: String,
    /// URL of Swift, which overrides the answer to the login.
    pub storage: Option<String>,
}

/// The protocol of the login, and the identity.
pub(super) enum Way {
    /// TempAuth and compatible services: two headers.
    V1 { url: String, user: String, key: Secret },
    /// Keystone: identity and requested project, as JSON.
    V3 { url: String, identity: Secret },
}

impl Login {
    pub(super) fn of(address: &Address, credentials: &Credentials) -> Result<Self> {
        let setting = |key: &str| credentials.get(key).map(|value| value.reveal().to_owned());
        let option = |key: &str| address.option(key).map(str::to_owned);
        let url = option("auth").or_else(|| setting("ST_AUTH")).or_else(|| setting("OS_AUTH_URL")).ok_or_else(|| {
            let reason = "the server to log in to is missing: swift://CONTAINER/PREFIX?auth=http://host:port/auth/v1.0 or …/v3";
            Error::invalid(format!("{reason}, or ST_AUTH or OS_AUTH_URL in the environment"))
        })?;
        let parsed =
            url::Url::parse(&url).ok().filter(|url| matches!(url.scheme(), "http" | "https") && url.has_host());
        let parsed = parsed.filter(|url| url.username().is_empty() && url.password().is_none());
        let parsed = parsed.ok_or_else(|| {
            Error::invalid(
                "the server to log in to is named by a URL such as https://host:5000/v3, without user and password",
            )
        })?;
        let url = url.trim_end_matches('/').to_owned();
        let steps: Vec<&str> = parsed.path().split('/').filter(|step| !step.is_empty()).collect();
        let way = match steps.last() {
            Some(&"v1.0" | &"v1") => Way::V1 {
                url,
                user: credentials.need("ST_USER", "the user of Swift")?.reveal().to_owned(),
                key: credentials.need("ST_KEY", "the key of Swift")?,
            },
            Some(&"v2.0") => {
                return Err(Error::invalid("Keystone is spoken to in its version 3: the URL ends in /v3, not /v2.0"))
            }
            Some(&"v3") => keystone(url, credentials)?,
            // Many configurations name Keystone without a version.
            _ => keystone(format!("{url}/v3"), credentials)?,
        };
        let interface = option("interface").or_else(|| setting("OS_INTERFACE")).unwrap_or_else(|| "public".to_owned());
        // As older tools write it.
        let interface = interface.trim_end_matches("URL").to_owned();
        let region = option("region").or_else(|| setting("OS_REGION_NAME"));
        Ok(Login { way, region, interface, storage: option("storage") })
    }
}

fn keystone(url: String, credentials: &Credentials) -> Result<Way> {
    let setting = |key: &str| credentials.get(key).map(|value| value.reveal().to_owned());
    let domain = |of: &str| match setting(&format!("OS_{of}_DOMAIN_ID")) {
        Some(id) => json!({ "id": id }),
        None => match setting(&format!("OS_{of}_DOMAIN_NAME")) {
            Some(name) => json!({ "name": name }),
            None => json!({ "id": "default" }),
        },
    };
    let user = || -> Result<Value> {
        Ok(match setting("OS_USER_ID") {
            Some(id) => json!({ "id": id }),
            None => {
                let name = credentials.need("OS_USERNAME", "the user of OpenStack")?;
                json!({ "name": name.reveal(), "domain": domain("USER") })
            }
        })
    };
    if let Some(secret) = credentials.get("OS_APPLICATION_CREDENTIAL_SECRET") {
        let mut credential = match setting("OS_APPLICATION_CREDENTIAL_ID") {
            Some(id) => json!({ "id": id }),
            None => {
                let name = credentials.need("OS_APPLICATION_CREDENTIAL_ID", "the id of the application credential");
                let name = setting("OS_APPLICATION_CREDENTIAL_NAME").map_or(name, |name| Ok(Secret::new(name)))?;
                json!({ "name": name.reveal(), "user": user()? })
            }
        };
        credential["secret"] = json!(secret.reveal());
        let identity = json!({ "methods": ["application_credential"], "application_credential": credential });
        // An application credential belongs to one project: no scope is asked for.
        let identity = Secret::new(json!({ "auth": { "identity": identity } }).to_string());
        return Ok(Way::V3 { url, identity });
    }
    let secret = credentials.need("OS_PASSWORD", "the password of OpenStack")?;
    let mut user = user()?;
    user["password"] = json!(secret.reveal());
    let identity = json!({ "methods": ["password"], "password": { "user": user } });
    let project = match setting("OS_PROJECT_ID").or_else(|| setting("OS_TENANT_ID")) {
        Some(id) => json!({ "id": id }),
        None => {
            let name = setting("OS_PROJECT_NAME").or_else(|| setting("OS_TENANT_NAME"));
            let name = match name {
                Some(name) => name,
                None => credentials.need("OS_PROJECT_NAME", "the project of OpenStack")?.reveal().to_owned(),
            };
            json!({ "name": name, "domain": domain("PROJECT") })
        }
    };
    let body = json!({ "auth": { "identity": identity, "scope": { "project": project } } });
    Ok(Way::V3 { url, identity: Secret::new(body.to_string()) })
}

#[cfg(test)]
mod tests {
    use super::super::OPTIONS;
    use super::*;

    fn login(url: &str, pairs: &[(&str, &str)]) -> Result<Login> {
        Login::of(&Address::parse(url, OPTIONS).unwrap(), &Credentials::of(pairs))
    }

    fn body(pairs: &[(&str, &str)]) -> Value {
        match login("swift://c?auth=http://k:5000/v3", pairs).unwrap().way {
            Way::V3 { identity, .. } => serde_json::from_str(identity.reveal()).unwrap(),
            Way::V1 { .. } => panic!("not Keystone"),
        }
    }

    #[test]
    fn keystone_receives_the_identity_and_the_project() {
        let password =
            [("OS_USERNAME", "ann"), ("OS_PASSWORD", "sesame"), ("OS_PROJECT_NAME", "p"), ("OS_USER_DOMAIN_NAME", "D")];
        let expected = json!({"auth": {
            "identity": {"methods": ["password"],
                "password": {"user": {"name": "ann", "domain": {"name": "D"}, "password": "sesame"}}},
            "scope": {"project": {"name": "p", "domain": {"id": "default"}}}}});
        assert_eq!(body(&password), expected);
        let application = [("OS_APPLICATION_CREDENTIAL_ID", "i"), ("OS_APPLICATION_CREDENTIAL_SECRET", "sesame")];
        let expected = json!({"auth": {"identity": {"methods": ["application_credential"],
            "application_credential": {"id": "i", "secret": "sesame"}}}});
        assert_eq!(body(&application), expected);
        let named =
            [("OS_APPLICATION_CREDENTIAL_NAME", "n"), ("OS_APPLICATION_CREDENTIAL_SECRET", "s"), ("OS_USER_ID", "u")];
        assert_eq!(body(&named)["auth"]["identity"]["application_credential"]["user"], json!({"id": "u"}));
    }

    #[test]
    fn what_is_missing_is_named() {
        let missing = |url: &str, pairs: &[(&str, &str)]| login(url, pairs).err().unwrap().to_string();
        assert!(missing("swift://c", &[]).contains("ST_AUTH"));
        assert!(missing("swift://c?auth=http://h/auth/v1.0", &[]).contains("ST_USER"));
        assert!(missing("swift://c?auth=http://h/v3", &[("OS_USERNAME", "u")]).contains("OS_PASSWORD"));
        let no_project = [("OS_USERNAME", "u"), ("OS_PASSWORD", "sesame")];
        let message = missing("swift://c?auth=http://h/v3", &no_project);
        assert!(message.contains("OS_PROJECT_NAME") && !message.contains("sesame"), "{message}");
        assert!(missing("swift://c?auth=http://h/v2.0", &[]).contains("/v3"));
        assert!(missing("swift://c", &[("OS_AUTH_URL", "http://u:sesame@h/v3")]).contains("without user"));
    }
}

//! Profiles of AWS: the files that its other tools share, and the commands in them that return credentials.
//!
//! Follows "Configuration and credential file settings" and "Sourcing credentials with an external process" of the AWS
//! SDKs and Tools Reference Guide.

use std::collections::BTreeMap;
use std::io::{ErrorKind, Read as _};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use async_trait::async_trait;
use object_store::aws::AwsCredential;
use object_store::CredentialProvider;
use parking_lot::Mutex;

use crate::credentials::{Credentials, Secret};
use binlog::{Error, Result};

/// Far more than such a file contains.
const LONGEST: u64 = 1 << 20;
/// The time limit of a command for credentials.
const PATIENCE: Duration = Duration::from_secs(60);
/// Credentials are renewed so long before they expire.
const AHEAD: Duration = Duration::from_secs(300);

/// The settings of a profile, from both files.
#[derive(Debug, Default)]
pub(super) struct Profile {
    name: String,
    settings: BTreeMap<String, Secret>,
}

impl Profile {
    /// The profile that AWS_PROFILE names, or the default one; `None` when it does not exist and was not named.
    pub fn load(credentials: &Credentials) -> Result<Option<Self>> {
        let setting = |key: &str| credentials.get(key).map(|value| value.reveal().to_owned());
        let asked = setting("AWS_PROFILE");
        let name = asked.clone().unwrap_or_else(|| "default".to_owned());
        let home = setting("HOME").map(|home| Path::new(&home).join(".aws"));
        let file = |key: &str, name: &str| setting(key).map(PathBuf::from).or_else(|| Some(home.as_ref()?.join(name)));
        let mut profile = Profile { name: name.clone(), settings: BTreeMap::new() };
        let mut found = false;
        // The file of credentials takes precedence over the other.
        let files =
            [(file("AWS_CONFIG_FILE", "config"), true), (file("AWS_SHARED_CREDENTIALS_FILE", "credentials"), false)];
        for (path, is_config) in files {
            let Some(path) = path else { continue };
            let Some(text) = read(&path)? else { continue };
            if let Some(settings) = section(&text, &name, is_config) {
                found = true;
                profile.settings.extend(settings);
            }
        }
        match (found, asked) {
            (true, _) => Ok(Some(profile)),
            (false, None) => Ok(None),
            (false, Some(asked)) => {
                let reason = format!("AWS_PROFILE names the profile {asked:?}, which is in no file of AWS profiles");
                Err(Error::invalid(reason))
            }
        }
    }

    pub fn get(&self, key: &str) -> Option<&str> {
        self.settings.get(key).map(Secret::reveal).filter(|value| !value.is_empty())
    }

    /// The provider of the profile's credentials; `None` when it has none.
    pub fn provider(&self) -> Result<Option<Arc<dyn CredentialProvider<Credential = AwsCredential>>>> {
        if let (Some(id), Some(secret)) = (self.get("aws_access_key_id"), self.get("aws_secret_access_key")) {
            let credential = AwsCredential {
                key_id: id.to_owned(),
                secret_key: secret.to_owned(),
                token: self.get("aws_session_token").map(str::to_owned),
            };
            return Ok(Some(Arc::new(object_store::StaticCredentialProvider::new(credential))));
        }
        if let Some(command) = self.get("credential_process") {
            let (name, command) = (self.name.clone(), Secret::new(command));
            return Ok(Some(Arc::new(ByCommand { name, command, last: Mutex::default() })));
        }
        for other in ["sso_session", "sso_start_url", "source_profile", "role_arn"] {
            if self.get(other).is_some() {
                let reason = format!(
                    "the AWS profile {:?} has its credentials from {other}, which is not supported: a credential_process such \
                     as `aws configure export-credentials --format process --profile {}` gets them",
                    self.name, self.name
                );
                return Err(Error::invalid(reason));
            }
        }
        Ok(None)
    }
}

/// The contents of a file; `None` when it does not exist.
fn read(path: &Path) -> Result<Option<String>> {
    let failed = |e: &std::io::Error| Error::io(e, "read the file of AWS profiles").at(path);
    let (file, _) = match binlog::store::support::to_read(path) {
        Ok(opened) => opened,
        Err(e) if matches!(e.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => return Ok(None),
        Err(e) => return Err(failed(&e)),
    };
    let mut text = String::new();
    file.take(LONGEST).read_to_string(&mut text).map_err(|e| failed(&e))?;
    Ok(Some(text))
}

/// The settings of a profile. In the file `config` its section is called `profile NAME`, unless it is the default one.
/// Indented lines belong to the setting above them, and are skipped.
fn section(text: &str, name: &str, is_config: bool) -> Option<BTreeMap<String, Secret>> {
    let mut settings = None;
    let mut is_ours = false;
    for line in text.lines() {
        let is_nested = line.starts_with([' ', '\t']);
        let line = line.trim();
        if line.is_empty() || line.starts_with(['#', ';']) {
            continue;
        }
        if let Some(header) = line.strip_prefix('[').and_then(|line| line.split(']').next()).filter(|_| !is_nested) {
            let header = header.trim();
            is_ours = match header.strip_prefix("profile").filter(|rest| rest.starts_with([' ', '\t'])) {
                Some(rest) => is_config && rest.trim().trim_matches(['"', '\'']) == name,
                None => header == name && (!is_config || name == "default"),
            };
            if is_ours {
                settings.get_or_insert_with(BTreeMap::new);
            }
            continue;
        }
        let pair = line.split_once('=').filter(|_| is_ours && !is_nested);
        if let (Some(settings), Some((key, value))) = (settings.as_mut(), pair) {
            settings.insert(key.trim().to_ascii_lowercase(), Secret::new(value.trim()));
        }
    }
    settings
}

/// Runs a command for credentials, and again before they expire.
#[derive(Debug)]
struct ByCommand {
    name: String,
    command: Secret,
    last: Mutex<Option<Given>>,
}

#[derive(Clone, Debug)]
struct Given {
    credential: Arc<AwsCredential>,
    /// When the credentials have to be renewed.
    until: Option<jiff::Timestamp>,
}

#[async_trait]
impl CredentialProvider for ByCommand {
    type Credential = AwsCredential;

    async fn get_credential(&self) -> object_store::Result<Arc<AwsCredential>> {
        let mut last = self.last.lock();
        let is_good = |given: &&Given| given.until.is_none_or(|until| until > jiff::Timestamp::now());
        if let Some(given) = last.as_ref().filter(is_good) {
            return Ok(given.credential.clone());
        }
        let given = ask(self.command.reveal()).map_err(|reason| object_store::Error::Generic {
            store: "S3",
            source: format!("the credential_process of the AWS profile {:?} {reason}", self.name).into(),
        })?;
        let credential = given.credential.clone();
        *last = Some(given);
        Ok(credential)
    }
}

/// Runs the command and parses its output. A reason never repeats the output, which contains the secret.
fn ask(command: &str) -> std::result::Result<Given, String> {
    let mut process = Command::new("/bin/sh");
    process.arg("-c").arg(command).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null());
    let mut child = process.spawn().map_err(|e| format!("cannot be run: {e}"))?;
    let out = child.stdout.take();
    let reader = std::thread::Builder::new().name("binlog-aws".to_owned()).spawn(move || {
        let mut text = String::new();
        let read = out.map(|out| out.take(LONGEST).read_to_string(&mut text));
        read.map(|read| read.map(|_| text))
    });
    let reader = reader.map_err(|e| format!("cannot be read: {e}"))?;
    let began = Instant::now();
    let status = loop {
        match child.try_wait() {
            Ok(Some(status)) => break status,
            Ok(None) if began.elapsed() > PATIENCE => {
                let _ = child.kill();
                let _ = child.wait();
                return Err(format!("has not ended after {} s", PATIENCE.as_secs()));
            }
            Ok(None) => std::thread::sleep(Duration::from_millis(10)),
            Err(e) => return Err(format!("cannot be waited for: {e}")),
        }
    };
    if !status.success() {
        return Err(format!("failed: {status}"));
    }
    match reader.join() {
        Ok(Some(Ok(text))) => parse(&text),
        _ => Err("has said nothing that can be read".to_owned()),
    }
}

fn parse(text: &str) -> std::result::Result<Given, String> {
    let value: serde_json::Value = serde_json::from_str(text).map_err(|_| "has not answered in JSON".to_owned())?;
    let word = |key: &str| value.get(key).and_then(serde_json::Value::as_str).filter(|word| !word.is_empty());
    if value.get("Version").and_then(serde_json::Value::as_u64) != Some(1) {
        return Err("has answered in another version than 1".to_owned());
    }
    let (Some(id), Some(secret)) = (word("AccessKeyId"), word("SecretAccessKey")) else {
        return Err("has not answered with AccessKeyId and SecretAccessKey".to_owned());
    };
    let until = match word("Expiration").map(str::parse::<jiff::Timestamp>) {
        Some(Ok(end)) => Some(end.saturating_sub(AHEAD).unwrap_or(end)),
        Some(Err(_)) => return Err("has answered with an Expiration that is no time".to_owned()),
        None => None,
    };
    let credential = AwsCredential {
        key_id: id.to_owned(),
        secret_key: secret.to_owned(),
        token: word("SessionToken").map(str::to_owned),
    };
    Ok(Given { credential: Arc::new(credential), until })
}

#[cfg(test)]
mod tests {
    use super::*;

    const CONFIG: &str = "\
# of the machine
[default]
region = eu-central-1

[profile logs]
region=eu-west-1
s3 =
  addressing_style = path
  region = nowhere
credential_process = /opt/get 'it' # not a comment
[sso-session logs]
region = elsewhere
[profile 'with space']
region = us-west-2
";

    fn get<'a>(settings: &'a BTreeMap<String, Secret>, key: &str) -> &'a str {
        settings.get(key).map_or("", |value| value.reveal())
    }

    #[test]
    fn a_profile_is_the_section_of_its_name_and_nothing_that_is_nested() {
        let logs = section(CONFIG, "logs", true).unwrap();
        assert_eq!((get(&logs, "region"), get(&logs, "addressing_style")), ("eu-west-1", ""));
        assert_eq!(get(&logs, "credential_process"), "/opt/get 'it' # not a comment");
        assert_eq!(get(&section(CONFIG, "default", true).unwrap(), "region"), "eu-central-1");
        assert_eq!(get(&section(CONFIG, "with space", true).unwrap(), "region"), "us-west-2");
        assert!(section(CONFIG, "logs", false).is_none() && section(CONFIG, "other", true).is_none());
        let plain = section("[logs]\r\nAWS_ACCESS_KEY_ID = me\r\n", "logs", false).unwrap();
        assert_eq!(get(&plain, "aws_access_key_id"), "me");
    }

    fn profile(settings: &[(&str, &str)]) -> Profile {
        let settings = settings.iter().map(|(key, value)| ((*key).to_owned(), Secret::new(*value))).collect();
        Profile { name: "logs".to_owned(), settings }
    }

    fn ask_provider(settings: &[(&str, &str)]) -> std::result::Result<Arc<AwsCredential>, String> {
        let provider = profile(settings).provider().map_err(|e| e.to_string())?.ok_or("none")?;
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(provider.get_credential()).map_err(|e| e.to_string())
    }

    #[test]
    fn credentials_come_from_the_profile_or_from_its_command_and_are_shown_nowhere() {
        let keys = ask_provider(&[("aws_access_key_id", "me"), ("aws_secret_access_key", "sesame")]).unwrap();
        assert_eq!((&*keys.key_id, &*keys.secret_key), ("me", "sesame"));
        let answer = r#"{"Version": 1, "AccessKeyId": "me", "SecretAccessKey": "sesame", "SessionToken": "t"}"#;
        let said = ask_provider(&[("credential_process", &format!("echo '{answer}'"))]).unwrap();
        assert_eq!((&*said.secret_key, said.token.as_deref()), ("sesame", Some("t")));
        for (command, reason) in [
            ("exit 3", "exit status: 3"),
            ("echo sesame", "JSON"),
            (r#"echo '{"Version": 2, "AccessKeyId": "sesame"}'"#, "version"),
            (r#"echo '{"Version": 1, "SecretAccessKey": "sesame"}'"#, "AccessKeyId"),
        ] {
            let error = ask_provider(&[("credential_process", command)]).unwrap_err();
            assert!(error.contains(reason) && !error.contains("sesame"), "{command}: {error}");
        }
        let error = ask_provider(&[("sso_session", "x")]).unwrap_err();
        assert!(error.contains("export-credentials"), "{error}");
        assert!(!format!("{:?}", profile(&[("aws_secret_access_key", "sesame")])).contains("sesame"));
    }

    #[test]
    fn what_a_command_said_is_asked_for_again_before_it_ends() {
        let home = tempfile::tempdir().unwrap();
        let count = home.path().join("count");
        let answer = |minutes: i64| {
            let end = jiff::Timestamp::now() + Duration::from_secs(60 * minutes.unsigned_abs());
            let answer =
                format!(r#"{{"Version": 1, "AccessKeyId": "me", "SecretAccessKey": "s", "Expiration": "{end}"}}"#);
            format!("echo x >> {}; echo '{answer}'", count.display())
        };
        for (minutes, asked) in [(60, 1), (4, 3)] {
            let _ = std::fs::remove_file(&count);
            let provider = profile(&[("credential_process", &answer(minutes))]).provider().unwrap().unwrap();
            let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
            (0..3).for_each(|_| drop(runtime.block_on(provider.get_credential()).unwrap()));
            assert_eq!(std::fs::read_to_string(&count).unwrap().lines().count(), asked, "{minutes}");
        }
    }
}

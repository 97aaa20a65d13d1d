//! Credentials: from a file of `KEY=VALUE` lines or the environment. No message shows them.

use std::collections::BTreeMap;
use std::fmt;
use std::io::Read as _;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

use binlog::{Error, Result};

/// A value that no message shows.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Secret(String);

impl Secret {
    pub(crate) fn new(value: impl Into<String>) -> Self {
        Secret(value.into())
    }

    /// The value itself, for the request that needs it.
    pub(crate) fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("(secret)")
    }
}

/// Where credentials are looked up: in the file, if there is one, before the environment.
#[derive(Clone, Debug, Default)]
pub(crate) struct Credentials {
    file: BTreeMap<String, Secret>,
    environment: bool,
}

impl Credentials {
    /// The environment, and a file when one is named. The file must not be readable or writable by others, nor writable by
    /// its group.
    pub(crate) fn load(file: Option<&Path>) -> Result<Self> {
        let file = match file {
            Some(path) => read(path).map_err(|e| e.at(path).because("the file of credentials cannot be used"))?,
            None => BTreeMap::new(),
        };
        Ok(Credentials { file, environment: true })
    }

    /// The value of a key; an empty one counts as none.
    pub(crate) fn get(&self, key: &str) -> Option<Secret> {
        let value = match self.file.get(key) {
            Some(value) => Some(value.clone()),
            None if self.environment => std::env::var(key).ok().map(Secret::new),
            None => None,
        };
        value.filter(|value| !value.0.is_empty())
    }

    /// All values that no message may show.
    pub(crate) fn secrets(&self) -> impl Iterator<Item = Secret> + '_ {
        const SECRETS: [&str; 10] = [
            "AWS_SECRET_ACCESS_KEY",
            "AWS_SESSION_TOKEN",
            "AZURE_STORAGE_ACCOUNT_KEY",
            "AZURE_STORAGE_SAS_TOKEN",
            "AZURE_STORAGE_TOKEN",
            "AZURE_CLIENT_SECRET",
            "GOOGLE_ACCESS_TOKEN",
            "ST_KEY",
            "OS_PASSWORD",
            "OS_APPLICATION_CREDENTIAL_SECRET",
        ];
        SECRETS.iter().filter_map(|key| self.get(key))
    }

    /// The value of a key that is required.
    pub(crate) fn need(&self, key: &str, what: &str) -> Result<Secret> {
        self.get(key).ok_or_else(|| {
            Error::invalid(format!("{what} is missing: set {key} in the environment or in the file of credentials"))
        })
    }

    #[cfg(test)]
    pub(crate) fn of(pairs: &[(&str, &str)]) -> Self {
        let file = pairs.iter().map(|(key, value)| ((*key).to_owned(), Secret::new(*value))).collect();
        Credentials { file, environment: false }
    }
}

fn read(path: &Path) -> Result<BTreeMap<String, Secret>> {
    /// Far more than credentials need: a longer file is not one of credentials.
    const MOST: u64 = 64 << 10;
    let (file, facts) =
        binlog::store::support::to_read(path).map_err(|e| match binlog::store::support::is_no_file(&e) {
            true => Error::invalid("it is no plain file"),
            false => Error::io(&e, "open it"),
        })?;
    if facts.mode() & 0o026 != 0 {
        let mode = facts.mode() & 0o7777;
        return Err(Error::invalid(format!("others can read or write it (mode {mode:04o}): make it 0600 or 0640")));
    }
    let mut text = String::new();
    file.take(MOST + 1).read_to_string(&mut text).map_err(|e| Error::io(&e, "read it"))?;
    if text.len() as u64 > MOST {
        return Err(Error::invalid(format!("it has more than {MOST} bytes")));
    }
    parse(&text)
}

/// Lines of `KEY=VALUE`; empty lines and lines that begin with `#` are skipped, and quotes around a whole value are
/// removed.
fn parse(text: &str) -> Result<BTreeMap<String, Secret>> {
    let mut values = BTreeMap::new();
    for (i, line) in text.lines().enumerate() {
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let line = line.strip_prefix("export ").unwrap_or(line);
        // The line itself is never shown: it may be a secret without its key.
        let bad = |why: &str| Error::invalid(format!("line {}: {why}", i + 1));
        let (key, value) = line.split_once('=').ok_or_else(|| bad("it is not KEY=VALUE"))?;
        let (key, value) = (key.trim(), value.trim());
        if key.is_empty() || !key.bytes().all(|c| c.is_ascii_alphanumeric() || c == b'_') {
            return Err(bad("its key is not made of letters, digits and _"));
        }
        let unquoted = ['"', '\''].iter().find_map(|&quote| value.strip_prefix(quote)?.strip_suffix(quote));
        let value = Secret::new(unquoted.unwrap_or(value));
        if values.insert(key.to_owned(), value).is_some() {
            return Err(bad(&format!("{key} is there already")));
        }
    }
    Ok(values)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn a_file_of_credentials_comes_before_the_environment_and_is_shown_by_no_message() {
        let scratch = tempfile::tempdir().unwrap();
        let path = scratch.path().join("credentials");
        std::fs::write(&path, "# for tests\nexport A_KEY = \"one two\"\nEMPTY=\nB='x=y'\n\nHOME=/nowhere\n").unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).unwrap();
        let credentials = Credentials::load(Some(&path)).unwrap();
        assert_eq!(credentials.get("A_KEY").unwrap().reveal(), "one two");
        assert_eq!(credentials.get("B").unwrap().reveal(), "x=y");
        assert_eq!(credentials.get("HOME").unwrap().reveal(), "/nowhere");
        assert_eq!(credentials.get("EMPTY"), None);
        assert!(credentials.get("PATH").is_some(), "what the file lacks comes from the environment");
        let shown = format!("{credentials:?}");
        assert!(!shown.contains("one two") && !shown.contains("x=y"), "{shown}");
        let missing = credentials.need("NOT_THERE", "the password").unwrap_err();
        assert!(missing.to_string().contains("set NOT_THERE"), "{missing}");
    }

    #[test]
    fn a_file_that_others_can_read_is_refused() {
        let scratch = tempfile::tempdir().unwrap();
        let path = scratch.path().join("credentials");
        std::fs::write(&path, "A=b\n").unwrap();
        for (mode, good) in [(0o600, true), (0o640, true), (0o644, false), (0o660, false), (0o602, false)] {
            std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
            assert_eq!(Credentials::load(Some(&path)).is_ok(), good, "{mode:o}");
        }
    }

    #[test]
    fn a_bad_line_is_reported_by_its_number_only() {
        for (text, what) in [("\nsesame", "line 2"), ("A=1\nA=sesame", "line 2: A is"), ("se same=1", "line 1")] {
            let error = parse(text).unwrap_err().to_string();
            assert!(error.contains(what) && !error.contains("sesame"), "{error}");
        }
    }
}

//! The parts of a store's URL.

use crate::error::{Error, Result};
use crate::hex::unhex;

/// The parts of a URL.
#[derive(Clone, Debug)]
pub struct Address {
    /// The URL without options, as messages show it; without a slash at its end.
    pub url: String,
    /// Bucket or container; "" for a directory.
    pub bucket: String,
    /// The beginning of every object's name: "" or ending in a slash. For a directory: its path.
    pub prefix: String,
    options: Vec<(String, String)>,
}

impl Address {
    /// Parses a URL whose query contains no other options than the known ones.
    pub fn parse(text: &str, known: &[&str]) -> Result<Self> {
        // URL parsing resolves dots in the path, and would then silently refer to another place.
        let path = text.split(['?', '#']).next().unwrap_or_default();
        let is_dots = |step: &str| {
            let step = step.to_ascii_lowercase().replace("%2e", ".");
            step == "." || step == ".."
        };
        if path.split('/').any(is_dots) {
            return Err(Error::invalid(
                "the path in a store's URL has a step that is a dot or two: write where it leads",
            ));
        }
        let parts = Parts::of(text)?;
        let scheme = parts.scheme;
        parts.refuse_user()?;
        if parts.authority.contains(':') {
            return Err(Error::invalid(format!(
                "{scheme}:// is followed by a bucket, not by a host and a port: the server is named by the option endpoint or auth"
            )));
        }
        if parts.has_fragment {
            return Err(Error::invalid("a store's URL has no part behind a #: write %23 for a # in a name"));
        }
        let options = parse_options(scheme, parts.query, known)?;
        let bucket = decoded(parts.authority)?;
        let path = decoded(parts.path)?;
        if bucket.contains(|c: char| c.is_whitespace() || c.is_control() || "<>[]^|\\/?#@:".contains(c)) {
            return Err(Error::invalid(format!("{bucket:?} cannot be the name of a bucket or container")));
        }
        if scheme == "file" {
            if !bucket.is_empty() {
                return Err(Error::invalid(format!(
                    "a directory's URL begins with three slashes (file:///…): {bucket:?} is no host that could be asked"
                )));
            }
            if !path.starts_with('/') || trimmed(&path).trim_matches('/').is_empty() {
                return Err(Error::invalid(
                    "file:// is followed by the path of a directory, and not of the root: file:///DIRECTORY",
                ));
            }
            return Ok(Address { url: format!("file://{}", trimmed(&path)), bucket, prefix: path, options });
        }
        if bucket.is_empty() {
            return Err(Error::invalid(format!("{scheme}:// must be followed by the name of a bucket or container")));
        }
        let path = path.trim_matches('/');
        if path.split('/').any(|step| step == "." || step == "..")
            || path.contains("//")
            || path.chars().any(char::is_control)
        {
            return Err(Error::invalid(
                "the prefix in a store's URL has a step that is empty, a dot, or a control character",
            ));
        }
        let shown =
            if path.is_empty() { format!("{scheme}://{bucket}") } else { format!("{scheme}://{bucket}/{path}") };
        let prefix = if path.is_empty() { String::new() } else { format!("{path}/") };
        Ok(Address { url: shown, bucket, prefix, options })
    }

    /// The value of an option, if it is given.
    pub fn option(&self, key: &str) -> Option<&str> {
        self.options.iter().find(|(k, _)| k == key).map(|(_, value)| value.as_str())
    }

    /// An option that is `true` or `false`.
    pub fn flag(&self, key: &str, otherwise: bool) -> Result<bool> {
        match self.option(key) {
            None => Ok(otherwise),
            Some("true" | "1") => Ok(true),
            Some("false" | "0") => Ok(false),
            Some(other) => Err(Error::invalid(format!("the option {key} is true or false, not {other:?}"))),
        }
    }
}

fn trimmed(path: &str) -> &str {
    match path.trim_end_matches('/') {
        "" => "/",
        path => path,
    }
}

/// The text with its %-escapes resolved.
pub(super) fn decoded(text: &str) -> Result<String> {
    String::from_utf8(unescaped(text))
        .map_err(|_| Error::invalid("the store's URL is not UTF-8 once its %-escapes are resolved"))
}

/// The bytes of a text with %-escapes. A % without two hexadecimal digits after it is kept.
fn unescaped(text: &str) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&first, behind)) = rest.split_first() {
        let escaped = behind.get(..2).filter(|_| first == b'%').and_then(|digits| std::str::from_utf8(digits).ok());
        match escaped.and_then(unhex::<1>) {
            Some([byte]) => {
                bytes.push(byte);
                rest = &behind[2..];
            }
            None => {
                bytes.push(first);
                rest = behind;
            }
        }
    }
    bytes
}

/// The parts of a URL as in RFC 3986, still escaped.
struct Parts<'a> {
    scheme: &'a str,
    /// The part after two slashes: the bucket; "" if there are none.
    authority: &'a str,
    path: &'a str,
    query: &'a str,
    has_fragment: bool,
}

/// Refuses text that is no URL, and the URL of a store on a server that contains a user or a password.
pub(super) fn refuse_user(text: &str) -> Result<()> {
    Parts::of(text)?.refuse_user()
}

impl<'a> Parts<'a> {
    fn refuse_user(&self) -> Result<()> {
        match self.authority.contains('@') {
            true => Err(Error::invalid(
                "a store's URL has no user and no password: credentials come from the environment or from a file",
            )),
            false => Ok(()),
        }
    }

    /// Text that cannot be parsed is not repeated: it may contain a password.
    fn of(text: &'a str) -> Result<Self> {
        let unreadable = |why: &str| Err(Error::invalid(format!("the store's URL cannot be read: {why}")));
        if text.contains(char::is_control) {
            return unreadable("it has a control character");
        }
        let Some((scheme, rest)) = text.split_once(':') else { return unreadable("it has no scheme") };
        let (rest, has_fragment) = match rest.split_once('#') {
            Some((rest, _)) => (rest, true),
            None => (rest, false),
        };
        let (place, query) = rest.split_once('?').unwrap_or((rest, ""));
        let (authority, path) = match place.strip_prefix("//") {
            Some(place) => place.split_at(place.find('/').unwrap_or(place.len())),
            None => ("", place),
        };
        Ok(Parts { scheme, authority, path, query, has_fragment })
    }
}

/// Whether the value of an option is the URL of a server that contains a user, a password or a query.
fn has_secrets(value: &str) -> bool {
    let Some((scheme, rest)) = value.trim_start().split_once(':') else { return false };
    let is_server = rest.starts_with("//") || ["http", "https"].contains(&&*scheme.to_ascii_lowercase());
    let rest = rest.trim_start_matches(['/', '\\']);
    let authority = rest.split(['/', '\\', '?', '#']).next().unwrap_or_default();
    is_server && (authority.contains('@') || rest.contains('?'))
}

/// A key that contains one of these would have a secret as its value.
const SECRETS: &[&str] = &["secret", "passw", "pwd", "token", "key", "credential", "signature", "sig", "sas"];

fn is_secret(key: &str) -> bool {
    let small = key.to_ascii_lowercase();
    SECRETS.iter().any(|secret| small.contains(secret))
}

/// Whether a URL of any kind contains a user, a password or what looks like a secret: a store that a caller opens may
/// have any.
pub(crate) fn shows_secret(url: &str) -> bool {
    let Ok(parts) = Parts::of(url) else { return true };
    let text = |part: &str| unescaped(&part.replace('+', " "));
    let is_bad = |pair: &str| {
        let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
        is_secret(&String::from_utf8_lossy(&text(key))) || has_secrets(&String::from_utf8_lossy(&text(value)))
    };
    parts.authority.contains('@') || parts.query.split('&').any(is_bad)
}

fn parse_options(scheme: &str, query: &str, known: &[&str]) -> Result<Vec<(String, String)>> {
    let mut options: Vec<(String, String)> = vec![];
    // As in forms: a plus is a space.
    let text = |part: &str| decoded(&part.replace('+', " "));
    for pair in query.split('&').filter(|pair| !pair.is_empty()) {
        let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
        let (key, value) = (text(key)?, text(value)?);
        if !known.contains(&&*key) {
            let reason = match is_secret(&key) {
                true => format!(
                    "credentials are never in a URL (option {key:?}): they come from the environment or from a file"
                ),
                false if known.is_empty() => format!("this store has no options: {key:?} is unknown"),
                false => format!("the option {key:?} is unknown: {scheme}:// has {}", known.join(", ")),
            };
            return Err(Error::invalid(reason));
        }
        if options.iter().any(|(k, _)| *k == key) {
            return Err(Error::invalid(format!("the option {key} is given twice")));
        }
        if has_secrets(&value) {
            return Err(Error::invalid(format!(
                "the URL in the option {key} has a user, a password or a query, which it must not"
            )));
        }
        options.push((key, value));
    }
    Ok(options)
}

/// The error for a URL of no known kind.
pub(super) fn unknown() -> Error {
    Error::invalid("a store is named by a URL that begins with s3://, gs://, az://, swift://, file:/// or exec:")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Kind;

    fn reason(url: &str) -> String {
        let error = Address::parse(url, &["endpoint", "region"]).unwrap_err();
        assert_eq!(error.kind(), Kind::Invalid);
        assert!(!error.to_string().contains("sesame"), "a secret is shown: {error}");
        error.to_string()
    }

    #[test]
    fn a_url_names_bucket_prefix_and_options() {
        let url = "s3://Logs.2026/a%20b/c/?endpoint=http%3A%2F%2F127.0.0.1%3A9000&region=eu-1";
        let address = Address::parse(url, &["endpoint", "region"]).unwrap();
        assert_eq!((&*address.bucket, &*address.prefix), ("Logs.2026", "a b/c/"));
        assert_eq!(address.url, "s3://Logs.2026/a b/c");
        assert_eq!(address.option("endpoint"), Some("http://127.0.0.1:9000"));
        assert_eq!(address.option("path_style"), None);
        let bare = Address::parse("swift://c?endpoint=http://h:1/v1", &["endpoint"]).unwrap();
        assert_eq!((&*bare.bucket, &*bare.prefix, &*bare.url), ("c", "", "swift://c"));
    }

    #[test]
    fn a_secret_in_a_url_is_refused_and_not_repeated() {
        for url in [
            "s3://me:sesame@bucket/logs",
            "s3://sesame@bucket/logs",
            "s3://b/?secret_access_key=sesame",
            "s3://b/?X-Amz-Signature=sesame",
            "s3://b/?endpoint=http://me:sesame@h:9000",
            "s3://b/?endpoint=http://h:9000/?password=sesame",
            "s3://b:sesame/logs",
        ] {
            reason(url);
        }
        assert!(reason("s3://b/?Password=sesame").contains("never in a URL"));
    }

    #[test]
    fn an_unknown_option_is_an_error_that_names_the_known_ones() {
        assert!(reason("s3://b/?colour=red").contains("endpoint, region"));
        assert!(reason("s3://b/?region=a&region=b").contains("twice"));
        assert!(reason("s3:///x").contains("bucket"));
        for dots in ["s3://b/a/../../c%2F..", "s3://b/a/../c", "s3://b/%2e%2E/c", "file:///a/../b", "s3://b/./c"] {
            assert!(reason(dots).contains("step"), "{dots}");
        }
        assert!(reason("s3://b:9000/x").contains("endpoint"));
        assert!(reason("file://host/x").contains("three slashes"));
        assert!(reason("s3://b/x#y").contains("%23"));
    }
}

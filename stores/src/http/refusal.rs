//! Why a request failed, and what that means for the caller.

use std::error::Error as _;
use std::fmt;
use std::path::Path;
use std::time::{Duration, SystemTime};

use http::header::{CONTENT_TYPE, RETRY_AFTER};

use super::entities::unescaped;
use super::secrets::Secrets;
use binlog::store::{support::brief, Again, Failure};
use binlog::{Error, Kind};

/// A request that failed. The server's text was scrubbed of secrets.
#[derive(Clone, Debug)]
pub(crate) struct Refusal {
    /// The status of the answer; `None` when no answer came.
    pub status: Option<u16>,
    /// The server's own name for the error ("NoSuchKey"), or "".
    pub code: String,
    /// The server's message, or what happened on the way.
    pub message: String,
    /// When the server wants the request to be repeated.
    pub retry_after: Option<Duration>,
    /// The system's error about the connection.
    os_code: Option<i32>,
    /// Repeating the request changes nothing.
    lasting: bool,
    /// The connection was made, and broke before an answer came.
    broke: bool,
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.status {
            None => f.write_str(&self.message),
            Some(status) => {
                write!(f, "the server answered with {status}")?;
                let words = [&*self.code, &*self.message];
                let words: Vec<&str> = words.into_iter().filter(|word| !word.is_empty()).collect();
                if !words.is_empty() {
                    write!(f, " ({})", words.join(": "))?;
                }
                Ok(())
            }
        }
    }
}

impl std::error::Error for Refusal {}

impl Refusal {
    fn of(message: impl Into<String>) -> Self {
        let (code, message) = (String::new(), message.into());
        Refusal { status: None, code, message, retry_after: None, os_code: None, lasting: false, broke: false }
    }

    /// An answer that makes no sense, or a request that cannot be sent.
    pub(crate) fn broken(message: impl Into<String>) -> Self {
        Refusal { lasting: true, ..Self::of(message) }
    }

    /// The requested object or container does not exist.
    pub(crate) fn gone(message: impl Into<String>) -> Self {
        Refusal { status: Some(404), ..Self::of(message) }
    }

    /// An answer within an answer, which begins with its status ("403 Forbidden").
    pub(crate) fn of_status(status: &str, message: &str) -> Self {
        let (number, words) = status.split_once(' ').unwrap_or((status, ""));
        let number = number.parse().ok().or(Some(500));
        Refusal { status: number, code: brief(words), ..Self::of(message) }
    }

    /// Puts a consequence before the reason.
    pub(crate) fn because(mut self, consequence: &str) -> Self {
        self.message = match &*self.message {
            "" => consequence.to_owned(),
            message => format!("{consequence}: {message}"),
        };
        self
    }

    /// Without secrets that the server may have put into its text.
    pub(super) fn scrubbed(self, secrets: &Secrets) -> Self {
        Refusal { code: secrets.scrub(&self.code), message: secrets.scrub(&self.message), ..self }
    }

    pub(super) fn timeout(after: Duration) -> Self {
        Refusal { os_code: Some(libc::ETIMEDOUT), ..Self::of(format!("nothing came from the server for {after:?}")) }
    }

    /// The connection could not be made, or broke.
    pub(super) fn transport(error: reqwest::Error) -> Self {
        let error = error.without_url();
        let connecting = error.is_connect();
        let (mut os_code, mut lasting) = (error.is_timeout().then_some(libc::ETIMEDOUT), false);
        let mut deepest = error.to_string();
        let mut source = error.source();
        while let Some(cause) = source {
            deepest = cause.to_string();
            if let Some(io) = cause.downcast_ref::<std::io::Error>() {
                os_code = os_code.or(io.raw_os_error()).or(match io.kind() {
                    std::io::ErrorKind::TimedOut => Some(libc::ETIMEDOUT),
                    std::io::ErrorKind::ConnectionRefused => Some(libc::ECONNREFUSED),
                    std::io::ErrorKind::ConnectionReset | std::io::ErrorKind::UnexpectedEof => Some(libc::ECONNRESET),
                    _ => None,
                });
                // source() does not return a reason inside an error of the system, and that reason may be inside of
                // another one.
                let mut inner = io.get_ref();
                while let Some(reason) = inner {
                    deepest = reason.to_string();
                    lasting |= reason.is::<rustls::Error>();
                    inner = reason.downcast_ref::<std::io::Error>().and_then(std::io::Error::get_ref);
                }
            }
            lasting |= cause.is::<rustls::Error>();
            source = cause.source();
        }
        let what = if connecting { "the server cannot be reached" } else { "the connection to the server broke" };
        let broke = !connecting && !lasting && os_code != Some(libc::ETIMEDOUT);
        Refusal { os_code, lasting, broke, ..Self::of(format!("{what}: {}", brief(&deepest))) }
    }

    /// Whether the connection broke as one does that was idle for too long.
    pub(super) fn may_be_idleness(&self) -> bool {
        self.broke
    }

    /// An answer with a status other than success.
    pub(super) fn answer(head: &http::response::Parts, body: &[u8], secrets: &Secrets) -> Self {
        let text = String::from_utf8_lossy(body);
        let json = head.headers.get(CONTENT_TYPE).is_some_and(|kind| kind.as_bytes().starts_with(b"application/json"));
        let (code, message) = if json { of_json(&text) } else { of_xml(&text) };
        let clean = |words: String| brief(&secrets.scrub(&words));
        let retry_after = head.headers.get(RETRY_AFTER).and_then(|value| wait_of(value.to_str().ok()?));
        let status = Some(head.status.as_u16());
        Refusal { status, code: clean(code), retry_after, ..Self::of(clean(message)) }
    }

    /// An answer whose status is success and whose body is an error: S3 sends one when the answer takes long.
    pub(crate) fn of_success(body: &[u8]) -> Option<Self> {
        let start = &body[..body.len().min(4096)];
        let text = String::from_utf8_lossy(start);
        if !text.contains("<Error>") && !text.contains("<Error ") {
            return None;
        }
        let (code, message) = of_xml(&text);
        Some(Refusal { status: Some(500), code: brief(&code), ..Self::of(brief(&message)) })
    }

    pub(crate) fn is(&self, status: u16) -> bool {
        self.status == Some(status)
    }

    /// The error for a caller that was `doing` something.
    pub(crate) fn failure(&self, doing: &str, url: &str) -> Failure {
        let (kind, os_code, again) = self.meaning();
        let mut error = Error::new(kind, format!("cannot {doing}: {self}"));
        if let Some(code) = os_code {
            error = error.with_os_code(code);
        }
        Failure { error: error.at(Path::new(url)), again }
    }

    fn meaning(&self) -> (Kind, Option<i32>, Again) {
        let later = Again::Later(self.retry_after);
        let Some(status) = self.status else {
            let again = if self.lasting { Again::WhenMended } else { later };
            return (Kind::Io, self.os_code, again);
        };
        let said = |words: &[&str]| words.iter().any(|word| self.code.contains(word) || self.message.contains(word));
        if status == 507 || said(&["QuotaExceeded", "quota", "InsufficientStorage", "StorageFull"]) {
            return (Kind::NoSpace, None, Again::WhenMended);
        }
        match status {
            // Only slow, or damaged on the way.
            400 if said(&["RequestTimeout", "BadDigest", "IncompleteBody", "Md5Mismatch"]) => (Kind::Io, None, later),
            408 | 409 | 422 | 425 | 429 => (Kind::Io, None, later),
            501 | 505 => (Kind::Unsupported, None, Again::WhenMended),
            500.. => (Kind::Io, None, later),
            401 | 403 => (Kind::Io, Some(libc::EACCES), Again::WhenMended),
            400 if said(&["ExpiredToken", "InvalidToken"]) => (Kind::Io, Some(libc::EACCES), Again::WhenMended),
            404 | 410 => (Kind::NotFound, None, Again::WhenMended),
            413 => (Kind::NoSpace, None, Again::WhenMended),
            _ => (Kind::Invalid, None, Again::WhenMended),
        }
    }
}

/// Seconds, or a date.
fn wait_of(value: &str) -> Option<Duration> {
    /// The longest wait that a server may ask for.
    const MOST: Duration = Duration::from_secs(3600);
    let wait = match value.trim().parse::<u64>() {
        Ok(seconds) => Duration::from_secs(seconds),
        Err(_) => {
            let at = jiff::fmt::rfc2822::parse(value).ok()?.timestamp();
            SystemTime::from(at).duration_since(SystemTime::now()).unwrap_or_default()
        }
    };
    Some(wait.min(MOST))
}

/// Code and message of an error of S3, Google and Azure; otherwise the text without its markup.
fn of_xml(text: &str) -> (String, String) {
    let element = |name: &str| {
        let (_, rest) = text.split_once(&format!("<{name}>"))?;
        Some(unescaped(rest.split_once(&format!("</{name}>"))?.0))
    };
    match element("Code") {
        Some(code) => (code, element("Message").unwrap_or_default()),
        None => (String::new(), without_markup(text)),
    }
}

/// The same from Keystone, and from the tokens of Google and Azure.
fn of_json(text: &str) -> (String, String) {
    let Ok(value) = serde_json::from_str::<serde_json::Value>(text) else { return Default::default() };
    let error = value.get("error").unwrap_or(&value);
    let word = |of: &serde_json::Value, keys: &[&str]| {
        keys.iter().find_map(|key| of.get(*key)?.as_str().map(str::to_owned)).unwrap_or_default()
    };
    match error.as_str() {
        Some(code) => (code.to_owned(), word(&value, &["error_description"])),
        None => (word(error, &["title", "status", "code"]), word(error, &["message"])),
    }
}

fn without_markup(text: &str) -> String {
    let mut words = String::new();
    let mut rest = text;
    while let Some((before, behind)) = rest.split_once('<') {
        words.push_str(before);
        words.push(' ');
        rest = behind.split_once('>').map_or("", |(_, behind)| behind);
    }
    words.push_str(rest);
    unescaped(&words)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::credentials::Credentials;

    fn refusal(status: u16, kind: &str, body: &str) -> Refusal {
        let response = http::Response::builder().status(status).header("content-type", kind).header("retry-after", "7");
        let (head, ()) = response.body(()).unwrap().into_parts();
        Refusal::answer(&head, body.as_bytes(), &Secrets::of(&Credentials::of(&[("ST_KEY", "sesame")])))
    }

    #[test]
    fn a_refusal_reports_what_the_server_said_in_one_bounded_line_without_secrets() {
        let xml = "<?xml version=\"1.0\"?>\n<Error><Code>AccessDenied</Code><Message>No\x07 way,\n&lt;sesame&gt;</Message></Error>";
        let failure = refusal(403, "application/xml", xml).failure("store the object", "s3://b/x");
        assert_eq!(
            failure.to_string(),
            "s3://b/x: cannot store the object: the server answered with 403 (AccessDenied: No way, <(secret)>)"
        );
        assert_eq!((failure.error.os_code(), failure.again), (Some(libc::EACCES), Again::WhenMended));
        let html = format!("<html><h1>Oh</h1><p>{}</p></html>", "no ".repeat(1000));
        let long = refusal(503, "text/html", &html);
        assert!(long.to_string().len() < 400 && long.to_string().contains("Oh no no"), "{long}");
        assert_eq!(long.failure("x", "y").again, Again::Later(Some(Duration::from_secs(7))));
        let json = r#"{"error": {"code": 401, "title": "Unauthorized", "message": "Who are you?"}}"#;
        assert!(refusal(401, "application/json", json).to_string().contains("Unauthorized: Who are you?"));
    }

    #[test]
    fn each_answer_says_whether_it_is_worth_asking_again() {
        let meaning = |status, code: &str| {
            let failure = refusal(status, "text/xml", &format!("<Code>{code}</Code>")).failure("x", "y");
            (failure.error.kind(), matches!(failure.again, Again::Later(_)))
        };
        for status in [408, 409, 429, 500, 502, 503, 504] {
            assert_eq!(meaning(status, ""), (Kind::Io, true), "{status}");
        }
        assert_eq!(meaning(400, "RequestTimeout"), (Kind::Io, true));
        assert_eq!(meaning(400, "InvalidArgument"), (Kind::Invalid, false));
        assert_eq!(meaning(404, "NoSuchBucket"), (Kind::NotFound, false));
        assert_eq!(meaning(507, ""), (Kind::NoSpace, false));
        assert_eq!(meaning(413, ""), (Kind::NoSpace, false));
        assert_eq!(meaning(403, "QuotaExceeded"), (Kind::NoSpace, false));
        assert_eq!(meaning(501, "NotImplemented"), (Kind::Unsupported, false));
        assert_eq!(meaning(301, "PermanentRedirect"), (Kind::Invalid, false));
    }

    #[test]
    fn a_wait_is_given_in_seconds_or_as_a_date_and_is_bounded() {
        assert_eq!(wait_of("30"), Some(Duration::from_secs(30)));
        assert_eq!(wait_of("999999999"), Some(Duration::from_secs(3600)));
        assert_eq!(wait_of("Wed, 21 Oct 2015 07:28:00 GMT"), Some(Duration::ZERO));
        assert_eq!(wait_of("soon"), None);
    }
}

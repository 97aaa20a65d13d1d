//! Keeps secrets in a server's text out of messages: a server may repeat what was sent to it, and some do.
//!
//! Secrets are recognised in three ways: those of the credentials, those in a request (tokens, signatures, the body of
//! a login), and by the words before them (`sig=…`). A server that wants to betray a secret in a form of its own can do
//! so; one that only shows the request that it refuses cannot.

use std::collections::VecDeque;

use bytes::Bytes;
use http::request::Parts;
use parking_lot::Mutex;
use percent_encoding::{percent_decode_str, utf8_percent_encode, AsciiSet, NON_ALPHANUMERIC};

use super::entities::unescaped;
use crate::credentials::Credentials;

/// Replaces a secret.
const MASK: &str = "(secret)";
/// Replaces words that contain a part of a secret.
const HIDDEN: &str = "(what the server said repeats a part of a secret, and is not shown)";
/// So many consecutive characters of a secret count as a part of it.
const PART: usize = 12;
/// Shorter secrets would be found in harmless words.
const SHORTEST: usize = 6;
/// The secrets of so many requests are remembered: an answer may be read long after it came.
const REMEMBERED: usize = 64;
/// No body of a login is longer.
const LONGEST_BODY: usize = 64 << 10;

/// Headers whose values are secrets.
const HEADERS: [&str; 7] = [
    "authorization",
    "x-auth-token",
    "x-auth-key",
    "x-subject-token",
    "x-amz-security-token",
    "x-aws-ec2-metadata-token",
    "x-identity-header",
];

/// Names of secrets in a query, in a form or in an answer, in lower case.
const NAMES: [&str; 27] = [
    "sig",
    "signature",
    "x-amz-signature",
    "x-goog-signature",
    "x-amz-security-token",
    "x-auth-token",
    "x-auth-key",
    "x-subject-token",
    "authorization",
    "client_secret",
    "client_assertion",
    "assertion",
    "access_token",
    "refresh_token",
    "id_token",
    "subject_token",
    "session_token",
    "sessiontoken",
    "token",
    "webidentitytoken",
    "secretaccesskey",
    "secret_access_key",
    "aws_secret_access_key",
    "accountkey",
    "password",
    "passwd",
    "secret",
];

/// Everything that must not be shown.
pub(super) struct Secrets {
    /// Secrets of the credentials.
    lasting: Vec<String>,
    /// Secrets of the last requests, the last request at the end.
    recent: Mutex<VecDeque<String>>,
}

impl Secrets {
    pub fn of(credentials: &Credentials) -> Self {
        let mut lasting = vec![];
        for secret in credentials.secrets() {
            add(&mut lasting, secret.reveal());
            // A SAS token is a query: the secrets in it may be repeated alone.
            pairs_of(secret.reveal(), &mut lasting);
        }
        Secrets { lasting, recent: Mutex::default() }
    }

    /// Remembers the secrets of a request.
    pub fn note(&self, head: &Parts, body: &[Bytes]) {
        let mut found = vec![];
        for value in HEADERS.iter().flat_map(|name| head.headers.get_all(*name)).filter_map(|value| value.to_str().ok())
        {
            header(value, &mut found);
        }
        pairs_of(head.uri.query().unwrap_or_default(), &mut found);
        let is_form = head
            .headers
            .get(http::header::CONTENT_TYPE)
            .is_some_and(|kind| kind.as_bytes().ends_with(b"form-urlencoded"));
        let body = body.first().filter(|first| body.len() == 1 && is_form && first.len() <= LONGEST_BODY);
        if let Some(body) = body.and_then(|body| std::str::from_utf8(body).ok()) {
            pairs_of(body, &mut found);
        }
        let mut recent = self.recent.lock();
        for secret in found {
            if !recent.contains(&secret) {
                recent.push_back(secret);
            }
        }
        let over = recent.len().saturating_sub(REMEMBERED);
        recent.drain(..over);
    }

    /// The text without any of these secrets.
    pub fn scrub(&self, text: &str) -> String {
        let recent = self.recent.lock().clone();
        let mut forms: Vec<String> = self.lasting.iter().chain(&recent).flat_map(|secret| forms_of(secret)).collect();
        // A secret may be a part of another one.
        forms.sort_unstable_by(|a, b| b.len().cmp(&a.len()).then_with(|| a.cmp(b)));
        forms.dedup();
        let known = forms.iter().fold(text.to_owned(), |text, form| text.replace(form.as_str(), MASK));
        let shown = without_named(&known);
        // A part of a secret, or a secret in an unusual form, cannot be cut out: the whole text is withheld then.
        let bare = bare(&shown);
        let plain = |secret: &String| percent_decode_str(secret).decode_utf8_lossy().into_owned();
        let mut secrets = self.lasting.iter().chain(&recent).flat_map(|secret| [secret.clone(), plain(secret)]);
        match secrets.any(|secret| shares_a_part(&bare, &secret)) {
            true => HIDDEN.to_owned(),
            false => shown,
        }
    }
}

fn add(to: &mut Vec<String>, secret: &str) {
    if secret.len() >= SHORTEST {
        to.push(secret.to_owned());
    }
}

/// A header's value, and the secrets in it: "Bearer TOKEN", "SharedKey ACCOUNT:SIGNATURE", "AWS4-HMAC-SHA256
/// Credential=…, SignedHeaders=…, Signature=…".
fn header(value: &str, found: &mut Vec<String>) {
    let words = value.split_once(' ').map_or(value, |(_scheme, words)| words);
    for word in
        words.split([' ', ',']).filter(|word| !word.starts_with("Credential=") && !word.starts_with("SignedHeaders="))
    {
        add(found, word);
        let signature = word.strip_prefix("Signature=").or_else(|| Some(word.split_once(':')?.1));
        add(found, signature.unwrap_or_default());
    }
}

/// The secrets among `KEY=VALUE&KEY=VALUE`.
fn pairs_of(query: &str, found: &mut Vec<String>) {
    let pairs = query.trim_start_matches('?').split('&').filter_map(|pair| pair.split_once('='));
    for (_, value) in pairs.filter(|(key, _)| NAMES.contains(&&*key.to_ascii_lowercase())) {
        add(found, value);
    }
}

/// The forms in which a secret may be written.
fn forms_of(secret: &str) -> Vec<String> {
    const UNRESERVED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');
    let plain = percent_decode_str(secret).decode_utf8_lossy().into_owned();
    let mut forms = vec![secret.to_owned(), plain.clone(), plain.replace('+', " ")];
    for text in [secret, &plain] {
        for encoded in [utf8_percent_encode(text, NON_ALPHANUMERIC), utf8_percent_encode(text, UNRESERVED)] {
            let encoded = encoded.to_string();
            forms.push(lower_hex(&encoded));
            forms.push(encoded.replace("%20", "+"));
            forms.push(encoded);
        }
        forms.push(text.replace('/', "\\/"));
        forms.push(text.replace('\\', "\\\\").replace('"', "\\\""));
    }
    forms.retain(|form| form.len() >= SHORTEST);
    forms
}

/// The forms of a text without blanks, and without what may be written in several ways: escapes of URLs, of XML, of
/// JSON and other languages; with and without tags; and with sequences of quoted-printable both decoded and left as
/// they are.
fn bare(text: &str) -> Vec<String> {
    // A request inside a request is escaped twice, and an answer that shows it escapes it once more.
    const NESTED: usize = 6;
    let mut plain = text.to_owned();
    for _ in 0..NESTED {
        let before = plain.clone();
        plain = without_backslashes(&unescaped(&percent_decode_str(&plain).decode_utf8_lossy()));
        if plain == before {
            break;
        }
    }
    let printable = percent_decode_str(&plain.replace('=', "%")).decode_utf8_lossy().into_owned();
    let untagged = |text: &str| {
        let parts = text.split('<').map(|part| part.split_once('>').map_or(part, |(_, behind)| behind));
        parts.collect::<String>()
    };
    [&plain, &printable].iter().flat_map(|text| [skeleton(text), skeleton(&untagged(text))]).collect()
}

/// The visible ASCII characters of a text, without backslashes, and without `+`, which may be a blank.
fn skeleton(text: &str) -> String {
    text.chars().filter(|c| c.is_ascii_graphic() && !matches!(c, '\\' | '+')).collect()
}

/// Decodes `\u0041`, `\u{41}`, `\x41` and `\101`.
fn without_backslashes(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, behind)) = rest.split_once('\\') {
        plain.push_str(before);
        let read = |digits: &str, radix| u32::from_str_radix(digits, radix).ok().and_then(char::from_u32);
        let of = |skipped: usize, digits: usize, radix| {
            let (from, to) = (skipped, skipped + digits);
            Some((read(behind.get(from..to)?, radix)?, behind.get(to..)?))
        };
        let braced = || {
            let (digits, behind) = behind.strip_prefix("u{")?.split_once('}')?;
            Some((read(digits, 16)?, behind))
        };
        let escaped = match behind.as_bytes().first() {
            Some(b'u') => braced().or_else(|| of(1, 4, 16)),
            Some(b'x') => of(1, 2, 16),
            Some(b'0'..=b'7') => of(0, 3, 8),
            _ => None,
        };
        match escaped {
            Some((c, behind)) => {
                plain.push(c);
                rest = behind;
            }
            None => {
                plain.push('\\');
                rest = behind;
            }
        }
    }
    plain + rest
}

/// Whether one of these forms of a text contains so much of a secret that it is no coincidence.
fn shares_a_part(forms: &[String], secret: &str) -> bool {
    let secret: Vec<char> = secret.chars().filter(|c| c.is_ascii_graphic() && *c != '\\').collect();
    if secret.len() < SHORTEST {
        return false;
    }
    let parts = secret.windows(PART.min(secret.len()));
    let parts = parts.map(|part| part.iter().filter(|c| **c != '+').collect::<String>());
    parts.filter(|part| part.len() >= SHORTEST).any(|part| forms.iter().any(|form| form.contains(&part)))
}

/// `%2F` as `%2f`.
fn lower_hex(encoded: &str) -> String {
    let mut rest = encoded;
    let mut text = String::with_capacity(encoded.len());
    while let Some((before, behind)) = rest.split_once('%') {
        let (hex, behind) = behind.split_at_checked(2).unwrap_or((behind, ""));
        text.extend([before, "%", &hex.to_ascii_lowercase()]);
        rest = behind;
    }
    text + rest
}

/// The text without values whose names are those of secrets: `sig=…`, `"client_secret": "…"`, `Bearer …`.
fn without_named(text: &str) -> String {
    let is_word = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-');
    let mut shown = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find(is_word) {
        let (before, word_on) = rest.split_at(at);
        let (word, behind) = word_on.split_at(word_on.find(|c| !is_word(c)).unwrap_or(word_on.len()));
        shown.push_str(before);
        shown.push_str(word);
        rest = behind;
        let small = word.to_ascii_lowercase();
        let value = match small.as_str() {
            "bearer" | "basic" | "sharedkey" => behind.strip_prefix(' ').filter(|value| looks_secret(value)),
            name if NAMES.contains(&name) => value_after_name(behind),
            _ => None,
        };
        let Some(value) = value else { continue };
        shown.push_str(&behind[..behind.len() - value.len()]);
        // A scheme comes before the value of a header.
        let scheme =
            ["Bearer ", "Basic ", "SharedKey ", "AWS4-HMAC-SHA256 "].iter().find(|scheme| value.starts_with(**scheme));
        let (scheme, value) = value.split_at(scheme.map_or(0, |scheme| scheme.len()));
        shown.push_str(scheme);
        rest = value.strip_prefix(MASK).unwrap_or(&value[end_of(value)..]);
        shown.push_str(MASK);
    }
    shown.push_str(rest);
    shown
}

/// Where the value of a name begins: after `=`, or after a colon unless the text reads like a sentence.
fn value_after_name(text: &str) -> Option<&str> {
    let text = text.strip_prefix(['"', '\'']).unwrap_or(text).trim_start();
    let value = match text.strip_prefix('=') {
        Some(value) => value.trim_start_matches([' ', '"', '\'']),
        None => {
            let value = text.strip_prefix(':')?.trim_start();
            let quoted = value.strip_prefix(['"', '\'']);
            quoted.or_else(|| Some(value).filter(|value| looks_secret(value)))?
        }
    };
    (end_of(value) > 0 && !value.starts_with(MASK)).then_some(value)
}

/// Whether the first word of a text is not a word of a language.
fn looks_secret(text: &str) -> bool {
    let word = &text[..end_of(text)];
    let is_odd = |c: char| !(c.is_ascii_lowercase() || matches!(c, '.' | ':'));
    let scheme = ["Bearer", "Basic", "SharedKey", "AWS4-HMAC-SHA256"].contains(&word);
    word != MASK && (scheme || (word.len() >= SHORTEST && word.chars().skip(1).any(is_odd)))
}

/// Where a value ends.
fn end_of(value: &str) -> usize {
    let ends =
        |c: char| c.is_whitespace() || matches!(c, '&' | '"' | '\'' | '<' | '>' | ',' | ';' | ')' | '}' | ']' | '\\');
    value.find(ends).unwrap_or(value.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn secrets(pairs: &[(&str, &str)]) -> Secrets {
        Secrets::of(&Credentials::of(pairs))
    }

    #[test]
    fn a_secret_of_the_credentials_is_shown_in_no_form() {
        let key = "a/b+c==\"sesame\"&x";
        let known = secrets(&[("AWS_SECRET_ACCESS_KEY", key), ("AWS_ACCESS_KEY_ID", "AKIAEXAMPLE")]);
        for form in [
            key,
            "a%2Fb%2Bc%3D%3D%22sesame%22%26x",
            "a%2fb%2bc%3d%3d%22sesame%22%26x",
            "a\\/b+c==\"sesame\"&x",
            "a/b+c==\\\"sesame\\\"&x",
        ] {
            let shown = known.scrub(&format!("the key [{form}] of AKIAEXAMPLE is wrong"));
            assert_eq!(shown, "the key [(secret)] of AKIAEXAMPLE is wrong", "{form}");
        }
    }

    #[test]
    fn a_sas_token_is_not_shown_nor_its_signature_alone() {
        let sas = "?sv=2024-01-01&sp=rw&se=2030-01-01&sig=Zm9vL2Jhcis0Mg%3D%3D";
        let known = secrets(&[("AZURE_STORAGE_SAS_TOKEN", sas)]);
        for text in
            [sas, "Zm9vL2Jhcis0Mg==", "sig=Zm9vL2Jhcis0Mg%3d%3d", "Signature did not match: Zm9vL2Jhcis0Mg%3D%3D"]
        {
            let shown = known.scrub(text);
            assert!(!shown.contains("Zm9vL2Jhcis0Mg") && shown.contains(MASK), "{shown}");
        }
    }

    fn escaped(text: &str, escape: impl Fn(char) -> String) -> String {
        text.chars().map(escape).collect()
    }

    #[test]
    fn a_part_of_a_secret_and_one_in_another_form_hide_all_that_was_said() {
        let token = "eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJtZSJ9.c2lnbmF0dXJlK29mK3RoaXMvdG9rZW4=";
        // As it is in a file, with a line end.
        let request = http::Request::post(format!("https://sts/?WebIdentityToken={token}%0A")).body(()).unwrap();
        let known = secrets(&[("AZURE_STORAGE_SAS_TOKEN", "?sv=1&sig=Zm9vL2Jhcis0Mg%2B%2Fabcd%3D%3D")]);
        known.note(&request.into_parts().0, &[]);
        for text in [
            token.to_owned(),
            format!("the value '{token}' at 'webIdentityToken' is wrong"),
            token[..30].to_owned(),
            format!("...{}", &token[token.len() - 20..]),
            format!("{}\n  {}", &token[..10], &token[10..]),
            "Zm9vL2Jhcis0Mg+/abcd==".to_owned(),
            "Zm9vL2Jhcis0Mg&#43;&#x2F;abcd&#61;&#61;".to_owned(),
            "Zm9vL2Jhcis0Mg\\u002b\\u002Fabcd\\u003d".to_owned(),
            "sig%3DZm9vL2Jhcis0Mg%252B%252Fabcd%253D%253D".to_owned(),
            "Zm9vL2Jhcis0".to_owned(),
            // Twelve in a row, one of which may be a blank.
            "L2Jhcis0Mg+/".to_owned(),
            "L2Jhcis0Mg /".to_owned(),
            escaped(token, |c| format!("\\u{:04x}", u32::from(c))),
            escaped(token, |c| format!("\\u{{{:x}}}", u32::from(c))),
            escaped(token, |c| format!("\\\\u{:04x}", u32::from(c))),
            escaped(token, |c| format!("\\x{:02x}", u32::from(c))),
            escaped(token, |c| format!("\\{:03o}", u32::from(c))),
            escaped(token, |c| format!("={:02X}", u32::from(c))),
            escaped(token, |c| format!("%252525{:02x}", u32::from(c))),
            escaped(token, |c| format!("{c}\u{200b}")),
            escaped(token, |c| format!("{c}<i/>")),
        ] {
            let shown = known.scrub(&text);
            for part in ["eyJhbGci", "c2lnbmF0", "Zm9vL2Jh", "dG9rZW4"] {
                assert!(!shown.contains(part), "{text}: {shown}");
            }
            assert!(shown.contains("secret") && !shown.contains("L2Jhcis0Mg"), "{text}: {shown}");
        }
        assert_eq!(known.scrub("The bucket does not exist: logs"), "The bucket does not exist: logs");
    }

    #[test]
    fn what_a_request_had_is_not_shown() {
        let known = secrets(&[]);
        let request = http::Request::post("https://sts/?Action=Assume&WebIdentityToken=eyJhbGciOi.abc.def")
            .header(
                "authorization",
                "AWS4-HMAC-SHA256 Credential=AKIA/2026/s3, SignedHeaders=host;date, Signature=0123456789abcdef",
            )
            .header("content-type", "application/x-www-form-urlencoded")
            .body(())
            .unwrap();
        let (head, ()) = request.into_parts();
        known.note(&head, &[Bytes::from_static(b"grant_type=client_credentials&client_secret=open%7Esesame")]);
        let shown = known
            .scrub("AKIA: eyJhbGciOi.abc.def / 0123456789abcdef / open~sesame / open%7Esesame / client_credentials");
        assert_eq!(shown, "AKIA: (secret) / (secret) / (secret) / (secret) / client_credentials");
        for (header, secret) in [("Bearer open-sesame", "open-sesame"), ("SharedKey acct:c2VzYW1l", "c2VzYW1l")] {
            let (head, ()) =
                http::Request::get("http://h/").header("authorization", header).body(()).unwrap().into_parts();
            known.note(&head, &[]);
            assert_eq!(known.scrub(&format!("[{secret}]")), "[(secret)]");
        }
        for n in 0..10 * REMEMBERED {
            let token = format!("token-number-{n}");
            let (head, ()) =
                http::Request::get("http://h/").header("x-auth-token", token).body(()).unwrap().into_parts();
            known.note(&head, &[]);
        }
        assert_eq!(known.recent.lock().len(), REMEMBERED);
    }

    #[test]
    fn what_is_called_a_secret_is_not_shown_and_sentences_are() {
        let known = secrets(&[]);
        for (text, shown) in [
            ("https://h/c?sv=1&sig=abc%3D&se=2", "https://h/c?sv=1&sig=(secret)&se=2"),
            ("X-Amz-Signature=0123abcd&X-Amz-Date=2026", "X-Amz-Signature=(secret)&X-Amz-Date=2026"),
            (r#"{"client_secret": "open sesame", "n": 1}"#, r#"{"client_secret": "(secret) sesame", "n": 1}"#),
            (r#"{"access_token":"eyJx.y.z"}"#, r#"{"access_token":"(secret)"}"#),
            ("Authorization: Bearer (secret), sig=(secret)&x", "Authorization: Bearer (secret), sig=(secret)&x"),
            ("Authorization: Bearer abc123def", "Authorization: Bearer (secret)"),
            ("got Bearer abc123def.", "got Bearer (secret)"),
            ("password = 'x1'", "password = '(secret)'"),
            ("The signature: it does not match", "The signature: it does not match"),
            ("The token has expired, token: expired.", "The token has expired, token: expired."),
            ("basic authentication is off; bearer tokens only", "basic authentication is off; bearer tokens only"),
            ("sig=", "sig="),
            ("größe token=ß", "größe token=(secret)"),
        ] {
            assert_eq!(known.scrub(text), shown);
        }
    }
}

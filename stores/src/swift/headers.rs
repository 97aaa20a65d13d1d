//! Headers of answers.

use http::HeaderMap;

/// The header's value; "" if there is none, or it is not text.
pub(super) fn text<'a>(headers: &'a HeaderMap, name: &str) -> &'a str {
    headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
}

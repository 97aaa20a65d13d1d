//! How long an answer may be. The server's own statement is not trusted: it may be broken, or hostile.

use http::header::RANGE;
use http::request::Parts;
use http::Method;

/// For a GET without a range: a list of 1000 objects with the longest names, or a manifest of 1000 parts.
const LIST: usize = 8 << 20;
/// For every other request; a token with a catalog is by far the longest answer.
const OTHER: usize = 1 << 20;
/// How much of a refusal's text is read.
pub(super) const REASON: usize = 256 << 10;

/// The most bytes that the answer to a request may contain.
pub(super) fn most_of(request: &Parts) -> usize {
    let range = request.headers.get(RANGE).and_then(|range| range.to_str().ok()).and_then(length_of);
    match (range, &request.method) {
        // The length in the header is the object's; no body follows.
        (_, &Method::HEAD) => usize::MAX,
        (Some(length), _) => length,
        (None, &Method::GET) => LIST,
        (None, _) => OTHER,
    }
}

/// The number of bytes in `bytes=FROM-TO` or `bytes=-LAST`.
fn length_of(range: &str) -> Option<usize> {
    let (from, to) = range.strip_prefix("bytes=")?.split_once('-')?;
    let to: u64 = to.parse().ok()?;
    let length = match from {
        "" => to,
        from => to.checked_sub(from.parse().ok()?)?.checked_add(1)?,
    };
    usize::try_from(length).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_range_asks_for_its_bytes_and_other_requests_for_little() {
        let most = |method: &str, range: &str| {
            let request =
                http::Request::builder().method(method).uri("http://h/").header(RANGE, range).body(()).unwrap();
            most_of(&request.into_parts().0)
        };
        assert_eq!([most("GET", "bytes=5-5"), most("GET", "bytes=0-1023"), most("GET", "bytes=-7")], [1, 1024, 7]);
        for odd in
            ["", "bytes=5-", "bytes=9-5", "bytes=0-18446744073709551615", "lines=1-2", "bytes=a-b", "bytes=0-1,5-6"]
        {
            assert_eq!((most("GET", odd), most("POST", odd)), (LIST, OTHER), "{odd}");
        }
        assert_eq!(most("HEAD", "bytes=0-1"), usize::MAX);
    }
}

//! How long an answer may be. A server's word for that is not taken: it may be broken, or somebody else's.

use http::header::RANGE;
use http::request::Parts;
use http::Method;

/// A list of 1000 objects with the longest names, and a manifest of 1000 parts: what a GET without a range asks for.
const LIST: usize = 8 << 20;
/// What is answered to everything else: a token with a catalog is by far the longest.
const OTHER: usize = 1 << 20;
/// What of a refusal's text is looked at.
pub(super) const REASON: usize = 256 << 10;

/// The most bytes that the answer to a request may have.
pub(super) fn most_of(request: &Parts) -> usize {
    let range = request.headers.get(RANGE).and_then(|range| range.to_str().ok()).and_then(length_of);
    match (range, &request.method) {
        // The length that is told is the object's, and no body comes.
        (_, &Method::HEAD) => usize::MAX,
        (Some(length), _) => length,
        (None, &Method::GET) => LIST,
        (None, _) => OTHER,
    }
}

/// The bytes of `bytes=FROM-TO` or `bytes=-LAST`.
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

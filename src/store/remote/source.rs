//! Resolves the URL of a reader.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::RemoteDirectory;
use crate::error::{Error, Result};
use crate::io::Directory;
use crate::store::address::decoded;
use crate::store::{is_url, open, StoreOptions};

/// Concurrent requests: the pieces that are read are small, and the latency of a store is high.
const IN_FLIGHT: u32 = 64;
/// Names of segments, including those that were compressed as a whole.
const SEGMENTS: [&str; 3] = [".binlog", ".binlog.gz", ".binlog.zst"];

/// What a URL refers to in a store.
pub(crate) enum RemoteSource {
    /// All segments below a prefix.
    Log(Arc<dyn Directory>),
    /// One segment.
    Segment(Arc<dyn Directory>, String),
    /// Segments whose names match a pattern.
    Pattern(Arc<dyn Directory>, glob::Pattern),
}

/// The URL of a store, and the last part of the path if that names segments in it.
#[derive(Debug, PartialEq, Eq)]
struct Parts {
    store: String,
    name: Option<String>,
}

impl RemoteSource {
    /// Resolves `url`, which refers to a segment, to a log, or contains a pattern in its last part.
    /// `cache` is the directory that caches what is fetched, and how many bytes it may hold.
    pub fn of(url: &str, options: StoreOptions, cache: Option<(&Path, u64)>) -> Result<Self> {
        let parts = split(url)?;
        let store = open(&parts.store, &StoreOptions { in_flight: IN_FLIGHT, ..options })?;
        let mut directory = RemoteDirectory::new(store)?.with(|shared| shared.key = parts.store);
        if let Some((cache, most_bytes)) = cache {
            directory = directory.with_cache(cache, most_bytes)?;
        }
        Ok(match parts.name {
            None => RemoteSource::Log(Arc::new(directory)),
            Some(name) if is_pattern(&name) => {
                let pattern = glob::Pattern::new(&name)
                    .map_err(|e| Error::invalid(format!("the pattern {name:?} is not understood: {e}")))?;
                let literal = name.split(['*', '[']).next().unwrap_or_default();
                RemoteSource::Pattern(Arc::new(directory.listing(literal)), pattern)
            }
            Some(name) => RemoteSource::Segment(Arc::new(directory), name),
        })
    }
}

/// The URL of the store that a URL refers to, or of the object of this name in it; other paths stay as they are.
pub(crate) fn store_url(place: &Path, name: Option<&str>) -> PathBuf {
    let Some(Ok(parts)) = place.to_str().filter(|url| is_url(url)).map(split) else { return place.to_owned() };
    let Some(name) = name else { return PathBuf::from(parts.store) };
    let (above, options) = parts.store.split_at(parts.store.find('?').unwrap_or(parts.store.len()));
    let name: String = name
        .bytes()
        .map(|byte| match byte {
            b'%' | b'?' | b'#' | b'*' | b'[' | 0..=b' ' | 0x7f.. => format!("%{byte:02X}"),
            byte => char::from(byte).to_string(),
        })
        .collect();
    PathBuf::from(format!("{}/{name}{options}", above.trim_end_matches('/')))
}

fn is_pattern(part: &str) -> bool {
    part.contains(['*', '['])
}

fn split(url: &str) -> Result<Parts> {
    let (place, options) = url.split_at(url.find('?').unwrap_or(url.len()));
    let begin = place.find("://").map_or(0, |at| at + 3);
    let Some(slash) = place[begin..].rfind('/').map(|at| begin + at) else {
        return Ok(Parts { store: url.to_owned(), name: None });
    };
    let (above, last) = (&place[..slash], &place[slash + 1..]);
    if is_pattern(&above[begin..]) {
        return Err(Error::invalid("only the last part of a URL may be a pattern"));
    }
    let names_segments = is_pattern(last) || SEGMENTS.iter().any(|ending| last.ends_with(ending));
    Ok(match names_segments {
        true => Parts { store: format!("{above}/{options}"), name: Some(decoded(last)?) },
        false => Parts { store: url.to_owned(), name: None },
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_is_of_a_log_a_segment_or_a_pattern() {
        let parts = |url: &str| split(url).map(|parts| (parts.store, parts.name)).unwrap();
        let log = |url: &str| (url.to_owned(), None);
        let of = |store: &str, name: &str| (store.to_owned(), Some(name.to_owned()));
        for url in ["s3://bucket", "s3://bucket/", "gs://b/logs", "swift://c/a/b/?auth=http://h/v3", "file:///var/log"]
        {
            assert_eq!(parts(url), log(url));
        }
        assert_eq!(
            parts("s3://b/logs/a.0000000001.binlog?endpoint=http://h:1/x.binlog&path_style=true"),
            of("s3://b/logs/?endpoint=http://h:1/x.binlog&path_style=true", "a.0000000001.binlog")
        );
        assert_eq!(parts("file:///a.binlog.gz"), of("file:///", "a.binlog.gz"));
        assert_eq!(parts("gs://c/a%20b.binlog"), of("gs://c/", "a b.binlog"));
        assert_eq!(parts("az://c/a*[12].binlog"), of("az://c/", "a*[12].binlog"));
        assert!(split("s3://b/*/a.binlog").is_err());
    }
}

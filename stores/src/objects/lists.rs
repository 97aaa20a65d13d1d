//! Objects and unfinished uploads, from the lists of S3 and Google.
//!
//! The crate object_store lists objects too, but fails as a whole when any object there has a name that it rejects (an
//! empty step between two slashes, for instance).

use std::future::Future;
use std::time::{Duration, SystemTime};

use crate::http::{unescaped, Refusal};
use crate::pages::Pages;
use binlog::store::Listed;

/// All objects whose whole names begin with `prefix`, without those after a further slash; the names returned are
/// whole, too. `page` gets the query and returns the XML.
pub(super) async fn objects<F, A>(prefix: &str, page: F) -> Result<Vec<Listed>, Refusal>
where
    F: Fn(Vec<(&'static str, String)>) -> A,
    A: Future<Output = Result<String, Refusal>>,
{
    let mut found: Vec<Listed> = vec![];
    let mut pages = Pages::default();
    let mut token: Option<String> = None;
    loop {
        let mut query = vec![];
        if let Some(token) = &token {
            query.push(("continuation-token", token.clone()));
        }
        query.extend([("delimiter", "/".to_owned()), ("list-type", "2".to_owned()), ("prefix", prefix.to_owned())]);
        let text = page(query).await?;
        // A list that breaks off would hide the rest.
        if !text.contains("<ListBucketResult") || !text.trim_end().ends_with("</ListBucketResult>") {
            return Err(Refusal::broken("the list of the bucket cannot be understood"));
        }
        let before = found.len();
        for object in elements(&text, "Contents") {
            let modified = element(object, "LastModified").and_then(|at| at.parse::<jiff::Timestamp>().ok());
            let bytes = element(object, "Size").and_then(|bytes| bytes.parse().ok());
            let (Some(name), Some(bytes)) = (element(object, "Key"), bytes) else {
                return Err(Refusal::broken("the list of the bucket has an object without a name or a size"));
            };
            let modified_ns = modified.map_or(0, |at| i64::try_from(at.as_nanosecond()).unwrap_or(0));
            found.push(Listed { name, bytes, modified_ns });
        }
        let is_truncated = element(&text, "IsTruncated").is_some_and(|is| is == "true");
        let next = is_truncated.then(|| element(&text, "NextContinuationToken").unwrap_or_default());
        let prefixes: Vec<String> =
            elements(&text, "CommonPrefixes").filter_map(|prefix| element(prefix, "Prefix")).collect();
        let names = found[before..].iter().map(|object| &*object.name).chain(prefixes.iter().map(|prefix| &**prefix));
        pages.take(names, next.as_deref())?;
        match next {
            Some(next) => token = Some(next),
            None => return Ok(found),
        }
    }
}

/// An upload that was begun.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Unfinished {
    pub key: String,
    pub id: String,
    begun: Option<SystemTime>,
}

impl Unfinished {
    /// Whether it was begun longer ago than this; false if its time cannot be parsed.
    pub(super) fn is_older_than(&self, age: Duration) -> bool {
        let now = SystemTime::now();
        // Servers report whole seconds, and their clocks differ from ours: an upload that begins in the future has age
        // 0.
        self.begun.is_some_and(|begun| now.duration_since(begun).unwrap_or_default() >= age)
    }
}

/// All uploads of objects whose whole names begin with `prefix`; `page` gets the query and returns the XML.
pub(super) async fn unfinished<F, A>(prefix: &str, page: F) -> Result<Vec<Unfinished>, Refusal>
where
    F: Fn(Vec<(&'static str, String)>) -> A,
    A: Future<Output = Result<String, Refusal>>,
{
    let mut found: Vec<Unfinished> = vec![];
    let mut pages = Pages::default();
    let mut marker: Option<(String, String)> = None;
    loop {
        let mut query = vec![];
        if let Some((key, id)) = &marker {
            query.extend([("key-marker", key.clone()), ("upload-id-marker", id.clone())]);
        }
        query.extend([("prefix", prefix.to_owned()), ("uploads", String::new())]);
        let text = page(query).await?;
        let before = found.len();
        found.extend(parse(&text));
        let is_truncated = element(&text, "IsTruncated").is_some_and(|is| is == "true");
        let next = element(&text, "NextKeyMarker").filter(|_| is_truncated);
        let next = next.map(|key| (key, element(&text, "NextUploadIdMarker").unwrap_or_default()));
        // An upload's key and its number: a file may have been begun many times.
        let names: Vec<String> = found[before..].iter().map(|one| format!("{}\n{}", one.key, one.id)).collect();
        let token = next.as_ref().map(|(key, id)| format!("{key}\n{id}"));
        pages.take(names.iter().map(|name| &**name), token.as_deref())?;
        match next {
            Some(next) => marker = Some(next),
            None => return Ok(found),
        }
    }
}

fn parse(text: &str) -> Vec<Unfinished> {
    let upload = |upload: &str| {
        let begun = element(upload, "Initiated").and_then(|at| at.parse::<jiff::Timestamp>().ok());
        let (key, id) = (element(upload, "Key")?, element(upload, "UploadId")?);
        Some(Unfinished { key, id, begun: begun.map(SystemTime::from) })
    };
    elements(text, "Upload").filter_map(upload).collect()
}

/// The contents of each element of this name.
fn elements<'a>(text: &'a str, name: &str) -> impl Iterator<Item = &'a str> {
    let (start, end) = (format!("<{name}>"), format!("</{name}>"));
    let mut rest = text;
    std::iter::from_fn(move || {
        let (inner, behind) = rest.split_once(&start)?.1.split_once(&end)?;
        rest = behind;
        Some(inner)
    })
}

fn element(text: &str, name: &str) -> Option<String> {
    let (_, rest) = text.split_once(&format!("<{name}>"))?;
    Some(unescaped(rest.split_once(&format!("</{name}>"))?.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn objects_are_listed_page_by_page_whatever_others_have_called_theirs() {
        let page = |query: Vec<(&'static str, String)>| async move {
            let second = query.iter().any(|(key, value)| *key == "continuation-token" && value == "more");
            Ok(match second {
                false => "<?xml version=\"1.0\"?><ListBucketResult xmlns=\"x\"><IsTruncated>true</IsTruncated>\
                    <Contents><Key>logs/a</Key><LastModified>2025-01-01T10:00:00.500Z</LastModified><ETag>&quot;x&quot;</ETag>\
                    <Size>7</Size></Contents><CommonPrefixes><Prefix>logs//</Prefix></CommonPrefixes>\
                    <NextContinuationToken>more</NextContinuationToken></ListBucketResult>",
                true => "<ListBucketResult><IsTruncated>false</IsTruncated><Contents><Key>logs/../b&amp;</Key>\
                    <LastModified>2025-01-01T10:00:00Z</LastModified><Size>8</Size></Contents></ListBucketResult>",
            }
            .to_owned())
        };
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let found = runtime.block_on(objects("logs/", page)).unwrap();
        let seen: Vec<_> = found.iter().map(|object| (&*object.name, object.bytes)).collect();
        assert_eq!(seen, [("logs/a", 7), ("logs/../b&", 8)]);
        assert_eq!(found[0].modified_ns, 1_735_725_600_500_000_000);
        let endless =
            |_| async { Ok("<ListBucketResult><IsTruncated>true</IsTruncated></ListBucketResult>".to_owned()) };
        assert!(runtime.block_on(objects("", endless)).is_err());
        assert!(runtime.block_on(objects("", |_| async { Ok("<html>".to_owned()) })).is_err());
        // Cut within an object; cut after the element that says there is no more; and an object without a length.
        for text in [
            "<ListBucketResult><IsTruncated>false</IsTruncated><Contents><Key>a</Key><Size>7</Size></Contents><Contents><Ke",
            "<ListBucketResult><IsTruncated>false</IsTruncated><Contents><Key>a</Key></Contents></ListBucketResult>",
        ] {
            assert!(runtime.block_on(objects("", |_| async { Ok(text.to_owned()) })).is_err(), "{text}");
        }
        // The second page refers to the first one again.
        let circle = |query: Vec<(&'static str, String)>| async move {
            let token = query.iter().find(|(key, _)| *key == "continuation-token").map_or("", |(_, token)| token);
            let next = if token == "1" { "2" } else { "1" };
            Ok(format!(
                "<ListBucketResult><IsTruncated>true</IsTruncated><Contents><Key>{token}</Key><Size>7</Size></Contents>\
                 <NextContinuationToken>{next}</NextContinuationToken></ListBucketResult>"
            ))
        };
        assert!(runtime.block_on(objects("", circle)).unwrap_err().to_string().contains("does not get on"));
    }

    #[test]
    fn uploads_are_read_from_the_list_of_s3() {
        let text = "<ListMultipartUploadsResult><Prefix>x</Prefix><IsTruncated>false</IsTruncated>\
            <Upload><Key>logs/a&amp;b</Key><UploadId>id-1</UploadId><Owner><ID>me</ID></Owner>\
            <Initiated>2020-01-02T03:04:05.000Z</Initiated></Upload>\
            <Upload><Key>logs/c</Key><UploadId>id-2</UploadId><Initiated>soon</Initiated></Upload>\
            <Upload><Key>half";
        let found = parse(text);
        assert_eq!(found.len(), 2);
        assert_eq!((&*found[0].key, &*found[0].id), ("logs/a&b", "id-1"));
        assert!(found[0].is_older_than(Duration::from_secs(86400)));
        assert!(!found[1].is_older_than(Duration::ZERO), "its age is not known");
    }
}

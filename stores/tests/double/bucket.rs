//! Objects in memory, behind as much of Google's XML interface and of Azure's as a store needs.

use std::collections::BTreeMap;
use std::sync::Mutex;

use md5::{Digest as _, Md5};
use percent_encoding::percent_decode_str;

use super::{answer, Asked, Double, Reply};

#[derive(Default)]
struct Bucket {
    objects: BTreeMap<String, Object>,
    uploads: BTreeMap<String, Upload>,
    /// Azure's blocks, by object and id.
    blocks: BTreeMap<(String, String), Vec<u8>>,
    next: u32,
}

struct Object {
    bytes: Vec<u8>,
    tag: String,
    metadata: Vec<(String, String)>,
}

struct Upload {
    key: String,
    parts: BTreeMap<u32, Vec<u8>>,
    metadata: Vec<(String, String)>,
}

const DATE: &str = "Wed, 01 Jan 2025 10:00:00 GMT";

pub fn start() -> Double {
    let bucket = Mutex::new(Bucket::default());
    Double::start(move |asked| bucket.lock().unwrap().reply(asked))
}

impl Bucket {
    fn reply(&mut self, asked: &Asked) -> Reply {
        let (path, query) = asked.target.split_once('?').unwrap_or((&asked.target, ""));
        let query: BTreeMap<String, String> =
            url::form_urlencoded::parse(query.as_bytes()).map(|(k, v)| (k.into_owned(), v.into_owned())).collect();
        let path = percent_decode_str(path).decode_utf8().unwrap().into_owned();
        let key = path.trim_start_matches('/').split_once('/').map_or("", |(_, key)| key).to_owned();
        let azure = asked.headers.contains_key("x-ms-version");
        let word = |name: &str| query.get(name).map(String::as_str);
        let meta =
            asked.headers.iter().filter(|(name, _)| name.starts_with("x-goog-meta-") || name.starts_with("x-ms-meta-"));
        let metadata: Vec<_> = meta.map(|(name, value)| (name.clone(), value.clone())).collect();
        let create = asked.header("if-none-match") == "*" || asked.header("x-goog-if-generation-match") == "0";
        let taken = create && self.objects.contains_key(&key);
        match (&*asked.method, word("comp"), word("uploadId")) {
            ("GET", Some("list"), _) => self.list_of_azure(&query),
            ("GET", ..) if query.contains_key("uploads") => self.list_of_uploads(&query),
            ("GET", ..) if key.is_empty() => self.list_of_google(&query),
            ("PUT", Some("block"), _) => {
                self.blocks.insert((key, word("blockid").unwrap().to_owned()), asked.body.clone());
                answer(201, &[], "")
            }
            ("PUT", Some("blocklist"), _) if taken => answer(409, &[], "<Error><Code>BlobAlreadyExists</Code></Error>"),
            ("PUT", Some("blocklist"), _) => {
                let list = String::from_utf8(asked.body.clone()).unwrap();
                let ids = list.split("<Latest>").skip(1).map(|rest| rest.split_once('<').unwrap().0.to_owned());
                let blocks: Option<Vec<_>> = ids.map(|id| self.blocks.remove(&(key.clone(), id))).collect();
                match blocks {
                    Some(blocks) => self.put(key, blocks.concat(), "0x8D".into(), metadata),
                    None => answer(400, &[], "<Error><Code>InvalidBlockList</Code></Error>"),
                }
            }
            ("PUT", _, Some(id)) => match self.uploads.get_mut(id) {
                Some(upload) if digest_fits(asked) => {
                    upload.parts.insert(word("partNumber").unwrap().parse().unwrap(), asked.body.clone());
                    answer(200, &[("etag", &format!("\"{}\"", md5_of(&asked.body)))], "")
                }
                Some(_) => answer(400, &[], "<Error><Code>BadDigest</Code></Error>"),
                None => answer(404, &[], "<Error><Code>NoSuchUpload</Code></Error>"),
            },
            ("PUT", ..) if taken && azure => answer(409, &[], "<Error><Code>BlobAlreadyExists</Code></Error>"),
            ("PUT", ..) if taken => answer(412, &[], "<Error><Code>PreconditionFailed</Code></Error>"),
            ("PUT", ..) => {
                let tag = if azure { "0x8D".to_owned() } else { md5_of(&asked.body) };
                self.put(key, asked.body.clone(), tag, metadata)
            }
            ("POST", _, Some(_)) if taken => answer(412, &[], "<Error><Code>PreconditionFailed</Code></Error>"),
            ("POST", _, Some(id)) => match self.uploads.remove(id) {
                Some(upload) => {
                    let bytes = upload.parts.into_values().collect::<Vec<_>>().concat();
                    self.put(key, bytes, "of-parts".into(), upload.metadata);
                    answer(200, &[], "<CompleteMultipartUploadResult><ETag>x</ETag></CompleteMultipartUploadResult>")
                }
                None => answer(404, &[], "<Error><Code>NoSuchUpload</Code></Error>"),
            },
            ("POST", ..) => {
                self.next += 1;
                let id = format!("id/{}+", self.next);
                self.uploads.insert(id.clone(), Upload { key, parts: BTreeMap::new(), metadata });
                answer(
                    200,
                    &[],
                    format!("<InitiateMultipartUploadResult><UploadId>{id}</UploadId></InitiateMultipartUploadResult>"),
                )
            }
            ("DELETE", _, Some(id)) => answer(if self.uploads.remove(id).is_some() { 204 } else { 404 }, &[], ""),
            ("DELETE", ..) => answer(if self.objects.remove(&key).is_some() { 204 } else { 404 }, &[], ""),
            ("HEAD" | "GET", ..) => self.get(asked, &key),
            other => panic!("no store sends this: {other:?}"),
        }
    }

    fn put(&mut self, key: String, bytes: Vec<u8>, tag: String, metadata: Vec<(String, String)>) -> Reply {
        let header = format!("\"{tag}\"");
        self.objects.insert(key, Object { bytes, tag, metadata });
        answer(201, &[("etag", &header)], "")
    }

    fn get(&self, asked: &Asked, key: &str) -> Reply {
        let Some(object) = self.objects.get(key) else {
            return answer(404, &[], "<Error><Code>NoSuchKey</Code></Error>");
        };
        let total = object.bytes.len();
        // Azure's name for the header; it knows no suffixes.
        let azure = asked.header("x-ms-range");
        let range = if azure.is_empty() { asked.header("range") } else { azure };
        let (status, range) = match range.strip_prefix("bytes=").and_then(|range| range.split_once('-')) {
            None => (200, 0..total),
            Some(("", suffix)) => (206, total - suffix.parse::<usize>().unwrap().min(total)..total),
            Some((from, to)) => (206, from.parse().unwrap()..(to.parse::<usize>().unwrap() + 1).min(total)),
        };
        if status == 206 && range.start >= total {
            return answer(416, &[], "<Error><Code>InvalidRange</Code></Error>");
        }
        let tag = format!("\"{}\"", object.tag);
        let content_range = format!("bytes {}-{}/{total}", range.start, range.end.saturating_sub(1));
        let length = range.len().to_string();
        let mut headers = vec![("etag", &*tag), ("last-modified", DATE), ("content-length", &*length)];
        headers.extend(object.metadata.iter().map(|(name, value)| (&**name, &**value)));
        if status == 206 {
            headers.push(("content-range", &*content_range));
        }
        answer(status, &headers, &object.bytes[range])
    }

    fn matching<'a>(&'a self, query: &'a BTreeMap<String, String>) -> impl Iterator<Item = (&'a String, &'a Object)> {
        let prefix = query.get("prefix").map_or("", String::as_str);
        self.objects.iter().filter(move |(key, _)| key.starts_with(prefix) && !key[prefix.len()..].contains('/'))
    }

    fn list_of_google(&self, query: &BTreeMap<String, String>) -> Reply {
        let object = |(key, object): (&String, &Object)| {
            let (key, bytes, tag) = (escaped(key), object.bytes.len(), &object.tag);
            format!("<Contents><Key>{key}</Key><LastModified>2025-01-01T10:00:00.000Z</LastModified><ETag>{tag}</ETag><Size>{bytes}</Size></Contents>")
        };
        let objects: String = self.matching(query).map(object).collect();
        answer(200, &[], format!("<ListBucketResult>{objects}</ListBucketResult>"))
    }

    fn list_of_azure(&self, query: &BTreeMap<String, String>) -> Reply {
        let object = |(key, object): (&String, &Object)| {
            let (key, bytes, tag) = (escaped(key), object.bytes.len(), &object.tag);
            format!(
                "<Blob><Name>{key}</Name><Properties><Last-Modified>{DATE}</Last-Modified><Etag>{tag}</Etag>\
                 <Content-Length>{bytes}</Content-Length><Content-Type>x/y</Content-Type></Properties></Blob>"
            )
        };
        let objects: String = self.matching(query).map(object).collect();
        answer(200, &[], format!("<EnumerationResults><Blobs>{objects}</Blobs><NextMarker/></EnumerationResults>"))
    }

    /// A page has one upload.
    fn list_of_uploads(&self, query: &BTreeMap<String, String>) -> Reply {
        let prefix = query.get("prefix").map_or("", String::as_str);
        let behind = query.get("upload-id-marker").map_or("", String::as_str);
        let mut fitting =
            self.uploads.iter().filter(|(id, upload)| upload.key.starts_with(prefix) && id.as_str() > behind);
        let page = fitting.next().map_or(String::new(), |(id, upload)| {
            let key = escaped(&upload.key);
            format!(
                "<NextKeyMarker>{key}</NextKeyMarker><NextUploadIdMarker>{id}</NextUploadIdMarker><Upload><Key>{key}</Key>\
                 <UploadId>{id}</UploadId><Initiated>{}</Initiated></Upload>",
                jiff::Timestamp::now()
            )
        });
        let more = fitting.next().is_some();
        answer(
            200,
            &[],
            format!("<ListMultipartUploadsResult><IsTruncated>{more}</IsTruncated>{page}</ListMultipartUploadsResult>"),
        )
    }
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;")
}

fn md5_of(bytes: &[u8]) -> String {
    Md5::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Whether a body matches its MD5, which is required.
fn digest_fits(asked: &Asked) -> bool {
    let value =
        |c: u8| b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/".iter().position(|d| *d == c);
    let bits: String = asked.header("content-md5").bytes().filter_map(value).map(|v| format!("{v:06b}")).collect();
    let bytes = bits.as_bytes().chunks_exact(8).map(|byte| byte.iter().fold(0u8, |n, bit| n << 1 | (bit - b'0')));
    bytes.eq(Md5::digest(&asked.body))
}

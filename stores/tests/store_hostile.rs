//! Hostile or broken servers: answers without an end, lists without an end, and secrets in their messages.
// A list of one range is meant, not the numbers of the range.
#![allow(clippy::single_range_in_vec_init)]

mod double;
mod linked;

use std::os::unix::fs::PermissionsExt as _;
use std::sync::Arc;
use std::time::Duration;

use binlog::store::{Store, StoreOptions};
use binlog::Kind;
use double::{answer, Asked, Double, Reply};

/// More than this machine may have, sent by a server that was asked for little.
const ENDLESS: u64 = 1_900_000_000;
/// The memory that this test program may take.
const MEMORY: u64 = 192 << 20;

fn open(url: &str, credentials: &str) -> Arc<dyn Store> {
    let scratch = tempfile::tempdir().unwrap();
    let path = scratch.path().join("credentials");
    std::fs::write(&path, credentials).unwrap();
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).unwrap();
    let timeout = Duration::from_secs(60);
    linked::open(url, &StoreOptions { credentials: Some(path), timeout, ..StoreOptions::default() }).unwrap()
}

const CREDENTIALS: &str = "AWS_ACCESS_KEY_ID=me\nAWS_SECRET_ACCESS_KEY=open-sesame\nST_USER=a:b\nST_KEY=open-sesame\n\
    OS_USERNAME=ann\nOS_PROJECT_NAME=p\nOS_PASSWORD=open-sesame\nAZURE_STORAGE_ACCOUNT_KEY=b3Blbg==\nGOOGLE_ACCESS_TOKEN=open-sesame\n";

fn stores(server: &str) -> Vec<Arc<dyn Store>> {
    [
        format!("s3://b/logs?endpoint={server}"),
        format!("gs://b/logs?endpoint={server}"),
        format!("az://b/logs?account=a&endpoint={server}"),
        format!("swift://b/logs?auth={server}/auth/v1.0"),
        format!("swift://b/logs?auth={server}/v3"),
    ]
    .map(|url| open(&url, CREDENTIALS))
    .into()
}

fn is_login(asked: &Asked) -> bool {
    asked.target == "/auth/v1.0" || asked.target == "/v3/auth/tokens"
}

/// Lets any user log in to Swift; everything else is up to the test.
fn with_login(asked: &Asked, other: impl FnOnce(&Asked) -> Reply) -> Reply {
    let storage = format!("http://{}/v1/AUTH_a", asked.header("host"));
    match &*asked.target {
        "/auth/v1.0" => answer(200, &[("x-storage-url", &storage), ("x-auth-token", "token-of-v1")], ""),
        "/v3/auth/tokens" => {
            let endpoint = format!(r#"{{"interface": "public", "region": "one", "url": "{storage}"}}"#);
            let catalog =
                format!(r#"{{"token": {{"catalog": [{{"type": "object-store", "endpoints": [{endpoint}]}}]}}}}"#);
            answer(201, &[("x-subject-token", "token-of-v3")], catalog)
        }
        _ => other(asked),
    }
}

fn long(status: u16, headers: &[(&str, &str)], body: &str, is_chunked: bool) -> Reply {
    let headers = headers.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    Reply::Long { status, headers, body: body.into(), bytes: ENDLESS, is_chunked }
}

/// The most memory that this process has had.
fn peak() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    line.trim().trim_end_matches(" kB").parse::<u64>().unwrap() << 10
}

/// Ends every test: the server still has its bytes, and they were not kept in memory.
fn check(server: &Double, what: &str) {
    assert!(server.taken() < 600 << 20, "{what}: {} bytes were taken", server.taken());
    assert!(peak() < MEMORY, "{what}: this process has had {} bytes of memory", peak());
}

#[test]
fn a_server_sends_no_more_than_it_was_asked_for() {
    for is_chunked in [false, true] {
        let server = Double::start(move |asked| {
            with_login(asked, |_| {
                let headers = [
                    ("content-range", "bytes 0-9/10"),
                    ("etag", "\"x\""),
                    ("last-modified", "Wed, 21 Oct 2015 07:28:00 GMT"),
                ];
                long(if is_chunked { 206 } else { 200 }, &headers, "0123456789", is_chunked)
            })
        });
        for store in stores(&server.url) {
            let failure = store.read("x", &[0..10]).unwrap_err();
            assert_eq!(failure.error.kind(), Kind::Io, "{failure}");
            assert!(failure.to_string().contains("longer than the 10 bytes"), "{failure}");
            store.read_end("x", 10).unwrap_err();
        }
        check(&server, "ranges");
    }
}

#[test]
fn lists_logins_and_refusals_have_an_end_too() {
    for is_chunked in [false, true] {
        let start = "<?xml version=\"1.0\"?><ListBucketResult>";
        let lists = Double::start(move |asked| with_login(asked, |_| long(200, &[], start, is_chunked)));
        let logins = Double::start(move |asked| match is_login(asked) {
            true => long(201, &[("x-subject-token", "token-of-v3")], "{", is_chunked),
            false => answer(404, &[], ""),
        });
        let refusals = Double::start(move |_| long(403, &[], "no", is_chunked));
        for (server, kinds) in [(&lists, 5), (&logins, 2), (&refusals, 5)] {
            for store in stores(&server.url).into_iter().rev().take(kinds) {
                let failure = store.list("x").unwrap_err();
                assert!(failure.error.kind() == Kind::Io, "{failure}");
            }
            check(server, "lists, logins and refusals");
        }
        for store in stores(&lists.url) {
            let _ = store.remove("x");
            let _ = store.abort_stale("x", Duration::ZERO);
        }
        check(&lists, "everything else");
    }
}

#[test]
fn a_list_that_shows_the_same_again_is_an_error() {
    let s3 = |next: &str| {
        format!(
            "<?xml version=\"1.0\"?><ListBucketResult><IsTruncated>true</IsTruncated><Contents><Key>logs/a</Key><Size>1</Size>\
             <LastModified>2025-01-01T10:00:00Z</LastModified></Contents>\
             <NextContinuationToken>{next}</NextContinuationToken></ListBucketResult>"
        )
    };
    let azure = |next: &str| {
        format!(
            "<?xml version=\"1.0\" encoding=\"utf-8\"?><EnumerationResults><Blobs><Blob><Name>logs/a</Name><Properties>\
             <Last-Modified>Wed, 21 Oct 2015 07:28:00 GMT</Last-Modified><Content-Length>1</Content-Length><Etag>x</Etag>\
             <Content-Type>x</Content-Type></Properties></Blob></Blobs><NextMarker>{next}</NextMarker></EnumerationResults>"
        )
    };
    // The same token for ever, two of them in turn, and each time another one.
    for tokens in [1, 2, u64::MAX] {
        let page = std::sync::atomic::AtomicU64::new(0);
        let server = Double::start(move |asked| {
            with_login(asked, |asked| {
                let n = page.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
                assert!(n < 100, "a store must not request so many pages of one object");
                let next = format!("token-{}", n % tokens);
                match asked.target.as_str() {
                    target if target.contains("format=json") => answer(200, &[], r#"[{"name": "logs/a", "bytes": 1}]"#),
                    target if target.contains("comp=list") => answer(200, &[], azure(&next)),
                    _ => answer(200, &[], s3(&next)),
                }
            })
        });
        for store in stores(&server.url) {
            let failure = store.list("").unwrap_err();
            assert!(failure.to_string().contains("does not get on"), "{failure}");
        }
    }
}

#[test]
fn no_secret_in_a_servers_words_reaches_a_message() {
    let sas = "sv=2024-01-01&sp=rw&se=2030-01-01&sig=c2lnbmF0dXJlLW9mLXNhcw%3D%3D";
    let secrets = ["c2lnbmF0dXJlLW9mLXNhcw", "the-clients-secret", "fresh-token", "other-server-token", "open-sesame"];
    let repeats = |asked: &Asked| {
        let known = asked.shown().contains("sig=");
        let signature = if known { "c2lnbmF0dXJlLW9mLXNhcw==" } else { "" };
        let said = format!(
            "{signature} {} https://h/c?sv=1&amp;sig=c2lnbmF0dXJlLW9mLXNhcw%3d%3d; \
             X-Amz-Signature=other-server-token&amp;x=1; {{\"access_token\": \"other-server-token\"}}",
            asked.shown().replace('&', "&amp;")
        );
        answer(403, &[], format!("<Error><Code>AuthenticationFailed</Code><Message>{said}</Message></Error>"))
    };
    // A token in the wrong place, in an answer that is a success otherwise.
    let login = Double::start(move |asked| match asked.target.contains("/oauth2/") {
        true if asked.target.contains("odd") => answer(
            200,
            &[("content-type", "application/json")],
            r#"{"access_token": ["fresh-token"], "expires_in": "fresh-token"}"#,
        ),
        true if asked.target.contains("refused") => {
            let said =
                format!(r#"{{"error": "invalid_client", "error_description": "{}"}}"#, asked.shown().replace('"', "'"));
            answer(401, &[("content-type", "application/json")], said)
        }
        true => answer(
            200,
            &[("content-type", "application/json")],
            r#"{"access_token": "fresh-token", "expires_in": 3600, "token_type": "Bearer"}"#,
        ),
        false => repeats(asked),
    });
    let az = format!("az://b/logs?account=a&endpoint={}", login.url);
    let client = |tenant: &str| {
        format!(
            "AZURE_CLIENT_ID=me\nAZURE_CLIENT_SECRET=the-clients-secret\nAZURE_TENANT_ID={tenant}\nAZURE_AUTHORITY_HOST={}\n",
            login.url
        )
    };
    let stores = [
        open(&az, &format!("AZURE_STORAGE_SAS_TOKEN={sas}\n")),
        open(&az, &client("good")),
        open(&az, &client("odd")),
        open(&az, &client("refused")),
        open(&format!("gs://b/logs?endpoint={}", login.url), CREDENTIALS),
        open(&format!("s3://b/logs?endpoint={}", login.url), CREDENTIALS),
    ];
    for store in stores {
        for failure in
            [store.list("x").unwrap_err(), store.stat("x").unwrap_err(), store.read("x", &[0..1]).unwrap_err()]
        {
            let shown = format!("{failure} {failure:?}");
            for secret in secrets {
                assert!(!shown.contains(secret), "{secret}: {shown}");
            }
        }
    }
    assert!(login.asked().iter().any(|asked| asked.shown().contains("the-clients-secret")));
}

/// STS and Azure repeat what they refuse: whole, cut, or escaped in their own way.
#[test]
fn no_part_of_a_token_that_is_refused_reaches_a_message() {
    const TOKEN: &str = "eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJtZSJ9.c2lnbmF0dXJlK29mK3RoaXMvdG9rZW4";
    const SIGNATURE: &str = "Zm9vL2Jhcis0Mg+/c2lnbmF0dXJl";
    type Words = fn(&str) -> String;
    let words: [Words; 5] = [
        |asked| asked.to_owned(),
        |asked| asked.replace('+', "&#43;").replace('=', "&#x3D;"),
        |asked| asked.as_bytes().chunks(40).map(|line| String::from_utf8_lossy(line) + "\n").collect(),
        |asked| asked.split(' ').map(|word| word.chars().take(200).collect::<String>() + " ").collect(),
        |asked| percent_encoding::utf8_percent_encode(asked, percent_encoding::NON_ALPHANUMERIC).to_string(),
    ];
    let home = tempfile::tempdir().unwrap();
    let file = home.path().join("token");
    // As tools write it, with the end of the line.
    std::fs::write(&file, format!("{TOKEN}\n")).unwrap();
    for (kind, words) in
        ["application/xml", "application/json", "text/html"].into_iter().flat_map(|kind| words.map(|w| (kind, w)))
    {
        let server = Double::start(move |asked| {
            let plain = percent_encoding::percent_decode_str(&asked.shown()).decode_utf8_lossy().into_owned();
            let said = words(&format!("{plain} {}", asked.shown()));
            let body = match kind {
                "application/json" => {
                    let said = said.replace(['"', '\\'], "'").replace('\n', " ");
                    format!(r#"{{"error": {{"code": "Denied", "message": "{said}"}}}}"#)
                }
                _ => format!(
                    "<ErrorResponse><Error><Code>Denied</Code><Message>{said}</Message></Error></ErrorResponse>"
                ),
            };
            answer(403, &[("content-type", kind)], body)
        });
        let stores = [
            open(
                &format!("az://b/logs?account=a&endpoint={}", server.url),
                "AZURE_STORAGE_SAS_TOKEN=sv=2024-01-01&sp=rw&se=2030-01-01&sig=Zm9vL2Jhcis0Mg%2B%2Fc2lnbmF0dXJl\n",
            ),
            open(
                &format!("s3://b/logs?endpoint={}", server.url),
                &format!(
                    "AWS_WEB_IDENTITY_TOKEN_FILE={}\nAWS_ROLE_ARN=arn:aws:iam::1:role/r\nAWS_ENDPOINT_URL_STS={}\n",
                    file.display(),
                    server.url
                ),
            ),
        ];
        for store in stores {
            for failure in [store.list("x").unwrap_err(), store.read("x", &[0..1]).unwrap_err()] {
                let shown = format!("{failure} {failure:?}");
                for secret in [TOKEN, SIGNATURE, "Zm9vL2Jhcis0Mg"] {
                    let parts = secret.as_bytes().windows(12.min(secret.len()));
                    for part in parts.map(|part| std::str::from_utf8(part).unwrap()) {
                        assert!(!shown.contains(part), "{kind}: {part}: {shown}");
                    }
                }
            }
        }
        let asked: String = server.asked().iter().map(Asked::shown).collect();
        assert!(asked.contains("WebIdentityToken") && asked.contains("sig="), "the secrets were sent: {asked}");
    }
}

#[test]
fn a_name_in_a_request_is_never_more_than_a_name() {
    let server = Double::start(|asked| with_login(asked, |_| answer(404, &[], "")));
    for store in stores(&server.url) {
        for name in ["a?b=c#d&e.binlog", "a%2e%2e%2fb.binlog", "a;b c+d.binlog", "$(x)'\"`.binlog", "größe.binlog"] {
            assert_eq!(store.stat(name).unwrap(), None, "{name}");
            let asked = server.asked().pop().unwrap();
            let last = asked.target.rsplit_once('/').unwrap().1;
            let plain = percent_encoding::percent_decode_str(last).decode_utf8().unwrap();
            assert_eq!(plain.trim_start_matches("logs/"), name, "{}", asked.target);
            assert!(!asked.target.contains(['?', '#', ' ']), "{}", asked.target);
        }
        for name in ["..", ".", "a/../../b", "a\r\nx-evil: 1", "a\nb", "\0", "a\\b", ""] {
            let asked = server.asked().len();
            assert_eq!(store.stat(name).unwrap_err().error.kind(), Kind::Invalid, "{name:?}");
            assert_eq!(server.asked().len(), asked, "{name:?}");
        }
    }
}

//! Stores against a server that answers as no real one could be made to: refusals, stalls, and answers that repeat
//! secrets.
// A list of one range is meant, not the numbers of the range.
#![allow(clippy::single_range_in_vec_init)]

mod double;
mod linked;

use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::Arc;
use std::time::{Duration, Instant};

use binlog::io::{Access, Directory as _, MemoryDirectory};
use binlog::store::{Again, Answer, Store, StoreOptions, Stored, Sums, Upload};
use binlog::Kind;
use double::{answer, Asked, Double, Reply};

const SECRET: &str = "c2VzYW1lLW9wZW4tdGhlLWRvb3I=";
const PART: u64 = 5 << 20;

/// A store with credentials in a file: the environment does not matter.
fn open(url: &str, timeout: Duration) -> Arc<dyn Store> {
    let scratch = tempfile::tempdir().unwrap();
    let path = scratch.path().join("credentials");
    let keys = ["AWS_SECRET_ACCESS_KEY", "ST_KEY", "OS_PASSWORD", "AZURE_STORAGE_ACCOUNT_KEY", "GOOGLE_ACCESS_TOKEN"];
    let mut lines = "AWS_ACCESS_KEY_ID=me\nST_USER=a:b\nOS_USERNAME=ann\nOS_PROJECT_NAME=p\n".to_owned();
    for key in keys {
        lines += &format!("{key}={SECRET}\n");
    }
    std::fs::write(&path, lines).unwrap();
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).unwrap();
    let options = StoreOptions { credentials: Some(path), part_bytes: PART, timeout, ..StoreOptions::default() };
    linked::open(url, &options).unwrap()
}

/// Every store that is reached by HTTP, in front of this server.
fn stores(server: &str, timeout: Duration) -> Vec<Arc<dyn Store>> {
    [
        format!("s3://b/logs?endpoint={server}"),
        format!("gs://b/logs?endpoint={server}"),
        format!("az://b/logs?account=a&endpoint={server}"),
        format!("swift://b/logs?auth={server}/auth/v1.0"),
        format!("swift://b/logs?auth={server}/v3"),
    ]
    .map(|url| open(&url, timeout))
    .into()
}

fn put(store: &dyn Store, bytes: &[u8]) -> Answer<Stored> {
    let directory = MemoryDirectory::new();
    directory.set_contents("f", bytes.to_vec());
    let file = directory.open("f", Access::Read).unwrap();
    let sums = Sums::of(&file, PART).unwrap();
    store.upload(&Upload { name: "x", source: &*file, path: Path::new("f"), sums: &sums, resume: None, monitor: &() })
}

/// Lets any user log in to Swift; everything else is up to the test.
fn with_login(asked: &Asked, server: &str, other: impl FnOnce(&Asked) -> Reply) -> Reply {
    let storage = format!("{server}/v1/AUTH_a");
    if asked.target == "/auth/v1.0" {
        return answer(200, &[("x-storage-url", &storage), ("x-auth-token", "token-of-v1")], "");
    }
    if asked.target == "/v3/auth/tokens" {
        let catalog = format!(
            r#"{{"token": {{"expires_at": "2999-01-01T00:00:00.000000Z", "catalog": [
                {{"type": "identity", "endpoints": []}},
                {{"type": "object-store", "endpoints": [
                    {{"interface": "admin", "region": "one", "url": "http://127.0.0.1:1/"}},
                    {{"interface": "public", "region": "one", "url": "{storage}"}}]}}]}}}}"#
        );
        return answer(201, &[("x-subject-token", "token-of-v3")], catalog);
    }
    other(asked)
}

/// The server by its address: the double does not know its own before it is started.
fn server(asked: &Asked) -> String {
    format!("http://{}", asked.header("host"))
}

#[test]
fn no_message_shows_a_secret_even_if_the_server_repeats_it() {
    for status in [400, 401, 403, 404, 500] {
        let repeats = move |asked: &Asked| {
            let body = format!("<Error><Code>No</Code><Message>{}</Message></Error>", asked.shown());
            answer(status, &[("content-type", "application/xml")], body)
        };
        let login_too = Double::start(repeats);
        let behind_login = Double::start(move |asked| with_login(asked, &server(asked), repeats));
        for url in [&login_too.url, &behind_login.url] {
            for store in stores(url, Duration::from_secs(60)) {
                let mut failures = vec![
                    store.read("x", &[0..1]).err(),
                    store.read_end("x", 1).err(),
                    store.list("x").err(),
                    store.abort_stale("x", Duration::ZERO).err(),
                    put(&*store, b"bytes").err(),
                    store.stat("x").err(),
                    store.remove("x").err(),
                ];
                assert!(failures[0].is_some(), "{store:?} {status}");
                for failure in failures.drain(..).flatten() {
                    let shown = format!("{failure} {failure:?} {store:?}");
                    for secret in [SECRET, "token-of-v1", "token-of-v3"] {
                        assert!(!shown.contains(secret), "{shown}");
                    }
                    assert!(shown.contains(store.url()), "{shown}");
                    assert!(failure.to_string().lines().count() == 1, "{failure}");
                }
            }
        }
    }
}

#[test]
fn a_server_that_says_nothing_is_given_up_in_time() {
    for reply in [Reply::Stall, Reply::Half] {
        let shown = format!("{reply:?}");
        let stalls = Double::start(move |asked| with_login(asked, &server(asked), |_| reply.clone()));
        for store in stores(&stalls.url, Duration::from_millis(300)) {
            let start = Instant::now();
            let failure = store.list("").unwrap_err();
            assert!(start.elapsed() < Duration::from_secs(30), "{store:?}");
            assert_eq!(failure.again, Again::Later(None), "{store:?} {shown}: {failure}");
            assert_eq!(failure.error.os_code(), Some(libc::ETIMEDOUT), "{store:?} {shown}: {failure}");
        }
    }
}

#[test]
fn a_server_that_is_not_there_or_hangs_up_is_tried_again_later() {
    // A port that was free a moment ago.
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    for store in stores(&format!("http://{free}"), Duration::from_secs(60)) {
        let failure = store.stat("x").unwrap_err();
        assert_eq!(failure.again, Again::Later(None), "{failure}");
        assert_eq!(failure.error.os_code(), Some(libc::ECONNREFUSED), "{failure}");
    }
    let closes = Double::start(|asked| with_login(asked, &server(asked), |_| Reply::Close));
    for store in stores(&closes.url, Duration::from_secs(60)) {
        let failure = store.stat("x").unwrap_err();
        assert_eq!((failure.error.kind(), failure.again), (Kind::Io, Again::Later(None)), "{failure}");
    }
}

#[test]
fn a_server_that_speaks_another_protocol_is_no_reason_to_wait() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("https://{}", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let _ = std::io::Write::write_all(&mut stream.unwrap(), b"HTTP/1.1 400 Bad Request\r\n\r\n");
        }
    });
    for store in stores(&url, Duration::from_secs(60)) {
        let failure = store.stat("x").unwrap_err();
        assert_eq!((failure.error.kind(), failure.again), (Kind::Io, Again::WhenMended), "{store:?}: {failure}");
    }
}

#[test]
fn a_connection_that_breaks_once_is_not_noticed() {
    let tries = AtomicUsize::new(0);
    let moody = Double::start(move |_| match tries.fetch_add(1, Ordering::Relaxed) {
        0 => Reply::Close,
        _ => answer(404, &[], ""),
    });
    let store = open(&format!("s3://b?endpoint={}", moody.url), Duration::from_secs(60));
    assert_eq!(store.stat("x").unwrap(), None);
}

#[test]
fn a_busy_server_is_asked_again_when_it_wants() {
    let busy = Double::start(|asked| {
        with_login(asked, &server(asked), |_| {
            answer(503, &[("retry-after", "17")], "<Error><Code>SlowDown</Code></Error>")
        })
    });
    for store in stores(&busy.url, Duration::from_secs(60)) {
        let asked = busy.asked().len();
        let failure = store.list("").unwrap_err();
        assert_eq!(failure.again, Again::Later(Some(Duration::from_secs(17))), "{failure}");
        let logins = usize::from(store.url().starts_with("swift"));
        assert_eq!(busy.asked().len() - asked, 1 + logins, "the caller decides when to ask again");
    }
}

#[test]
fn nothing_is_stored_over_an_object_that_appears_meanwhile() {
    for status in [412, 409] {
        let late = Double::start(move |asked| {
            with_login(asked, &server(asked), |asked| match &*asked.method {
                "PUT" if asked.headers.contains_key("x-ms-version") => {
                    answer(status, &[], "<Error><Code>BlobAlreadyExists</Code></Error>")
                }
                "PUT" => answer(status, &[], "<Error><Code>OperationAborted</Code></Error>"),
                _ => answer(404, &[], ""),
            })
        });
        for store in stores(&late.url, Duration::from_secs(60)) {
            let azure = store.url().starts_with("az:");
            match put(&*store, b"bytes") {
                // Only Azure answers 409 for an object that exists; elsewhere it means two requests at the same time.
                Ok(stored) => assert!(stored == Stored::Exists && (status == 412 || azure), "{store:?}"),
                Err(failure) => assert!(status == 409 && matches!(failure.again, Again::Later(_)), "{failure}"),
            }
            let asked = late.asked();
            let put = asked.iter().rfind(|asked| asked.method == "PUT").unwrap();
            let condition = if store.url().starts_with("gs:") { "x-goog-if-generation-match" } else { "if-none-match" };
            assert!(matches!(put.header(condition), "*" | "0"), "{store:?}: {put:?}");
        }
    }
}

#[test]
fn a_server_without_conditions_is_looked_at_before() {
    let old = Double::start(|asked| match (&*asked.method, asked.header("if-none-match")) {
        ("PUT", "*") => answer(501, &[], "<Error><Code>NotImplemented</Code></Error>"),
        ("PUT", _) => answer(200, &[("etag", "\"x\"")], ""),
        _ => answer(404, &[], ""),
    });
    let url = format!("s3://b/logs?endpoint={}", old.url);
    let store = open(&url, Duration::from_secs(60));
    assert_eq!(put(&*store, b"bytes").unwrap(), Stored::New);
    let methods: Vec<String> = old.asked().into_iter().map(|asked| asked.method).collect();
    assert_eq!(methods, ["HEAD", "PUT", "PUT"]);
    assert_eq!(put(&*store, b"bytes").unwrap(), Stored::New, "it is not asked for what it cannot a second time");
    assert_eq!(old.asked().len(), 5);
    let unconditional = open(&format!("{url}&conditional=false"), Duration::from_secs(60));
    assert_eq!(put(&*unconditional, b"bytes").unwrap(), Stored::New);
    assert_eq!(old.asked().len(), 7);
}

#[test]
fn parts_become_an_object_only_where_there_is_none() {
    let begun = "<InitiateMultipartUploadResult><UploadId>the id</UploadId></InitiateMultipartUploadResult>";
    let late = Double::start(move |asked| match &*asked.method {
        "POST" if asked.target.contains("uploads") => answer(200, &[], begun),
        "POST" => answer(412, &[], "<Error><Code>PreconditionFailed</Code></Error>"),
        "PUT" if asked.target.contains("blocklist") => answer(412, &[], ""),
        "PUT" => answer(200, &[("etag", "\"part\"")], ""),
        "DELETE" => answer(204, &[], ""),
        _ => answer(404, &[], ""),
    });
    let large = vec![7; PART as usize + 1];
    for url in ["s3://b/logs?", "s3://b/logs?anonymous=true&", "gs://b/logs?", "az://b/logs?account=a&"] {
        let store = open(&format!("{url}endpoint={}", late.url), Duration::from_secs(60));
        let before = late.asked().len();
        assert_eq!(put(&*store, &large).unwrap(), Stored::Exists, "{url}");
        let asked = late.asked().split_off(before);
        let completes = |asked: &&Asked| {
            asked.target.contains("blocklist") || (asked.method == "POST" && !asked.target.contains("uploads"))
        };
        let complete = asked.iter().find(completes).unwrap();
        let condition = if url.starts_with("gs:") { "x-goog-if-generation-match" } else { "if-none-match" };
        assert!(matches!(complete.header(condition), "*" | "0"), "{complete:?}");
        if !url.starts_with("az:") {
            assert!(asked.iter().any(|asked| asked.method == "DELETE"), "the parts cost nothing any longer: {url}");
            let parts: Vec<_> = asked.iter().filter(|asked| asked.target.contains("partNumber")).collect();
            // What the server compares with what it gets: signed, or not.
            let (name, len) = if url == "s3://b/logs?" { ("x-amz-content-sha256", 64) } else { ("content-md5", 24) };
            assert!(parts.len() == 2 && parts.iter().all(|part| part.header(name).len() == len), "{url}");
        } else {
            assert_eq!(complete.header("x-ms-meta-binlog_sha256").len(), 64);
        }
    }
}

#[test]
fn an_answer_that_calls_itself_a_success_and_brings_an_error_is_none() {
    let begun = "<InitiateMultipartUploadResult><UploadId>id</UploadId></InitiateMultipartUploadResult>";
    let late = Double::start(move |asked| match &*asked.method {
        "POST" if asked.target.contains("uploads") => answer(200, &[], begun),
        "POST" => answer(200, &[], "  <?xml version=\"1.0\"?>\n<Error><Code>OperationAborted</Code></Error>"),
        "PUT" => answer(200, &[("etag", "\"part\"")], ""),
        _ => answer(404, &[], ""),
    });
    let store = open(&format!("s3://b/logs?endpoint={}", late.url), Duration::from_secs(60));
    let failure = put(&*store, &vec![7; PART as usize + 1]).unwrap_err();
    assert!(matches!(failure.again, Again::Later(_)) && failure.to_string().contains("OperationAborted"), "{failure}");
}

#[test]
fn a_token_that_has_ended_is_renewed_once() {
    let logins = Arc::new(AtomicUsize::new(0));
    let count = logins.clone();
    let forgetful = Double::start(move |asked| match &*asked.target {
        "/auth/v1.0" => {
            let token = format!("token-{}", count.fetch_add(1, Ordering::Relaxed));
            answer(200, &[("x-storage-url", &format!("{}/v1/a", server(asked))), ("x-auth-token", &token)], "")
        }
        _ if asked.header("x-auth-token") == "token-0" => answer(401, &[], ""),
        target if target.contains("never") => answer(401, &[], ""),
        _ => answer(404, &[], ""),
    });
    let store = open(&format!("swift://b?auth={}/auth/v1.0", forgetful.url), Duration::from_secs(60));
    assert_eq!(store.stat("x").unwrap(), None);
    assert_eq!(store.stat("x").unwrap(), None);
    assert_eq!(logins.load(Ordering::Relaxed), 2, "the second token is kept");
    let failure = store.stat("never").unwrap_err();
    assert_eq!(failure.error.os_code(), Some(libc::EACCES), "{failure}");
    assert_eq!((failure.again, logins.load(Ordering::Relaxed)), (Again::WhenMended, 3));
}

#[test]
fn what_is_sent_is_limited() {
    let server = Double::start(|asked| match &*asked.method {
        "PUT" => answer(200, &[("etag", "\"x\"")], ""),
        _ => answer(404, &[], ""),
    });
    let options = StoreOptions {
        part_bytes: PART,
        bandwidth: 200_000,
        timeout: Duration::from_secs(2),
        ..StoreOptions::default()
    };
    let store = linked::open(&format!("s3://b?anonymous=true&endpoint={}", server.url), &options).unwrap();
    let start = Instant::now();
    // Longer than the time limit: a request that makes progress is not given up.
    put(&*store, &vec![1; 600_000]).unwrap();
    assert!(start.elapsed() > Duration::from_millis(2500), "{:?}", start.elapsed());
    assert_eq!(server.asked().last().unwrap().body.len(), 600_000);
}

#[test]
fn a_store_can_be_asked_from_any_thread_and_from_within_another_runtime() {
    let server = Double::start(|_| answer(404, &[], ""));
    let store = open(&format!("s3://b?endpoint={}", server.url), Duration::from_secs(60));
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| (0..20).for_each(|_| assert_eq!(store.stat("x").unwrap(), None)));
        }
    });
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    runtime.block_on(async { assert_eq!(store.stat("x").unwrap(), None) });
}

/// Storage class, tags and encryption are headers of the request that makes an object, or that begins one in parts.
#[test]
fn properties_of_an_object_are_sent_when_it_is_stored() {
    let s3 = "storage_class=STANDARD_IA&tags=team:orders,env:prod&sse=aws:kms&sse_kms_key_id=arn:aws:kms:1";
    type Headers = &'static [(&'static str, &'static str)];
    let cases: [(&str, String, Headers); 3] = [
        (
            "s3",
            format!("s3://b/logs?{s3}"),
            &[
                ("x-amz-storage-class", "STANDARD_IA"),
                ("x-amz-tagging", "team=orders&env=prod"),
                ("x-amz-server-side-encryption", "aws:kms"),
                ("x-amz-server-side-encryption-aws-kms-key-id", "arn:aws:kms:1"),
            ],
        ),
        ("gs", "gs://b/logs?storage_class=NEARLINE".to_owned(), &[("x-goog-storage-class", "NEARLINE")]),
        (
            "az",
            "az://b/logs?account=a&storage_class=Cool&tags=team:orders".to_owned(),
            &[("x-ms-access-tier", "Cool"), ("x-ms-tags", "team=orders")],
        ),
    ];
    for (scheme, url, wanted) in cases {
        for parts in [1, 2] {
            let server = match scheme {
                // Enough of it for an upload in parts.
                "s3" => Double::start(|asked| match (&*asked.method, asked.target.contains("uploads")) {
                    ("POST", true) => answer(
                        200,
                        &[],
                        "<InitiateMultipartUploadResult><UploadId>u</UploadId></InitiateMultipartUploadResult>",
                    ),
                    ("POST", false) => answer(
                        200,
                        &[],
                        "<CompleteMultipartUploadResult><ETag>\"e\"</ETag></CompleteMultipartUploadResult>",
                    ),
                    ("PUT", _) => answer(200, &[("etag", "\"e\"")], ""),
                    _ => answer(404, &[], ""),
                }),
                _ => double::bucket::start(),
            };
            let store = open(&format!("{url}&endpoint={}", server.url), Duration::from_secs(30));
            let bytes = vec![7; if parts == 1 { 100 } else { PART as usize + 1 }];
            assert_eq!(put(&*store, &bytes).unwrap(), Stored::New, "{scheme}");
            let makes = |asked: &&Asked| match parts {
                1 => asked.method == "PUT",
                _ if scheme == "az" => asked.target.contains("comp=blocklist") && asked.method == "PUT",
                _ => asked.method == "POST" && asked.target.contains("uploads"),
            };
            let asked = server.asked();
            let made = asked.iter().find(makes).unwrap();
            for (header, value) in wanted {
                assert_eq!(made.header(header), *value, "{scheme}, {parts} parts: {header}");
            }
        }
    }
    for wrong in [
        "s3://b?sse=yes",
        "s3://b?sse_kms_key_id=k",
        "s3://b?tags=x",
        "gs://b?tags=a:b",
        "s3://b?sse=AES256&sse_kms_key_id=k",
    ] {
        let error =
            linked::open(&format!("{wrong}&endpoint=http://127.0.0.1:1"), &StoreOptions::default()).unwrap_err();
        assert_eq!(error.kind(), Kind::Invalid, "{wrong}: {error}");
    }
}

/// The credentials of a profile, of its files and of its command, are what requests are signed with.
#[test]
fn a_profile_of_aws_signs_requests() {
    let home = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| {
        let path = home.path().join(name);
        std::fs::write(&path, text).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).unwrap();
        path
    };
    let server = Double::start(|_| answer(200, &[], "<ListBucketResult></ListBucketResult>"));
    let answer = r#"{"Version": 1, "AccessKeyId": "OFCOMMAND", "SecretAccessKey": "s", "SessionToken": "the-token"}"#;
    let config = write(
        "config",
        &format!(
            "[profile keys]\nregion = eu-west-9\nendpoint_url = {0}\n[profile command]\nendpoint_url = {0}\n\
             credential_process = echo '{answer}'\n",
            server.url
        ),
    );
    let keys = write("credentials", "[keys]\naws_access_key_id = OFFILE\naws_secret_access_key = s\n");
    for (profile, id, region, token) in
        [("keys", "OFFILE", "eu-west-9", ""), ("command", "OFCOMMAND", "us-east-1", "the-token")]
    {
        let given = write(
            "given",
            &format!(
                "AWS_PROFILE={profile}\nAWS_CONFIG_FILE={}\nAWS_SHARED_CREDENTIALS_FILE={}\n",
                config.display(),
                keys.display()
            ),
        );
        let options = StoreOptions { credentials: Some(given), ..StoreOptions::default() };
        let store = linked::open("s3://b/logs", &options).unwrap();
        store.list("x").unwrap();
        let asked = server.asked().pop().unwrap();
        let signed = asked.header("authorization");
        assert!(signed.contains(&format!("Credential={id}/")) && signed.contains(region), "{profile}: {signed}");
        assert_eq!(asked.header("x-amz-security-token"), token, "{profile}");
    }
    let given = write("given", "AWS_PROFILE=nobody\n");
    let options = StoreOptions { credentials: Some(given), ..StoreOptions::default() };
    let error = linked::open("s3://b/logs", &options).unwrap_err();
    assert!(error.to_string().contains("\"nobody\""), "{error}");
}

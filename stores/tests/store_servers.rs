//! What every store of objects must do, on the servers that the environment names (`BINLOG_TEST_S3_URL`, `BINLOG_TEST_SWIFT_URL`,
//! `BINLOG_TEST_GCS_URL`, `BINLOG_TEST_AZURE_URL`, with the credentials in the variables that the stores read).
// A list of one range is meant, not the numbers of the range.
#![allow(clippy::single_range_in_vec_init)]

#[path = "../../tests/contract/mod.rs"]
mod contract;
mod double;
mod linked;

use std::path::PathBuf;

use binlog::store::{StoreOptions, Stored};
use contract::{contract, put, Watched, SERVER_PART};
use linked::open;

/// Neither server is available here: a double answers as they document it.
#[test]
fn google_and_azure_as_they_are_documented() {
    let bucket = double::bucket::start();
    let (_scratch, path) = credentials("GOOGLE_ACCESS_TOKEN=token\nAZURE_STORAGE_ACCOUNT_KEY=c2VzYW1l\n");
    for url in ["gs://b/a%20prefix?", "az://b/a%20prefix?account=a&"] {
        let options =
            StoreOptions { part_bytes: SERVER_PART, credentials: Some(path.clone()), ..StoreOptions::default() };
        contract(&*open(&format!("{url}endpoint={}", bucket.url), &options).unwrap(), SERVER_PART);
    }
}

/// A file of credentials that others cannot read.
fn credentials(lines: &str) -> (tempfile::TempDir, PathBuf) {
    use std::os::unix::fs::PermissionsExt as _;
    let scratch = tempfile::tempdir().unwrap();
    let path = scratch.path().join("credentials");
    std::fs::write(&path, lines).unwrap();
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).unwrap();
    (scratch, path)
}

/// The contract against a server, if the environment names one.
fn server(variable: &str) {
    let Ok(url) = std::env::var(variable) else {
        eprintln!("{variable} is not set: not run");
        return;
    };
    let options = StoreOptions { part_bytes: SERVER_PART, ..StoreOptions::default() };
    contract(&*open(&url, &options).unwrap(), SERVER_PART);
}

#[test]
fn s3() {
    server("BINLOG_TEST_S3_URL");
}

#[test]
fn swift() {
    server("BINLOG_TEST_SWIFT_URL");
}

#[test]
fn swift_with_keystone() {
    server("BINLOG_TEST_SWIFT_KEYSTONE_URL");
}

/// The secret is that of the user, and in a file: the file takes precedence over the environment.
#[test]
fn swift_with_an_application_credential() {
    let variables = ["BINLOG_TEST_SWIFT_KEYSTONE_URL", "BINLOG_TEST_APPLICATION_CREDENTIAL_ID", "OS_PASSWORD"];
    let [Ok(url), Ok(id), Ok(secret)] = variables.map(std::env::var) else {
        eprintln!("{variables:?} are not set: not run");
        return;
    };
    let lines = format!("OS_APPLICATION_CREDENTIAL_ID={id}\nOS_APPLICATION_CREDENTIAL_SECRET={secret}\n");
    let (_scratch, path) = credentials(&lines);
    let options = StoreOptions { part_bytes: SERVER_PART, credentials: Some(path), ..StoreOptions::default() };
    let store = open(&url, &options).unwrap();
    let watched = Watched::default();
    store.remove("application").unwrap();
    assert_eq!(put(&*store, "application", b"credential", None, &watched).unwrap(), Stored::New);
    assert_eq!(store.read("application", &[0..10]).unwrap(), [b"credential"]);
    store.remove("application").unwrap();
}

#[test]
fn google() {
    server("BINLOG_TEST_GCS_URL");
}

#[test]
fn azure() {
    server("BINLOG_TEST_AZURE_URL");
}

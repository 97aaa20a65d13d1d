//! What every command that reads takes: for logs in object stores, and for the memory that reading takes.

use std::path::{Path, PathBuf};

use binlog::ReaderOptions;
use clap::Args;

use crate::args;
use crate::output::Fail;

/// How a log is read, and where it lies in an object store.
#[derive(Args, Clone, Debug, Default)]
#[command(next_help_heading = "Logs in object stores")]
pub struct Remote {
    /// Keep what is fetched in this directory, which others may not write, so that it is not fetched again (default:
    /// $BINLOG_CACHE, else nothing is kept)
    #[arg(long, value_name = "DIR")]
    cache: Option<PathBuf>,
    /// Keep no more than this there (default: 1GiB)
    #[arg(long, value_name = "SIZE", value_parser = args::size)]
    cache_size: Option<u64>,
    /// File with credentials, as lines of KEY=VALUE, which others may not read (default: the environment, or the machine)
    #[arg(long, value_name = "FILE")]
    credentials: Option<PathBuf>,
    /// The most memory that reading a block may take (default: 4GiB); one that takes more is an error, and a loss where
    /// reading goes on behind damage
    #[arg(long, value_name = "SIZE", value_parser = args::size, help_heading = None)]
    block_max: Option<u64>,
}

impl Remote {
    /// The same options, for URLs too.
    pub fn options(&self, options: ReaderOptions) -> ReaderOptions {
        let named = |variable: &str| std::env::var_os(variable).filter(|value| !value.is_empty()).map(PathBuf::from);
        ReaderOptions {
            cache: self.cache.clone().or_else(|| named("BINLOG_CACHE")),
            cache_bytes: self.cache_size.unwrap_or(0),
            credentials: self.credentials.clone(),
            block_max_bytes: self.block_max.unwrap_or(0),
            ..options
        }
    }

    /// Where the credentials are.
    pub fn credentials(&self) -> Option<PathBuf> {
        self.credentials.clone()
    }
}

/// Whether it names a log in an object store.
pub fn is_url(path: &Path) -> bool {
    path.to_str().is_some_and(binlog::store::is_url)
}

/// Refuses a URL where something is written into a log.
pub fn refuse(path: &Path, doing: &str) -> Result<(), Fail> {
    match is_url(path) {
        // What an object store holds is whole and closed; options are of no interest here.
        true => Err(Fail::Told(format!(
            "cannot {doing} a log in an object store: what lies there is never changed; name the log's directory"
        ))),
        false => Ok(()),
    }
}

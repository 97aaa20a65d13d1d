//! Options of every command that reads: for logs in object stores, and for the memory that reading takes.

use std::path::{Path, PathBuf};

use binlog::ReaderOptions;
use clap::Args;

use crate::args;
use crate::output::Fail;

/// How a log in an object store is read.
#[derive(Args, Clone, Debug, Default)]
#[command(next_help_heading = "Logs in object stores")]
pub struct Remote {
    /// Keep what is fetched in this directory, which others may not write, and do not fetch it again (default:
    /// $BINLOG_CACHE, else nothing is kept)
    #[arg(long, value_name = "DIR")]
    cache: Option<PathBuf>,
    /// Keep no more than this there (default: 1GiB)
    #[arg(long, value_name = "SIZE", value_parser = args::size)]
    cache_size: Option<u64>,
    /// File with credentials, as lines of KEY=VALUE, which others may not read (default: the environment, or the machine)
    #[arg(long, value_name = "FILE")]
    credentials: Option<PathBuf>,
    /// The most memory that reading a block may take (default: 4GiB); one that takes more is an error, and a loss
    /// where reading continues after damage
    #[arg(long, value_name = "SIZE", value_parser = args::size, help_heading = None)]
    block_max: Option<u64>,
}

impl Remote {
    /// Adds these to `options`.
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

    /// The file with credentials.
    pub fn credentials(&self) -> Option<PathBuf> {
        self.credentials.clone()
    }
}

/// Whether the path is a URL of a log in an object store.
pub fn is_url(path: &Path) -> bool {
    path.to_str().is_some_and(binlog::store::is_url)
}

/// Refuses a URL where a command would write into the log.
pub fn refuse(path: &Path, doing: &str) -> Result<(), Fail> {
    match is_url(path) {
        // Logs in an object store are whole and closed; the options do not matter.
        true => Err(Fail::Message(format!(
            "cannot {doing} a log in an object store: what lies there is never changed; name the log's directory"
        ))),
        false => Ok(()),
    }
}

//! A directory as a store: local, or mounted.

use std::fs::{self, File, Metadata, OpenOptions};
use std::io::{ErrorKind, Write as _};
use std::ops::Range;
use std::os::unix::fs::{FileExt as _, MetadataExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant, SystemTime};

use sha2::{Digest as _, Sha256};

use super::address::Address;
use super::limit::Limit;
use super::{check_name, check_ranges, stopped, url_of, Answer, Failure, Listed, Stat, Store, Stored, Upload};
use crate::error::{Error, Kind, Result};
use crate::hex::hex;
use crate::io::{fill_random, open, read_full, rename_new};
use crate::memory;

/// Files below one directory. A file gets its name after all of it is on the disk, and never replaces another; until
/// then its name begins with a dot.
pub(super) struct DirectoryStore {
    url: String,
    path: PathBuf,
    mode: u32,
    limit: Limit,
}

/// The end of an unfinished copy's name.
const UNFINISHED: &str = ".part";

impl DirectoryStore {
    pub(super) fn open(address: &Address, limit: Limit) -> Result<Self> {
        let path = PathBuf::from(&address.prefix);
        let mode = match address.option("mode") {
            None => 0o640,
            Some(text) => u32::from_str_radix(text, 8).ok().filter(|mode| mode & !0o777 == 0).ok_or_else(|| {
                Error::invalid(format!("the option mode is an octal number such as 0640, not {text:?}"))
            })?,
        };
        let opened = match address.flag("create", false)? {
            true => crate::io::RealDirectory::open_or_create(&path),
            false => crate::io::RealDirectory::open(&path),
        };
        opened.map_err(|e| {
            let error = Error::io(&e, "open the directory of the store").at(Path::new(&address.url));
            match error.kind() {
                Kind::NotFound => error.because("create the directory first, or add ?create=true to its URL"),
                _ => error,
            }
        })?;
        Ok(DirectoryStore { url: address.url.clone(), path, mode, limit })
    }

    fn failure(&self, name: &str, error: &std::io::Error, doing: &str) -> Failure {
        let made = Error::io(error, doing).at(Path::new(&url_of(&self.url, name)));
        // A failure that another process or a network file system caused may pass; one that a person caused stays.
        let mended = matches!(made.kind(), Kind::NoSpace | Kind::NotFound)
            || matches!(error.raw_os_error(), Some(libc::EACCES | libc::EPERM | libc::EROFS | libc::ENAMETOOLONG));
        match mended {
            true => Failure::when_mended(made),
            false => Failure::later(made),
        }
    }

    /// The facts of the file of this name, without following a symbolic link.
    fn facts(&self, name: &str) -> Answer<Option<Metadata>> {
        check_name(&self.url, name)?;
        match fs::symlink_metadata(self.path.join(name)) {
            Ok(facts) if facts.is_file() => Ok(Some(facts)),
            Ok(_) => {
                let reason = "what has this name is no plain file, and is left alone";
                Err(Failure::when_mended(Error::new(Kind::Mismatch, reason)).at(&url_of(&self.url, name)))
            }
            Err(e) if e.kind() == ErrorKind::NotFound => match self.path.is_dir() {
                true => Ok(None),
                // A directory that is not mounted must not be taken for an empty one.
                false => Err(self.failure("", &e, "find the directory of the store")),
            },
            Err(e) => Err(self.failure(name, &e, "look at the file")),
        }
    }

    fn open_object(&self, name: &str) -> Answer<(File, Stat)> {
        let gone = || std::io::Error::from_raw_os_error(libc::ENOENT);
        self.facts(name)?.ok_or_else(|| self.failure(name, &gone(), "open the file"))?;
        let opened = open::to_read_itself(&self.path.join(name));
        let (file, facts) = opened.map_err(|e| self.failure(name, &e, "open the file"))?;
        Ok((file, stat_of(&facts)))
    }

    fn sync(&self, name: &str) -> Answer<()> {
        let synced = open::directory(&self.path).and_then(|directory| directory.sync_all());
        synced.map_err(|e| self.failure(name, &e, "make the name durable"))
    }

    /// Copies the file, and makes the copy durable under its unfinished name.
    fn copy(&self, upload: &Upload<'_>, to: &Path) -> Answer<()> {
        const BUFFER: usize = 1 << 20;
        let failed = |e: &std::io::Error, doing: &str| self.failure(upload.name, e, doing);
        let created = OpenOptions::new().write(true).create_new(true).mode(self.mode).open(to);
        let mut file = created.map_err(|e| failed(&e, "create the file"))?;
        file.set_permissions(fs::Permissions::from_mode(self.mode)).map_err(|e| failed(&e, "set the file's mode"))?;
        let mut sha256 = Sha256::new();
        let mut buffer = memory::zeros(self.limit.piece(BUFFER))?;
        let mut bytes = 0;
        loop {
            if upload.monitor.stop() {
                return Err(stopped().at(&url_of(&self.url, upload.name)));
            }
            let n = read_full(upload.source, &mut buffer, bytes)
                .map_err(|e| Failure::later(Error::io(&e, "read the file that is archived").at(upload.path)))?;
            if n == 0 {
                break;
            }
            std::thread::sleep(self.limit.wait(n, Instant::now()));
            sha256.update(&buffer[..n]);
            file.write_all(&buffer[..n]).map_err(|e| failed(&e, "write the file"))?;
            bytes += n as u64;
            upload.monitor.sent(n as u64);
        }
        if bytes != upload.sums.bytes || upload.sums.sha256 != *sha256.finalize() {
            return Err(changed(upload));
        }
        file.sync_all().map_err(|e| failed(&e, "make the file durable"))
    }

    fn unfinished(&self, name: &str) -> Answer<String> {
        let mut random = [0; 8];
        fill_random(&mut random).map_err(|e| self.failure(name, &e, "have random bytes"))?;
        Ok(format!(".{name}.{}{UNFINISHED}", hex(&random)))
    }

    /// The path of an unfinished copy, if the token is the name of one.
    fn path_of_token(&self, name: &str, token: &str) -> Option<PathBuf> {
        let random = token.strip_prefix('.')?.strip_prefix(name)?.strip_prefix('.')?.strip_suffix(UNFINISHED)?;
        (random.len() == 16 && random.bytes().all(|c| c.is_ascii_hexdigit())).then(|| self.path.join(token))
    }
}

/// The error for a file that no longer matches its checksums.
pub fn changed(upload: &Upload<'_>) -> Failure {
    let reason = "the file is not what it was when its checksums were computed: somebody writes to it";
    Failure::when_mended(Error::new(Kind::Mismatch, reason).at(upload.path))
}

fn stat_of(facts: &Metadata) -> Stat {
    Stat { bytes: facts.len(), modified_ns: modified_ns(facts), tag: String::new(), sha256: None }
}

fn modified_ns(facts: &Metadata) -> i64 {
    facts.mtime().saturating_mul(1_000_000_000).saturating_add(facts.mtime_nsec())
}

impl std::fmt::Debug for DirectoryStore {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.url)
    }
}

impl Store for DirectoryStore {
    fn is_directory(&self, path: &Path) -> bool {
        let identity = |path: &Path| fs::metadata(path).map(|facts| (facts.dev(), facts.ino())).ok();
        identity(path).is_some_and(|there| identity(&self.path) == Some(there))
    }

    fn url(&self) -> &str {
        &self.url
    }

    fn stat(&self, name: &str) -> Answer<Option<Stat>> {
        Ok(self.facts(name)?.map(|facts| stat_of(&facts)))
    }

    fn upload(&self, upload: &Upload<'_>) -> Answer<Stored> {
        let name = upload.name;
        if self.facts(name)?.is_some() {
            // The process that put it there may have been stopped before it was durable.
            let (file, _) = self.open_object(name)?;
            file.sync_all().map_err(|e| self.failure(name, &e, "make the file durable"))?;
            self.sync(name)?;
            return Ok(Stored::Exists);
        }
        if let Some(token) = upload.resume {
            self.abort(name, token)?;
        }
        let unfinished = self.unfinished(name)?;
        upload.monitor.note(&unfinished).map_err(Failure::later)?;
        let (from, to) = (self.path.join(&unfinished), self.path.join(name));
        let linked = self.copy(upload, &from).and_then(|()| match fs::hard_link(&from, &to) {
            Ok(()) => Ok(Stored::New),
            Err(e) if e.kind() == ErrorKind::AlreadyExists => Ok(Stored::Exists),
            // A file system without hard links.
            Err(_) => match rename_new(&from, &to) {
                Ok(()) => Ok(Stored::New),
                Err(e) if e.kind() == ErrorKind::AlreadyExists => Ok(Stored::Exists),
                Err(e) => Err(self.failure(name, &e, "give the file its name")),
            },
        });
        if matches!(linked, Ok(Stored::New)) {
            self.sync(name)?;
        }
        let _ = fs::remove_file(&from);
        linked
    }

    fn read(&self, name: &str, ranges: &[Range<u64>]) -> Answer<Vec<Vec<u8>>> {
        Ok(self.read_tagged(name, ranges)?.1)
    }

    fn read_tagged(&self, name: &str, ranges: &[Range<u64>]) -> Answer<(String, Vec<Vec<u8>>)> {
        let (file, stat) = self.open_object(name)?;
        check_ranges(ranges, stat.bytes).map_err(|failure| failure.at(&url_of(&self.url, name)))?;
        let read = |range: &Range<u64>| {
            let mut bytes = memory::zeros((range.end - range.start) as usize)?;
            file.read_exact_at(&mut bytes, range.start).map_err(|e| self.failure(name, &e, "read the file"))?;
            Ok(bytes)
        };
        Ok((stat.version(), ranges.iter().map(read).collect::<Answer<_>>()?))
    }

    fn read_end(&self, name: &str, bytes: u64) -> Answer<(Stat, Vec<u8>)> {
        let (file, stat) = self.open_object(name)?;
        let at = stat.bytes.saturating_sub(bytes);
        let mut end = memory::zeros((stat.bytes - at) as usize)?;
        file.read_exact_at(&mut end, at).map_err(|e| self.failure(name, &e, "read the file"))?;
        Ok((stat, end))
    }

    fn list(&self, prefix: &str) -> Answer<Vec<Listed>> {
        let failed = |e: std::io::Error| self.failure("", &e, "list the directory");
        let mut found = vec![];
        for entry in fs::read_dir(&self.path).map_err(failed)? {
            let entry = entry.map_err(failed)?;
            // A name that is not UTF-8 does not belong to the library.
            let Ok(name) = entry.file_name().into_string() else { continue };
            if !name.starts_with(prefix) || check_name(&self.url, &name).is_err() {
                continue;
            }
            match entry.metadata() {
                Ok(facts) if facts.is_file() => {
                    found.push(Listed { name, bytes: facts.len(), modified_ns: modified_ns(&facts) })
                }
                Ok(_) => (),
                Err(e) if e.kind() == ErrorKind::NotFound => (),
                Err(e) => return Err(failed(e)),
            }
        }
        found.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(found)
    }

    fn remove(&self, name: &str) -> Answer<()> {
        if self.facts(name)?.is_none() {
            return Ok(());
        }
        match fs::remove_file(self.path.join(name)) {
            Err(e) if e.kind() != ErrorKind::NotFound => Err(self.failure(name, &e, "remove the file")),
            _ => self.sync(name),
        }
    }

    fn abort(&self, name: &str, token: &str) -> Answer<()> {
        check_name(&self.url, name)?;
        let Some(path) = self.path_of_token(name, token) else { return Ok(()) };
        match fs::remove_file(path) {
            Err(e) if e.kind() != ErrorKind::NotFound => Err(self.failure(name, &e, "remove the unfinished file")),
            _ => Ok(()),
        }
    }

    fn abort_stale(&self, prefix: &str, age: Duration) -> Answer<u64> {
        let failed = |e: std::io::Error| self.failure("", &e, "list the directory");
        let mut given_up = 0;
        for entry in fs::read_dir(&self.path).map_err(failed)? {
            let Ok(token) = entry.map_err(failed)?.file_name().into_string() else { continue };
            let named = token.strip_prefix('.').and_then(|name| name.strip_suffix(UNFINISHED)?.rsplit_once('.'));
            let Some((name, _)) = named.filter(|(name, _)| name.starts_with(prefix)) else { continue };
            let Some(path) = self.path_of_token(name, &token) else { continue };
            let Ok(facts) = fs::symlink_metadata(&path) else { continue };
            let old = facts.modified().is_ok_and(|at| SystemTime::now().duration_since(at).is_ok_and(|a| a >= age));
            if facts.is_file() && old {
                fs::remove_file(&path).map_err(|e| self.failure(name, &e, "remove the unfinished file"))?;
                given_up += 1;
            }
        }
        Ok(given_up)
    }
}

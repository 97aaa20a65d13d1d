//! Where a writer writes: which segment it goes on in, and which comes next.

use std::collections::BTreeMap;
use std::io::ErrorKind;
use std::path::PathBuf;
use std::sync::Arc;

use super::names;
use super::torn::cut_torn_tail;
use crate::error::{Error, Kind, Result};
use crate::format::declaration::{FileHeader, Predecessor, WriterFacts};
use crate::io::{self, clock, fill_random, Access, Directory, File};
use crate::record::NamedType;
use crate::segment::{self, is_unborn, Appender, Segment};

/// What the user says of a log; goes into every segment's header.
#[derive(Clone, Debug)]
pub(crate) struct Facts {
    pub name: String,
    pub content_type: String,
    pub parameters: BTreeMap<String, String>,
    pub file_mode: u32,
}

/// A log opened for writing, under the writer's lock.
pub(crate) struct Target {
    directory: Arc<dyn Directory>,
    facts: Facts,
    log_id: Vec<u8>,
    layout: Layout,
}

enum Layout {
    /// Segments in a directory. `greatest` is the greatest sequence number seen in a name.
    Directory { lock: Arc<dyn File>, greatest: u64 },
    /// One file for ever.
    SingleFile,
}

/// A target, the segment to go on in, and what was found there.
pub(crate) struct Opened {
    pub target: Target,
    pub appender: Appender,
    /// Types that were named before.
    pub types: Vec<NamedType>,
    /// The torn tail that was cut.
    pub cut: Option<Cut>,
}

/// A torn tail that was cut off.
pub(crate) struct Cut {
    pub offset: u64,
    pub bytes: u64,
    /// The file that keeps the bytes.
    pub kept: PathBuf,
    /// Why they are not a block.
    pub reason: String,
}

impl Target {
    /// Opens a directory log and creates it when it is not there. A torn tail of the last segment is cut after its
    /// bytes have been kept in a file beside it.
    pub fn open_directory(directory: Arc<dyn Directory>, facts: Facts) -> Result<Opened> {
        let lock = take_lock(&*directory, &facts.name, facts.file_mode)?;
        let mut named: Vec<(u64, String)> = directory
            .list()
            .map_err(|e| Error::io(&e, "list").at(directory.path()))?
            .into_iter()
            .filter_map(|file| Some((names::sequence(&facts.name, &file)?, file)))
            .collect();
        named.sort_unstable();
        let greatest = named.last().map_or(0, |(sequence, _)| *sequence);
        let layout = Layout::Directory { lock, greatest };
        while let Some((_, file)) = named.pop() {
            if !is_unborn(&*directory, &file) {
                return Self::resume(directory, facts, layout, &file, &named);
            }
        }
        let name = names::segment(&facts.name, greatest.saturating_add(1));
        Self::begin(directory, facts, layout, &name)
    }

    /// Opens a log that is one file, and creates it when it is not there.
    pub fn open_file(directory: Arc<dyn Directory>, file: &str, facts: Facts) -> Result<Opened> {
        match directory.open(file, Access::Read) {
            Ok(there) if there.len().is_ok_and(|len| len > 0) => {
                drop(there);
                Self::resume(directory, facts, Layout::SingleFile, file, &[])
            }
            Ok(_) => {
                Err(Error::invalid("the file is there, is empty, and so is no log: remove it or take another name")
                    .at(&directory.path_of(file)))
            }
            Err(e) if e.kind() == ErrorKind::NotFound => Self::begin(directory, facts, Layout::SingleFile, file),
            Err(e) => Err(Error::io(&e, "open").at(&directory.path_of(file))),
        }
    }

    fn begin(directory: Arc<dyn Directory>, facts: Facts, layout: Layout, file: &str) -> Result<Opened> {
        let mut log_id = vec![0; 16];
        fill_random(&mut log_id).map_err(|e| Error::io(&e, "get random bytes"))?;
        let mut target = Target { directory, facts, log_id, layout };
        // There is no writer yet that could have failed.
        let prepared =
            target.create(file).map_err(|e| if e.kind() == Kind::Failed { e.with_kind(Kind::Io) } else { e })?;
        let appender = target.start(&prepared, 1, 1, None)?;
        Ok(Opened { target, appender, types: vec![], cut: None })
    }

    fn resume(
        directory: Arc<dyn Directory>,
        facts: Facts,
        layout: Layout,
        file: &str,
        earlier: &[(u64, String)],
    ) -> Result<Opened> {
        let segment = Arc::new(Segment::open(&*directory, file, Access::ReadWrite).map_err(|e| match e.kind() {
            Kind::Corrupt => e.because(
                "the segment's beginning is damaged, so nothing is appended: read the others with `binlog cat`, and append \
                 to a new log",
            ),
            _ => e,
        })?);
        lock_segment(&segment)?;
        if matches!(layout, Layout::Directory { .. }) && segment.header.name != facts.name {
            let reason = format!("the segment belongs to the log {:?}, not {:?}", segment.header.name, facts.name);
            return Err(Error::corrupt(reason).at(&segment.path));
        }
        let found = segment::recover(&segment)?;
        if found.durable_end == 0 {
            make_earlier_durable(&*directory, &segment, earlier)?;
        }
        let cut = match found.torn_bytes {
            0 => None,
            bytes => {
                let (offset, reason) = (found.end, found.torn_reason.clone());
                let kept = cut_torn_tail(&*directory, &segment, offset, bytes, facts.file_mode)?;
                Some(Cut { offset, bytes, kept, reason })
            }
        };
        let log_id = segment.header.log_id.clone();
        let types = found.types.clone();
        let appender = Appender::resume(segment, found);
        Ok(Opened { target: Target { directory, facts, log_id, layout }, appender, types, cut })
    }

    /// Whether there can be a next segment.
    pub fn can_roll(&self) -> bool {
        matches!(self.layout, Layout::Directory { .. })
    }

    /// Gives the log's lock back. It would go with the file handle, but a forked child may hold that too.
    pub fn unlock(&self) {
        if let Layout::Directory { lock, .. } = &self.layout {
            let _ = lock.unlock();
        }
    }

    /// Refuses what only a directory log can do.
    pub fn check_rolls(&self) -> Result<()> {
        match self.can_roll() {
            true => Ok(()),
            false => Err(Error::new(Kind::Unsupported, "a log that is one file does not roll")),
        }
    }

    /// Creates the file of the next segment, still empty, and makes its name durable.
    pub fn prepare(&mut self, after: u64) -> Result<Prepared> {
        self.check_rolls()?;
        let greatest = if let Layout::Directory { greatest, .. } = &self.layout { *greatest } else { 0 };
        let mut sequence = after.max(greatest);
        loop {
            let most = || Error::new(Kind::TooLarge, "the log has 2^64 segments, and no number for another");
            sequence = sequence.checked_add(1).ok_or_else(most)?;
            let name = names::segment(&self.facts.name, sequence);
            match self.create(&name) {
                // A file of that name that is none of ours stays, and its number is passed over.
                Err(e) if e.os_code() == Some(libc::EEXIST) => (),
                other => return other.map(|prepared| Prepared { sequence, ..prepared }),
            }
        }
    }

    fn create(&self, name: &str) -> Result<Prepared> {
        let path = self.directory.path_of(name);
        let file = self.directory.create(name, self.facts.file_mode).map_err(|e| {
            // The double in memory has no system codes of its own.
            let e =
                if e.kind() == ErrorKind::AlreadyExists { std::io::Error::from_raw_os_error(libc::EEXIST) } else { e };
            Error::io(&e, "create").at(&path)
        })?;
        if !file.try_lock().map_err(|e| Error::io(&e, "lock").at(&path))? {
            return Err(Error::new(Kind::Locked, "another writer took the new file").at(&path));
        }
        self.directory.sync().map_err(|e| {
            let error = Error::io(&e, "sync").at(self.directory.path());
            match e.raw_os_error() {
                // The directory could not even be opened to be synced.
                Some(libc::EMFILE | libc::ENFILE | libc::ENOMEM) => error,
                // As with the fsync of a file: the system will not tell it again, so that no later one can be trusted.
                _ => error.with_kind(Kind::Failed),
            }
        })?;
        Ok(Prepared { name: name.to_owned(), file, sequence: 1 })
    }

    /// Makes a prepared file the segment in which the record `first_id` comes first.
    pub fn start(
        &mut self,
        prepared: &Prepared,
        sequence: u64,
        first_id: u64,
        predecessor: Option<Predecessor>,
    ) -> Result<Appender> {
        let mut marker = [0; 8];
        fill_random(&mut marker).map_err(|e| Error::io(&e, "get random bytes"))?;
        let header = FileHeader {
            created_ns: clock::now_ns(),
            name: self.facts.name.clone(),
            content_type: self.facts.content_type.clone(),
            parameters: self.facts.parameters.clone(),
            log_id: self.log_id.clone(),
            marker: u64::from_le_bytes(marker).max(1),
            sequence,
            first_id,
            predecessor,
            period_s: 0,
            template: if self.can_roll() { names::TEMPLATE.to_owned() } else { prepared.name.clone() },
            writer: Some(WriterFacts {
                library: concat!("binlog ", env!("CARGO_PKG_VERSION")).to_owned(),
                pid: std::process::id(),
                host: io::host_name(),
            }),
            incompatible: 0,
            compatible: 0,
            recovered: None,
        };
        let segment = Arc::new(Segment::create(&*self.directory, &prepared.name, prepared.file.clone(), header)?);
        if let Layout::Directory { greatest, .. } = &mut self.layout {
            *greatest = (*greatest).max(sequence);
        }
        Ok(Appender::new(segment))
    }
}

/// A file that is going to be the next segment.
pub(crate) struct Prepared {
    pub name: String,
    pub sequence: u64,
    file: Arc<dyn File>,
}

impl Prepared {
    /// Whether nothing stands in it, so that it can still become a segment.
    pub fn is_untouched(&self) -> bool {
        self.file.len().is_ok_and(|len| len == 0)
    }
}

/// Takes the lock of the log `name`, which its one writer holds.
pub(crate) fn take_lock(directory: &dyn Directory, name: &str, file_mode: u32) -> Result<Arc<dyn File>> {
    let name = names::lock(name);
    let path = directory.path_of(&name);
    let failed = |e: &std::io::Error, doing: &str| Error::io(e, doing).at(&path);
    let lock = directory.open_or_create(&name, file_mode).map_err(|e| failed(&e, "create"))?;
    if !lock.try_lock().map_err(|e| failed(&e, "lock"))? {
        let mut text = [0; 32];
        let n = io::read_full(&*lock, &mut text, 0).unwrap_or(0);
        let holder = String::from_utf8_lossy(&text[..n]);
        let holder = holder.lines().next().filter(|pid| !pid.is_empty()).unwrap_or("unknown");
        return Err(Error::new(Kind::Locked, format!("another writer has the log open (process {holder})")).at(&path));
    }
    let pid = format!("{}\n", std::process::id());
    // Only a help for the message above: a disk that is full does not keep a log from being opened.
    let _ = lock.set_len(0);
    let _ = io::write_full(&*lock, &[pid.as_bytes()], 0);
    Ok(lock)
}

fn lock_segment(segment: &Segment) -> Result<()> {
    match segment.file.try_lock() {
        Ok(true) => Ok(()),
        Ok(false) => Err(Error::new(Kind::Locked, "another writer has the log open").at(&segment.path)),
        Err(e) => Err(Error::io(&e, "lock").at(&segment.path)),
    }
}

/// Makes the segments before `last` durable, and sees that they are whole, back to one that was known to be durable.
///
/// The writer that rolled does so right after the roll, before its next sync of the current segment. It may have been
/// killed before, and then no segment that says nothing about durability speaks for those before it.
fn make_earlier_durable(directory: &dyn Directory, last: &Arc<Segment>, earlier: &[(u64, String)]) -> Result<()> {
    let mut next = last.clone();
    while let Some(told) = next.header.predecessor.clone() {
        let Some(segment) = predecessor(directory, &told, earlier)? else {
            // It may have been removed because of its age: then it was durable.
            match earlier.iter().find(|(sequence, _)| *sequence == told.sequence) {
                None => return Ok(()),
                Some((_, name)) => return Err(cut_short(&told, &next).at_offset(&directory.path_of(name), 0)),
            }
        };
        if segment.file.len().is_ok_and(|len| len == u64::MAX) {
            // Nobody compresses what is not durable.
            return Ok(());
        }
        if segment.header.recovered.is_some() {
            // It took its place when it was durable, and knows what is lost at its end.
            return Ok(());
        }
        let found = segment::recover(&segment)?;
        if found.end < told.bytes || found.next_id != told.last_id + 1 {
            return Err(cut_short(&told, &next).at_offset(&segment.path, found.end));
        }
        segment.file.sync_data().map_err(|e| Error::io(&e, "sync").at(&segment.path))?;
        if found.durable_end > 0 {
            return Ok(());
        }
        next = segment;
    }
    Ok(())
}

/// The segment that `told` describes. Its number in the name may be greater than the one in its header.
fn predecessor(
    directory: &dyn Directory,
    told: &Predecessor,
    earlier: &[(u64, String)],
) -> Result<Option<Arc<Segment>>> {
    for (_, name) in earlier.iter().rev().take_while(|(sequence, _)| *sequence >= told.sequence) {
        match Segment::open(directory, name, Access::Read) {
            Ok(segment) if segment.header.is_followed_by(told) => return Ok(Some(Arc::new(segment))),
            Err(e) if e.kind() == Kind::Io => return Err(e),
            // Another one, or a file that is none.
            _ => (),
        }
    }
    Ok(None)
}

fn cut_short(told: &Predecessor, next: &Segment) -> Error {
    Error::corrupt(format!(
        "the segment is shorter than {} says: {} bytes, up to record {}; nothing is appended behind such a gap: read what \
         is there with `binlog cat`, and append to a new log",
        next.name, told.bytes, told.last_id
    ))
}

//! Writing a log, from any number of threads.
//!
//! An append takes the *append lock*, gives the record its id, and copies it into the block being filled. Full blocks
//! are handed over, a few at a time, to the *write stage*, which encodes and writes them in order under a lock of its
//! own: in the thread whose append filled them, or in one background thread. Syncs share one fdatasync among all who
//! wait for one. Locks are taken in this order: syncing, append, output, ahead, queue, types, house.

mod ahead;
mod append;
mod archive;
mod close;
mod filling;
mod full_disk;
mod keeping;
mod large;
mod lost;
mod output;
mod piece;
mod policy;
mod retired;
mod roll;
mod rolling;
mod stage;
mod stretch;
mod sync;

use std::path::Path;
use std::sync::Arc;
use std::sync::OnceLock;

use crate::calling::{is_any_calling, is_calling};
use crate::error::{Error, Kind, Result};
use crate::format::codec::Compressor;
use crate::io::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, AtomicUsize, Ordering};
use crate::io::sync::{Condvar, JoinHandle, Mutex};
use crate::io::{Directory, ForkMark, RealDirectory};
use crate::log::{refuse_url, Facts, Naming, Opened, Target};
use crate::options::{RollCheck, WriterOptions};
use crate::record::NamedType;
use crate::segment::Inherited;
pub(crate) use append::{NewRun, Sums};
use output::Output;

/// Writes one log. All methods may be called from any thread.
///
/// ```
/// # fn main() -> binlog::Result<()> {
/// # let scratch = std::env::temp_dir().join(format!("binlog-doc-{}", std::process::id()));
/// let writer = binlog::Writer::open(&scratch, binlog::WriterOptions::default())?;
/// let id = writer.append(7, b"the first record")?;
/// assert_eq!(id, 1);
/// writer.sync()?; // survives the machine from here on
/// writer.close()?;
/// # std::fs::remove_dir_all(scratch).ok();
/// # Ok(())
/// # }
/// ```
pub struct Writer {
    shared: Arc<Shared>,
    background: Option<JoinHandle<()>>,
    house: Option<JoinHandle<()>>,
    archive: Option<archive::Archive>,
}

/// How far a log is appended, flushed and durable: the id of the last record, 0 for none.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Position {
    /// Taken by the writer: survives nothing yet.
    pub appended: u64,
    /// Handed to the system: survives the process.
    pub flushed: u64,
    /// On the disk: survives the machine.
    pub durable: u64,
}

struct Shared {
    options: WriterOptions,
    rules: policy::Rules,
    fork: ForkMark,
    append: Mutex<filling::Filling>,
    queue: Mutex<stage::Queue>,
    /// How many pieces of the queue are free and full, to be looked at without its lock.
    free: AtomicUsize,
    full: AtomicUsize,
    /// A piece has become free, or the write stage has failed.
    room: Condvar,
    /// There is work for the background thread.
    work: Condvar,
    output: Mutex<Output>,
    /// Compresses large records outside of all other locks.
    compressor: Mutex<Compressor>,
    types: Arc<Mutex<Vec<NamedType>>>,
    sync: Mutex<sync::Group>,
    synced: Condvar,
    /// Held while files are being synced, and what the first sync has to write anew before.
    syncing: Mutex<Vec<Inherited>>,
    appended: AtomicU64,
    flushed: AtomicU64,
    durable: AtomicU64,
    /// The same positions in bytes of payload since the writer was opened; the appended one is under the append lock.
    flushed_bytes: AtomicU64,
    durable_bytes: AtomicU64,
    /// The greatest number of a segment that is noted to hold something durable. Only who holds `syncing` changes it.
    noted: AtomicU64,
    /// When the oldest record that is not durable was appended, for the sync interval; 0 = everything is.
    unsynced_since: AtomicI64,
    has_failed: AtomicBool,
    closed: AtomicBool,
    failure: Mutex<Option<Error>>,
    drops: full_disk::Drops,
    /// Whether the log is a directory, and so rolls.
    rolls: bool,
    /// Where the current segment begins.
    mark: Arc<rolling::Mark>,
    /// The caller's say in when the log rolls.
    check: Mutex<Option<RollCheck>>,
    /// When the current segment's time is over, `i64::MAX` = never, and how long before the next file is prepared: in
    /// nanoseconds, by the writer's clock.
    deadline: AtomicI64,
    lead: AtomicI64,
    /// What waits to be done beside the writing; whether a thread does it, and what wakes that.
    house: Mutex<keeping::House>,
    has_house: AtomicBool,
    chores: Condvar,
    /// A step was done.
    kept: Condvar,
    /// When the file of the current segment was looked for last, by the system's clock.
    looked: AtomicI64,
    /// Segments whose files were removed, replaced or moved.
    losses: Mutex<lost::Losses>,
    failures: AtomicU64,
    /// Whoever ships closed segments, when there is one.
    archive: OnceLock<Arc<archive::Ship>>,
}

impl Writer {
    /// Opens the log in a directory; both are created when they are not there. Appends go on after the last record.
    ///
    /// # Errors
    /// [`Kind::Locked`] when another writer has it open, [`Kind::Corrupt`] when the end of the log is damaged (a torn
    /// tail, as a crash leaves it, is cut instead, after its bytes have been kept in `<segment>.torn-<offset>`),
    /// [`Kind::Invalid`] for options out of range, and what the system says.
    pub fn open(directory: impl AsRef<Path>, options: WriterOptions) -> Result<Self> {
        options.check()?;
        let path = directory.as_ref();
        refuse_url(path, "write a log")?;
        let directory =
            RealDirectory::open_or_create(path).map_err(|e| Error::io(&e, "open the directory").at(path))?;
        Self::open_in(Arc::new(directory.with_group(options.file_group)), options)
    }

    /// Opens a log that is a single file; it is created, in a directory that is there, when it is not there. A file that is
    /// empty, or holds no more than a part of a log's beginning, as a crash in the first moment leaves it, is taken for the
    /// log and begun. Such a log never rolls. Errors are those of [`Self::open`].
    pub fn open_file(path: impl AsRef<Path>, options: WriterOptions) -> Result<Self> {
        options.check()?;
        let path = path.as_ref();
        refuse_url(path, "write a log")?;
        let name = path.file_name().and_then(|name| name.to_str());
        let name = name.ok_or_else(|| Error::invalid("this is not the path of a file").at(path))?;
        let parent = path.parent().unwrap_or(Path::new(""));
        let directory = RealDirectory::open(parent).map_err(|e| Error::io(&e, "open the directory").at(parent))?;
        Self::open_file_in(Arc::new(directory.with_group(options.file_group)), name, options)
    }

    /// As [`Self::open`], over a directory of the caller's making.
    pub fn open_in(directory: Arc<dyn Directory>, options: WriterOptions) -> Result<Self> {
        options.check()?;
        archive::check(&options)?;
        let naming = Naming::new(&options.roll, &options.name)?;
        let rules = stretch::Rules::new(&options.roll, &naming);
        let opened = Target::open_directory(directory, facts(&options), naming)?;
        Self::start(opened, rules, options)
    }

    /// As [`Self::open_file`], over a directory of the caller's making.
    pub fn open_file_in(directory: Arc<dyn Directory>, name: &str, options: WriterOptions) -> Result<Self> {
        options.check()?;
        if options.archive.is_some() {
            return Err(Error::new(Kind::Unsupported, "a log that is one file has no closed segments to ship"));
        }
        let opened = Target::open_file(directory, name, facts(&options))?;
        Self::start(opened, stretch::Rules::default(), options)
    }

    fn start(mut opened: Opened, rules: stretch::Rules, options: WriterOptions) -> Result<Self> {
        let rolls = opened.target.can_roll();
        let compressor =
            || Compressor::new(options.codec, options.codec_level).map_err(|e| Error::io(&e, "set up the compressor"));
        let types = Arc::new(Mutex::new(vec![]));
        let inherited = std::mem::take(&mut opened.inherited);
        let output = Output::begin(opened, compressor()?, &options, &rules, types.clone())?;
        let (last, mark) = (output.next_id() - 1, output.mark.clone());
        let (begun, lead) = (mark.get(), rules.lead());
        let filling = filling::Filling::new(last + 1, &types.lock(), rules, begun, &options.clock);
        let shared = Arc::new(Shared {
            rules: policy::Rules::new(&options.flush, &options.sync),
            fork: ForkMark::new(),
            append: Mutex::new(filling),
            queue: Mutex::new(stage::Queue::new(&options)),
            free: AtomicUsize::new(0),
            full: AtomicUsize::new(0),
            room: Condvar::new(),
            work: Condvar::new(),
            output: Mutex::new(output),
            compressor: Mutex::new(compressor()?),
            types,
            sync: Mutex::default(),
            synced: Condvar::new(),
            syncing: Mutex::new(inherited),
            appended: AtomicU64::new(last),
            flushed: AtomicU64::new(last),
            durable: AtomicU64::new(0),
            flushed_bytes: AtomicU64::new(0),
            durable_bytes: AtomicU64::new(0),
            noted: AtomicU64::new(0),
            unsynced_since: AtomicI64::new(0),
            has_failed: AtomicBool::new(false),
            closed: AtomicBool::new(false),
            failure: Mutex::new(None),
            drops: full_disk::Drops::default(),
            rolls,
            mark,
            check: Mutex::new(options.roll.check.clone().filter(|_| rolls)),
            deadline: AtomicI64::new(i64::MAX),
            lead: AtomicI64::new(lead),
            house: Mutex::default(),
            has_house: AtomicBool::new(false),
            chores: Condvar::new(),
            kept: Condvar::new(),
            looked: AtomicI64::new(crate::io::clock::now_ns()),
            losses: Mutex::default(),
            failures: AtomicU64::new(0),
            archive: OnceLock::new(),
            options,
        });
        shared.set_deadline();
        // From here on it is the writer's end that stops threads and gives the locks back, also when opening fails below.
        let mut writer = Writer { shared, background: None, house: None, archive: None };
        match writer.set_to_work() {
            Ok(()) => Ok(writer),
            Err(error) => {
                writer.give_up();
                Err(error)
            }
        }
    }

    /// Starts the threads, and does what opening made necessary, before anybody can append.
    fn set_to_work(&mut self) -> Result<()> {
        let shared = &self.shared;
        if shared.options.background && shared.rolls {
            self.house = Some(keeping::start_house(shared.clone())?);
        }
        shared.after_write(shared.output.lock())?;
        shared.tidy()?;
        shared.ask_check()?;
        shared.has_house.store(self.house.is_some(), Ordering::Release);
        if shared.options.background {
            self.background = Some(stage::start_background(shared.clone())?);
        }
        self.archive = shared.start_archive()?;
        // What the log held before is made durable with the first sync; until then nothing is promised.
        Ok(())
    }

    /// How far the log is appended, flushed and durable. Never waits; fails only in the child of a fork.
    pub fn position(&self) -> Result<Position> {
        let shared = &self.shared;
        if self.is_forked() {
            return Err(shared.unusable());
        }
        // In this order, so that no position is ever seen ahead of one that it follows.
        let durable = shared.durable.load(Ordering::Acquire);
        let flushed = shared.flushed.load(Ordering::Acquire);
        Ok(Position { appended: shared.appended.load(Ordering::Acquire), flushed, durable })
    }

    /// How many records were dropped since the writer was opened, by [`crate::FullDisk::Drop`]. Never waits.
    pub fn dropped(&self) -> u64 {
        self.shared.drops.total()
    }

    /// How often something beside the writing has failed since the writer was opened: a hook, the removal of an old segment,
    /// the `.active` file, shipping to a store. [`crate::Hooks::on_failure`] is told each time. Never waits.
    pub fn failures(&self) -> u64 {
        let failures = self.shared.failures.load(Ordering::Relaxed);
        failures + self.shared.archive.get().map_or(0, |archive| archive.failures())
    }

    /// The options that the writer was opened with.
    pub fn options(&self) -> &WriterOptions {
        &self.shared.options
    }

    /// Whether this is the child of a fork, where the writer must not be used.
    fn is_forked(&self) -> bool {
        self.shared.fork.is_child()
    }
}

fn facts(options: &WriterOptions) -> Facts {
    Facts {
        name: options.name.clone(),
        content_type: options.content_type.clone(),
        parameters: options.parameters.clone(),
        file_mode: options.file_mode,
        require: options.require.clone(),
        clock: options.clock.clone(),
    }
}

impl Shared {
    /// Refuses a user's call as [`Self::check_usable`] does, and one by a function that the writer has called: it would wait for
    /// itself, or be called again for what it writes.
    #[inline]
    fn check_call(&self) -> Result<()> {
        if is_any_calling() {
            self.check_caller()?;
        }
        self.check_usable()
    }

    #[cold]
    fn check_caller(&self) -> Result<()> {
        match is_calling(self.caller()) {
            true => Err(Error::invalid("a writer cannot be used by a function that it has called")),
            false => Ok(()),
        }
    }

    /// Refuses the call in the child of a fork, and after a failed fsync.
    #[inline]
    fn check_usable(&self) -> Result<()> {
        if self.fork.is_child() || self.has_failed.load(Ordering::Acquire) {
            return Err(self.unusable());
        }
        Ok(())
    }

    #[cold]
    fn unusable(&self) -> Error {
        if self.fork.is_child() {
            return Error::new(Kind::Forked, "the writer was opened before a fork, and this is the child");
        }
        let failure = self.failure.lock();
        failure.clone().unwrap_or_else(|| Error::new(Kind::Failed, "the writer has failed and must be reopened"))
    }
}

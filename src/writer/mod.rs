//! Writing a log, from any number of threads.
//!
//! An append takes the *append lock*, gives the record its id, and copies it into the buffer being filled (`append`,
//! `filling`). Full buffers are handed over, a few at a time, to the *write stage* (`stage`, `write`), which encodes
//! and writes them in order under the output lock (`output`, `succession`): in the thread whose append filled them, or
//! in one background thread. Threads that sync at the same time share one fdatasync (`syncing`, `sync`). The work after
//! a roll is done by `maintenance`, and by companions.
//!
//! An *appender* (`appender`, `staging`) fills a buffer of its own without a lock. Under the append lock its records get
//! their ids, and its buffer is handed over as it is.
//!
//! A writer consists of a few parts, each with its own lock; [`Parts`] wires them. Where several locks are held, they
//! are taken in this order: `Syncing::inherited`, `Parts::filling`, what appenders stage, `Parts::output`, `Output::next_file`,
//! `Stage::queue`, the types, `Maintenance::queue`. The others are held alone.

mod append;
mod appender;
pub(crate) mod area;
mod buffer;
mod close;
mod companions;
mod filling;
mod full_disk;
mod gate;
mod health;
mod large;
mod lost;
mod maintenance;
mod next_file;
mod output;
mod pace;
mod positions;
mod retired;
mod roll;
mod rolling;
mod schedule;
mod span;
mod stage;
mod staging;
mod steps;
mod succession;
mod sync;
mod syncing;
mod tick;
mod turn;
mod types;
mod write;

use std::any::Any;
use std::path::Path;
use std::sync::Arc;

use crate::companion::{Accompany, Companion};
use crate::error::{Error, Kind, Result};
use crate::format::codec::Compressor;
use crate::io::sync::{JoinHandle, Mutex};
use crate::io::{Directory, Location, RealDirectory};
use crate::log::{refuse_url, Facts, Naming, Opened, Target};
use crate::options::{OnFailure, Retention, WriterOptions};
use crate::retention::Retaining;
use crate::segment::FillAhead;
pub(crate) use append::{NewRun, Sums};
pub use appender::Appender;
use output::Output;
pub use positions::Position;

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
    parts: Arc<Parts>,
    background: Option<JoinHandle<()>>,
    maintenance: Option<JoinHandle<()>>,
}

/// The parts of a writer, for its callers and its threads.
struct Parts {
    options: WriterOptions,
    health: health::Health,
    positions: positions::Positions,
    /// The append lock.
    filling: Mutex<filling::Filling>,
    stage: stage::Stage,
    /// Appenders use the other parts inside it.
    gate: gate::Gate,
    /// The current segment and its succession.
    output: Mutex<Output>,
    /// Compresses large records outside of all other locks.
    large: Mutex<Compressor>,
    syncing: syncing::Syncing,
    schedule: schedule::Schedule,
    rolling: rolling::Rolling,
    space: full_disk::Space,
    /// Segments whose files were removed, replaced or moved.
    losses: lost::Losses,
    maintenance: maintenance::Maintenance,
    companions: companions::Companions,
}

impl Writer {
    /// Opens the log in a directory; both are created when they do not exist. Appends continue after the last record.
    ///
    /// # Errors
    /// [`Kind::Locked`] when another writer has it open, [`Kind::Corrupt`] when the end of the log is damaged (a torn
    /// tail, as a crash leaves it, is cut instead, after its bytes have been kept in `<segment>.torn-<offset>`),
    /// [`Kind::Invalid`] for options out of range, and errors of the system.
    pub fn open(location: impl Into<Location>, options: WriterOptions) -> Result<Self> {
        options.check()?;
        let location = location.into();
        refuse_url(&location, "write a log")?;
        match location {
            Location::Path(path) => {
                let directory = RealDirectory::open_or_create(&path);
                let directory = directory.map_err(|e| Error::io(&e, "open the directory").at(&path))?;
                Self::open_directory(Arc::new(directory.with_group(options.file_group)), options)
            }
            Location::Directory(directory) => Self::open_directory(directory, options),
            Location::File(directory, name) => Self::open_only_file(directory, &name, options),
        }
    }

    /// Opens a log that is a single file. The file is created when it does not exist; its directory must exist. A file
    /// that is empty, or holds only part of a log's beginning, as a crash in the first moment leaves it, is taken as
    /// the log and begun. Such a log never rolls. Errors are those of [`Self::open`].
    pub fn open_file(location: impl Into<Location>, options: WriterOptions) -> Result<Self> {
        options.check()?;
        let location = location.into();
        refuse_url(&location, "write a log")?;
        let path = match location {
            Location::Path(path) => path,
            Location::File(directory, name) => return Self::open_only_file(directory, &name, options),
            Location::Directory(directory) => {
                return Err(Error::invalid("this is not the path of a file").at(directory.path()))
            }
        };
        let name = path.file_name().and_then(|name| name.to_str());
        let name = name.ok_or_else(|| Error::invalid("this is not the path of a file").at(&path))?;
        let parent = path.parent().unwrap_or(Path::new(""));
        let directory = RealDirectory::open(parent).map_err(|e| Error::io(&e, "open the directory").at(parent))?;
        Self::open_only_file(Arc::new(directory.with_group(options.file_group)), name, options)
    }

    fn open_directory(directory: Arc<dyn Directory>, options: WriterOptions) -> Result<Self> {
        accompany(&options).map_or(Ok(()), Accompany::check)?;
        let naming = Naming::new(&options.roll, &options.name)?;
        let rules = span::Rules::new(&options.roll, &naming);
        let opened = Target::open_directory(directory, facts(&options), naming)?;
        Self::start(opened, rules, options)
    }

    fn open_only_file(directory: Arc<dyn Directory>, name: &str, options: WriterOptions) -> Result<Self> {
        if accompany(&options).is_some() {
            return Err(Error::new(Kind::Unsupported, "a log that is one file has no closed segments to ship"));
        }
        let opened = Target::open_file(directory, name, facts(&options))?;
        Self::start(opened, span::Rules::default(), options)
    }

    fn start(mut opened: Opened, rules: span::Rules, options: WriterOptions) -> Result<Self> {
        let rolls = opened.target.can_roll();
        let compressor =
            || Compressor::new(options.codec, options.codec_level).map_err(|e| Error::io(&e, "set up the compressor"));
        let types = Arc::new(Mutex::new(types::Types::new(options.schema_bytes())));
        let inherited = std::mem::take(&mut opened.inherited);
        let output = Output::begin(opened, compressor()?, &options, &rules, types.clone())?;
        let (last, mark, clock) = (output.next_id() - 1, output.mark.clone(), options.clock.clone());
        let filling = filling::Filling::new(last + 1, types, rules, mark.get(), &clock);
        let (directory, log) = (output.target.directory().clone(), output.file("").log);
        // A log that is one file has no old segments.
        let keep = if rolls { options.keep } else { Retention::default() };
        let retaining = Retaining::new(keep, clock.clone(), directory, &log, accompany(&options).is_some());
        let own: Vec<Arc<dyn Companion>> =
            vec![Arc::new(companions::Hooked(options.hooks.clone())), Arc::new(retaining)];
        let parts = Arc::new(Parts {
            health: health::Health::new(),
            positions: positions::Positions::new(last),
            rolling: rolling::Rolling::new(rolls, mark, options.roll.check.clone(), &filling, clock.clone()),
            filling: Mutex::new(filling),
            stage: stage::Stage::new(&options),
            gate: gate::Gate::default(),
            output: Mutex::new(output),
            large: Mutex::new(compressor()?),
            syncing: syncing::Syncing::new(inherited),
            schedule: schedule::Schedule::new(&options),
            space: full_disk::Space::new(&options),
            losses: lost::Losses::default(),
            maintenance: maintenance::Maintenance::new(clock),
            companions: companions::Companions::new(own, options.hooks.on_failure.clone()),
            options,
        });
        // From here on the writer's end stops the threads and releases the locks, also when opening fails below.
        let mut writer = Writer { parts, background: None, maintenance: None };
        match writer.set_to_work() {
            Ok(()) => Ok(writer),
            Err(error) => {
                writer.give_up();
                Err(error)
            }
        }
    }

    /// Starts the threads, and does what opening made necessary, before any append.
    fn set_to_work(&mut self) -> Result<()> {
        let parts = &self.parts;
        if parts.options.background && parts.rolling.rolls {
            self.maintenance = Some(steps::start_maintenance(parts.clone())?);
        }
        parts.after_write(parts.output.lock())?;
        parts.maintain()?;
        parts.ask_check()?;
        parts.maintenance.set_thread(self.maintenance.is_some());
        if parts.options.background {
            self.background = Some(write::start_background(parts.clone())?);
        }
        if let Some(option) = accompany(&parts.options) {
            parts.companions.add(parts.start_companion(option)?);
        }
        // What the log held before becomes durable with the first sync; until then nothing is promised.
        Ok(())
    }

    /// How far the log is appended, flushed and durable. Never waits; fails only in the child of a fork.
    pub fn position(&self) -> Result<Position> {
        match self.parts.health.is_forked() {
            true => Err(self.parts.health.unusable()),
            false => Ok(self.parts.positions.get()),
        }
    }

    /// How many records were dropped since the writer was opened, by [`crate::FullDisk::Drop`]. Never waits.
    pub fn dropped(&self) -> u64 {
        self.parts.space.dropped()
    }

    /// How often something beside the writing has failed since the writer was opened: a hook, the removal of an old
    /// segment, the `.active` file, shipping to a store. [`crate::hooks::Hooks::on_failure`] is called each time. Never waits.
    pub fn failures(&self) -> u64 {
        self.parts.companions.failures()
    }

    /// The companion of this type, when the writer has it.
    ///
    /// # Errors
    /// [`Kind::Forked`] in the child of a fork.
    pub(crate) fn companion<T: Any>(&self) -> Result<Option<&T>> {
        match self.parts.health.is_forked() {
            true => Err(self.parts.health.unusable()),
            false => Ok(self.parts.companions.find()),
        }
    }

    /// The options that the writer was opened with.
    pub fn options(&self) -> &WriterOptions {
        &self.parts.options
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
        fill_ahead: FillAhead { step: options.filled_ahead(), limit: options.segment_bytes },
    }
}

/// The option that gives the writer a companion besides those that every writer has.
fn accompany(options: &WriterOptions) -> Option<&dyn Accompany> {
    options.ship.as_ref().map(|option| -> &dyn Accompany { option })
}

impl Parts {
    fn start_companion(&self, option: &dyn Accompany) -> Result<Arc<dyn Companion>> {
        let directory = self.output.lock().target.directory().clone();
        let caller = self.health.caller();
        let on_failure = self.options.hooks.on_failure.clone().map(|on_failure| -> OnFailure {
            Arc::new(move |error: &Error| crate::calling::calling(caller, || on_failure(error)))
        });
        option.start(&self.options.name, directory, on_failure)
    }
}

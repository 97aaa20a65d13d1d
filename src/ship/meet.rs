//! The first look at a store: whether the objects below its prefix belong to this log.

use std::sync::Arc;

use super::catalog::Catalog;
use super::local::Local;
use super::sound::Behind;
use super::{here as failed_here, ShipMonitor, Shipper, Work};
use crate::error::{Error, Kind};
use crate::hex::hex;
use crate::io::{Directory, Location};
use crate::ledger::{Entry, Stage};
use crate::log::labels::{pruned_to, Label};
use crate::log::names;
use crate::options::{Filter, ReaderOptions};
use crate::reader::Reader;
use crate::record::FIRST_NAMED_TYPE;
use crate::store::remote::RemoteDirectory;
use crate::store::{put_bytes, Again, Answer, Failure, Listed};

/// This many segments in the store are read to find their log, if no label names it.
const ASKED: usize = 3;

impl Shipper {
    /// Refuses a store that contains another log of the same name; checked once. Needs one list, and for a store
    /// without a label the beginning of a segment.
    pub(super) fn meet(&self, work: &mut Work) -> Answer<()> {
        if work.is_met || !self.store.can_read() {
            return Ok(());
        }
        let listed = match self.store.list(&self.log) {
            Ok(listed) => listed,
            Err(failure) => return self.meet_without_list(work, failure),
        };
        let Ok(ours) = <[u8; 16]>::try_from(work.files.log_id()) else { return Ok(()) };
        if listed.is_empty() {
            self.refuse_an_emptied_store(work)?;
        }
        if !self.refuse_another_log(listed.iter().map(|object| &*object.name), &ours)? {
            self.ask_segments(work, &listed, &ours)?;
            let label = Label::Log(ours);
            put_bytes(&*self.store, &label.name(&self.log), label.text(&self.log).as_bytes())?;
        }
        work.catalog = Catalog::of(&self.log, &listed);
        let segments = listed.into_iter().filter(|object| names::sequence(&self.log, &object.name).is_some());
        work.there.clear();
        for object in segments {
            let plain = names::plain(&object.name).into_owned();
            work.there.entry(plain).or_default().push((object.name, object.bytes));
        }
        work.is_met = true;
        Ok(())
    }

    /// Looks in the store for the segment under the name that its file had before it was compressed, or will have
    /// afterwards: then it is not sent again. An object under another name than the file's is read as a whole before it
    /// is accepted. Returns the ledger's entry for it.
    pub(super) fn other_form_there(
        &self,
        work: &Work,
        segment: &Local,
        monitor: &dyn ShipMonitor,
    ) -> Answer<Option<Entry>> {
        let there = work.there.get(&*names::plain(&segment.name));
        for (name, bytes) in there.into_iter().flatten().filter(|(name, _)| *name != segment.name) {
            let Some(header) = self.header_of(name, *bytes, &work.files)? else { continue };
            let is_same = header.known_as().iter().any(|marker| segment.known_as.contains(marker));
            if header.sequence != segment.sequence {
                continue;
            }
            if !is_same {
                return Err(self.another_segment(segment, name));
            }
            if self.damage_of_object(name, &Behind::Unknown, monitor)?.is_none() {
                // A copy of the log may have been written to since, in a segment that was begun before.
                if !self.has_the_same_records(segment, name)? {
                    return Err(self.another_segment(segment, name));
                }
                let sums = self.sums_of_object(name)?;
                let tag = self.store.stat(name)?.map_or_else(String::new, |stat| stat.tag);
                let entry = self.entry(segment, Stage::Uploaded, name.clone(), sums.bytes);
                return Ok(Some(Entry { sha256: Some(sums.sha256), tag, ..entry }));
            }
        }
        Ok(None)
    }

    fn another_segment(&self, segment: &Local, object: &str) -> Failure {
        let reason = format!(
            "the store holds another segment {} of the log under this name: two copies of the log have gone on by themselves, and \
             each needs a store, or a prefix, of its own",
            segment.sequence
        );
        Failure { error: self.of_object(Kind::Mismatch, &reason, object), again: Again::WhenMended }
    }

    /// Whether the object contains the records of the segment here, and no others. A damaged file here is compared as
    /// far as it can be read: the object, which is whole, is what was shipped of it.
    fn has_the_same_records(&self, segment: &Local, object: &str) -> Answer<bool> {
        let there: Arc<dyn Directory> = Arc::new(RemoteDirectory::new(self.store.clone()).map_err(failed_here)?);
        let open = |directory: &Arc<dyn Directory>, name: &str| {
            let options = ReaderOptions { block_max_bytes: u64::MAX, ..ReaderOptions::default() };
            Reader::open(Location::File(directory.clone(), name.to_owned()), options)?.cursor(&Filter::default())
        };
        let mut ours = open(&self.directory, &segment.name).map_err(failed_here)?;
        let mut theirs = open(&there, object).map_err(failed_here)?;
        loop {
            let mine = match ours.next() {
                Err(error) if error.kind() == Kind::Corrupt => return Ok(true),
                mine => mine.map_err(failed_here)?,
            };
            let other = theirs.next().map_err(failed_here)?;
            let is_same = match (&mine, &other) {
                (Some(a), Some(b)) => {
                    (a.id, a.time, a.metadata, a.payload) == (b.id, b.time, b.metadata, b.payload)
                        && (a.type_id == b.type_id || a.type_id >= FIRST_NAMED_TYPE && b.type_id >= FIRST_NAMED_TYPE)
                }
                (None, None) => return Ok(true),
                _ => false,
            };
            if !is_same {
                return Ok(false);
            }
        }
    }

    /// Refuses a store in which a label states that another log of the name is there. Returns whether a label states
    /// that it is this one.
    pub(super) fn refuse_another_log<'a>(&self, there: impl Iterator<Item = &'a str>, ours: &[u8]) -> Answer<bool> {
        let mut is_ours = false;
        for name in there {
            match Label::parse(&self.log, name) {
                Some(Label::Log(id)) if id != ours => return Err(self.another_log(&id, ours)),
                Some(Label::Log(_)) => is_ours = true,
                Some(Label::Pruned(_) | Label::Catalog(..)) | None => (),
            }
        }
        Ok(is_ours)
    }

    /// A store in which nothing of the log is left, not even its label, although segments were shipped to it, is
    /// probably not the store but the empty directory where it is mounted.
    fn refuse_an_emptied_store(&self, work: &Work) -> Answer<()> {
        let url = self.store.url();
        let shipped = work.keeper.lock().of_store(url).filter(|entry| entry.stage.is_shipped()).count();
        if shipped == 0 {
            return Ok(());
        }
        let reason = format!(
            "nothing of the log is in the store {url}, to which {shipped} segments were shipped: is it mounted? If it was emptied on \
             purpose, `binlog ship --forget` lets them be shipped again"
        );
        Err(failed_here(Error::new(Kind::Mismatch, reason).at(self.directory.path())))
    }

    /// Reads the first segments there to find their log.
    fn ask_segments(&self, work: &Work, listed: &[Listed], ours: &[u8]) -> Answer<()> {
        let segments = listed.iter().filter(|object| names::sequence(&self.log, &object.name).is_some());
        for object in segments.take(ASKED) {
            if let Some(header) = self.any_header_of(&object.name, object.bytes)? {
                if header.name == self.log && header.log_id != ours {
                    return Err(self.another_log(&header.log_id, work.files.log_id()));
                }
            }
        }
        Ok(())
    }

    /// A user that may only read single objects continues. For a user without any permission, the error of the list is
    /// returned, as it explains more than the error for an object.
    fn meet_without_list(&self, work: &mut Work, failure: Failure) -> Answer<()> {
        if !matches!(failure.error.os_code(), Some(libc::EACCES)) {
            return Err(failure);
        }
        let Ok(ours) = <[u8; 16]>::try_from(work.files.log_id()) else { return Ok(()) };
        if self.store.stat(&Label::Log(ours).name(&self.log)).is_err() {
            return Err(failure);
        }
        work.is_met = true;
        Ok(())
    }

    fn another_log(&self, theirs: &[u8], ours: &[u8]) -> Failure {
        let reason = format!(
            "the store holds another log that is called {:?} (its id is {}, that of the log here {}): give each a prefix of its \
             own, or a name",
            self.log,
            hex(theirs),
            hex(ours)
        );
        failed_here(self.of_object(Kind::Mismatch, &reason, &self.log))
    }

    /// Whether the segment of this number was removed from the store on purpose: with all older ones, as retention
    /// does. `newest` is the last one here, which is never removed there: a label that states so does not belong to
    /// this log.
    pub(super) fn was_pruned_there(&self, sequence: u64, newest: u64) -> Answer<bool> {
        let pruned = self.pruned_there()?;
        if sequence > pruned || pruned >= newest {
            return Ok(false);
        }
        for object in self.store.list(&self.log)? {
            if names::sequence(&self.log, &object.name).is_none_or(|number| number > sequence) {
                continue;
            }
            // A name may fit a segment of two logs, if the name of one log begins with the other's.
            let header = self.any_header_of(&object.name, object.bytes)?;
            if header.is_none_or(|header| header.name == self.log) {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// The number up to which segments were removed from the store on purpose.
    pub(super) fn pruned_there(&self) -> Answer<u64> {
        let listed = self.store.list(&format!("{}.pruned-", self.log))?;
        Ok(pruned_to(&self.log, listed.iter().map(|object| &*object.name)))
    }
}

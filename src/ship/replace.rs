//! Replaces an object on purpose: a segment that was shipped damaged and repaired here since, or a foreign file.

use std::sync::Arc;

use super::keeper::entry_of;
use super::local::Local;
use super::sound::{damage_of, Behind};
use super::{here as failed_here, ShipMonitor, Shipper};
use crate::error::{Error, Kind, Result};
use crate::io::{Access, Directory};
use crate::ledger::Stage;
use crate::segment::open_closed;
use crate::store::remote::RemoteDirectory;
use crate::store::{confirm, Answer, Confirmed, Failure, Sums, Upload};

impl Shipper {
    /// Makes room in the store for the segment as it is here, when the object of its name differs: the object is copied
    /// to another name (`NAME.replaced-1`), compared with the copy, and removed. The next [`Self::run_once`] sends the
    /// segment. `segment` is its file or its number. Returns the name of the copy. If the process is killed in between,
    /// call it again.
    ///
    /// # Errors
    /// [`Kind::Invalid`] when it is not one of the closed segments that are here, or the store contains it as it is
    /// here; [`Kind::Corrupt`] when the file here is damaged, and was not [`Self::accept`]ed; [`Kind::NotFound`] when
    /// the store contains no object of that name; [`Kind::Unsupported`] for a command; errors of the store or the
    /// system.
    pub fn replace(&self, segment: &str) -> Result<String> {
        self.refuse_dry_run()?;
        self.make_room(segment).map_err(|failure| failure.error)
    }

    fn make_room(&self, segment: &str) -> Answer<String> {
        let remote: Arc<dyn Directory> = Arc::new(RemoteDirectory::new(self.store.clone()).map_err(failed_here)?);
        let mut work = self.work.lock();
        let here = work.files.look(&self.directory).map_err(failed_here)?;
        let wanted = self.numbers(segment).map_err(failed_here)?;
        let Some(local) = here
            .closed()
            .map(|(local, _)| local)
            .find(|local| (local.sequence, local.sequence) == (wanted.first, wanted.last))
        else {
            let reason = format!("segment {segment} is none of the closed segments that are here");
            return Err(failed_here(Error::invalid(reason).at(self.directory.path())));
        };
        let path = self.directory.path_of(&local.name);
        let known = entry_of(&work.keeper.lock(), self.store.url(), local).cloned();
        if !known.is_some_and(|known| known.stage == Stage::Damaged && known.accepted) {
            if let Some(damage) = self.damage_of(&here, local, &())? {
                return Err(failed_here(damage.because("what is damaged here does not replace what the store holds")));
            }
        }
        let file = open_closed(&*self.directory, &local.name);
        let sums = self.sums(&file.map_err(|e| failed_here(Error::io(&e, "open").at(&path)))?, &path, &())?;
        let refuse = |kind, reason: &str| Err(failed_here(self.of_object(kind, reason, &local.name)));
        match confirm(&*self.store, &local.name, &sums)? {
            Confirmed::Different => (),
            Confirmed::Same => return refuse(Kind::Invalid, "the store holds the segment as it is here"),
            Confirmed::Absent => {
                // An earlier call that was killed after the removal has kept the object; it is not removed again.
                let kept = self.store.list(&format!("{}.replaced-", local.name))?;
                let last = kept.into_iter().map(|object| object.name).max_by_key(|name| (name.len(), name.clone()));
                return match last {
                    Some(kept) => Ok(kept),
                    None => refuse(Kind::NotFound, "the store holds no object of this name to be replaced"),
                };
            }
        }
        let kept = self.keep_object(&*remote, local)?;
        // From here on the segment counts as not shipped.
        let entry = self.entry(local, Stage::Closed, local.name.clone(), sums.bytes);
        work.keeper.lock().note(entry, true).map_err(failed_here)?;
        self.store.remove(&local.name)?;
        self.count_waiting(&work, &here);
        Ok(kept)
    }

    /// Length and checksums of an object, from all of its bytes.
    pub(super) fn sums_of_object(&self, name: &str) -> Answer<Sums> {
        let remote = RemoteDirectory::new(self.store.clone()).map_err(failed_here)?;
        let path = remote.path_of(name);
        let object = remote.open(name, Access::Read).map_err(|e| failed_here(Error::io(&e, "open").at(&path)))?;
        Sums::of(&object, self.options.store.part_bytes).map_err(|e| failed_here(e.at(&path)))
    }

    /// Copies an object to a name that is free, or that contains the copy already.
    fn keep_object(&self, remote: &dyn Directory, local: &Local) -> Answer<String> {
        let path = remote.path_of(&local.name);
        let object =
            remote.open(&local.name, Access::Read).map_err(|e| failed_here(Error::io(&e, "open").at(&path)))?;
        let sums = Sums::of(&object, self.options.store.part_bytes).map_err(|e| failed_here(e.at(&path)))?;
        for n in 1..=100 {
            let name = format!("{}.replaced-{n}", local.name);
            match confirm(&*self.store, &name, &sums)? {
                Confirmed::Same => return Ok(name),
                Confirmed::Different => continue,
                Confirmed::Absent => (),
            }
            let upload = Upload { name: &name, source: &*object, path: &path, sums: &sums, resume: None, monitor: &() };
            self.store.upload(&upload)?;
            match confirm(&*self.store, &name, &sums)? {
                Confirmed::Same => return Ok(name),
                Confirmed::Absent | Confirmed::Different => {
                    let reason = "the copy of the object is not what the object is: the object stays";
                    return Err(Failure::later(self.of_object(Kind::Io, reason, &name)));
                }
            }
        }
        let reason = "a hundred objects were replaced under this name already: remove some of them";
        Err(failed_here(self.of_object(Kind::Invalid, reason, &local.name)))
    }

    /// The damage of an object in the store, found by reading all of it.
    pub(super) fn damage_of_object(
        &self,
        name: &str,
        behind: &Behind,
        monitor: &dyn ShipMonitor,
    ) -> Answer<Option<Error>> {
        let remote: Arc<dyn Directory> = Arc::new(RemoteDirectory::new(self.store.clone()).map_err(failed_here)?);
        damage_of(&remote, name, behind, &|| monitor.stop()).map_err(failed_here)
    }
}

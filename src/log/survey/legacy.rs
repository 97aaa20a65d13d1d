//! Legacy files among those that are read, and their order.

use std::collections::BTreeMap;
use std::os::unix::ffi::OsStrExt;
use std::sync::Arc;

use super::slot::Slot;
use crate::error::{Error, Result};
use crate::io::{is_of_system, Directory};
use crate::legacy::{log_name, Legacy};
use crate::segment::Ancestry;

/// What the beginning of a legacy file states.
pub(super) struct LegacyHead {
    directory: Arc<dyn Directory>,
    name: String,
    /// Its format.
    form: &'static str,
    created_ns: i64,
}

/// What the file is, if it is a legacy file.
pub(super) fn look(directory: &Arc<dyn Directory>, name: &str) -> Result<Option<LegacyHead>> {
    let path = directory.path_of(name);
    let legacy = Legacy::find(&**directory, name).map_err(|e| match is_of_system(&e) {
        true => Error::io(&e, "read").at(&path),
        false => Error::corrupt(e.to_string()).at_offset(&path, 0),
    })?;
    Ok(legacy.map(|legacy| LegacyHead {
        directory: directory.clone(),
        name: name.to_owned(),
        form: legacy.form.name(),
        created_ns: legacy.created_ns,
    }))
}

/// The slots of these files. Files of one format in one directory whose names begin alike are one log. They are ordered
/// by their creation times as far as they contain one, and otherwise by their names: the names of the Java binlog's
/// files do not sort in the order of writing after its period was made coarser.
pub(super) fn slots(heads: Vec<LegacyHead>) -> Vec<Arc<Slot>> {
    let mut logs: BTreeMap<_, Vec<LegacyHead>> = BTreeMap::new();
    for file in heads {
        let key = (log_name(&file.name), file.directory.path().to_owned(), file.form);
        logs.entry(key).or_default().push(file);
    }
    let mut slots = vec![];
    for ((log, path, form), mut files) in logs {
        files.sort_by(|a, b| (a.created_ns, &a.name).cmp(&(b.created_ns, &b.name)));
        let count = files.len() as u64;
        let log_id = id(&[form.as_bytes(), log.as_bytes(), path.as_os_str().as_bytes()]);
        let mut before = None;
        for (file, sequence) in files.into_iter().zip(1..) {
            let ancestry = Ancestry { log: log.clone(), log_id: log_id.clone(), sequence, is_last: sequence == count };
            let slot = Arc::new(Slot::legacy(file.directory, file.name, ancestry, before));
            before = Some(slot.clone());
            slots.push(slot);
        }
    }
    slots
}

/// 16 bytes that identify these facts.
fn id(facts: &[&[u8]]) -> Vec<u8> {
    let sums = [crc32fast::Hasher::new_with_initial(1), crc32fast::Hasher::new_with_initial(2)];
    let mut out = vec![];
    for mut sum in sums {
        for fact in facts {
            sum.update(fact);
            sum.update(&[0]);
        }
        let sum = u64::from(sum.finalize());
        out.extend_from_slice(&(sum.wrapping_mul(0x9e37_79b9_7f4a_7c15)).to_le_bytes());
    }
    out
}

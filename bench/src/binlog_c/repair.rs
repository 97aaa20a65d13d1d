//! Reading past damage, and rebuilding an index.

use std::ffi::c_void;
use std::path::Path;
use std::ptr;

use super::read::{payload, Scan};
use super::{abi, c_path, call};
use crate::Result;

/// What a salvaging reader reported as lost.
#[derive(Clone, Copy, Debug, Default)]
pub struct Lost {
    pub losses: u64,
    pub records: u64,
}

extern "C" fn count_loss(userdata: *mut c_void, loss: *const abi::Loss) {
    // SAFETY: `userdata` is the `Lost` of [`salvage`], whose one thread reads; the loss lives until we return.
    let (lost, loss) = unsafe { (&mut *userdata.cast::<Lost>(), &*loss) };
    lost.losses += 1;
    if loss.first_id != 0 {
        lost.records += loss.last_id - loss.first_id + 1;
    }
}

/// Shows every record that can be read, and returns what was lost.
pub fn salvage(folder: &Path, mut visit: impl FnMut(&[u8])) -> Result<Lost> {
    let mut lost = Lost::default();
    let userdata = ptr::from_mut(&mut lost).cast();
    let set_options = |options: &mut abi::ReaderOptions| {
        options.mode = abi::READER_SALVAGE;
        options.on_loss = Some(count_loss);
        options.on_loss_userdata = userdata;
    };
    Scan::open_with(folder, set_options, |_| ())?.batches(|record| visit(payload(record)))?;
    Ok(lost)
}

/// Returns how many segments got an index.
pub fn rebuild_index(folder: &Path) -> Result<usize> {
    let folder = c_path(folder)?;
    let mut written = 0;
    call!(binlog_rebuild_index(folder.as_ptr(), &mut written))?;
    Ok(written)
}

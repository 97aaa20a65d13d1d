//! A read-only file in memory: a copy that is not affected by changes of the original, or bytes that have no file.

use std::io::{ErrorKind, Result};
use std::path::Path;
use std::sync::Arc;

use super::{read_only, Access, Directory, File};

/// A directory with one file, which holds these bytes.
pub(crate) struct OneFile {
    name: String,
    file: Arc<Bytes>,
}

struct Bytes(Vec<u8>);

impl OneFile {
    pub fn new(name: &str, bytes: Vec<u8>) -> Self {
        OneFile { name: name.to_owned(), file: Arc::new(Bytes(bytes)) }
    }

    pub fn file(&self) -> Arc<dyn File> {
        self.file.clone()
    }
}

impl File for Bytes {
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> Result<usize> {
        let rest = usize::try_from(offset).ok().and_then(|offset| self.0.get(offset..)).unwrap_or_default();
        let count = rest.len().min(buffer.len());
        buffer[..count].copy_from_slice(&rest[..count]);
        Ok(count)
    }

    fn len(&self) -> Result<u64> {
        Ok(self.0.len() as u64)
    }
}

impl Directory for OneFile {
    fn path(&self) -> &Path {
        Path::new("")
    }

    fn open(&self, name: &str, access: Access) -> Result<Arc<dyn File>> {
        match access {
            Access::ReadWrite => Err(read_only()),
            Access::Read if name != self.name => Err(ErrorKind::NotFound.into()),
            Access::Read => Ok(self.file()),
        }
    }

    fn list(&self) -> Result<Vec<String>> {
        Ok(vec![self.name.clone()])
    }
}

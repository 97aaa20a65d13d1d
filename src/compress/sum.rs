//! The SHA-256 of a file.

use crate::io::File;

/// The SHA-256 of the whole file, in hexadecimal digits.
pub(super) fn sha256(file: &dyn File) -> std::io::Result<String> {
    use sha2::{Digest, Sha256};

    let mut sum = Sha256::new();
    let mut buffer = vec![0; 256 << 10];
    let mut at = 0;
    loop {
        let n = crate::io::read_full(file, &mut buffer, at)?;
        if n == 0 {
            break;
        }
        sum.update(&buffer[..n]);
        at += n as u64;
    }
    Ok(crate::hex::hex(&sum.finalize()))
}

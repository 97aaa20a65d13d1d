//! The bytes of a payload that are still to be decoded.

pub struct Bytes<'a>(pub &'a [u8]);

impl<'a> Bytes<'a> {
    pub fn take(&mut self, len: usize) -> Result<&'a [u8], String> {
        let (taken, left) = self.0.split_at_checked(len).ok_or_else(short)?;
        self.0 = left;
        Ok(taken)
    }

    pub fn array<const N: usize>(&mut self) -> Result<[u8; N], String> {
        self.take(N)?.try_into().map_err(|_| short())
    }

    pub fn byte(&mut self) -> Result<u8, String> {
        Ok(u8::from_be_bytes(self.array()?))
    }

    /// A big-endian number of so many bytes, 8 at most.
    pub fn number(&mut self, len: usize) -> Result<u64, String> {
        Ok(self.take(len)?.iter().fold(0, |number, byte| number << 8 | u64::from(*byte)))
    }

    /// That nothing is left.
    pub fn end(&self) -> Result<(), String> {
        match self.0.len() {
            0 => Ok(()),
            more => Err(format!("{more} bytes follow the value")),
        }
    }
}

fn short() -> String {
    "it ends too early".to_owned()
}

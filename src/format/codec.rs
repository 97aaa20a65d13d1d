//! Compression of single regions of a block. Each block is compressed on its own and can be read alone.

use super::Malformed;
use crate::memory::{self, NoMemory};

/// The most bytes that zstd uses to prepare a dictionary, besides its length.
#[cfg(feature = "zstd")]
const FOR_A_DICTIONARY: usize = 1 << 20;

/// How the payload of a block is compressed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Codec {
    /// Not compressed.
    #[default]
    None,
    /// LZ4 block format: the fastest.
    Lz4,
    /// Zstandard: smaller.
    Zstd,
}

impl Codec {
    /// The number of the codec in a block header.
    pub fn to_byte(self) -> u8 {
        match self {
            Codec::None => 0,
            Codec::Lz4 => 1,
            Codec::Zstd => 2,
        }
    }

    /// The codec that a block header names.
    pub fn from_byte(byte: u8) -> Option<Self> {
        match byte {
            0 => Some(Codec::None),
            1 => Some(Codec::Lz4),
            2 => Some(Codec::Zstd),
            _ => None,
        }
    }

    /// Whether this build of the library has it.
    pub fn is_available(self) -> bool {
        match self {
            Codec::None => true,
            Codec::Lz4 => cfg!(feature = "lz4"),
            Codec::Zstd => cfg!(feature = "zstd"),
        }
    }
}

/// Compresses regions with one codec, keeping the codec's tables from one to the next.
pub struct Compressor {
    codec: Codec,
    #[cfg(feature = "zstd")]
    zstd: Option<zstd::zstd_safe::CCtx<'static>>,
    #[cfg(feature = "lz4")]
    lz4: lz4_flex::block::CompressTable,
}

impl Compressor {
    /// A compressor; `level` is zstd's, 0 means 1.
    pub fn new(codec: Codec, level: i32) -> std::io::Result<Self> {
        Self::with_dictionary(codec, level, &[])
    }

    /// A compressor with a zstd dictionary, unless that is empty.
    pub fn with_dictionary(codec: Codec, level: i32, dictionary: &[u8]) -> std::io::Result<Self> {
        let _ = (level, dictionary);
        Ok(Compressor {
            codec,
            #[cfg(feature = "zstd")]
            zstd: match codec {
                Codec::Zstd => Some(zstd_compressor(if level == 0 { 1 } else { level }, dictionary)?),
                _ => None,
            },
            #[cfg(feature = "lz4")]
            lz4: lz4_flex::block::CompressTable::default(),
        })
    }

    /// The codec of this compressor.
    pub fn codec(&self) -> Codec {
        self.codec
    }

    /// Compresses `plain` into `out`, whose old contents are dropped. False when that does not make it shorter, or
    /// there is no memory for it: it should then be stored uncompressed.
    pub fn compress(&mut self, plain: &[u8], out: &mut Vec<u8>) -> bool {
        self.try_compress(plain, out).unwrap_or(false)
    }

    /// As [`Self::compress`], but reports a lack of memory.
    pub fn try_compress(&mut self, plain: &[u8], out: &mut Vec<u8>) -> Result<bool, NoMemory> {
        let len = self.compressed_len(plain, out);
        match len {
            Ok(Some(len)) if len < plain.len() => {
                out.truncate(len);
                Ok(true)
            }
            other => {
                out.clear();
                other.map(|_| false)
            }
        }
    }

    fn compressed_len(&mut self, plain: &[u8], out: &mut Vec<u8>) -> Result<Option<usize>, NoMemory> {
        out.clear();
        if plain.is_empty() {
            return Ok(None);
        }
        Ok(match self.codec {
            Codec::None => None,
            #[cfg(feature = "lz4")]
            Codec::Lz4 => {
                memory::resize(out, lz4_flex::block::get_maximum_output_size(plain.len()))?;
                lz4_flex::block::compress_into_with_table(plain, out, &mut self.lz4).ok()
            }
            #[cfg(feature = "zstd")]
            Codec::Zstd => {
                memory::reserve_exact(out, zstd::zstd_safe::compress_bound(plain.len()))?;
                match self.zstd.as_mut().map(|zstd| zstd.compress2(out, plain)) {
                    Some(Err(code)) if is_no_memory(code) => return Err(NoMemory { bytes: plain.len() as u64 }),
                    done => done.and_then(|done| done.ok()),
                }
            }
            #[allow(unreachable_patterns)]
            _ => None,
        })
    }
}

/// Creates a zstd compressor. The crate's own constructor panics when there is no memory.
#[cfg(feature = "zstd")]
fn zstd_compressor(level: i32, dictionary: &[u8]) -> std::io::Result<zstd::zstd_safe::CCtx<'static>> {
    let failed = |code| std::io::Error::other(zstd::zstd_safe::get_error_name(code));
    let mut made = zstd::zstd_safe::CCtx::try_create().ok_or(std::io::ErrorKind::OutOfMemory)?;
    made.set_parameter(zstd::zstd_safe::CParameter::CompressionLevel(level)).map_err(failed)?;
    made.load_dictionary(dictionary).map_err(failed)?;
    Ok(made)
}

/// Whether this is zstd's error for a lack of memory.
#[cfg(feature = "zstd")]
fn is_no_memory(code: usize) -> bool {
    crate::error::is_no_memory(&std::io::Error::other(zstd::zstd_safe::get_error_name(code)))
}

/// Decompresses regions, keeping the codec's tables from one to the next.
#[derive(Default)]
pub struct Decompressor {
    #[cfg(feature = "zstd")]
    zstd: Option<zstd::zstd_safe::DCtx<'static>>,
    #[cfg(feature = "zstd")]
    dictionary: Vec<u8>,
}

impl Decompressor {
    /// A decompressor for a segment with this dictionary, which is prepared when a block first needs it.
    pub fn new(dictionary: &[u8]) -> Self {
        let _ = dictionary;
        Decompressor {
            #[cfg(feature = "zstd")]
            zstd: None,
            #[cfg(feature = "zstd")]
            dictionary: dictionary.to_vec(),
        }
    }

    /// Decompresses `stored` into `out`, whose old contents are dropped. The result must have exactly `len` bytes,
    /// which the caller has checked against the limits; nothing beyond them is ever written or allocated.
    pub fn decompress(&mut self, codec: u8, stored: &[u8], len: usize, out: &mut Vec<u8>) -> Result<(), Malformed> {
        out.clear();
        if stored.is_empty() && len == 0 {
            return Ok(());
        }
        let codec = Codec::from_byte(codec).ok_or_else(|| Malformed::Newer(format!("codec {codec}")))?;
        // A length that so few bytes cannot decompress to is wrong, and gets no memory.
        let most_per_byte = if codec == Codec::Lz4 { 255 } else { 128 << 10 };
        if len / most_per_byte > stored.len() {
            return Err(Malformed::inconsistent(format!("{} bytes claim to decompress to {len}", stored.len())));
        }
        let got = match codec {
            Codec::None => {
                memory::extend(out, stored)?;
                Some(stored.len())
            }
            #[cfg(feature = "lz4")]
            Codec::Lz4 => {
                memory::resize(out, len)?;
                lz4_flex::block::decompress_into(stored, out).ok()
            }
            #[cfg(feature = "zstd")]
            Codec::Zstd => self.zstd(stored, len, out)?,
            #[allow(unreachable_patterns)]
            codec => return Err(Malformed::NoCodec(codec)),
        };
        if got != Some(len) || out.len() != len {
            return Err(Malformed::inconsistent("the block does not decompress to the length it claims"));
        }
        Ok(())
    }

    #[cfg(feature = "zstd")]
    fn zstd(&mut self, stored: &[u8], len: usize, out: &mut Vec<u8>) -> Result<Option<usize>, NoMemory> {
        let refused = |code| if is_no_memory(code) { Err(NoMemory { bytes: len as u64 }) } else { Ok(None) };
        if self.zstd.is_none() {
            let window = zstd::zstd_safe::DParameter::WindowLogMax(super::limits::ZSTD_WINDOW_LOG);
            let mut fresh = zstd::zstd_safe::DCtx::try_create().ok_or(NoMemory { bytes: len as u64 })?;
            let ready = fresh.load_dictionary(&self.dictionary).and_then(|_| fresh.set_parameter(window));
            if ready.is_err() {
                // The error is the same for an invalid dictionary and for a lack of memory.
                memory::with_room::<u8>(self.dictionary.len() + FOR_A_DICTIONARY)?;
                return Ok(None);
            }
            self.zstd = Some(fresh);
        }
        // The length in the frame is compared before memory is allocated for it, and limits what may be written.
        match zstd::zstd_safe::get_frame_content_size(stored) {
            Ok(Some(promised)) if promised == len as u64 => (),
            _ => return Ok(None),
        }
        memory::reserve_exact(out, len)?;
        match self.zstd.as_mut().map(|zstd| zstd.decompress(out, stored)) {
            Some(Err(code)) => refused(code),
            done => Ok(done.and_then(|done| done.ok())),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn available() -> impl Iterator<Item = Codec> {
        [Codec::Lz4, Codec::Zstd].into_iter().filter(|codec| codec.is_available())
    }

    proptest! {
        #[test]
        fn what_is_compressed_comes_back(plain in proptest::collection::vec(0u8..4, 0..20_000)) {
            for codec in available() {
                let (mut stored, mut back) = (vec![], vec![1, 2, 3]);
                let mut compressor = Compressor::new(codec, 0).unwrap();
                if compressor.compress(&plain, &mut stored) {
                    prop_assert!(stored.len() < plain.len());
                    Decompressor::default().decompress(codec.to_byte(), &stored, plain.len(), &mut back).unwrap();
                    prop_assert_eq!(&back, &plain);
                } else {
                    // Two bits a byte: zstd's entropy coder always finds them, LZ4 need not find a repetition.
                    prop_assert!(plain.len() < 300 || codec == Codec::Lz4, "{:?} {}", codec, plain.len());
                }
            }
        }

        #[test]
        fn any_bytes_decompress_to_the_claimed_length_or_are_refused(stored: Vec<u8>, len in 0usize..100_000) {
            for codec in available() {
                let mut out = Vec::with_capacity(1 << 20);
                if Decompressor::default().decompress(codec.to_byte(), &stored, len, &mut out).is_ok() {
                    prop_assert_eq!(out.len(), len);
                }
            }
        }
    }

    #[test]
    fn what_repeats_itself_is_compressed() {
        for codec in available() {
            let (plain, mut stored) = (b"one record, and ".repeat(8), vec![]);
            assert!(Compressor::new(codec, 0).unwrap().compress(&plain, &mut stored), "{codec:?}");
            assert!(stored.len() < plain.len() / 2, "{codec:?} {}", stored.len());
        }
    }

    #[cfg(feature = "zstd")]
    #[test]
    fn a_dictionary_shortens_and_without_it_or_with_another_length_the_region_is_refused() {
        let dictionary: Vec<u8> =
            std::iter::successors(Some(1u32), |x| Some(x.wrapping_mul(1_664_525).wrapping_add(1_013_904_223)))
                .map(|x| (x >> 24) as u8)
                .take(8000)
                .collect();
        let plain = &dictionary[1000..3000];
        let (mut stored, mut out) = (vec![], vec![]);
        assert!(!Compressor::new(Codec::Zstd, 3).unwrap().compress(plain, &mut stored), "it is random by itself");
        assert!(Compressor::with_dictionary(Codec::Zstd, 3, &dictionary).unwrap().compress(plain, &mut stored));
        let mut with = Decompressor::new(&dictionary);
        for _ in 0..2 {
            with.decompress(2, &stored, plain.len(), &mut out).unwrap();
            assert_eq!(out, plain);
        }
        for len in [0, plain.len() - 1, plain.len() + 1, 1 << 28] {
            assert!(with.decompress(2, &stored, len, &mut out).is_err(), "{len}");
            assert!(out.capacity() < 1 << 26, "allocated for a claim of {len}");
        }
        assert!(Decompressor::default().decompress(2, &stored, plain.len(), &mut out).is_err());
    }

    #[test]
    fn nothing_is_nothing_under_every_codec_and_an_unknown_one_is_of_a_newer_version() {
        for codec in 0..=9 {
            let mut out = vec![1];
            assert_eq!(Decompressor::default().decompress(codec, &[], 0, &mut out), Ok(()), "codec {codec}");
            assert!(out.is_empty());
            assert!(Decompressor::default().decompress(codec, &[], 1, &mut out).is_err(), "codec {codec}");
        }
        let refused = Decompressor::default().decompress(9, b"any", 3, &mut vec![]);
        assert!(matches!(refused, Err(Malformed::Newer(_))), "{refused:?}");
    }

    #[test]
    fn a_wrong_length_is_refused() {
        for codec in available() {
            let mut stored = vec![];
            assert!(Compressor::new(codec, 0).unwrap().compress(&[7; 5000], &mut stored));
            for len in [0, 4999, 5001, 1 << 30] {
                let mut out = vec![];
                assert!(
                    Decompressor::default().decompress(codec.to_byte(), &stored, len, &mut out).is_err(),
                    "{codec:?} {len}"
                );
                assert!(out.capacity() < 1 << 26, "{codec:?} allocated for a claim of {len}");
            }
        }
    }
}

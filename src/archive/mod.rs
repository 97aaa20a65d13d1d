//! What happens to a segment once it is closed.

mod compress;
pub mod hooks;
pub(crate) mod life;
mod prune;
pub(crate) mod ship;

pub use compress::{
    compress, compress_in, compress_segment, decompress, decompress_in, decompress_segment, pack, pack_in, sweep,
    ArchiveProgress, CompressOptions, Compressed, Dictionary, OnProgress, Whole, COMPRESSED_BLOCK_BYTES,
};
pub use life::Stage;
pub use prune::{prune, prune_in, Pruned};

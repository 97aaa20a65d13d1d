//! The writer's handle.

mod append;
mod appender;
mod area;
mod control;
mod open;
mod options;
mod records;

pub use append::*;
pub use appender::*;
pub use area::*;
pub use control::*;
pub use open::*;
pub use options::*;

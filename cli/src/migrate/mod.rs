//! Between logs and the files of older libraries: `binlog import` and `binlog export`.

pub mod export;
pub mod import;

use crate::error::{Error, Result};
use crate::io::Directory;
use crate::options::Retention;
pub(crate) struct Ours {
    pub name: String,
    pub log_id: Vec<u8>,
    pub active_sequence: u64,
}
pub(crate) struct Doomed;
pub(crate) fn plan(_d: &dyn Directory, _o: &Ours, _k: &Retention, _now: i64) -> Result<Vec<Doomed>> {
    Ok(vec![])
}
pub(crate) fn remove(_d: &dyn Directory, _x: &[Doomed]) -> Vec<Error> {
    vec![]
}

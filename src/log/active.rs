use crate::error::Result;
use crate::io::Directory;
pub(crate) struct Active {
    pub file: String,
    pub sequence: u64,
    pub created: i64,
    pub first_id: u64,
    pub period_s: u64,
    pub template: String,
}
pub(crate) fn write(_d: &dyn Directory, _log: &str, _f: &Active) -> Result<()> {
    Ok(())
}
pub(crate) fn remove(_d: &dyn Directory, _log: &str) -> Result<()> {
    Ok(())
}

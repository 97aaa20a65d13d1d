//! Whether a log is the one that a program requires.

use std::path::Path;

use crate::error::{Error, Kind, Result};
use crate::format::declaration::FileHeader;
use crate::options::Required;

impl Required {
    /// Compares the requirements with the header of the segment at `path`.
    ///
    /// # Errors
    /// [`Kind::Mismatch`], with the file, what was required and what was found.
    pub(crate) fn check(&self, header: &FileHeader, path: &Path) -> Result<()> {
        let differs = |what: &str, wanted: &str, there: &str| {
            Err(Error::new(Kind::Mismatch, format!("the log's {what} is {there}; {wanted:?} was required")).at(path))
        };
        match &self.name {
            Some(name) if *name != header.name => return differs("name", name, &format!("{:?}", header.name)),
            _ => (),
        }
        match &self.content_type {
            Some(wanted) if *wanted != header.content_type => {
                return differs("content type", wanted, &format!("{:?}", header.content_type));
            }
            _ => (),
        }
        for (key, wanted) in &self.parameters {
            let there = header.parameters.get(key);
            if there != Some(wanted) {
                let there = there.map_or_else(|| "not there".to_owned(), |value| format!("{value:?}"));
                return differs(&format!("parameter {key:?}"), wanted, &there);
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_required_and_what_is_there_are_both_reported() {
        let pair = |key: &str, value: &str| (key.to_owned(), value.to_owned());
        let header = FileHeader {
            name: "orders".into(),
            content_type: "text/plain".into(),
            parameters: [pair("unit", "EUR"), pair("site", "")].into(),
            ..FileHeader::default()
        };
        let of = |name: Option<&str>, content_type: Option<&str>, parameters: &[(String, String)]| {
            let required = Required {
                name: name.map(str::to_owned),
                content_type: content_type.map(str::to_owned),
                parameters: parameters.iter().cloned().collect(),
            };
            required.check(&header, Path::new("a.binlog"))
        };
        of(None, None, &[]).unwrap();
        of(Some("orders"), Some("text/plain"), &[pair("unit", "EUR"), pair("site", "")]).unwrap();
        for (refused, message) in [
            (of(Some("order"), None, &[]), "a.binlog: the log's name is \"orders\"; \"order\" was required"),
            (of(None, Some(""), &[]), "a.binlog: the log's content type is \"text/plain\"; \"\" was required"),
            (
                of(None, None, &[pair("unit", "USD")]),
                "a.binlog: the log's parameter \"unit\" is \"EUR\"; \"USD\" was required",
            ),
            (
                of(None, None, &[pair("zone", "")]),
                "a.binlog: the log's parameter \"zone\" is not there; \"\" was required",
            ),
        ] {
            let error = refused.unwrap_err();
            assert_eq!((error.kind(), error.to_string()), (Kind::Mismatch, message.to_owned()));
        }
    }
}

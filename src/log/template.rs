use super::calendar::Calendar;
use crate::error::Result;
#[derive(Clone, Debug)]
pub(crate) struct Template {
    text: String,
    log: String,
}
impl Template {
    pub fn parse(text: &str, log: &str) -> Result<Self> {
        Ok(Template { text: text.to_owned(), log: log.to_owned() })
    }
    pub fn render(&self, sequence: u64, time_ns: i64, calendar: &Calendar) -> String {
        let mut s = self.text.replace("{name}", &self.log).replace("{seq}", &format!("{sequence:010}"));
        for c in ["Y", "m", "d", "H", "M", "S"] {
            s = s.replace(&format!("%{c}"), &calendar.civil(time_ns).show(c.chars().next().unwrap_or('Y')));
        }
        format!("{s}.binlog")
    }
    pub fn text(&self) -> &str {
        &self.text
    }
    pub fn has_time(&self) -> bool {
        self.text.contains('%')
    }
}

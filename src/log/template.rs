//! The names of a log's segments: the template, as of strftime(3), with `{name}` and `{seq}`.

use super::calendar::Calendar;
use super::names::SEQUENCE_DIGITS;
use crate::error::{Error, Result};
use crate::segment::EXTENSION;

/// The longest file name that file systems take, in bytes.
const LONGEST: usize = 255;
/// Bytes left for what recovery appends to a name, such as `.torn-<offset>.part`.
const ROOM: usize = 32;
/// Digits of the greatest number of a segment.
const MOST_DIGITS: usize = 20;
/// The longest abbreviation of a time zone in a name; those of the database are no longer.
const ABBREVIATION: usize = 6;

/// The template of one log's segment names.
#[derive(Clone, Debug)]
pub(crate) struct Template {
    log: String,
    text: String,
    pieces: Vec<Piece>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Piece {
    Character(char),
    Sequence,
    /// A conversion, by its letter, and the text that it may yield.
    Time(char, Shape),
}

/// The text that a conversion may yield, in enough detail to find the run of digits before a number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Shape {
    /// Up to so many digits, or spaces or a sign before them.
    Digits(usize),
    /// A sign or a letter, then up to so many characters, which may be digits.
    Led(usize),
    /// Up to so many letters.
    Letters(usize),
}

/// Conversions that are short for others, as in the C locale.
fn composed_of(conversion: char) -> Option<&'static str> {
    Some(match conversion {
        'c' => "%a %b %e %H:%M:%S %Y",
        'D' | 'x' => "%m/%d/%y",
        'F' => "%Y-%m-%d",
        'R' => "%H:%M",
        'r' => "%I:%M:%S %p",
        'T' | 'X' => "%H:%M:%S",
        _ => return None,
    })
}

fn shape_of(conversion: char) -> Option<Shape> {
    Some(match conversion {
        'u' | 'w' => Shape::Digits(1),
        'C' | 'd' | 'e' | 'g' | 'H' | 'I' | 'k' | 'l' | 'M' | 'm' | 'S' | 'U' | 'V' | 'W' | 'y' => Shape::Digits(2),
        'j' => Shape::Digits(3),
        // Times that an i64 of nanoseconds holds are in the years 1677 to 2262.
        'G' | 'Y' => Shape::Digits(4),
        's' => Shape::Digits(11),
        'p' | 'P' => Shape::Letters(2),
        'a' | 'b' | 'h' => Shape::Letters(3),
        'A' | 'B' => Shape::Letters(9),
        // Hours and minutes; the local times of the 19th century have seconds.
        'z' => Shape::Led(6),
        'Z' => Shape::Led(ABBREVIATION - 1),
        _ => return None,
    })
}

impl Template {
    /// Reads the template `text` of the log `log`. The rules are in [`crate::rolling::RollOptions::template`] and in
    /// `docs/decisions/0010-rolling.md`.
    pub fn parse(text: &str, log: &str) -> Result<Self> {
        let failed = |reason: String| Error::invalid(format!("the template {text:?} {reason}"));
        let Some(rest) = text.strip_prefix("{name}") else {
            return Err(failed("does not begin with {name}: put that first".into()));
        };
        if rest.ends_with(EXTENSION) {
            return Err(failed(format!("ends with {EXTENSION}: leave that out, it is appended")));
        }
        if rest.starts_with(|c: char| c.is_alphanumeric() || c == '{') || is_conversion(rest) {
            return Err(failed("has no separator behind {name}: put a dot, a hyphen or an underscore there".into()));
        }
        let mut pieces = read(rest).map_err(failed)?;
        if !pieces.contains(&Piece::Sequence) {
            pieces.extend([Piece::Character('.'), Piece::Sequence]);
        }
        check_digits(&pieces).map_err(|reason| failed(reason.into()))?;
        let longest = log.len() + pieces.iter().map(Piece::longest).sum::<usize>() + EXTENSION.len();
        if longest > LONGEST - ROOM {
            return Err(failed(format!(
                "makes names of up to {longest} bytes for the log {log:?}: make it or the log's name shorter, {} is the most",
                LONGEST - ROOM
            )));
        }
        Ok(Template { log: log.to_owned(), text: text.to_owned(), pieces })
    }

    /// The file of segment number `sequence`, created at a time.
    pub fn render(&self, sequence: u64, time_ns: i64, calendar: &Calendar) -> String {
        let time = calendar.civil(time_ns);
        let mut name = self.log.clone();
        for piece in &self.pieces {
            match piece {
                Piece::Character(c) => name.push(harmless(*c)),
                Piece::Sequence => name.push_str(&format!("{sequence:0SEQUENCE_DIGITS$}")),
                Piece::Time('Z', _) => name.extend(abbreviation(&time.show('Z'))),
                Piece::Time(conversion, _) => name.extend(time.show(*conversion).chars().map(harmless)),
            }
        }
        name + EXTENSION
    }

    /// Whether a file may have this name, whatever its number and its time.
    pub fn may_render(&self, file: &str) -> bool {
        let rest = file.strip_prefix(self.log.as_str()).and_then(|rest| rest.strip_suffix(EXTENSION));
        rest.is_some_and(|rest| fits(&self.pieces, rest))
    }

    /// The text as it was given.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Whether names depend on the time at which a file is created.
    pub fn has_time(&self) -> bool {
        self.pieces.iter().any(|piece| matches!(piece, Piece::Time(..)))
    }
}

impl Piece {
    /// The most bytes it yields.
    fn longest(&self) -> usize {
        match self {
            Piece::Character(c) => c.len_utf8(),
            Piece::Sequence => MOST_DIGITS,
            Piece::Time(_, Shape::Digits(most) | Shape::Letters(most)) => *most,
            Piece::Time(_, Shape::Led(most)) => 1 + most,
        }
    }
}

/// Whether the pieces may yield the text.
fn fits(pieces: &[Piece], text: &str) -> bool {
    let Some((piece, others)) = pieces.split_first() else { return text.is_empty() };
    // Each of these is one byte long.
    let run = |most: usize, is_one: fn(char) -> bool| text.chars().take(most).take_while(|&c| is_one(c)).count();
    let (least, most) = match piece {
        Piece::Character(c) => return text.strip_prefix(harmless(*c)).is_some_and(|rest| fits(others, rest)),
        // A number has leading zeros only up to the least number of digits.
        Piece::Sequence if text.starts_with('0') => (SEQUENCE_DIGITS, run(SEQUENCE_DIGITS, |c| c.is_ascii_digit())),
        Piece::Sequence => (SEQUENCE_DIGITS, run(MOST_DIGITS, |c| c.is_ascii_digit())),
        // A blank or a sign may come before the digits.
        Piece::Time(_, Shape::Digits(most)) => (1, run(*most, |c| c.is_ascii_digit() || matches!(c, '_' | '-'))),
        Piece::Time(_, Shape::Letters(most)) => (0, run(*most, |c| c.is_ascii_alphabetic())),
        Piece::Time(_, Shape::Led(most)) => {
            (0, run(1 + *most, |c| c.is_ascii_alphanumeric() || matches!(c, '_' | '+' | '-')))
        }
    };
    (least..=most).any(|len| fits(others, &text[len..]))
}

/// Whether a text begins with a conversion that yields something other than a percent sign.
fn is_conversion(text: &str) -> bool {
    text.starts_with('%') && !text.starts_with("%%")
}

/// Parses the part after `{name}`. The error describes what is wrong with it.
fn read(text: &str) -> Result<Vec<Piece>, String> {
    let mut pieces = vec![];
    let mut rest = text.chars();
    while let Some(c) = rest.next() {
        match c {
            '%' => match rest.next() {
                Some('%') => pieces.push(Piece::Character('%')),
                Some(conversion) => match (composed_of(conversion), shape_of(conversion)) {
                    (Some(others), _) => pieces.extend(read(others)?),
                    (None, Some(shape)) => pieces.push(Piece::Time(conversion, shape)),
                    (None, None) => {
                        let known = "%Y %m %d %H %M %S, others that docs/rolling.md lists, or %% for a percent sign";
                        return Err(format!("has the unknown conversion {:?}: take {known}", format!("%{conversion}")));
                    }
                },
                None => return Err("ends with '%': write %% for a percent sign".into()),
            },
            '{' if rest.as_str().starts_with("seq}") => {
                if pieces.contains(&Piece::Sequence) {
                    return Err("has {seq} twice: once is enough".into());
                }
                pieces.push(Piece::Sequence);
                rest = rest.as_str()["seq}".len()..].chars();
            }
            '{' if rest.as_str().starts_with("name}") => return Err("has {name} twice: only put it first".into()),
            '{' | '}' => return Err("has braces around something else than name or seq: leave them out".into()),
            '\\' => return Err("has a backslash: write an underscore".into()),
            c if c.is_control() => return Err(format!("has the control character {c:?}: leave it out")),
            c => pieces.push(Piece::Character(c)),
        }
    }
    Ok(pieces)
}

/// Checks that the first run of ten or more digits can only be the number, and that no digit is next to it.
fn check_digits(pieces: &[Piece]) -> Result<(), &'static str> {
    let at = pieces.iter().position(|piece| *piece == Piece::Sequence).unwrap_or(pieces.len());
    let mut run = 0;
    for piece in &pieces[..at] {
        run = match piece {
            Piece::Character(c) if c.is_ascii_digit() => run + 1,
            Piece::Time(_, Shape::Digits(most)) => run + most,
            Piece::Time(_, Shape::Led(most)) => *most,
            _ => 0,
        };
        if run >= SEQUENCE_DIGITS {
            return Err("may have ten digits in a row before the number: put a hyphen between them, or {seq} first");
        }
    }
    let digit_behind = match pieces.get(at + 1) {
        Some(Piece::Character(c)) => c.is_ascii_digit(),
        Some(Piece::Time(_, shape)) => matches!(shape, Shape::Digits(_)),
        _ => false,
    };
    match run > 0 || digit_behind {
        true => Err("may have a digit right beside {seq}: put a dot between them"),
        false => Ok(()),
    }
}

/// The replacement of a character in a file's name.
fn harmless(c: char) -> char {
    match c {
        ' ' | '/' | ':' => '_',
        c => c,
    }
}

/// A zone's abbreviation comes from the zone's file: this makes it conform to [`Shape::Led`].
fn abbreviation(shown: &str) -> impl Iterator<Item = char> + '_ {
    let held = |c: char| if c.is_ascii_alphanumeric() || matches!(c, '+' | '-') { c } else { '_' };
    shown.trim_start_matches(|c: char| c.is_ascii_digit()).chars().map(held).take(ABBREVIATION)
}

#[cfg(test)]
mod tests {
    use super::super::names;
    use super::*;
    use crate::options::DEFAULT_TEMPLATE;
    use proptest::prelude::*;
    use proptest::test_runner::Config;

    const TIME: i64 = 1_784_035_024_123_456_789; // 2026-07-14 13:17:04 UTC, a Tuesday

    fn rendered(text: &str, zone: &str) -> String {
        Template::parse(text, "log").unwrap().render(7, TIME, &Calendar::of_zone(zone).unwrap())
    }

    #[test]
    fn the_default_gives_the_names_that_logs_always_had() {
        for sequence in [1, 9_999_999_999, 10_000_000_000, u64::MAX] {
            let template = Template::parse(DEFAULT_TEMPLATE, "a.b").unwrap();
            let name = template.render(sequence, TIME, &Calendar::of_zone("").unwrap());
            assert_eq!(name, names::segment("a.b", sequence));
            assert!(!template.has_time());
        }
    }

    #[test]
    fn conversions_give_what_strftime_gives_in_the_c_locale() {
        let utc = [
            ("{name}.{seq}.%Y%m%d_%H%M%S", "log.0000000007.20260714_131704.binlog"),
            ("{name}-%Y-%m-%d", "log-2026-07-14.0000000007.binlog"),
            ("{name}.%c", "log.Tue_Jul_14_13_17_04_2026.0000000007.binlog"),
            ("{name}.%D-%x-%F", "log.07_14_26-07_14_26-2026-07-14.0000000007.binlog"),
            ("{name}.%T-%X-%R-%r", "log.13_17_04-13_17_04-13_17-01_17_04_PM.0000000007.binlog"),
            ("{name}.%A %B %a %b %h", "log.Tuesday_July_Tue_Jul_Jul.0000000007.binlog"),
            ("{name}.%j %U %W %V %G %g", "log.195_28_28_29_2026_26.0000000007.binlog"),
            ("{name}.%u %w %y %C %e %k %l %P", "log.2_2_26_20_14_13__1_pm.0000000007.binlog"),
            ("{name}.%z %Z", "log.+0000_UTC.0000000007.binlog"),
            ("{name}.{seq}-%s", "log.0000000007-1784035024.binlog"),
            ("{name}%%%%x/y:z w", "log%%x_y_z_w.0000000007.binlog"),
        ];
        for (text, name) in utc {
            assert_eq!(rendered(text, "UTC"), name);
        }
        assert_eq!(rendered("{name}.%H%z%Z", "Europe/Berlin"), "log.15+0200CEST.0000000007.binlog");
        assert_eq!(rendered("{name}.%H%M%z%Z", "Australia/Lord_Howe"), "log.2347+1030+1030.0000000007.binlog");
    }

    #[test]
    fn a_template_that_would_hide_or_fake_the_number_is_refused() {
        for text in [
            "{name}.%Y%m%d%H.{seq}",
            "{name}.%Y%m%d%H%M%S",
            "{name}.%s.{seq}",
            "{name}.%s",
            "{name}.%Y%m%d00",
            "{name}.%z%Y.{seq}",
            "{name}.0000000001.{seq}",
            "{name}.%Y{seq}",
            "{name}.{seq}%Y",
            "{name}.1{seq}",
            "{name}.{seq}1",
            "{name}.{seq}%e",
            "{name}.%Z{seq}",
            "{name}.{seq}.{seq}",
            "{name}.{name}.{seq}",
        ] {
            assert!(Template::parse(text, "log").is_err(), "{text}");
        }
        for text in ["{name}.%Y%m%d.{seq}", "{name}.{seq}%Z%s", "{name}.{seq}.%s", "{name}.{seq}%z", "{name}.%Z.{seq}"]
        {
            Template::parse(text, "log").unwrap();
        }
    }

    #[test]
    fn what_is_no_template_is_refused_with_what_to_write_instead() {
        for (text, advice) in [
            ("", "put that first"),
            ("%Y.{name}", "put that first"),
            ("{name}x{seq}", "put a dot"),
            ("{name}%Y", "put a dot"),
            ("{name}{seq}", "put a dot"),
            ("{name}ü", "put a dot"),
            ("{name}.{host}", "leave them out"),
            ("{name}.}", "leave them out"),
            ("{name}.{seq", "leave them out"),
            ("{name}.%", "write %%"),
            ("{name}.%n", "take %Y"),
            ("{name}.%t", "take %Y"),
            ("{name}.%Q", "take %Y"),
            ("{name}.%-d", "take %Y"),
            ("{name}.%Ey", "take %Y"),
            ("{name}.%f", "take %Y"),
            ("{name}.%ü", "take %Y"),
            ("{name}.\n", "leave it out"),
            ("{name}.\0", "leave it out"),
            ("{name}.a\\b", "write an underscore"),
            ("{name}.{seq}.binlog", "leave that out"),
        ] {
            let error = Template::parse(text, "log").unwrap_err();
            assert_eq!(error.kind(), crate::Kind::Invalid);
            assert!(error.to_string().contains(advice), "{error}");
        }
    }

    #[test]
    fn a_name_and_what_recovery_appends_to_it_fit_into_a_file_system() {
        let longest = |log: usize| LONGEST - ROOM - EXTENSION.len() - MOST_DIGITS - 1 - log;
        let text = |len: usize| format!("{{name}}.{}", "x".repeat(len - 1));
        for log in [1, 128] {
            let name = "n".repeat(log);
            let template = Template::parse(&text(longest(log)), &name).unwrap();
            assert_eq!(template.render(u64::MAX, 0, &Calendar::of_zone("").unwrap()).len(), LONGEST - ROOM);
            let error = Template::parse(&text(longest(log) + 1), &name).unwrap_err();
            assert!(error.to_string().contains("shorter"), "{error}");
        }
    }

    #[test]
    fn a_strange_abbreviation_of_a_zone_cannot_lengthen_the_number() {
        let held = |shown| abbreviation(shown).collect::<String>();
        assert_eq!([held("CEST"), held("+1030"), held("12a/b c3456789")], ["CEST", "+1030", "a_b_c3"]);
    }

    /// Pieces of templates, most of which fit together.
    fn text() -> impl Strategy<Value = String> {
        let conversion = prop::sample::select(&b"YymdjHIMSpPaAbBeFTDRrcxXzZUWVGguwhCkls%"[..]);
        let piece = prop_oneof![
            4 => conversion.prop_map(|letter| format!("%{}", char::from(letter))),
            2 => Just("{seq}".to_owned()),
            4 => prop::sample::select(&[".", "-", "_", " ", "x", "1", "2026", "ü", "/", ":", "..", "%%"][..]).prop_map(str::to_owned),
        ];
        prop::collection::vec(piece, 0..9).prop_map(|pieces| format!("{{name}}.{}", pieces.concat()))
    }

    proptest! {
        #![proptest_config(Config { cases: 4096, failure_persistence: None, ..Config::default() })]

        #[test]
        fn the_number_is_found_in_whatever_name_a_template_gives(
            text in text(),
            log in prop_oneof!["[a-z0-9][a-z0-9._ -]{0,12}", Just("1234567890".to_owned()), Just("a.00000000001".to_owned())],
            sequences in (prop_oneof![any::<u64>(), 0..20_000_000_000u64], 0..10_000_000_000u64),
            time in prop_oneof![any::<i64>(), 0..2_000_000_000_000_000_000i64],
            zone in prop::sample::select(&["UTC", "Europe/Berlin", "Australia/Lord_Howe", "Asia/Kathmandu", "Africa/Monrovia"][..]),
        ) {
            if let Ok(template) = Template::parse(&text, &log) {
                let calendar = Calendar::of_zone(zone).unwrap();
                let name = template.render(sequences.0, time, &calendar);
                prop_assert_eq!(names::sequence(&log, &name), Some(sequences.0), "{}", name);
                prop_assert!(!name.contains(['/', '\\']) && !name.starts_with('.') && name.len() <= LONGEST - ROOM);
                prop_assert_eq!(template.text(), text);
                prop_assert!(template.may_render(&name), "{}", name);
                let copy = name.replace(EXTENSION, "-copy.binlog");
                // A template that ends with a zone's abbreviation may yield this.
                let ends_open = template.pieces.iter().any(|piece| matches!(piece, Piece::Time('Z' | 'z', _)));
                prop_assert!(ends_open || !template.may_render(&copy), "{}", copy);
                let before = template.pieces.iter().take_while(|piece| **piece != Piece::Sequence);
                if !before.into_iter().any(|piece| matches!(piece, Piece::Time(..))) {
                    let (a, b) = (sequences.0 % 10_000_000_000, sequences.1);
                    let names = [template.render(a, time, &calendar), template.render(b, time / 2, &calendar)];
                    prop_assert!(a == b || (names[0] < names[1]) == (a < b), "{:?}", names);
                }
            }
        }
    }
}

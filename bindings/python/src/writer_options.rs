//! The keywords of a writer as its options. Their defaults are the library's.

use binlog::hooks::Hook;
use binlog::rolling::{Period, Retention, RollOptions};
use binlog::shipping::ShipOptions;
use binlog::store::StoreOptions;
use binlog::{FullDisk, Lag, WriterOptions};
use pyo3::exceptions::PyTypeError;
use pyo3::prelude::*;
use pyo3::types::{PyBool, PyDict, PyString};

use crate::callback::Callback;
use crate::{convert, error, log, repair, stores};

/// The options, and the functions in them.
pub fn options(given: &Bound<'_, PyDict>) -> PyResult<(WriterOptions, Vec<Callback>)> {
    let mut options = WriterOptions::default();
    let mut callbacks = vec![];
    let (mut name, mut content_type, mut parameters) = (None, None, None);
    for (key, value) in given.iter() {
        if value.is_none() {
            continue;
        }
        let key = convert::text("the name of an option", &key)?;
        match key {
            "name" => options.name = convert::text(key, &value)?.to_owned(),
            "content_type" => options.content_type = convert::text(key, &value)?.to_owned(),
            "parameters" => convert::each_pair(key, &value, |key, value| {
                options.parameters.insert(key.to_owned(), value.to_owned());
                Ok(())
            })?,
            "codec" => options.codec = repair::codec_of(&value)?,
            "codec_level" => options.codec_level = convert::integer(key, &value)?,
            "block_bytes" => options.block_bytes = convert::integer(key, &value)?,
            "segment_bytes" => options.segment_bytes = convert::integer(key, &value)?,
            "index_bytes" => options.index_bytes = convert::integer(key, &value)?,
            "record_max_bytes" => options.record_max_bytes = convert::integer(key, &value)?,
            "schema_bytes" => options.schema_bytes = convert::integer(key, &value)?,
            "flush" => options.flush = lag(key, &value)?,
            "sync" => options.sync = lag(key, &value)?,
            "fill_ahead" => options.fill_ahead = Some(convert::integer(key, &value)?),
            "file_mode" => options.file_mode = convert::integer(key, &value)?,
            "file_group" => options.file_group = Some(convert::integer(key, &value)?),
            "background" => options.background = convert::flag(key, &value)?,
            "full_disk" => options.full_disk = full_disk(key, &value)?,
            "heartbeat" => options.heartbeat = Some(convert::duration(key, &value)?),
            "roll" => options.roll = roll(key, &value, &mut callbacks)?,
            "keep" => options.keep = keep(key, &value)?,
            "ship" => {
                let store = StoreOptions { opener: stores::opener(), ..StoreOptions::default() };
                options.ship =
                    Some(ShipOptions { url: convert::text(key, &value)?.to_owned(), store, ..ShipOptions::default() });
            }
            "on_open" => options.hooks.on_open = hooks(key, &value, &mut callbacks)?,
            "on_close" => options.hooks.on_close = hooks(key, &value, &mut callbacks)?,
            "on_failure" => {
                let callback = callback(key, &value, &mut callbacks)?;
                options.hooks.on_failure = Some(callback.on_failure());
            }
            "require_name" => name = Some(value),
            "require_content_type" => content_type = Some(value),
            "require_parameters" => parameters = Some(value),
            other => return Err(PyTypeError::new_err(format!("a writer has no option {other:?}"))),
        }
    }
    options.require = log::required(name.as_ref(), content_type.as_ref(), parameters.as_ref())?;
    Ok((options, callbacks))
}

fn callback(name: &str, value: &Bound<'_, PyAny>, callbacks: &mut Vec<Callback>) -> PyResult<Callback> {
    let callback = Callback::new(name, value)?;
    callbacks.push(callback.clone());
    Ok(callback)
}

fn hooks(name: &str, value: &Bound<'_, PyAny>, callbacks: &mut Vec<Callback>) -> PyResult<Vec<Hook>> {
    if value.is_callable() {
        return Ok(vec![callback(name, value, callbacks)?.hook()]);
    }
    let each = format!("each of {name}");
    let all = convert::iterated(name, "callable, or several callables", value)?;
    all.map(|one| Ok(callback(&each, &one?, callbacks)?.hook())).collect()
}

/// True = each record; a number = so many records; a length of time; or a dict with records, bytes, interval.
fn lag(name: &str, value: &Bound<'_, PyAny>) -> PyResult<Lag> {
    if let Ok(given) = value.cast::<PyBool>() {
        return Ok(Lag { records: given.is_true().then_some(1), ..Lag::default() });
    }
    if convert::is_integer(value) {
        return Ok(Lag { records: Some(convert::integer(name, value)?), ..Lag::default() });
    }
    let Ok(rules) = value.cast::<PyDict>() else {
        return Ok(Lag { interval: Some(convert::duration(name, value)?), ..Lag::default() });
    };
    let mut lag = Lag::default();
    each_rule(name, rules, |rule, key, value| {
        match key {
            "records" => lag.records = Some(convert::integer(rule, value)?),
            "bytes" => lag.bytes = Some(convert::integer(rule, value)?),
            "interval" => lag.interval = Some(convert::duration(rule, value)?),
            _ => return Err(wrong_rule(rule, "records, bytes, interval")),
        }
        Ok(())
    })?;
    Ok(lag)
}

/// The rules of a dict: the name of each in messages, its key and its value. None is no rule.
fn each_rule(
    name: &str,
    rules: &Bound<'_, PyDict>,
    mut each: impl FnMut(&str, &str, &Bound<'_, PyAny>) -> PyResult<()>,
) -> PyResult<()> {
    for (key, value) in rules.iter().filter(|(_, value)| !value.is_none()) {
        let key = convert::text(&format!("each rule of {name}"), &key)?;
        each(&format!("{name}[{key:?}]"), key, &value)?;
    }
    Ok(())
}

fn wrong_rule(rule: &str, known: &str) -> PyErr {
    PyTypeError::new_err(format!("there is no {rule}: the rules are {known}"))
}

/// A number of seconds, or the name of a period.
fn period(name: &str, value: &Bound<'_, PyAny>) -> PyResult<Period> {
    if value.is_instance_of::<PyString>() {
        let period = convert::text(name, value)?.parse::<Period>();
        return period.map_err(|e| error::new(value.py(), "invalid", &format!("{name}: {e}")));
    }
    let seconds = convert::duration(name, value)?.as_secs_f64();
    let whole = (seconds.fract() == 0.0).then_some(seconds as u64).and_then(Period::from_seconds);
    whole.ok_or_else(|| convert::wrong_value(name, "1 s to 100 years, in whole seconds", value))
}

/// A period alone, or a dict of rules.
fn roll(name: &str, value: &Bound<'_, PyAny>, callbacks: &mut Vec<Callback>) -> PyResult<RollOptions> {
    let mut roll = RollOptions::default();
    let Ok(rules) = value.cast::<PyDict>() else {
        roll.period = Some(period(name, value)?);
        return Ok(roll);
    };
    each_rule(name, rules, |rule, key, value| {
        match key {
            "period" => roll.period = Some(period(rule, value)?),
            "zone" => roll.zone = convert::text(rule, value)?.to_owned(),
            "age" => roll.age = Some(convert::duration(rule, value)?),
            "records" => roll.records = Some(convert::integer(rule, value)?),
            "template" => roll.template = convert::text(rule, value)?.to_owned(),
            "check" => roll.check = Some(callback(rule, value, callbacks)?.roll_check()),
            _ => return Err(wrong_rule(rule, "period, zone, age, records, template, check")),
        }
        Ok(())
    })?;
    Ok(roll)
}

fn keep(name: &str, value: &Bound<'_, PyAny>) -> PyResult<Retention> {
    let mut keep = Retention::default();
    let rules = value.cast::<PyDict>().map_err(|_| convert::wrong_type(name, "a dict of rules", value))?;
    each_rule(name, rules, |rule, key, value| {
        match key {
            "age" => keep.age = Some(convert::duration(rule, value)?),
            "segments" => keep.segments = Some(convert::integer(rule, value)?),
            "bytes" => keep.bytes = Some(convert::integer(rule, value)?),
            "unshipped" => keep.unshipped = convert::flag(rule, value)?,
            _ => return Err(wrong_rule(rule, "age, segments, bytes, unshipped")),
        }
        Ok(())
    })?;
    Ok(keep)
}

/// "fail", "wait", "drop", or how long to wait.
fn full_disk(name: &str, value: &Bound<'_, PyAny>) -> PyResult<FullDisk> {
    if value.is_instance_of::<PyString>() {
        match convert::text(name, value)? {
            "fail" => return Ok(FullDisk::Fail),
            "wait" => return Ok(FullDisk::Wait(None)),
            "drop" => return Ok(FullDisk::Drop),
            _ => (),
        }
    }
    Ok(FullDisk::Wait(Some(convert::duration(name, value)?)))
}

//! The keywords of a writer as its options. Their defaults are the library's.

use std::time::Duration;

use binlog::rolling::{Period, Retention, RollOptions};
use binlog::shipping::ShipOptions;
use binlog::store::StoreOptions;
use binlog::{FullDisk, Lag, WriterOptions};
use pyo3::exceptions::{PyTypeError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::{PyBool, PyDict, PyString};

use crate::callback::Callback;
use crate::{convert, log, repair, stores};

/// The options, and the functions in them.
pub fn options(given: &Bound<'_, PyDict>) -> PyResult<(WriterOptions, Vec<Callback>)> {
    let mut options = WriterOptions::default();
    let mut callbacks = vec![];
    let (mut name, mut content_type, mut parameters) = (None, None, None);
    for (key, value) in given.iter() {
        if value.is_none() {
            continue;
        }
        match key.extract::<String>()?.as_str() {
            "name" => options.name = value.extract()?,
            "content_type" => options.content_type = value.extract()?,
            "parameters" => convert::each_pair(&value, |key, value| {
                options.parameters.insert(key.to_owned(), value.to_owned());
                Ok(())
            })?,
            "codec" => options.codec = repair::codec_of(&value.extract::<String>()?)?,
            "codec_level" => options.codec_level = value.extract()?,
            "block_bytes" => options.block_bytes = value.extract()?,
            "segment_bytes" => options.segment_bytes = value.extract()?,
            "index_bytes" => options.index_bytes = value.extract()?,
            "record_max_bytes" => options.record_max_bytes = value.extract()?,
            "schema_bytes" => options.schema_bytes = value.extract()?,
            "flush" => options.flush = lag(&value)?,
            "sync" => options.sync = lag(&value)?,
            "fill_ahead" => options.fill_ahead = Some(value.extract()?),
            "file_mode" => options.file_mode = value.extract()?,
            "file_group" => options.file_group = Some(value.extract()?),
            "background" => options.background = value.extract()?,
            "full_disk" => options.full_disk = full_disk(&value)?,
            "heartbeat" => options.heartbeat = Some(convert::duration(&value)?),
            "roll" => options.roll = roll(&value, &mut callbacks)?,
            "keep" => options.keep = keep(&value)?,
            "ship" => {
                let store = StoreOptions { opener: stores::opener(), ..StoreOptions::default() };
                options.ship = Some(ShipOptions { url: value.extract()?, store, ..ShipOptions::default() });
            }
            "on_open" => options.hooks.on_open = hooks(&value, &mut callbacks)?,
            "on_close" => options.hooks.on_close = hooks(&value, &mut callbacks)?,
            "on_failure" => {
                let callback = callback(&value, &mut callbacks)?;
                options.hooks.on_failure = Some(callback.on_failure());
            }
            "require_name" => name = Some(value.extract()?),
            "require_content_type" => content_type = Some(value.extract()?),
            "require_parameters" => parameters = Some(value),
            other => return Err(PyTypeError::new_err(format!("a writer has no option {other:?}"))),
        }
    }
    options.require = log::required(name, content_type, parameters.as_ref())?;
    Ok((options, callbacks))
}

fn callback(value: &Bound<'_, PyAny>, callbacks: &mut Vec<Callback>) -> PyResult<Callback> {
    if !value.is_callable() {
        return Err(PyTypeError::new_err("a function is needed here"));
    }
    let callback = Callback::new(value.clone().unbind());
    callbacks.push(callback.clone());
    Ok(callback)
}

fn hooks(value: &Bound<'_, PyAny>, callbacks: &mut Vec<Callback>) -> PyResult<Vec<binlog::hooks::Hook>> {
    if value.is_callable() {
        return Ok(vec![callback(value, callbacks)?.hook()]);
    }
    value.try_iter()?.map(|one| Ok(callback(&one?, callbacks)?.hook())).collect()
}

/// True = each record; a number = so many records; a length of time; or a dict with records, bytes, interval.
fn lag(value: &Bound<'_, PyAny>) -> PyResult<Lag> {
    if let Ok(given) = value.cast::<PyBool>() {
        return Ok(Lag { records: given.is_true().then_some(1), ..Lag::default() });
    }
    if let Some(records) = convert::number::<u64>(value) {
        return Ok(Lag { records: Some(records?), ..Lag::default() });
    }
    let Ok(rules) = value.cast::<PyDict>() else {
        return Ok(Lag { interval: Some(convert::duration(value)?), ..Lag::default() });
    };
    let mut lag = Lag::default();
    for (key, value) in rules.iter() {
        match key.extract::<String>()?.as_str() {
            "records" => lag.records = value.extract()?,
            "bytes" => lag.bytes = value.extract()?,
            "interval" => lag.interval = time_or_none(&value)?,
            other => return Err(wrong_rule(other, "records, bytes, interval")),
        }
    }
    Ok(lag)
}

fn time_or_none(value: &Bound<'_, PyAny>) -> PyResult<Option<Duration>> {
    if value.is_none() {
        Ok(None)
    } else {
        convert::duration(value).map(Some)
    }
}

fn wrong_rule(given: &str, known: &str) -> PyErr {
    PyTypeError::new_err(format!("there is no rule {given:?}: the rules are {known}"))
}

/// A number of seconds, or the name of a period.
fn period(value: &Bound<'_, PyAny>) -> PyResult<Period> {
    if let Ok(name) = value.cast::<PyString>() {
        return name.to_str()?.parse::<Period>().map_err(|e| PyValueError::new_err(e.to_string()));
    }
    let seconds = convert::duration(value)?.as_secs_f64();
    let whole = (seconds.fract() == 0.0).then_some(seconds as u64).and_then(Period::from_seconds);
    whole.ok_or_else(|| {
        PyValueError::new_err(format!("{seconds} seconds are no period: 1 s to 100 years, in whole seconds"))
    })
}

/// A period alone, or a dict of rules.
fn roll(value: &Bound<'_, PyAny>, callbacks: &mut Vec<Callback>) -> PyResult<RollOptions> {
    let mut roll = RollOptions::default();
    let Ok(rules) = value.cast::<PyDict>() else {
        roll.period = Some(period(value)?);
        return Ok(roll);
    };
    for (key, value) in rules.iter().filter(|(_, value)| !value.is_none()) {
        match key.extract::<String>()?.as_str() {
            "period" => roll.period = Some(period(&value)?),
            "zone" => roll.zone = value.extract()?,
            "age" => roll.age = Some(convert::duration(&value)?),
            "records" => roll.records = Some(value.extract()?),
            "template" => roll.template = value.extract()?,
            "check" => roll.check = Some(callback(&value, callbacks)?.roll_check()),
            other => return Err(wrong_rule(other, "period, zone, age, records, template, check")),
        }
    }
    Ok(roll)
}

fn keep(value: &Bound<'_, PyAny>) -> PyResult<Retention> {
    let mut keep = Retention::default();
    let rules = value.cast::<PyDict>().map_err(|_| PyTypeError::new_err("keep is a dict of rules"))?;
    for (key, value) in rules.iter() {
        match key.extract::<String>()?.as_str() {
            "age" => keep.age = time_or_none(&value)?,
            "segments" => keep.segments = value.extract()?,
            "bytes" => keep.bytes = value.extract()?,
            "unshipped" => keep.unshipped = value.extract()?,
            other => return Err(wrong_rule(other, "age, segments, bytes, unshipped")),
        }
    }
    Ok(keep)
}

/// "fail", "wait", "drop", or how long to wait.
fn full_disk(value: &Bound<'_, PyAny>) -> PyResult<FullDisk> {
    match value.extract::<String>().as_deref() {
        Ok("fail") => Ok(FullDisk::Fail),
        Ok("wait") => Ok(FullDisk::Wait(None)),
        Ok("drop") => Ok(FullDisk::Drop),
        _ => Ok(FullDisk::Wait(Some(convert::duration(value)?))),
    }
}

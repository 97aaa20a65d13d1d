//! What the library tells, as the dataclasses of `libbinlog._facts`.

use binlog::contents::{Contents, SegmentFacts, TypeContents};
use binlog::hooks::SegmentFile;
use binlog::recovery::Recovery;
use binlog::rolling::SegmentState;
use binlog::splits::Split;
use binlog::{Loss, Position, Tail, TailState, TypeInfo};
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyDict, PyList};

use crate::error;

type Made<'py> = PyResult<Bound<'py, PyAny>>;

fn make<'py>(py: Python<'py>, class: &str, fields: &Bound<'py, PyDict>) -> Made<'py> {
    py.import("libbinlog._facts")?.getattr(class)?.call((), Some(fields))
}

/// `fields!(py, class, name = value, …)`: the dataclass with these fields.
macro_rules! fields {
    ($py:expr, $class:literal, $($name:ident = $value:expr),* $(,)?) => {{
        let fields = PyDict::new($py);
        $(fields.set_item(stringify!($name), $value)?;)*
        make($py, $class, &fields)
    }};
}

pub fn loss<'py>(py: Python<'py>, loss: &Loss) -> Made<'py> {
    fields!(
        py,
        "Loss",
        kind = loss.kind.name(),
        file = &loss.path,
        offset = loss.offset,
        bytes = loss.bytes,
        ids = loss.ids,
        pages = loss.pages,
        reason = &loss.reason,
        durable = loss.durable,
    )
}

pub fn position<'py>(py: Python<'py>, position: Position) -> Made<'py> {
    fields!(py, "Position", appended = position.appended, flushed = position.flushed, durable = position.durable)
}

pub fn tail<'py>(py: Python<'py>, tail: &Tail) -> Made<'py> {
    let state = match tail.state {
        TailState::More => "more",
        TailState::Closed => "closed",
        TailState::Live => "live",
        TailState::Unclosed => "unclosed",
        TailState::Torn => "torn",
        TailState::Corrupt => "corrupt",
    };
    fields!(
        py,
        "Tail",
        state = state,
        next_id = tail.next_id,
        file = &tail.path,
        offset = tail.offset,
        unread_bytes = tail.unread_bytes,
        reason = &tail.reason,
    )
}

pub fn split<'py>(py: Python<'py>, split: &Split) -> Made<'py> {
    let known = |time: i64| (time != i64::MIN && time != i64::MAX).then_some(time);
    fields!(
        py,
        "Split",
        token = &split.token,
        location = &split.location,
        first_id = split.first_id,
        last_id = split.last_id,
        records = split.records,
        bytes = split.bytes,
        first_time_ns = known(split.first_time),
        last_time_ns = known(split.last_time),
    )
}

pub fn type_info<'py>(py: Python<'py>, info: &TypeInfo) -> Made<'py> {
    let hex = info.schema_sha256.map(|sum| sum.iter().map(|byte| format!("{byte:02x}")).collect::<String>());
    fields!(
        py,
        "TypeInfo",
        number = info.number,
        name = &info.name,
        content_type = &info.content_type,
        encoding = &info.encoding,
        message = &info.message,
        schema = info.schema.as_ref().map(|schema| PyBytes::new(py, schema)),
        schema_sha256 = hex,
    )
}

pub fn segment_file<'py>(py: Python<'py>, segment: &SegmentFile) -> Made<'py> {
    fields!(
        py,
        "SegmentFile",
        file = &segment.path,
        log = &segment.log,
        sequence = segment.sequence,
        created_ns = segment.created,
        first_id = segment.first_id,
        records = segment.records,
        bytes = segment.bytes,
        reason = &segment.reason,
    )
}

pub fn segment_state<'py>(py: Python<'py>, state: &SegmentState) -> Made<'py> {
    fields!(
        py,
        "SegmentState",
        file = &state.path,
        sequence = state.sequence,
        created_ns = state.created,
        now_ns = state.now,
        bytes = state.bytes,
        first_id = state.first_id,
        records = state.records,
    )
}

pub fn recovery<'py>(py: Python<'py>, recovery: &Recovery) -> Made<'py> {
    let segments = PyList::empty(py);
    for segment in &recovery.segments {
        segments.append((&segment.source, &segment.target, segment.records))?;
    }
    fields!(
        py,
        "Recovery",
        records = recovery.records,
        lost_records = recovery.lost_records,
        losses = recovery.losses,
        segments = segments.to_tuple(),
    )
}

pub fn contents<'py>(py: Python<'py>, contents: &Contents) -> Made<'py> {
    let segments: Vec<_> = contents
        .segments
        .iter()
        .map(|one| segment(py, &one.facts, Some(one.records), one.closed))
        .collect::<PyResult<_>>()?;
    let types: Vec<_> = contents.types.iter().map(|one| type_count(py, one)).collect::<PyResult<_>>()?;
    let damage = contents.damage.as_ref().map(|damage| error::exception(py, damage)).transpose()?;
    fields!(
        py,
        "Info",
        records = contents.records,
        payload_bytes = contents.payload_bytes,
        first_id = contents.ids.map(|ids| ids.0),
        last_id = contents.ids.map(|ids| ids.1),
        first_time_ns = contents.times.map(|times| times.0),
        last_time_ns = contents.times.map(|times| times.1),
        types = types,
        segments = segments,
        tail = tail(py, &contents.tail)?,
        damage = damage,
    )
}

fn type_count<'py>(py: Python<'py>, counted: &TypeContents) -> Made<'py> {
    fields!(
        py,
        "TypeCount",
        number = counted.type_id,
        name = counted.name.as_deref(),
        records = counted.records,
        payload_bytes = counted.payload_bytes,
    )
}

/// A segment by its header, and what is known besides.
pub fn segment<'py>(py: Python<'py>, facts: &SegmentFacts, records: Option<u64>, closed: Option<bool>) -> Made<'py> {
    let parameters = PyDict::new(py);
    for (key, value) in &facts.parameters {
        parameters.set_item(key, value)?;
    }
    fields!(
        py,
        "Segment",
        file = &facts.path,
        bytes = facts.bytes,
        records = records,
        closed = closed,
        live = facts.live,
        log = &facts.name,
        log_id = PyBytes::new(py, &facts.log_id),
        content_type = &facts.content_type,
        parameters = parameters,
        sequence = facts.sequence,
        first_id = facts.first_id,
        created_ns = facts.created,
        writer = &facts.writer,
    )
}

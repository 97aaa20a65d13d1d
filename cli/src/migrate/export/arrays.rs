//! A batch of the library's table as one of Arrow, in the same memory.

use std::sync::Arc;

use arrow_array::{
    ArrayRef, BinaryArray, DictionaryArray, Int32Array, MapArray, RecordBatch, StringArray, StructArray,
    TimestampNanosecondArray, UInt32Array, UInt64Array,
};
use arrow_buffer::{BooleanBuffer, Buffer, NullBuffer, OffsetBuffer, ToByteSlice};
use arrow_schema::{ArrowError, DataType, Field, Fields, SchemaRef};
use binlog::columns::{Batch, Column, Nulls};
use bytes::Bytes;

/// The fields of a pair of metadata.
pub fn pair() -> Fields {
    let field = |name, nullable| Field::new(name, DataType::Utf8, nullable);
    Fields::from(vec![field("key", false), field("value", true)])
}

/// The rows of a batch, whose memory they share.
pub fn record_batch(schema: &SchemaRef, batch: Batch) -> Result<RecordBatch, ArrowError> {
    let batch = Arc::new(batch);
    let arrays = batch.columns().zip(schema.fields()).enumerate().map(|(at, (column, field))| {
        let source = Source { batch: &batch, at };
        array(&source, column, field.data_type())
    });
    RecordBatch::try_new(schema.clone(), arrays.collect::<Result<_, _>>()?)
}

fn array(source: &Source<'_>, column: &Column, data_type: &DataType) -> Result<ArrayRef, ArrowError> {
    Ok(match column {
        Column::U64(_) => Arc::new(UInt64Array::try_new(source.buffer(values).into(), None)?),
        Column::U32(_) => Arc::new(UInt32Array::try_new(source.buffer(values).into(), None)?),
        Column::I64(_) => {
            let times = TimestampNanosecondArray::try_new(source.buffer(values).into(), None)?;
            Arc::new(times.with_timezone("UTC"))
        }
        Column::Bytes(bytes) => {
            let (offsets, nulls) = (source.offsets(offsets), missing(bytes.nulls(), bytes.len()));
            match data_type {
                DataType::Utf8 => Arc::new(StringArray::try_new(offsets, source.buffer(text), nulls)?),
                _ => Arc::new(BinaryArray::try_new(offsets, source.buffer(text), nulls)?),
            }
        }
        Column::Names(names) => {
            let nulls = missing(names.nulls(), names.places().len());
            let places = Int32Array::try_new(source.buffer(values).into(), nulls)?;
            let dictionary = names.names();
            let (offsets, bytes) = (dictionary.offsets().to_vec(), dictionary.bytes().to_vec());
            let names = StringArray::try_new(OffsetBuffer::new(offsets.into()), bytes.into(), None)?;
            Arc::new(DictionaryArray::try_new(places, Arc::new(names))?)
        }
        Column::Pairs(_) => {
            let keys = StringArray::try_new(source.offsets(key_offsets), source.buffer(keys), None)?;
            let values = StringArray::try_new(source.offsets(value_offsets), source.buffer(pair_values), None)?;
            let pairs = StructArray::try_new(pair(), vec![Arc::new(keys), Arc::new(values)], None)?;
            let entries = Field::new("entries", DataType::Struct(pair()), false);
            Arc::new(MapArray::try_new(Arc::new(entries), source.offsets(offsets), pairs, None, false)?)
        }
        _ => return Err(ArrowError::NotYetImplemented(format!("a column of the type {data_type}"))),
    })
}

/// The bits of values that are there; there are few, and so they are copied.
fn missing(nulls: &Nulls, len: usize) -> Option<NullBuffer> {
    let bits = nulls.bits()?;
    Some(NullBuffer::new(BooleanBuffer::new(Buffer::from(bits), 0, len)))
}

/// A part of a column in memory.
type Part = fn(&Column) -> &[u8];

/// A column of a batch.
struct Source<'a> {
    batch: &'a Arc<Batch>,
    at: usize,
}

impl Source<'_> {
    fn buffer(&self, part: Part) -> Buffer {
        Bytes::from_owner(Shared { batch: self.batch.clone(), at: self.at, part }).into()
    }

    fn offsets(&self, part: Part) -> OffsetBuffer<i32> {
        OffsetBuffer::new(self.buffer(part).into())
    }
}

/// A part of a column, which keeps the batch.
struct Shared {
    batch: Arc<Batch>,
    at: usize,
    part: Part,
}

impl AsRef<[u8]> for Shared {
    fn as_ref(&self) -> &[u8] {
        self.batch.column(self.at).map(self.part).unwrap_or_default()
    }
}

fn values(column: &Column) -> &[u8] {
    match column {
        Column::U64(values) => values.to_byte_slice(),
        Column::I64(values) => values.to_byte_slice(),
        Column::U32(values) => values.to_byte_slice(),
        Column::Names(names) => names.places().to_byte_slice(),
        _ => &[],
    }
}

fn offsets(column: &Column) -> &[u8] {
    match column {
        Column::Bytes(bytes) => bytes.offsets().to_byte_slice(),
        Column::Pairs(pairs) => pairs.offsets().to_byte_slice(),
        _ => &[],
    }
}

fn text(column: &Column) -> &[u8] {
    match column {
        Column::Bytes(bytes) => bytes.bytes(),
        _ => &[],
    }
}

fn key_offsets(column: &Column) -> &[u8] {
    match column {
        Column::Pairs(pairs) => pairs.keys().offsets().to_byte_slice(),
        _ => &[],
    }
}

fn keys(column: &Column) -> &[u8] {
    match column {
        Column::Pairs(pairs) => pairs.keys().bytes(),
        _ => &[],
    }
}

fn value_offsets(column: &Column) -> &[u8] {
    match column {
        Column::Pairs(pairs) => pairs.values().offsets().to_byte_slice(),
        _ => &[],
    }
}

fn pair_values(column: &Column) -> &[u8] {
    match column {
        Column::Pairs(pairs) => pairs.values().bytes(),
        _ => &[],
    }
}

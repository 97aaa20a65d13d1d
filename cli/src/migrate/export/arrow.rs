//! Arrow IPC: a file, or on standard output a stream, of the library's own table.

use std::io::{self, Write};
use std::sync::Arc;

use arrow_ipc::writer::{DictionaryHandling, FileWriter, IpcWriteOptions, StreamWriter};
use arrow_schema::{ArrowError, DataType, Field, Fields, Schema, SchemaRef, TimeUnit};
use binlog::columns::{self as table, Batch, Column, ColumnType, Columns};

use super::arrays::{pair, record_batch};

/// A column of the table.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
#[value(rename_all = "snake_case")]
pub enum Chosen {
    Id,
    Time,
    Type,
    TypeName,
    Metadata,
    Length,
    Payload,
    Text,
}

/// The columns that the user has chosen; all if none.
pub fn columns(chosen: &[Chosen]) -> Columns {
    chosen.iter().fold(Columns::default(), |columns, one| {
        columns
            | match one {
                Chosen::Id => Columns::ID,
                Chosen::Time => Columns::TIME,
                Chosen::Type => Columns::TYPE,
                Chosen::TypeName => Columns::TYPE_NAME,
                Chosen::Metadata => Columns::METADATA,
                Chosen::Length => Columns::LENGTH,
                Chosen::Payload => Columns::PAYLOAD,
                Chosen::Text => Columns::TEXT,
            }
    })
}

/// Writes batches of a table.
pub struct Arrow<'a> {
    schema: SchemaRef,
    sink: Sink<'a>,
}

enum Sink<'a> {
    File(FileWriter<&'a mut dyn Write>),
    Stream(StreamWriter<&'a mut dyn Write>),
}

impl<'a> Arrow<'a> {
    pub fn begin(out: &'a mut dyn Write, fields: &[table::Field], to_file: bool) -> io::Result<Self> {
        let schema = Arc::new(Schema::new(fields.iter().map(field).collect::<Fields>()));
        // A file must not replace a dictionary, and the names of a log's types become more.
        let options = IpcWriteOptions::default().with_dictionary_handling(DictionaryHandling::Delta);
        let sink = match to_file {
            true => Sink::File(FileWriter::try_new_with_options(out, &schema, options).map_err(output)?),
            false => Sink::Stream(StreamWriter::try_new_with_options(out, &schema, options).map_err(output)?),
        };
        Ok(Arrow { schema, sink })
    }

    pub fn batch(&mut self, batch: Batch) -> io::Result<()> {
        let batch = record_batch(&self.schema, batch).map_err(output)?;
        match &mut self.sink {
            Sink::File(file) => file.write(&batch),
            Sink::Stream(stream) => stream.write(&batch),
        }
        .map_err(output)
    }

    pub fn end(mut self) -> io::Result<()> {
        match &mut self.sink {
            Sink::File(file) => file.finish(),
            Sink::Stream(stream) => stream.finish(),
        }
        .map_err(output)
    }
}

/// Bytes of the payloads of a batch, as far as one of its columns has them.
pub fn payload_bytes(batch: &Batch, fields: &[table::Field]) -> u64 {
    let at = |name| fields.iter().position(|field| field.name == name).and_then(|at| batch.column(at));
    match (at("length"), at("payload"), at("text")) {
        (Some(Column::U64(lengths)), ..) => lengths.iter().sum(),
        (_, Some(Column::Bytes(bytes)), _) | (.., Some(Column::Bytes(bytes))) => bytes.bytes().len() as u64,
        _ => 0,
    }
}

fn output(error: ArrowError) -> io::Error {
    match error {
        ArrowError::IoError(_, error) => error,
        error => io::Error::other(error),
    }
}

fn field(of: &table::Field) -> Field {
    Field::new(&of.name, data_type(of.column_type), of.nullable)
}

/// The types of the library's own Arrow streams.
fn data_type(of: ColumnType) -> DataType {
    match of {
        ColumnType::U64 => DataType::UInt64,
        ColumnType::U32 => DataType::UInt32,
        ColumnType::Nanoseconds => DataType::Timestamp(TimeUnit::Nanosecond, Some("UTC".into())),
        ColumnType::Names => DataType::Dictionary(Box::new(DataType::Int32), Box::new(DataType::Utf8)),
        ColumnType::Pairs => {
            let entries = DataType::Struct(pair());
            DataType::Map(Arc::new(Field::new("entries", entries, false)), false)
        }
        ColumnType::Text => DataType::Utf8,
        _ => DataType::Binary,
    }
}

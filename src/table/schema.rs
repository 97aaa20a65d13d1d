//! The columns of a table, with their types.

use super::options::{Columns, TableOptions};

/// The type of a column, as Arrow has it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ColumnType {
    /// uint64: [`Column::U64`](super::Column::U64).
    U64,
    /// uint32: [`Column::U32`](super::Column::U32).
    U32,
    /// int64: [`Column::I64`](super::Column::I64).
    I64,
    /// timestamp[ns, UTC]: [`Column::I64`](super::Column::I64).
    Nanoseconds,
    /// timestamp[us, UTC]: [`Column::I64`](super::Column::I64).
    Microseconds,
    /// dictionary(int32, utf8): [`Column::Names`](super::Column::Names).
    Names,
    /// map(utf8, utf8): [`Column::Pairs`](super::Column::Pairs).
    Pairs,
    /// binary: [`Column::Bytes`](super::Column::Bytes).
    Binary,
    /// utf8: [`Column::Bytes`](super::Column::Bytes).
    Text,
}

/// A column of a table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Field {
    /// Its name.
    pub name: String,
    /// The type of its values.
    pub column_type: ColumnType,
    /// Whether values may be missing.
    pub nullable: bool,
    /// What the values are.
    pub(super) source: Source,
}

/// What the values of a column are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Source {
    Id,
    Time,
    Type,
    TypeName,
    /// All pairs, or the first one of each key.
    Metadata {
        unique: bool,
    },
    Length,
    Payload,
    Text,
    /// The value of this key.
    Key(String),
}

/// The columns of a table with these options.
pub(super) fn fields(options: &TableOptions) -> Vec<Field> {
    use ColumnType::{Binary, Microseconds, Names, Nanoseconds, Pairs, Text, I64, U32, U64};
    let plain = |plain, other| if options.plain { plain } else { other };
    let known = [
        (Columns::ID, "id", plain(I64, U64), Source::Id),
        (Columns::TIME, "time", plain(Microseconds, Nanoseconds), Source::Time),
        (Columns::TYPE, "type", plain(I64, U32), Source::Type),
        (Columns::TYPE_NAME, "type_name", plain(Text, Names), Source::TypeName),
        (Columns::METADATA, "metadata", Pairs, Source::Metadata { unique: options.plain }),
        (Columns::LENGTH, "length", plain(I64, U64), Source::Length),
        (Columns::PAYLOAD, "payload", Binary, Source::Payload),
        (Columns::TEXT, "text", Text, Source::Text),
    ];
    let known = known.into_iter().filter(|(column, ..)| options.columns.contains(*column));
    let known = known.map(|(_, name, column_type, source)| (name.to_owned(), column_type, source));
    let keys = options.metadata.iter().map(|key| (format!("metadata.{key}"), Text, Source::Key(key.clone())));
    let field = |(name, column_type, source)| {
        let nullable = matches!(source, Source::TypeName | Source::Text | Source::Key(_));
        Field { name, column_type, nullable, source }
    };
    known.chain(keys).map(field).collect()
}

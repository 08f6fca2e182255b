//! What the compiler hands to a store, and what it gets back.

use analytics_domain::Timestamp;
use uuid::Uuid;

/// Whose SQL a statement is written in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Dialect {
    /// PostgreSQL 15 and later, with or without TimescaleDB; parameters are `$1`, `$2`, ...
    Postgres,
    /// SQLite 3.45 and later; parameters are `?1`, `?2`, ...; instants are integers, microseconds since 1970.
    Sqlite,
}

/// A value of a statement; values of clients are only ever these, never part of the text.
#[derive(Debug, Clone, PartialEq)]
pub enum Param {
    /// Text.
    Text(String),
    /// A whole number.
    Int(i64),
    /// A double.
    Float(f64),
    /// An instant: `timestamptz` in PostgreSQL, microseconds in SQLite.
    Timestamp(Timestamp),
    /// An event's id: `uuid` in PostgreSQL, 16 bytes in SQLite.
    Uuid(Uuid),
    /// Several texts: `text[]` in PostgreSQL, a JSON array for `json_each` in SQLite.
    Texts(Vec<String>),
    /// Several whole numbers: `int8[]` in PostgreSQL, a JSON array in SQLite.
    Ints(Vec<i64>),
    /// Several instants: `timestamptz[]` in PostgreSQL, a JSON array of microseconds in SQLite.
    Timestamps(Vec<Timestamp>),
}

/// A statement that reads: text made of fixed pieces, and the parameters in their order.
#[derive(Debug, Clone, PartialEq)]
pub struct Statement {
    /// The SQL, put together from `&'static str` pieces and numbers of our own.
    pub sql: String,
    /// The parameters.
    pub params: Vec<Param>,
}

/// A value of a result row.
#[derive(Debug, Clone, PartialEq)]
pub enum Cell {
    /// SQL NULL.
    Null,
    /// `bigint`, `integer`, SQLite INTEGER.
    Int(i64),
    /// `double precision`, SQLite REAL.
    Float(f64),
    /// `text`, `varchar`; `jsonb` as its text.
    Text(String),
    /// `timestamptz` (SQLite gives [`Cell::Int`] of microseconds).
    Timestamp(Timestamp),
    /// `uuid`, SQLite BLOB of 16 bytes.
    Uuid(Uuid),
    /// `boolean`.
    Bool(bool),
    /// `bytea`, SQLite BLOB of another length.
    Bytes(Vec<u8>),
}

/// A result row, cells in the statement's order.
pub type Row = Vec<Cell>;

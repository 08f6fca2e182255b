//! The query language: a question -> a plan -> SQL text and parameters for a dialect -> the shaped answer.
//!
//! Pure: text in, text and parameters out. Nothing here reads a clock or talks to a database; the caller hands in the
//! instant, the project and what the store knows ([`Context`]), runs the statements, and hands the rows back.

pub mod statement;

pub use statement::{Cell, Dialect, Param, Row, Statement};

//! The query language: a question -> a plan -> SQL text and parameters for a dialect -> the shaped answer.
//!
//! Pure: text in, text and parameters out. Nothing here reads a clock or talks to a database; the caller hands in the
//! instant, the project and what the store knows ([`Context`]), runs the statements, and hands the rows back.
//!
//! Every kind of question is [`Askable`]: [`plan()`] gives its plan, which is [`Executable`]: `statements(dialect)`, and
//! an `intake()` that is handed their rows as they come. [`Question`] (metrics and dimensions, with the shorthands trends,
//! breakdown and property values), [`FunnelQuestion`] (how many go through steps), [`PathsQuestion`] (what follows what),
//! [`RetentionQuestion`] (who comes back), [`SessionsQuestion`], [`SessionQuestion`] and [`UserQuestion`] (sessions and
//! timelines), [`EventsQuestion`] (the events themselves) and [`PropertiesQuestion`] (which properties there are). An
//! [`ExportQuestion`] alone is answered by as many statements as its events take.
//!
//! What every store must agree on is decided here and documented where it is: ranges in [`date_range`], buckets in
//! [`bucket`], filters and what the text of a value is in [`filter`], paths in [`property`], figures in [`metric`].
#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used, reason = "a test may panic"))]

pub mod actor;
pub mod answer;
pub mod bucket;
mod columns;
pub mod context;
pub mod corpus;
mod cursor;
pub mod date_range;
pub mod dimension;
pub mod error;
pub mod event_record;
pub mod events;
pub mod export;
pub mod field;
pub mod filter;
mod folding;
pub mod formula;
pub mod funnel;
pub mod glob;
mod ground;
pub mod intake;
pub mod looking;
pub mod metric;
pub mod page;
pub mod paths;
pub mod plan;
pub mod properties;
pub mod property;
pub mod question;
mod question_intake;
mod reading;
pub mod retention;
mod row_order;
mod scan;
mod selection;
pub mod sessions;
mod shape;
pub mod shorthand;
mod sql;
pub mod statement;
mod tally;
pub mod zone;

pub use actor::Actor;
pub use answer::{
    Answer, Column, ColumnKind, DataType, Exactness, Figure, Meta, NormalisedQuery, ResultRow, Source, Warning,
};
pub use bucket::Buckets;
pub use context::Context;
pub use date_range::{Compare, DateRange, Range};
pub use dimension::{Dimension, Interval};
pub use error::{QueryError, QueryErrorCode};
pub use event_record::EventRecord;
pub use events::{EventsAnswer, EventsPlan, EventsQuestion};
pub use export::{ExportPlan, ExportQuestion, Place};
pub use field::Field;
pub use filter::{EventFilters, Filter, NumberOperator, TextOperator};
pub use formula::Formula;
pub use funnel::{FunnelAnswer, FunnelPlan, FunnelQuestion};
pub use intake::{Gathered, Gathering, Intake};
pub use looking::Looking;
pub use metric::{Aggregate, Metric};
pub use page::PageMeta;
pub use paths::{PathsAnswer, PathsPlan, PathsQuestion};
pub use plan::{Askable, Executable, Plan, ROW_BUDGET, plan};
pub use properties::{PropertiesAnswer, PropertiesPlan, PropertiesQuestion};
pub use property::Property;
pub use question::{OrderBy, OrderColumn, Question};
pub use question_intake::QuestionIntake;
pub use retention::{RetentionAnswer, RetentionQuestion};
pub use scan::ScanMeta;
pub use selection::OTHER_VALUE;
pub use sessions::{SessionAnswer, SessionQuestion, SessionsAnswer, SessionsQuestion, UserAnswer, UserQuestion};
pub use shorthand::Given;
pub use statement::{Cell, Dialect, Param, Row, Statement};
pub use zone::Zone;

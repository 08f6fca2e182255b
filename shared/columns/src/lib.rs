//! The events of a quarter of an hour, column by column: what questions are answered from without reading raw rows.
//!
//! Pure: rows in, bytes out, and back. Which quarters are to be made anew and where the bytes are kept is the store's; what is
//! counted over them is the question's.
//!
//! A quarter begins at a multiple of fifteen minutes since 1970: every zone in use since then changes its days and hours there.
#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used, reason = "a test may panic"))]

mod actors;
mod block;
mod bytes;
mod codes;
mod encoded_set;
mod metadata;
mod number_set;
mod quarter;
mod segment;
mod texts;
mod times;

pub use actors::Actors;
pub use block::{BLOCK_SOURCES, Block, BlockCount, BlockMaker};
pub use bytes::Corrupt;
pub use metadata::{METADATA, metadata_column};
pub use number_set::NumberSet;
pub use quarter::Quarter;
pub use segment::{ACTOR, ACTORS, Column, EVENT_ACTION, EVENT_TYPE, EventRow, Segment, TIME, columns};
pub use texts::Texts;

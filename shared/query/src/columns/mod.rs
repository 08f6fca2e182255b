//! Questions answered from columns: the events of each quarter of an hour as the store keeps them, and the raw rows of quarters
//! that have changed since their columns were made, which are read as if they had been.
//!
//! What comes out is what the SQL over raw rows gives: the same groups, the same aggregates.

mod counting;
mod crew;
mod group;
mod grouping;
mod kinds;
mod lane;
mod mask;
mod part;
mod reader;
mod scanning;
mod shards;
mod starting;
mod statements;
mod staying;
mod threads;
mod turns;
mod values;

#[cfg(test)]
mod tests;

pub(crate) use counting::Counting;
pub(crate) use group::Counted;
pub(crate) use reader::ColumnReader;
pub(crate) use scanning::Scanning;
pub(crate) use starting::Starting;
pub(crate) use statements::{STATEMENTS, statements};
pub(crate) use staying::{Staying, UnitStay};
pub(crate) use threads::Threads;
pub(crate) use turns::{Turn, TurnReader, Turns};
pub(crate) use values::{can_be_judged, can_be_read};

//! The collector: takes events, checks them and puts them on the queue.
//!
//! [`router`] is the whole role as an axum router; [`CollectorDeps`] is what it needs. The way of a request is one page of
//! verbs, the module `collect`, and each verb is a file:
//!
//! authenticate -> accept (media type, content encoding) -> enrich (what the request tells) -> receive -> judge (inflate, decode,
//! limit) -> enqueue -> answer
//!
//! An event is answered with 202 only after it is durable in the queue; whatever is refused is told with a stable code, and
//! memory stays bounded whatever comes. The crate links neither the store nor the query language.
#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used, reason = "a test may panic"))]

mod accept;
mod answer;
mod authenticate;
mod budget;
mod collect;
mod deps;
pub mod durability;
mod enqueue;
mod enrich;
mod event_ids;
mod inflate;
mod judge;
mod late_queue;
mod limit;
pub mod made_keys;
mod meters;
mod receive;
mod refusal;
pub mod retention;
mod router;

pub use deps::{CollectorDeps, Limits};
pub use enrich::{Countries, CountriesError, Enrichment};
pub use event_ids::EventIds;
pub use late_queue::LateQueue;
pub use made_keys::MadeKeys;
pub use router::router;

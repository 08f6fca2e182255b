//! The live feed over WebSocket and server-sent events.
//!
//! What was stored is told by the [`Feed`](analytics_messaging::Feed); one task a project ([`fanout`]) reads it once and
//! hands each event to the bounded queue of every reader that wants it ([`outbox`]). Neither the feed nor a reader ever
//! waits for another reader. A live query ([`live_query`]) is run once for all who ask it.
//!
//! Everything about one connection ends with it: its subscriptions are values whose drop takes them off the lists.

#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used, reason = "a test may panic"))]
#![allow(rustdoc::private_intra_doc_links, reason = "the tour above names the crate's own rooms")]

mod admission;
mod event_filter;
mod fanout;
mod limits;
mod live_query;
mod message;
mod meters;
mod origin;
mod outbox;
mod payload;
mod rate;
mod reader;
mod recent;
mod refusal;
mod resume;
mod router;
mod socket;
mod sse;
mod store_queries;
mod subscription;

pub use limits::Limits;
pub use live_query::LiveQueries;
pub use refusal::Refusal;
pub use router::{Realtime, RealtimeDeps, router};
pub use store_queries::StoreQueries;

//! The HTTP edge: accepts connections with every bound that a public server needs, and drains them at the end.
//!
//! One loop accepts, and looks over all connections a few times a second: who sends a request's head too slowly, does not
//! read the answer, or has been idle for long. So a connection costs no timer of its own and a request none at all; the
//! library's own head timeout sets one for every request and closes idle connections by the same bound, which is far too
//! early for a balancer that keeps its connections open.

#[cfg(feature = "edge")]
mod accept;
#[cfg(feature = "edge")]
mod connection;
#[cfg(feature = "edge")]
mod files;
mod limits;
#[cfg(feature = "edge")]
mod pulse;
#[cfg(feature = "edge")]
mod refusal;
#[cfg(feature = "edge")]
mod upload;
#[cfg(feature = "edge")]
mod watch;
#[cfg(feature = "edge")]
mod wire;

#[cfg(feature = "edge")]
pub use accept::run;
pub use limits::EdgeLimits;

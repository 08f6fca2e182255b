//! The edge and what hangs on it, over real sockets.

mod bodies;
mod drain;
mod harness;
mod refusals;
mod requests;
mod signals;
mod slowness;

//! The edge and what hangs on it, over real sockets.

mod bodies;
mod drain;
mod harness;
mod pages;
mod refusals;
mod requests;
mod settings;
mod signals;
mod slowness;

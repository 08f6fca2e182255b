//! Amazon SQS, as moto's server answers it.
//!
//! It keeps everything in memory and takes any credentials. What it does not do as SQS does: it keeps the order, counts
//! exactly, and lets an old receipt change a message's hold. A request that it is to answer as SQS can and moto never
//! does goes through a [`SqsProxy`].

mod ask;
mod proxy;
mod server;

pub use proxy::{Forward, Reply, SqsProxy};
pub use server::{MOTO_VARIABLE, SqsServer};

//! The queue on Amazon SQS, a standard queue with a redrive policy.
//!
//! An entry is a message: its body is text, as [`pack`] writes it. An entry larger than the queue takes at once is split by
//! events, and each part is a batch of its own. What is received too often without being acknowledged (a worker that dies of
//! it) is moved by the queue itself to its dead-letter queue; what can be read and not be stored goes to the store's own table
//! of dead letters, as with every other queue. SQS knows nothing of projects and events: the depth counts messages, and
//! events are an estimate.

mod client;
mod consumer;
mod options;
mod parts;
mod producer;
mod queue;
mod text;

pub use options::{SqsEndpoint, SqsOptions};
pub use queue::SqsQueue;
pub use text::{pack, unpack};

//! The queue on Amazon SQS, standard queues.
//!
//! A message is one entry: its envelope, zstd where that makes it smaller, as base64, since SQS takes text only. Calls that
//! come together share a request. What SQS gives away is given away here too: no order, no depth a project, no word of the
//! retention, and an entry may come twice without anybody's fault.
//!
//! Dead letters are of two kinds. What cannot be stored (no envelope, a refused event) goes to the store's own table and
//! leaves the queue. What is received too often without an answer goes to the queue's dead-letter queue, by the redrive
//! policy that whoever made the queue gave it.
//!
//! On Lambda a process stands still between requests. So nothing here runs once the last caller has its answer.

mod attributes;
mod batch;
mod body;
mod consumer;
mod fault;
mod link;
mod mean;
mod options;
mod producer;
mod queue;
mod split;

pub use body::{pack, unpack};
pub use options::{SqsEndpoint, SqsOptions};
pub use queue::SqsQueue;

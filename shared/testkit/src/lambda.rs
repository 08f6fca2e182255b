//! Functions, as the emulator of cargo-lambda runs them.
//!
//! [`LambdaEmulator`] is the runtime's API and takes invocations; [`FunctionInstance`]s are our own programs, started beside
//! it, so that each can be killed; [`Gateway`] stands for Amazon's HTTP API in front of a function, [`Poller`] for the event
//! source that takes messages from SQS to one. [`Functions`] is all of it together, as a deployment.

mod emulator;
mod function;
mod functions;
mod gateway;
mod poller;

pub use emulator::{CARGO_LAMBDA_VARIABLE, LambdaEmulator, cargo_lambda};
pub use function::FunctionInstance;
pub use functions::Functions;
pub use gateway::Gateway;
pub use poller::{Poller, PollerOptions};

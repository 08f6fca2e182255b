//! `analytics`: the single process and the command line.
#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used, reason = "a test may panic"))]

mod backup;
mod command;
mod dead_letters;
mod demo;
mod doctor;
mod erase_user;
mod healthcheck;
mod http;
mod import;
mod keys;
mod migrate;
mod output;
mod reach;
mod serve;
mod stack;

use std::error::Error;
use std::process::ExitCode;

use analytics_host::program;
use clap::Parser;

use crate::command::Command;
use crate::output::remark;

/// Event analytics that counts each event once: send batches of events, ask about them, watch them live.
///
/// Without a command it serves everything in one process on http://127.0.0.1:4000 and keeps its data in ./data.
/// Settings are variables of the environment; docs/configuration.md lists them all.
#[derive(Debug, Parser)]
#[command(name = "analytics", version, max_term_width = 100)]
struct Arguments {
    #[command(subcommand)]
    command: Option<Command>,
}

fn main() -> ExitCode {
    // The one place that reads the environment.
    let variables = program::variables(std::env::vars_os());
    let command = Arguments::parse().command.unwrap_or(Command::Serve);
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return fail(&error),
    };
    match runtime.block_on(command.run(&variables)) {
        Ok(code) => output::finished(code),
        Err(error) => fail(error.as_ref()),
    }
}

/// Tells an error and what it came from, each on a line of its own.
fn fail(error: &(dyn Error + 'static)) -> ExitCode {
    remark(format_args!("error: {error}"));
    let mut source = error.source();
    while let Some(cause) = source {
        remark(format_args!("  because: {cause}"));
        source = cause.source();
    }
    ExitCode::FAILURE
}

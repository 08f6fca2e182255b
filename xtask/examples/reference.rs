//! Prints a page that is made from the code: `cargo run --package xtask --example reference -- configuration`.
//!
//! An example, so that `cargo xtask` itself builds without the dependencies of the servers.
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "its output is the page")]

use std::process::ExitCode;

fn main() -> ExitCode {
    let page = match std::env::args().nth(1).as_deref() {
        Some("configuration") => analytics_host::config::reference(),
        Some("metrics") => analytics_host::metrics::reference(),
        other => {
            eprintln!("no page {other:?}: configuration or metrics");
            return ExitCode::FAILURE;
        }
    };
    print!("{page}");
    ExitCode::SUCCESS
}

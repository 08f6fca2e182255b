//! The serverless deployment on one machine: `cargo xtask lambda`.
#![allow(clippy::print_stdout, reason = "it speaks on the terminal")]

use std::error::Error;
use std::path::PathBuf;
use std::sync::Arc;

use analytics_testkit::lambda::{Functions, LambdaEmulator};
use analytics_testkit::postgres::{Database, Edition, PostgresOptions, PostgresServer};
use analytics_testkit::{Result, TestkitError};

/// The key that questions are asked with.
const KEY: &str = "local-reading-key";

fn main() -> std::result::Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let port = arguments.next().unwrap_or_default().parse()?;
    let programs = PathBuf::from(arguments.next().unwrap_or_default());
    println!("starting PostgreSQL, SQS, and the emulator of cargo-lambda on port {port} ...");
    let server = Arc::new(PostgresServer::start(PostgresOptions::new(Edition::Timescale17))?);
    let database = Database::create(&server)?;
    let emulator = LambdaEmulator::start_on(port)?;
    let variables = [("API_KEYS".to_owned(), format!("{KEY}:default:admin"))];
    let find = |name: &'static str| -> Result<PathBuf> {
        let program = programs.join(name);
        match program.exists() {
            true => Ok(program),
            false => Err(TestkitError::NotInstalled { program: name, looked_for: program }),
        }
    };
    let functions = Functions::start(emulator, &database.url(), &variables, find)?;
    println!(
        r#"
collector, api and processor run as functions; what they store goes with them.

  curl http://localhost:{port}/lambda-url/collector/collect -H 'Content-Type: application/json' \
    -d '{{"session_id":"s1","event_type":"navigation","event_action":"pageview"}}'
  curl 'http://localhost:{port}/lambda-url/api/api/trends?range=7d' -H 'Authorization: Bearer {KEY}'

SQS queue: {}
Database:  {}

Ctrl-C ends all of it."#,
        functions.queue_url,
        database.url(),
    );
    loop {
        std::thread::park();
    }
}

//! Functions as they are deployed: the weight of their archives, and from the start of an instance to its first answer.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use analytics_testkit::lambda::{FunctionInstance, LambdaEmulator, cargo_lambda};
use analytics_testkit::postgres::{Database, Edition, PostgresOptions, PostgresServer};
use analytics_testkit::sqs::SqsServer;
use flate2::Compression;
use flate2::write::DeflateEncoder;

use crate::Outcome;
use crate::program::asks_ok;
use crate::table::{Table, median};

const TURNS: usize = 7;

/// Function, the folder that it is built in, and the most that its archive may weigh, in MB.
const FUNCTIONS: [(&str, &str, f64); 3] =
    [("processor", "worker", 8.0), ("collector", "functions/collector", 3.0), ("api", "functions/api", 8.0)];

/// The longest that an instance may take to its first answer, in milliseconds.
const FIRST_ANSWER: f64 = 50.0;

/// Builds each function as `sam build` does, weighs it, and starts it seven times under the emulator; the first start of the
/// processor, which makes the schema, is not counted.
pub fn measure(table: &mut Table) -> Outcome<()> {
    let sqs = SqsServer::start()?;
    let (queue_url, _) = sqs.create_queue_with_dead_letters("events", 10, &[])?;
    let server = std::sync::Arc::new(PostgresServer::start(PostgresOptions::new(Edition::Timescale17))?);
    let database = Database::create(&server)?;
    let emulator = LambdaEmulator::start()?;
    let variables = [
        ("AWS_REGION", SqsServer::REGION),
        ("AWS_ACCESS_KEY_ID", "test"),
        ("AWS_SECRET_ACCESS_KEY", "test"),
        ("AWS_ENDPOINT_URL", &sqs.endpoint()),
        ("SQS_QUEUE_URL", &queue_url),
        ("DATABASE_URL", &database.url()),
        ("API_KEYS", "bench_key_0123456789"),
        ("RETENTION_DAYS", "90"),
        ("LOG_LEVEL", "warn"),
    ]
    .map(|(name, value)| (name.to_owned(), value.to_owned()));
    for (function, folder, limit) in FUNCTIONS {
        let program = build(function, folder)?;
        table.at_most(&format!("archive of the function {function}"), weigh(&program)?, limit, "MB");
        let mut times = Vec::new();
        for turn in 0..=TURNS {
            let began = Instant::now();
            let mut instance = FunctionInstance::start(&emulator, function, &program, &variables)?;
            answer(&emulator, function)?;
            if turn > 0 {
                times.push(began.elapsed().as_secs_f64() * 1_000.0);
            }
            instance.kill9();
            // The emulator takes a moment to see that the instance waits for no more work.
            std::thread::sleep(Duration::from_millis(300));
        }
        table.at_most(&format!("instance of {function} to first answer"), median(times), FIRST_ANSWER, "ms");
    }
    Ok(())
}

/// Waits for the function's first answer: a request for its health, or no messages at all.
fn answer(emulator: &LambdaEmulator, function: &str) -> Outcome<()> {
    if function == "processor" {
        emulator.invoke(function, r#"{"Records":[]}"#)?;
        return Ok(());
    }
    let path = format!("/lambda-url/{function}/health/live");
    match asks_ok(&emulator.address().to_string(), &path) {
        true => Ok(()),
        false => Err(format!("{function} did not answer; the emulator says:\n{}", emulator.log()).into()),
    }
}

/// Builds a function in its folder, with the settings that hold there; where its program is.
fn build(function: &str, folder: &str) -> Outcome<PathBuf> {
    let workspace = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    eprintln!("building {function} as it is deployed");
    let cargo_lambda = cargo_lambda()?;
    // It finds the linker beside itself.
    let beside = cargo_lambda.parent().unwrap_or(Path::new("."));
    let path = std::env::join_paths(
        std::iter::once(beside.to_owned()).chain(std::env::split_paths(&std::env::var_os("PATH").unwrap_or_default())),
    )?;
    let built = Command::new(&cargo_lambda)
        .args(["lambda", "build", "--release", "--quiet", "--bin", function])
        .current_dir(workspace.join(folder))
        .env("PATH", path)
        .status()?;
    if !built.success() {
        return Err(format!("cargo lambda build of {function} ended with {built}").into());
    }
    let target = std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| workspace.join("target"), PathBuf::from);
    Ok(target.join("lambda").join(function).join("bootstrap"))
}

/// Megabytes of an archive with the program in it.
fn weigh(program: &Path) -> Outcome<f64> {
    let mut archive = DeflateEncoder::new(Vec::new(), Compression::best());
    archive.write_all(&std::fs::read(program)?)?;
    Ok(archive.finish()?.len() as f64 / 1e6)
}

//! `ledger`: runs seeds until one is red, or proves that a broken processor is found.
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "a command-line tool speaks on its terminal")]

use std::error::Error;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};
use std::time::Duration;

use analytics_ledger::{Form, Programs, Report, Settings, run};
use analytics_testkit::postgres::Edition;
use clap::{Parser, ValueEnum};

/// The processor's feature that acknowledges before the commit.
const FAULT: &str = "fault-ack-before-commit";

/// Seeds after which the proof has failed.
const PROOF_SEEDS: u64 = 3;

/// Kills programs and servers under load and checks that every acknowledged event is stored exactly once.
///
/// Status 0: every seed was green. Status 1: a rule was broken, or nothing could be judged; the report says what.
#[derive(Debug, Parser)]
#[command(name = "cargo xtask ledger", bin_name = "cargo xtask ledger")]
struct Arguments {
    /// How many seeds are run, one after the other.
    #[arg(long, default_value_t = 1)]
    seeds: u64,
    /// The first of them: the one that a red report names.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// What is run.
    #[arg(long, value_enum, default_value_t = Forms::All)]
    form: Forms,
    /// How many seconds the load of a seed lasts at least.
    #[arg(long, default_value_t = 30, value_parser = clap::value_parser!(u64).range(1..=3_600))]
    seconds: u64,
    /// The PostgreSQL of roles and functions; `each` takes them in turn.
    #[arg(long, value_enum, default_value_t = Editions::Each)]
    edition: Editions,
    /// Over how many streams of Redis the collector of the roles spreads events.
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=64))]
    shards: u32,
    /// The folder of the programs; else the one that this program is in.
    #[arg(long)]
    programs: Option<PathBuf>,
    /// Another `processor` than the folder's; with `--prove`, the broken one, which is then not built.
    #[arg(long)]
    processor: Option<PathBuf>,
    /// Where the logs of a red run are put.
    #[arg(long)]
    logs: Option<PathBuf>,
    /// Show that the ledger can fail: run a processor that acknowledges before the commit, and want a red report.
    #[arg(long, conflicts_with_all = ["form", "seeds", "edition"])]
    prove: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Forms {
    /// `analytics serve`.
    Single,
    /// Collector, processor and api on Redis and PostgreSQL.
    Roles,
    /// Collector, processor and api as functions on SQS and PostgreSQL.
    Functions,
    /// One after the other.
    All,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Editions {
    /// PostgreSQL 15.
    Plain,
    /// PostgreSQL 17 with TimescaleDB.
    Timescale,
    /// Odd seeds the plain one, even seeds TimescaleDB.
    Each,
}

impl Editions {
    fn of(self, seed: u64) -> Edition {
        match self {
            Self::Plain => Edition::Plain15,
            Self::Timescale => Edition::Timescale17,
            Self::Each if seed % 2 == 1 => Edition::Plain15,
            Self::Each => Edition::Timescale17,
        }
    }
}

#[tokio::main]
async fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let done = if arguments.prove { prove(&arguments).await } else { check(&arguments).await };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let mut sentence = error.to_string();
            let mut next = error.source();
            while let Some(source) = next {
                sentence.push_str(&format!(": {source}"));
                next = source.source();
            }
            eprintln!("failed: {sentence}");
            ExitCode::FAILURE
        }
    }
}

async fn check(arguments: &Arguments) -> Result<(), Box<dyn Error>> {
    let forms: &[Form] = match arguments.form {
        Forms::Single => &[Form::Single],
        Forms::Roles => &[Form::Roles],
        Forms::Functions => &[Form::Functions],
        Forms::All => &[Form::Single, Form::Roles, Form::Functions],
    };
    let programs = Programs { processor: processor(arguments)?, ..Programs::of(programs(arguments)?) };
    let mut runs = 0;
    let mut red = Vec::new();
    for seed in arguments.seed..arguments.seed.saturating_add(arguments.seeds) {
        for form in forms {
            let report = run_seed(arguments, seed, *form, arguments.edition.of(seed), programs.clone()).await?;
            runs += 1;
            if !report.is_green() {
                red.push(format!("--form {} --seed {seed}", form.name()));
            }
        }
    }
    if red.is_empty() {
        println!("{runs} runs, all green");
        return Ok(());
    }
    Err(format!("{} of {runs} runs are red; again with: cargo xtask ledger {}", red.len(), red.join(" | ")).into())
}

async fn prove(arguments: &Arguments) -> Result<(), Box<dyn Error>> {
    let broken = match processor(arguments)? {
        Some(broken) => broken,
        None => build_broken_processor()?,
    };
    let programs = Programs { processor: Some(broken), ..Programs::of(programs(arguments)?) };
    for seed in arguments.seed..arguments.seed.saturating_add(PROOF_SEEDS) {
        let report = run_seed(arguments, seed, Form::Roles, Edition::Plain15, programs.clone()).await?;
        // Anything else that is red would prove nothing about lost events.
        if report.balance.missing > 0 {
            println!("proved: {} events lost by a processor with {FAULT} were found missing", report.balance.missing);
            return Ok(());
        }
    }
    Err(format!("the ledger stayed without a missing event for {PROOF_SEEDS} seeds of a processor with {FAULT}").into())
}

async fn run_seed(
    arguments: &Arguments,
    seed: u64,
    form: Form,
    edition: Edition,
    programs: Programs,
) -> Result<Report, Box<dyn Error>> {
    let (seconds, shards, logs) = (arguments.seconds, arguments.shards, arguments.logs.clone());
    let settings = Settings { seed, form, edition, shards, seconds, programs, logs };
    // Load and faults are bounded, each restart and the draining too; this is for what nobody thought of.
    let limit = Duration::from_secs(seconds * 20 + 600);
    let report = tokio::time::timeout(limit, run(&settings)).await;
    let report = report.map_err(|_| format!("form {} with seed {seed} hangs after {limit:?}", form.name()))??;
    println!("{report}");
    Ok(report)
}

/// Builds it into a folder of its own, so that no other run can take it for the real one.
fn build_broken_processor() -> Result<PathBuf, Box<dyn Error>> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap_or(Path::new("."));
    // Beside the folder of this program: `target/debug` has `target/fault`.
    let own = std::env::current_exe()?;
    let target = own.ancestors().nth(2).unwrap_or(root).join("fault");
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let status = Command::new(cargo)
        .current_dir(root)
        .args(["build", "--package", "analytics-worker", "--bin", "processor", "--features", FAULT, "--target-dir"])
        .arg(&target)
        .status()?;
    if !status.success() {
        return Err(format!("the processor with {FAULT} cannot be built: cargo ended with {status}").into());
    }
    Ok(target.join("debug/processor"))
}

fn processor(arguments: &Arguments) -> std::io::Result<Option<PathBuf>> {
    arguments.processor.as_deref().map(std::path::absolute).transpose()
}

fn programs(arguments: &Arguments) -> Result<PathBuf, Box<dyn Error>> {
    if let Some(folder) = &arguments.programs {
        return Ok(std::path::absolute(folder)?);
    }
    let own = std::env::current_exe()?;
    Ok(own.parent().unwrap_or(Path::new(".")).to_owned())
}

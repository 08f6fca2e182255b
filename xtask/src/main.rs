//! Chores of the workspace: `cargo xtask --help`.
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "a command-line tool speaks on its terminal")]
#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used, reason = "a test may panic"))]

mod command;
mod compose;
mod deb;
mod failure;
mod pairs;
mod parity;
mod pictures;
mod reference;
mod steps;
mod tidy;
mod workspace;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

use failure::Failure;
use workspace::Workspace;

/// Chores of the workspace. `cargo xtask test` is the one command that has to be green.
#[derive(Debug, Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask", arg_required_else_help = true)]
struct Arguments {
    #[command(subcommand)]
    chore: Chore,
}

#[derive(Debug, Subcommand)]
enum Chore {
    /// Run everything that has to be green, from a bare Debian machine with Rust.
    ///
    /// The steps, in this order: setup, fmt, tidy, clippy, doc, docs, template, deploy, build, web, test, prove, sam. The first that fails
    /// ends the run with a sentence that says which, and status 1. No step asks anything or needs a terminal.
    Test {
        /// Run only these steps.
        #[arg(long, value_name = "STEP", value_delimiter = ',', conflicts_with = "skip")]
        only: Vec<steps::Step>,
        /// Leave these steps out: `--skip setup` on a machine that has everything.
        #[arg(long, value_name = "STEP", value_delimiter = ',')]
        skip: Vec<steps::Step>,
        /// Handed on to `cargo test`: `cargo xtask test --only test -- --package analytics-store`.
        #[arg(last = true, value_name = "ARGUMENT")]
        arguments: Vec<String>,
    },
    /// Put what the tests need on this machine: packages, and in a cache folder PostgreSQL 17 with TimescaleDB and Python tools.
    ///
    /// Runs `scripts/setup`: as root, or with sudo for the packages. What is there is left alone.
    Setup,
    /// Check the rules of the house that the compiler does not know.
    ///
    /// Lengths and names of files, directions between crates, what may read the clock and the environment, reasons of
    /// allowed lints, licences and banned packages. Each finding names its rule and place.
    Tidy {
        /// Print the rules and what they are for, and check nothing.
        #[arg(long)]
        rules: bool,
    },
    /// Write the reference pages in `docs/` that are made from the code, and the pictures that are drawn of published answers.
    Docs {
        /// Write nothing; fail where a page differs from the code.
        #[arg(long)]
        check: bool,
    },
    /// Run the serverless deployment on this machine: collector, api and processor as functions, until Ctrl-C.
    ///
    /// Builds the three programs, and starts them under the emulator of `cargo lambda watch`, on a PostgreSQL and a stand-in
    /// for SQS of their own. What is stored is gone in the end.
    Lambda {
        /// Where functions are called: http://localhost:PORT/lambda-url/FUNCTION/PATH.
        #[arg(long, default_value_t = 9_000)]
        port: u16,
    },
    /// Run the black-box suite on one process, four roles and functions, compare their answers, and say how many cases ran on each.
    ///
    /// `cargo xtask test` runs the same cases among all others.
    Parity {
        /// Handed on to the test program: `cargo xtask parity -- collect::`.
        #[arg(last = true, value_name = "ARGUMENT")]
        arguments: Vec<String>,
    },
    /// Bring docker-compose.yml up on this machine, and ask it for what it promises; root, and Debian packages.
    ///
    /// An engine of its own, images of servers made of Debian's packages, the shipped file with TLS: sizes and rights, the one
    /// door, two projects, a live socket, kills under load with an account afterwards, replicas that come back. Not a step of
    /// `test`: it takes an engine, which not every machine may run.
    ComposeCheck {
        /// Build the programs in the image, by the whole Dockerfile, and not outside.
        #[arg(long, conflicts_with = "programs")]
        in_image: bool,
        /// Take the programs of this folder, and build nothing.
        #[arg(long, value_name = "FOLDER")]
        programs: Option<PathBuf>,
        /// Leave the containers for a look.
        #[arg(long)]
        keep: bool,
    },
    /// Make Debian packages of the single process and of the four roles, with their units, in `target/debian`.
    Deb {
        /// Take the programs of this folder, and build nothing; unless said, they are built for release.
        #[arg(long, value_name = "FOLDER")]
        programs: Option<PathBuf>,
    },
    /// Prove under kills that every acknowledged event is stored exactly once; `cargo xtask ledger --help` says how.
    #[command(disable_help_flag = true)]
    Ledger {
        /// Handed on to the ledger program.
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        arguments: Vec<String>,
    },
    /// Run a benchmark of `bench/`, built for release; `cargo xtask bench --help` lists them.
    #[command(disable_help_flag = true)]
    Bench {
        /// Handed on to the benchmark program.
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        arguments: Vec<String>,
    },
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    match Workspace::find().and_then(|workspace| run(&workspace, arguments.chore)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("\nfailed: {failure}");
            ExitCode::FAILURE
        }
    }
}

fn run(workspace: &Workspace, chore: Chore) -> Result<(), Failure> {
    match chore {
        Chore::Test { only, skip, arguments } => steps::run(workspace, &only, &skip, &arguments),
        Chore::Setup => steps::setup(workspace),
        Chore::Tidy { rules: true } => {
            tidy::print_rules();
            Ok(())
        }
        Chore::Tidy { rules: false } => tidy::run(workspace),
        Chore::Docs { check } => reference::run(workspace, check),
        Chore::Lambda { port } => steps::functions(workspace, port),
        Chore::Parity { arguments } => parity::run(workspace, &arguments),
        Chore::ComposeCheck { in_image, programs, keep } => {
            let programs = match programs {
                Some(folder) => compose::Programs::Folder(folder),
                None if in_image => compose::Programs::InImage,
                None => compose::Programs::Outside,
            };
            compose::check(workspace, &programs, keep)
        }
        Chore::Deb { programs } => {
            let target = steps::target(workspace);
            let programs = match programs {
                Some(folder) => folder,
                None => {
                    steps::build_release(workspace)?;
                    target.join("release")
                }
            };
            for package in deb::make(workspace, &programs, &target.join("debian"))? {
                println!("{}", package.display());
            }
            Ok(())
        }
        Chore::Ledger { arguments } => {
            // It runs the programs that lie beside it.
            steps::build(workspace)?;
            steps::ledger(workspace, arguments)
        }
        Chore::Bench { arguments } => {
            // Functions are built as they are deployed, by the benchmark itself; questions need no program.
            if arguments.first().is_none_or(|part| part != "lambda" && part != "query") {
                steps::build_release(workspace)?;
            }
            command::Command::cargo(workspace)
                .arguments(["run", "--release", "--quiet", "--package", "analytics-bench", "--"])
                .arguments(arguments)
                .run()
        }
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    #[test]
    fn the_command_line_is_consistent() {
        super::Arguments::command().debug_assert();
    }
}

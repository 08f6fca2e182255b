//! The steps of `cargo xtask test`.

use std::time::{Duration, Instant};

use clap::ValueEnum;

use crate::command::Command;
use crate::failure::Failure;
use crate::pairs::Pairs;
use crate::workspace::Workspace;
use crate::{reference, tidy};

/// A step of the test run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Step {
    /// What the tests need is put on the machine.
    Setup,
    /// The code is formatted by `rustfmt.toml`.
    Fmt,
    /// The rules of the house hold.
    Tidy,
    /// No lint of the compiler or clippy speaks.
    Clippy,
    /// The code's own documentation has no dead links.
    Doc,
    /// The generated pages are what the code says.
    Docs,
    /// The template of the serverless form keeps its promises, and deploys into an emulator.
    Template,
    /// What a deployment of one's own is made of keeps its promises: Prometheus, Grafana, nginx, Kubernetes, docker-compose, systemd,
    /// Debian packages.
    Deploy,
    /// The functions are built as they are shipped, small and for Lambda's C library.
    Sam,
    /// The programs that the black-box suite runs.
    Build,
    /// The script of web pages and the dashboard: types, sizes, unit tests, and a real browser over a real server.
    Web,
    /// Every test: unit, property, integration, black box.
    Test,
    /// A processor that acknowledges before its commit is found out by the ledger.
    Prove,
}

impl Step {
    const ALL: [Self; 13] = [
        Self::Setup,
        Self::Fmt,
        Self::Tidy,
        Self::Clippy,
        Self::Doc,
        Self::Docs,
        Self::Template,
        Self::Deploy,
        Self::Build,
        Self::Web,
        Self::Test,
        Self::Prove,
        Self::Sam,
    ];

    fn name(self) -> &'static str {
        match self {
            Self::Setup => "setup",
            Self::Fmt => "fmt",
            Self::Tidy => "tidy",
            Self::Clippy => "clippy",
            Self::Doc => "doc",
            Self::Docs => "docs",
            Self::Template => "template",
            Self::Deploy => "deploy",
            Self::Sam => "sam",
            Self::Build => "build",
            Self::Web => "web",
            Self::Test => "test",
            Self::Prove => "prove",
        }
    }
}

/// Runs the chosen steps until one fails, and tells how long each took.
pub(crate) fn run(workspace: &Workspace, only: &[Step], skip: &[Step], arguments: &[String]) -> Result<(), Failure> {
    let chosen = |step: &Step| (only.is_empty() || only.contains(step)) && !skip.contains(step);
    let mut tally = Tally::default();
    let mut times: Vec<(&str, Duration)> = Vec::new();
    let started = Instant::now();
    for step in Step::ALL.into_iter().filter(chosen) {
        println!("\n=== {} ===", step.name());
        let began = Instant::now();
        let result = take(workspace, step, arguments, &mut tally);
        times.push((step.name(), began.elapsed()));
        if let Err(source) = result {
            if step == Step::Test {
                println!("\ntests: {tally}");
            }
            return Err(Failure::Step { step: step.name(), source: Box::new(source) });
        }
    }
    println!();
    for (name, time) in times {
        println!("{name:>8} {:7.1} s", time.as_secs_f64());
    }
    println!("{:>8} {:7.1} s", "all", started.elapsed().as_secs_f64());
    if tally.programs > 0 {
        println!("\ntests: {tally}");
        print!("{}", tally.pairs);
    }
    println!("everything is green");
    Ok(())
}

fn take(workspace: &Workspace, step: Step, arguments: &[String], tally: &mut Tally) -> Result<(), Failure> {
    let cargo = || Command::cargo(workspace);
    match step {
        Step::Setup => setup(workspace),
        Step::Fmt => cargo().arguments(["fmt", "--all", "--check"]).run(),
        Step::Tidy => tidy::run(workspace),
        Step::Clippy => {
            cargo().arguments(["clippy", "--workspace", "--all-targets", "--", "--deny", "warnings"]).run()?;
            // As it goes to Lambda, with less than the workspace has on; its build as shipped comes last and takes minutes.
            let function =
                ["clippy", "--package", "analytics-collector", "--no-default-features", "--features", "function"];
            cargo().arguments(function).arguments(["--", "--deny", "warnings"]).run()
        }
        Step::Doc => {
            cargo().arguments(["doc", "--workspace", "--no-deps"]).variable("RUSTDOCFLAGS", "--deny warnings").run()
        }
        Step::Docs => reference::run(workspace, true),
        Step::Template => check_template(workspace, []),
        Step::Deploy => check_deployment(workspace),
        Step::Sam => {
            // Rust is a beta feature to sam, and asked for by name.
            Command::tool(workspace, "sam").arguments(["build", "--beta-features"]).run()?;
            check_template(workspace, ["artifacts"])
        }
        Step::Build => build(workspace),
        Step::Web => check_pages(workspace),
        Step::Prove => ledger(workspace, ["--prove".to_owned()]),
        Step::Test => {
            let everything = if arguments.is_empty() { vec!["--workspace".to_owned()] } else { arguments.to_vec() };
            // All failures of a run are worth seeing, so one failing program does not stop the others.
            cargo().arguments(["test", "--no-fail-fast"]).arguments(everything).lines(|line| tally.count(line))?;
            if arguments.is_empty() { tally.pairs.suffice() } else { Ok(()) }
        }
    }
}

/// Builds every program.
pub(crate) fn build(workspace: &Workspace) -> Result<(), Failure> {
    Command::cargo(workspace).arguments(["build", "--workspace", "--bins"]).run()
}

/// Runs collector, api and processor as functions until the process is ended.
pub(crate) fn functions(workspace: &Workspace, port: u16) -> Result<(), Failure> {
    let packages = ["analytics-collector", "analytics-api", "analytics-worker"];
    let named = packages.iter().flat_map(|package| ["--package", *package]);
    Command::cargo(workspace).arguments(["build", "--bins"]).arguments(named).run()?;
    let target = target(workspace);
    Command::cargo(workspace)
        .arguments(["run", "--quiet", "--package", "analytics-testkit", "--example", "functions", "--"])
        .arguments([port.to_string().into(), target.join("debug").into_os_string()])
        .run()
}

/// Where cargo puts what it builds.
pub(crate) fn target(workspace: &Workspace) -> std::path::PathBuf {
    std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| workspace.root().join("target"), Into::into)
}

/// Runs the ledger, whose programs have to be built.
pub(crate) fn ledger(workspace: &Workspace, arguments: impl IntoIterator<Item = String>) -> Result<(), Failure> {
    Command::cargo(workspace)
        .arguments(["run", "--quiet", "--package", "analytics-ledger", "--"])
        .arguments(arguments)
        .run()
}

/// Checks and tests what browsers load, whose server has to be built.
fn check_pages(workspace: &Workspace) -> Result<(), Failure> {
    let folders: [(&str, &[&str]); 2] = [
        ("sdk/browser", &["check", "build", "size", "test:unit", "test:browser"]),
        ("dashboard", &["check", "build", "size", "test:unit", "test:browser"]),
    ];
    for (folder, scripts) in folders {
        let npm = || Command::new(workspace, "npm").arguments(["--prefix", folder]);
        npm().arguments(["ci", "--ignore-scripts", "--no-audit", "--no-fund"]).run()?;
        for script in scripts {
            npm().arguments(["run", script]).run()?;
        }
    }
    Ok(())
}

/// Builds every program as it is shipped.
pub(crate) fn build_release(workspace: &Workspace) -> Result<(), Failure> {
    Command::cargo(workspace).arguments(["build", "--release", "--workspace", "--bins"]).run()
}

/// Checks the template of the serverless form: all parts unless some are named.
fn check_template(workspace: &Workspace, parts: impl IntoIterator<Item = &'static str>) -> Result<(), Failure> {
    // No bytecode beside the sources.
    Command::tool(workspace, "python").arguments(["-B", "deploy/lambda/check"]).arguments(parts).run()
}

/// Checks the files of `deploy/` that are no template of a cloud.
fn check_deployment(workspace: &Workspace) -> Result<(), Failure> {
    Command::new(workspace, deployment_tools(workspace)?.join("python")).arguments(["-B", "deploy/check"]).run()
}

/// The folder of the programs that read the files of `deploy/`, which is made where it is not there.
pub(crate) fn deployment_tools(workspace: &Workspace) -> Result<std::path::PathBuf, Failure> {
    let folder =
        Command::new(workspace, "bash").arguments(["scripts/python-folder", "python-deploy", "python-deploy.txt"]);
    Ok(std::path::Path::new(folder.output()?.trim()).join("bin"))
}

/// Puts what the tests need on this machine.
pub(crate) fn setup(workspace: &Workspace) -> Result<(), Failure> {
    Command::new(workspace, "bash").arguments([workspace.root().join("scripts/setup")]).run()
}

/// What the test programs said at their ends, added up.
#[derive(Debug, Default, PartialEq, Eq)]
struct Tally {
    programs: u32,
    passed: u32,
    failed: u32,
    ignored: u32,
    /// The names of those that failed: what they printed lies far above.
    broken: Vec<String>,
    pairs: Pairs,
}

impl Tally {
    /// Takes a line like `test result: ok. 19 passed; 0 failed; 1 ignored; 0 measured; 0 filtered out`.
    fn count(&mut self, line: &str) {
        self.pairs.count(line);
        if let Some(name) = line.strip_prefix("test ").and_then(|rest| rest.strip_suffix(" ... FAILED")) {
            self.broken.push(name.to_owned());
        }
        let Some(rest) = line.strip_prefix("test result: ") else { return };
        let numbers = rest.split_once(". ").map_or("", |(_, numbers)| numbers);
        let mut ran = 0;
        for part in numbers.split("; ") {
            let Some((number, what)) = part.split_once(' ') else { continue };
            let Ok(number) = number.parse::<u32>() else { continue };
            match what {
                "passed" => self.passed += number,
                "failed" => self.failed += number,
                "ignored" => self.ignored += number,
                _ => continue,
            }
            ran += number;
        }
        self.programs += u32::from(ran > 0);
    }
}

impl std::fmt::Display for Tally {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { programs, passed, failed, ignored, .. } = self;
        write!(f, "{passed} passed, {failed} failed, {ignored} ignored, in {programs} programs")?;
        self.broken.iter().try_for_each(|name| write!(f, "\n  FAILED {name}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn results_are_added_up() {
        let mut tally = Tally::default();
        tally.count("running 3 tests");
        tally.count("test result: ok. 19 passed; 0 failed; 1 ignored; 0 measured; 2 filtered out; finished in 2.73s");
        tally.count("test result: ok. 0 passed; 0 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.00s");
        tally
            .count("test result: FAILED. 2 passed; 1 failed; 0 ignored; 0 measured; 0 filtered out; finished in 1.00s");
        assert_eq!(tally, Tally { programs: 2, passed: 21, failed: 1, ignored: 1, ..Tally::default() });
        assert_eq!(tally.to_string(), "21 passed, 1 failed, 1 ignored, in 2 programs");
        tally.count("test query::paging::single::a_cursor_ends ... FAILED");
        assert!(tally.to_string().ends_with("programs\n  FAILED query::paging::single::a_cursor_ends"));
    }

    #[test]
    fn every_step_is_named_as_on_the_command_line() {
        for step in Step::ALL {
            assert_eq!(step.to_possible_value().unwrap().get_name(), step.name());
        }
        assert_eq!(Step::ALL.len(), Step::value_variants().len());
    }
}

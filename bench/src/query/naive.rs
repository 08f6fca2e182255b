//! The counterpart in PostgreSQL: a plain statement over the raw tables, by psql on one connection.

use std::io::Write as _;
use std::process::{Command, Stdio};

use super::database::Base;
use super::figures::{Figures, of_lines};
use super::times::Times;
use crate::Outcome;

/// The most seconds that all runs of a statement may take, where one takes less.
const SECONDS: f64 = 10.0;
/// The most seconds of one run, as for our own questions.
pub const TIMEOUT: u32 = 30;

/// Figures and times; `None` where one run takes longer than it may.
pub fn ask(base: &Base, statement: &str) -> Outcome<Option<(Figures, Times)>> {
    let (lines, first) = match run(base, statement, 1) {
        Err(error) if error.to_string().contains("statement timeout") => return Ok(None),
        ran => ran?,
    };
    let one = first.first().copied().unwrap_or(f64::INFINITY);
    let (warm_ups, runs) = Times::that_fit(SECONDS, one);
    if runs < 2 {
        return Ok(Some((of_lines(&lines, '|'), Times::new(first))));
    }
    let (_, times) = run(base, statement, warm_ups + runs)?;
    Ok(Some((of_lines(&lines, '|'), Times::new(times.into_iter().skip(warm_ups).collect()))))
}

/// The lines of the rows, and how long each run took.
fn run(base: &Base, statement: &str, times: usize) -> Outcome<(String, Vec<f64>)> {
    let mut psql = Command::new("psql")
        .args(["--no-psqlrc", "--quiet", "--no-align", "--tuples-only", "--set", "ON_ERROR_STOP=1", base.url()])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()?;
    let mut input = psql.stdin.take().ok_or("psql has no input")?;
    write!(input, "SET statement_timeout = '{TIMEOUT}s';\n\\timing on\n")?;
    for _ in 0..times {
        writeln!(input, "{statement};")?;
    }
    drop(input);
    let output = psql.wait_with_output()?;
    if !output.status.success() {
        return Err(String::from_utf8_lossy(&output.stderr).into_owned().into());
    }
    let text = String::from_utf8(output.stdout)?;
    let time = |line: &str| line.strip_prefix("Time: ")?.split(' ').next()?.parse::<f64>().ok();
    let taken = text.lines().filter_map(time).collect();
    let lines: Vec<&str> = text.lines().filter(|line| !line.starts_with("Time: ")).collect();
    Ok((lines.join("\n"), taken))
}

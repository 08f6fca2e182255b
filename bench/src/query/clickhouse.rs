//! The counterpart in ClickHouse's engine: chDB, in a Python process that is handed statements line by line.

use std::io::{BufRead as _, BufReader, Write as _};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use serde_json::{Value, json};
use tempfile::TempDir;

use super::database::Base;
use super::figures::{Figures, of_lines};
use super::times::{RUNS, Times, WARM_UPS};
use crate::Outcome;

/// The most seconds that all runs of a statement may take, where one takes less.
const SECONDS: f64 = 10.0;

/// The rows in the order of the script's table. Each event's person is found once, here: ClickHouse has it as a column.
const EXPORT: &str = "SELECT e.timestamp AT TIME ZONE 'UTC', e.session_id, e.user_id, \
     CASE WHEN coalesce(e.user_id, s.user_id) IS NULL THEN 's' || e.session_id ELSE 'u' || coalesce(e.user_id, s.user_id) END, \
     e.event_type, e.event_action, e.metadata \
     FROM raw_events e LEFT JOIN session_users s ON s.project = e.project AND s.session_id = e.session_id";

/// A running engine; ended when dropped, its folder with it.
pub struct ClickHouse {
    child: Child,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
    /// Its version, how long it took to load, and what it takes on disk.
    pub about: String,
    _folder: TempDir,
}

impl ClickHouse {
    /// Starts it over the events of a database; an error says why there is none.
    pub fn start(base: &Base) -> Outcome<Self> {
        let folder = tempfile::tempdir()?;
        let rows = folder.path().join("events.tsv");
        let workspace = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
        let found = Command::new(workspace.join("scripts/python-folder"))
            .args(["python-chdb", "python-chdb.txt"])
            .stderr(Stdio::inherit())
            .output()?;
        if !found.status.success() {
            return Err(format!("scripts/python-folder ended with {}", found.status).into());
        }
        let python = Path::new(String::from_utf8(found.stdout)?.trim()).join("bin/python");
        let mut child = Command::new(python)
            .arg(workspace.join("bench/ask_chdb.py"))
            .args([folder.path(), &rows])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()?;
        let input = child.stdin.take().ok_or("the script has no input")?;
        let output = BufReader::new(child.stdout.take().ok_or("the script has no output")?);
        let mut engine = Self { child, input, output, about: String::new(), _folder: folder };
        // It says that it is there before rows are written for it.
        engine.read()?;
        base.psql(&format!("\\copy ({EXPORT}) TO '{}'", rows.display()))?;
        let about = engine.say(&json!({ "load": true }))?;
        engine.about = about["about"].as_str().unwrap_or_default().to_owned();
        Ok(engine)
    }

    /// Figures and times; an error says what the engine said.
    pub fn ask(&mut self, statement: &str) -> Outcome<(Figures, Times)> {
        let answer = self.say(&json!({ "ask": statement, "warm_ups": WARM_UPS, "runs": RUNS, "seconds": SECONDS }))?;
        let times = answer["millis"].as_array().map(Vec::as_slice).unwrap_or_default();
        let times = times.iter().filter_map(Value::as_f64).collect();
        Ok((of_lines(answer["lines"].as_str().unwrap_or_default(), '\t'), Times::new(times)))
    }

    fn say(&mut self, word: &Value) -> Outcome<Value> {
        writeln!(self.input, "{word}")?;
        self.input.flush()?;
        self.read()
    }

    fn read(&mut self) -> Outcome<Value> {
        let mut line = String::new();
        self.output.read_line(&mut line)?;
        if line.is_empty() {
            return Err("the script ended; run `cargo xtask setup`".into());
        }
        let answer: Value = serde_json::from_str(&line)?;
        match answer["error"].as_str() {
            Some(error) => Err(error.into()),
            None => Ok(answer),
        }
    }
}

impl Drop for ClickHouse {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

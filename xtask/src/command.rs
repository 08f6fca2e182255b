//! Programs that chores run.

use std::ffi::OsString;
use std::io::{BufRead, BufReader};
use std::process::{self, Stdio};

use crate::failure::Failure;
use crate::workspace::Workspace;

/// A program to run in the workspace's folder, without standard input.
#[derive(Debug)]
pub(crate) struct Command {
    process: process::Command,
}

impl Command {
    /// The program `name`.
    pub(crate) fn new(workspace: &Workspace, name: impl Into<OsString>) -> Self {
        let mut process = process::Command::new(name.into());
        process.current_dir(workspace.root()).stdin(Stdio::null());
        Self { process }
    }

    /// The cargo that runs this chore.
    pub(crate) fn cargo(workspace: &Workspace) -> Self {
        Self::new(workspace, std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into())).forgetting_cargo()
    }

    /// One of the Python tools that `cargo xtask setup` installs.
    pub(crate) fn tool(workspace: &Workspace, name: &str) -> Self {
        let runner = workspace.root().join("scripts/tools");
        Self::new(workspace, "bash").arguments([runner.into_os_string(), name.into()]).forgetting_cargo()
    }

    /// Forgets what the cargo that runs this chore tells it.
    fn forgetting_cargo(mut self) -> Self {
        // What cargo tells this program about itself would reach build scripts, which then run again for nothing.
        for (name, _) in std::env::vars_os() {
            let name_text = name.to_string_lossy();
            if name_text.starts_with("CARGO_PKG_") || name_text.starts_with("CARGO_MANIFEST_") {
                self.process.env_remove(&name);
            }
        }
        self
    }

    /// Adds arguments.
    pub(crate) fn arguments<T: Into<OsString>>(mut self, arguments: impl IntoIterator<Item = T>) -> Self {
        self.process.args(arguments.into_iter().map(Into::into));
        self
    }

    /// Sets a variable.
    pub(crate) fn variable(mut self, name: &str, value: &str) -> Self {
        self.process.env(name, value);
        self
    }

    /// Runs it with its output on the terminal.
    pub(crate) fn run(mut self) -> Result<(), Failure> {
        let status = self.process.status().map_err(Failure::io(format!("start `{}`", self.text())))?;
        self.judge(status)
    }

    /// Runs it and gives its standard output back; standard error goes to the terminal.
    pub(crate) fn output(mut self) -> Result<String, Failure> {
        self.process.stderr(Stdio::inherit());
        let output = self.process.output().map_err(Failure::io(format!("start `{}`", self.text())))?;
        self.judge(output.status)?;
        String::from_utf8(output.stdout).map_err(|_| Failure::Unexpected(format!("`{}` wrote no UTF-8", self.text())))
    }

    /// Runs it, printing each line of its standard output as it comes and showing it to `each`.
    pub(crate) fn lines(mut self, mut each: impl FnMut(&str)) -> Result<(), Failure> {
        self.process.stdout(Stdio::piped());
        let start = format!("start `{}`", self.text());
        let mut child = self.process.spawn().map_err(Failure::io(start))?;
        if let Some(output) = child.stdout.take() {
            for line in BufReader::new(output).split(b'\n') {
                let line = line.map_err(Failure::io("read a program's output"))?;
                let line = String::from_utf8_lossy(&line);
                println!("{line}");
                each(&line);
            }
        }
        let status = child.wait().map_err(Failure::io("wait for a program"))?;
        self.judge(status)
    }

    fn judge(&self, status: process::ExitStatus) -> Result<(), Failure> {
        if status.success() { Ok(()) } else { Err(Failure::Command { command: self.text(), status }) }
    }

    /// The command as a person would type it.
    fn text(&self) -> String {
        let program = std::path::Path::new(self.process.get_program());
        let name = program.file_name().unwrap_or(program.as_os_str());
        let words = std::iter::once(name).chain(self.process.get_args());
        words.map(|word| word.to_string_lossy().into_owned()).collect::<Vec<_>>().join(" ")
    }
}

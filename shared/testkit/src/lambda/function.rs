//! An instance of a function: one of our programs under the emulator.

use std::path::{Path, PathBuf};

use super::emulator::LambdaEmulator;
use crate::Result;
use crate::folder::ServerFolder;
use crate::process::{Blow, ServerProcess};

/// A running instance, ended when dropped. Several of one function take invocations side by side.
#[derive(Debug)]
pub struct FunctionInstance {
    process: ServerProcess,
    program: PathBuf,
    variables: Vec<(String, String)>,
    // Last: the folder goes after the process.
    folder: ServerFolder,
}

impl FunctionInstance {
    /// Starts `program` as an instance of `function`, with these variables and those that Lambda sets.
    ///
    /// # Errors
    /// Where the program cannot be started.
    pub fn start(
        emulator: &LambdaEmulator,
        function: &str,
        program: &Path,
        variables: &[(String, String)],
    ) -> Result<Self> {
        let mut all: Vec<(String, String)> = [
            ("AWS_LAMBDA_RUNTIME_API", emulator.runtime_api(function).as_str()),
            ("AWS_LAMBDA_FUNCTION_NAME", function),
            ("AWS_LAMBDA_FUNCTION_VERSION", "1"),
            ("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "512"),
            ("LOG_FORMAT", "json"),
        ]
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .to_vec();
        all.extend_from_slice(variables);
        let folder = ServerFolder::create(function)?;
        let process = launch(program, &all, &folder)?;
        Ok(Self { process, program: program.to_owned(), variables: all, folder })
    }

    /// What it has logged, over all its starts: metrics too.
    #[must_use]
    pub fn log(&self) -> String {
        self.process.log()
    }

    /// The process id.
    #[must_use]
    pub fn id(&self) -> u32 {
        self.process.id()
    }

    /// Kills it at once, whatever it is doing.
    pub fn kill9(&mut self) {
        self.process.kill9();
    }

    /// Starts it again with the same variables, killing it first where it runs.
    ///
    /// # Errors
    /// Where it cannot be started.
    pub fn restart(&mut self) -> Result<()> {
        self.process.kill9();
        self.process = launch(&self.program, &self.variables, &self.folder)?;
        Ok(())
    }
}

fn launch(program: &Path, variables: &[(String, String)], folder: &ServerFolder) -> Result<ServerProcess> {
    let log = folder.path().join("function.log");
    ServerProcess::start(program, &log, Blow::Kill, None, |command| {
        command.current_dir(folder.path());
        command.env_clear().env("PATH", std::env::var_os("PATH").unwrap_or_default());
        for (name, value) in variables {
            command.env(name, value);
        }
    })
}

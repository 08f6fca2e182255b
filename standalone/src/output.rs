//! What a command says: answers on standard output, remarks on standard error.
//!
//! Who reads may leave before the end (`| head -1`): the rest is then said to nobody, and the command's work and its status are
//! what they would have been. Where the answer cannot be written for another reason, a full disk, the command fails.

use std::fmt::Display;
use std::io::{self, ErrorKind, Write};
use std::process::ExitCode;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering};

static IS_UNHEARD: AtomicBool = AtomicBool::new(false);
static FAILED: OnceLock<io::Error> = OnceLock::new();

/// Says a line of the answer; returns whether somebody still listens.
pub fn say(line: impl Display) -> bool {
    if is_over() {
        return false;
    }
    if let Err(error) = write_line(io::stdout().lock(), line) {
        if error.kind() == ErrorKind::BrokenPipe {
            IS_UNHEARD.store(true, Ordering::Relaxed);
        } else {
            let _ = FAILED.set(error);
        }
    }
    !is_over()
}

/// Says each line of the answer.
pub fn say_all(lines: &[String]) {
    lines.iter().take_while(|line| say(line)).for_each(drop);
}

/// Says something beside the answer.
pub fn remark(line: impl Display) {
    // Where nobody reads errors there is nobody to tell of this one.
    let _ = write_line(io::stderr().lock(), line);
}

/// The status of a command that ended with `code`: failed, where its answer could not be written.
pub fn finished(code: ExitCode) -> ExitCode {
    match FAILED.get() {
        Some(error) => {
            remark(format_args!("error: the answer cannot be written to standard output\n  because: {error}"));
            ExitCode::FAILURE
        }
        None => code,
    }
}

fn is_over() -> bool {
    IS_UNHEARD.load(Ordering::Relaxed) || FAILED.get().is_some()
}

fn write_line(mut to: impl Write, line: impl Display) -> io::Result<()> {
    // In one piece, so that lines of several writers do not mix.
    to.write_all(format!("{line}\n").as_bytes())?;
    to.flush()
}

//! The black-box suite on every deployment form, with what ran on each.

use std::fmt;

use crate::command::Command;
use crate::failure::Failure;
use crate::steps;
use crate::workspace::Workspace;

/// The forms: the module that the suite stamps a form's cases into, and what it is.
const FORMS: [(&str, &str); 4] = [
    ("single", "one process"),
    ("four_roles", "four roles on Redis and TimescaleDB"),
    ("four_roles_plain", "four roles on Redis and PostgreSQL 15"),
    ("serverless", "functions behind SQS and TimescaleDB"),
];

/// Builds the programs and runs the suite on every form; `arguments` go to the test program.
pub(crate) fn run(workspace: &Workspace, arguments: &[String]) -> Result<(), Failure> {
    steps::build(workspace)?;
    let mut cases = Cases::default();
    let ran = Command::cargo(workspace)
        .arguments(["test", "--package", "analytics-blackbox", "--test", "blackbox", "--"])
        .arguments(arguments)
        .lines(|line| cases.count(line));
    println!("{cases}");
    ran?;
    cases.every_form_ran()
}

/// Cases of each form, in the order of [`FORMS`].
#[derive(Debug, Default, PartialEq, Eq)]
struct Cases {
    passed: [u32; FORMS.len()],
    failed: [u32; FORMS.len()],
}

impl Cases {
    /// Takes a line like `test query::paging::serverless::a_cursor_ends ... ok`.
    fn count(&mut self, line: &str) {
        let Some((path, result)) = line.strip_prefix("test ").and_then(|rest| rest.split_once(" ... ")) else { return };
        let Some(form) = FORMS.iter().position(|(module, _)| path.split("::").any(|part| part == *module)) else {
            return;
        };
        match result {
            "ok" => self.passed[form] += 1,
            "FAILED" => self.failed[form] += 1,
            _ => {}
        }
    }

    /// A suite that leaves a form out is green and says nothing about it.
    fn every_form_ran(&self) -> Result<(), Failure> {
        match FORMS.iter().zip(self.passed).find(|(_, passed)| *passed == 0) {
            Some(((module, form), _)) => {
                let what = format!(
                    "no case ran on {form}: the suite has none in a module `{module}`, or was told to leave them out"
                );
                Err(Failure::Unexpected(what))
            }
            None => Ok(()),
        }
    }
}

impl fmt::Display for Cases {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (((_, form), passed), failed) in FORMS.iter().zip(self.passed).zip(self.failed) {
            write!(f, "\n{form:>38}: {passed} passed, {failed} failed")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cases_are_counted_by_form() {
        let mut cases = Cases::default();
        for line in [
            "running 4 tests",
            "test collect::acceptance::single::a ... ok",
            "test collect::acceptance::four_roles::a ... ok",
            "test collect::acceptance::four_roles_plain::a ... FAILED",
            "test collect::acceptance::serverless::a ... ok",
            "test agreement::every_form_answers_alike ... ok",
            "test collect::acceptance::serverless::b ... ignored",
        ] {
            cases.count(line);
        }
        assert_eq!(cases, Cases { passed: [1, 1, 0, 1], failed: [0, 0, 1, 0] });
    }

    #[test]
    fn a_form_without_a_case_is_told() {
        let all = Cases { passed: [1; FORMS.len()], ..Cases::default() };
        assert!(all.every_form_ran().is_ok());
        let none = Cases { passed: [9, 9, 9, 0], ..Cases::default() };
        let told = none.every_form_ran().unwrap_err().to_string();
        assert!(told.contains("functions behind SQS") && told.contains("`serverless`"), "{told}");
    }
}

//! Reading variables one by one, keeping every fault for the end.

use std::collections::BTreeMap;
use std::fmt;
use std::fmt::Display;
use std::str::FromStr;

use thiserror::Error;

use super::variables::VARIABLES;

/// The variables of a process, by name.
pub type Variables = BTreeMap<String, String>;

/// Settings that cannot be used: one sentence each.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub struct ConfigError {
    /// The sentences, in the order of reading.
    pub faults: Vec<String>,
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} of the settings cannot be used:", self.faults.len())?;
        for fault in &self.faults {
            write!(f, "\n  - {fault}")?;
        }
        Ok(())
    }
}

/// Reads variables and collects what is wrong with them.
pub struct Reader<'v> {
    variables: &'v Variables,
    faults: Vec<String>,
}

impl<'v> Reader<'v> {
    /// A reader of these variables.
    #[must_use]
    pub fn new(variables: &'v Variables) -> Self {
        Self { variables, faults: Vec::new() }
    }

    /// The text of a variable; empty is as good as not set.
    #[must_use]
    pub fn text(&self, name: &str) -> Option<&'v str> {
        self.variables.get(name).map(|value| value.trim()).filter(|value| !value.is_empty())
    }

    /// The text of a variable that has to be there; `why` follows its name.
    pub fn required(&mut self, name: &str, why: &str) -> String {
        self.text(name).map(str::to_owned).unwrap_or_else(|| {
            self.faults.push(format!("{name} is not set; {why}"));
            String::new()
        })
    }

    /// A variable read by `read`; where that fails, `allowed` says what would be right.
    pub fn read<T>(&mut self, name: &str, read: impl FnOnce(&str) -> Option<T>, allowed: &str) -> Option<T> {
        let text = self.text(name)?;
        let value = read(text);
        if value.is_none() {
            self.refuse(name, allowed);
        }
        value
    }

    /// A variable read by `read`, whose error says what would be right.
    pub fn try_read<T, E: Display>(&mut self, name: &str, read: impl FnOnce(&str) -> Result<T, E>) -> Option<T> {
        match read(self.text(name)?) {
            Ok(value) => Some(value),
            Err(error) => {
                self.faults.push(format!("{name}: {error}"));
                None
            }
        }
    }

    /// A whole number within bounds.
    pub fn number<T: FromStr + PartialOrd + Display + Copy>(&mut self, name: &str, least: T, most: T) -> Option<T> {
        let within = |text: &str| text.parse().ok().filter(|number| *number >= least && *number <= most);
        self.read(name, within, &format!("a whole number from {least} to {most}"))
    }

    /// `true` or `false`, also as `on`/`off`, `1`/`0`, `yes`/`no`.
    pub fn truth(&mut self, name: &str) -> Option<bool> {
        let read = |text: &str| match text.to_ascii_lowercase().as_str() {
            "true" | "on" | "1" | "yes" => Some(true),
            "false" | "off" | "0" | "no" => Some(false),
            _ => None,
        };
        self.read(name, read, "true or false")
    }

    /// Notes that a variable's value is wrong; a secret's is not told.
    pub fn refuse(&mut self, name: &str, allowed: &str) {
        let secret = VARIABLES.iter().any(|variable| variable.name == name && variable.secret);
        let value = self.text(name).unwrap_or_default();
        let told: String = value.chars().take(80).collect();
        self.faults.push(match secret {
            true => format!("{name} has a wrong value (not shown); it takes {allowed}"),
            false => format!("{name} is {told:?}; it takes {allowed}"),
        });
    }

    /// Notes a fault in words of its own.
    pub fn fault(&mut self, sentence: impl Into<String>) {
        self.faults.push(sentence.into());
    }

    /// The settings, where nothing was wrong.
    ///
    /// # Errors
    /// [`ConfigError`] with everything that was.
    pub fn finish<T>(self, settings: T) -> Result<T, ConfigError> {
        if self.faults.is_empty() { Ok(settings) } else { Err(ConfigError { faults: self.faults }) }
    }
}

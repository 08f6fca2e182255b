//! Reading variables one by one, keeping every fault for the end.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::{self, Display};
use std::str::FromStr;

use thiserror::Error;

use super::redis_url;
use super::variables::VARIABLES;

/// The variables of a process, by name.
pub type Variables = BTreeMap<String, String>;

/// Most characters of a value that a fault repeats.
const TOLD_CHARACTERS: usize = 80;

/// Settings that cannot be used: one sentence each.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub struct ConfigError {
    /// The sentences, in the order of reading; at least one.
    pub faults: Vec<String>,
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let settings = if self.faults.len() == 1 { "setting" } else { "settings" };
        write!(f, "{} {settings} cannot be used:", self.faults.len())?;
        for fault in &self.faults {
            write!(f, "\n  - {fault}")?;
        }
        Ok(())
    }
}

/// Reads variables and collects what is wrong with them.
#[derive(Debug)]
pub struct Reader<'v> {
    variables: &'v Variables,
    faults: Vec<String>,
    asked: BTreeSet<String>,
}

impl<'v> Reader<'v> {
    /// A reader of these variables.
    #[must_use]
    pub fn new(variables: &'v Variables) -> Self {
        Self { variables, faults: Vec::new(), asked: BTreeSet::new() }
    }

    /// The text of a variable without spaces around it; empty is as good as not set.
    pub fn text(&mut self, name: &str) -> Option<&'v str> {
        if !self.asked.contains(name) {
            self.asked.insert(name.to_owned());
        }
        self.variables.get(name).map(|value| value.trim()).filter(|value| !value.is_empty())
    }

    /// The names that were asked for so far.
    #[must_use]
    pub const fn asked(&self) -> &BTreeSet<String> {
        &self.asked
    }

    /// The names of all variables there are, of other programs too.
    pub fn names(&self) -> impl Iterator<Item = &'v str> + use<'v> {
        self.variables.keys().map(String::as_str)
    }

    /// Notes that a variable is missing; `why` says what it is for and how it is written.
    pub fn missing(&mut self, name: &str, why: &str) {
        self.fault(format!("{name} is not set; {why}"));
    }

    /// A variable read by `read`; where that fails, `allowed` says what would be right.
    pub fn read<T>(&mut self, name: &str, read: impl FnOnce(&str) -> Option<T>, allowed: &str) -> Option<T> {
        let text = self.text(name)?;
        let value = read(text);
        if value.is_none() {
            self.fault(format!("{name} is {}; it takes {allowed}", told(name, text)));
        }
        value
    }

    /// A variable read by `read`, whose error says what would be right; a secret's must not repeat the value.
    pub fn try_read<T, E: Display>(&mut self, name: &str, read: impl FnOnce(&str) -> Result<T, E>) -> Option<T> {
        let text = self.text(name)?;
        match read(text) {
            Ok(value) => Some(value),
            Err(error) => {
                self.fault(format!("{name} is {}: {error}", told(name, text)));
                None
            }
        }
    }

    /// A whole number within bounds, both included.
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
        self.read(name, read, "true or false (on or off)")
    }

    /// Notes a fault in words of its own; the same one is told once.
    pub fn fault(&mut self, sentence: impl Into<String>) {
        let sentence = sentence.into();
        if !self.faults.contains(&sentence) {
            self.faults.push(sentence);
        }
    }

    /// Ends the reading: the settings, where they could be read and nothing was wrong.
    ///
    /// # Errors
    /// [`ConfigError`] with everything that was.
    pub fn finish<T>(mut self, settings: Option<T>) -> Result<T, ConfigError> {
        match settings {
            Some(settings) if self.faults.is_empty() => Ok(settings),
            _ => {
                if self.faults.is_empty() {
                    self.faults.push("a required variable is missing".to_owned());
                }
                Err(ConfigError { faults: self.faults })
            }
        }
    }
}

/// A value as a fault repeats it: cut, and of a secret only what is none.
fn told(name: &str, text: &str) -> String {
    let secret = VARIABLES.iter().any(|variable| variable.name == name && variable.secret);
    if !secret {
        return format!("{:?}", text.chars().take(TOLD_CHARACTERS).collect::<String>());
    }
    // Of a URL, scheme and host help and tell nothing; a text that is none may be a secret as a whole.
    let Ok(url) = url::Url::parse(&redis_url::with_one_host(text)) else { return "not shown".to_owned() };
    match (name.ends_with("_URL"), url.host_str()) {
        (true, Some(host)) if !host.is_empty() => format!("\"{}://{host}\" (the rest is not shown)", url.scheme()),
        _ => "not shown".to_owned(),
    }
}

//! The roles that a process can have.

use std::fmt;

/// What a process does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Role {
    /// Takes events.
    Collector,
    /// Stores events.
    Processor,
    /// Answers questions.
    Api,
    /// Shows events as they are stored.
    Realtime,
    /// All of them in one process.
    Analytics,
}

impl Role {
    /// Its name, which is also that of its binary.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Collector => "collector",
            Self::Processor => "processor",
            Self::Api => "api",
            Self::Realtime => "realtime",
            Self::Analytics => "analytics",
        }
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

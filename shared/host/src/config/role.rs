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

    /// The variable that sets its port.
    #[must_use]
    pub const fn port_variable(self) -> &'static str {
        match self {
            Self::Processor => "METRICS_PORT",
            _ => "PORT",
        }
    }

    /// The port where none is set.
    #[must_use]
    pub const fn port(self) -> u16 {
        match self {
            Self::Analytics => 4000,
            Self::Collector => 4001,
            Self::Api => 4002,
            Self::Realtime => 4003,
            Self::Processor => 4004,
        }
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

//! Where each edition's programs are.

use std::path::{Path, PathBuf};

use crate::process::is_root;
use crate::{Result, TestkitError};

/// Names another folder for unpacked servers; see [`servers_folder`].
pub const SERVERS_FOLDER_VARIABLE: &str = "ANALYTICS_SERVERS_DIR";

/// Names the folder of another PostgreSQL with TimescaleDB (of `postgres`, `initdb` and `psql`) that tests of
/// [`Edition::Timescale17`] take instead: to try, by hand, a version or licence that no package brings.
pub const TIMESCALE_PROGRAMS_VARIABLE: &str = "ANALYTICS_TIMESCALE_PROGRAMS";

/// Where `cargo xtask setup` unpacks servers, and prepared data folders are kept.
///
/// `$ANALYTICS_SERVERS_DIR` where set; for root `/var/cache/analytics-servers`, since the servers run as `postgres`, who
/// may not enter root's home; else `$XDG_CACHE_HOME/analytics-servers` or `~/.cache/analytics-servers`.
#[must_use]
pub fn servers_folder() -> PathBuf {
    if let Some(folder) = std::env::var_os(SERVERS_FOLDER_VARIABLE) {
        return folder.into();
    }
    if is_root() {
        return "/var/cache/analytics-servers".into();
    }
    let home = || std::env::var_os("HOME").map(|home| Path::new(&home).join(".cache"));
    let cache = std::env::var_os("XDG_CACHE_HOME").map(PathBuf::from).or_else(home);
    cache.unwrap_or_else(std::env::temp_dir).join("analytics-servers")
}

/// A PostgreSQL that the store must run on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Edition {
    /// PostgreSQL 15 without TimescaleDB, from the system's packages.
    Plain15,
    /// PostgreSQL 17 with TimescaleDB 2.19 under the Apache 2 licence, unpacked by `cargo xtask setup`.
    Timescale17,
}

impl Edition {
    /// Every edition, for tests that run over all.
    pub const ALL: [Self; 2] = [Self::Plain15, Self::Timescale17];

    /// A short name, also that of its prepared folder.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Plain15 => "postgresql-15",
            Self::Timescale17 => "postgresql-17-timescaledb",
        }
    }

    /// The name of its prepared data folder: one for each place that its programs are taken from.
    pub(super) fn prepared_name(self) -> String {
        match std::env::var_os(TIMESCALE_PROGRAMS_VARIABLE).filter(|_| self.has_timescale()) {
            Some(folder) => {
                let words = folder.to_string_lossy().replace(|letter: char| !letter.is_ascii_alphanumeric(), "-");
                format!("{}-of{words}", self.name())
            }
            None => self.name().to_owned(),
        }
    }

    /// Whether `CREATE EXTENSION timescaledb` works there.
    #[must_use]
    pub const fn has_timescale(self) -> bool {
        matches!(self, Self::Timescale17)
    }

    /// The folder of `postgres`, `initdb` and `psql`.
    #[must_use]
    pub fn programs(self) -> PathBuf {
        match self {
            Self::Plain15 => "/usr/lib/postgresql/15/bin".into(),
            Self::Timescale17 => match std::env::var_os(TIMESCALE_PROGRAMS_VARIABLE) {
                Some(folder) => folder.into(),
                None => servers_folder().join(self.name()).join("usr/lib/postgresql/17/bin"),
            },
        }
    }

    /// One program's path.
    ///
    /// # Errors
    /// Where the edition is not installed.
    pub fn program(self, name: &str) -> Result<PathBuf> {
        let path = self.programs().join(name);
        if path.exists() {
            Ok(path)
        } else {
            Err(TestkitError::NotInstalled { program: self.name(), looked_for: path })
        }
    }

    /// Settings that this edition needs to start with.
    pub(super) fn settings(self) -> &'static [(&'static str, &'static str)] {
        match self {
            Self::Plain15 => &[],
            Self::Timescale17 => &[
                ("shared_preload_libraries", "timescaledb"),
                // Its workers hold connections, which make cloning and dropping a database fail.
                ("timescaledb.max_background_workers", "0"),
                ("timescaledb.telemetry_level", "off"),
            ],
        }
    }
}

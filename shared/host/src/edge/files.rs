//! How many files the system lets the process open: every connection is one.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// Files that are kept for the store, the queue and the logs.
const KEPT: usize = 256;

/// How many connections can be open at once: `wanted`, or what the open-files limit leaves room for once it was raised as
/// far as the process may.
pub(super) fn connections(wanted: usize) -> usize {
    let limit = getrlimit(Resource::Nofile);
    let raised = Rlimit { current: limit.maximum, maximum: limit.maximum };
    // Refused only where the limit was changed under us; what held before holds then.
    let _ = setrlimit(Resource::Nofile, raised);
    match getrlimit(Resource::Nofile).current {
        None => wanted,
        Some(files) => {
            let files = usize::try_from(files).unwrap_or(usize::MAX);
            wanted.min(files.saturating_sub(KEPT).max(files / 2)).max(1)
        }
    }
}

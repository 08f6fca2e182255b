//! The path of one actor, as its events come.

use std::sync::Arc;

/// Where paths begin and end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Ends {
    /// Whether a path begins with an event of its own kind, and not with the first.
    pub(crate) has_from: bool,
    /// Whether a path ends with an event of its own kind, and who never gets there has none.
    pub(crate) has_to: bool,
    /// Most steps.
    pub(crate) depth: usize,
}

/// An actor's path so far.
#[derive(Debug, Default)]
pub(crate) struct Trail {
    has_begun: bool,
    has_ended: bool,
    /// The names of its first steps.
    names: Vec<Option<Arc<str>>>,
}

impl Trail {
    /// Takes the next event by (timestamp, id): whether it is what paths begin with, what they end with, and its name.
    pub(crate) fn event(&mut self, ends: Ends, is_from: bool, is_to: bool, name: Option<&Arc<str>>) {
        if self.has_ended {
            return;
        }
        self.has_begun |= is_from || !ends.has_from;
        if !self.has_begun {
            return;
        }
        // Of events with one name in a row there is one step, also where the first or last of the path is among them.
        if self.names.len() < ends.depth && self.names.last().map(Option::as_ref) != Some(name) {
            self.names.push(name.cloned());
        }
        self.has_ended = is_to && ends.has_to;
    }

    /// The names of its steps once the actor's events are over; none where it has no path. The next actor's begins anew.
    pub(crate) fn finish(&mut self, ends: Ends) -> Vec<Option<Arc<str>>> {
        let whole = std::mem::take(self);
        if whole.has_ended || !ends.has_to { whole.names } else { Vec::new() }
    }
}

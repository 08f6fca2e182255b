//! What a run found, in a few lines.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use crate::audit::{Account, Balance};
use crate::book::Tally;
use crate::deployment::Form;
use crate::schedule::Victim;

/// A kill, and when it came after the load began.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Kill {
    /// Who was killed.
    pub victim: Victim,
    /// When.
    pub at: Duration,
}

/// One run of one form with one seed.
#[derive(Debug, Clone)]
pub struct Report {
    /// The seed: the same one gives the same faults and events, not the same moments.
    pub seed: u64,
    /// What was run.
    pub form: Form,
    /// The store: `sqlite`, or the edition of PostgreSQL.
    pub store: &'static str,
    /// How long the load lasted.
    pub load: Duration,
    /// How long the queue took to be empty after it.
    pub drained: Duration,
    /// Ids sent.
    pub sent: usize,
    /// Ids acknowledged.
    pub acknowledged: usize,
    /// Requests and their events.
    pub tally: Tally,
    /// The kills in their order.
    pub kills: Vec<Kill>,
    /// Events shown afterwards.
    pub stored: usize,
    /// What the system says became of all events.
    pub account: Account,
    /// What differs.
    pub balance: Balance,
}

impl Report {
    /// Whether every rule held.
    #[must_use]
    pub fn is_green(&self) -> bool {
        self.balance.violations.is_empty()
    }

    fn kills_by_victim(&self) -> String {
        let mut counts: BTreeMap<Victim, usize> = BTreeMap::new();
        for kill in &self.kills {
            *counts.entry(kill.victim).or_default() += 1;
        }
        counts.iter().map(|(victim, count)| format!("{victim} {count}")).collect::<Vec<_>>().join(", ")
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { seed, tally, account, balance, .. } = self;
        let verdict = if self.is_green() { "green" } else { "RED" };
        let (load, drained) = (self.load.as_secs_f64(), self.drained.as_secs_f64());
        writeln!(f, "ledger {verdict}: form {}, seed {seed}, store {}", self.form.name(), self.store)?;
        writeln!(f, "  load {load:.1} s, then drained in {drained:.1} s; killed: {}", self.kills_by_victim())?;
        writeln!(
            f,
            "  requests: {} acknowledged, {} refused, {} unreached, {} unanswered",
            tally.acknowledged, tally.refused, tally.unreached, tally.unanswered
        )?;
        writeln!(
            f,
            "  ids: {} sent, {} acknowledged, {} open ({} of them stored)",
            self.sent,
            self.acknowledged,
            self.sent - self.acknowledged,
            balance.open_stored
        )?;
        write!(
            f,
            "  stored {}, duplicates dropped {}; missing {}, twice {}, never sent {}, changed {}",
            self.stored, account.duplicate, balance.missing, balance.repeated, balance.invented, balance.changed
        )?;
        for violation in &balance.violations {
            write!(f, "\n  VIOLATION: {violation}")?;
        }
        if !self.is_green() {
            let kills: Vec<_> =
                self.kills.iter().map(|kill| format!("{:.3} {}", kill.at.as_secs_f64(), kill.victim)).collect();
            write!(f, "\n  kills (s): {}", kills.join(", "))?;
        }
        Ok(())
    }
}

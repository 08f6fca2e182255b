//! Who holds which entry, and what lies in the queue: the part that needs no disk.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;
use std::time::{Duration, Instant};

use analytics_domain::Project;

/// What has to be known of an entry without its payload.
#[derive(Debug, Clone)]
pub(super) struct Facts {
    pub(super) project: Project,
    pub(super) events: u32,
    /// Of the payload.
    pub(super) bytes: u64,
    /// How often it was handed out.
    pub(super) attempts: u32,
}

/// What lies in the queue, in flight or not.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Stock {
    pub(super) batches: u64,
    pub(super) events: u64,
    pub(super) bytes: u64,
    /// Events a project; never a zero.
    pub(super) by_project: BTreeMap<Project, u64>,
    /// The oldest entry: its id and when it came, in milliseconds since the Unix epoch.
    pub(super) oldest: Option<(i64, i64)>,
    /// The highest id.
    pub(super) newest: i64,
}

impl Stock {
    /// Counts a written entry.
    pub(super) fn add(&mut self, id: i64, project: &Project, events: u32, bytes: u64, now_millis: i64) {
        self.batches += 1;
        self.events += u64::from(events);
        self.bytes += bytes;
        if events > 0 {
            *self.by_project.entry(project.clone()).or_default() += u64::from(events);
        }
        self.oldest.get_or_insert((id, now_millis));
        self.newest = id;
    }

    /// Takes a deleted entry out; `oldest` is for the caller to renew.
    pub(super) fn subtract(&mut self, facts: &Facts) {
        self.batches = self.batches.saturating_sub(1);
        self.events = self.events.saturating_sub(u64::from(facts.events));
        self.bytes = self.bytes.saturating_sub(facts.bytes);
        if let Some(events) = self.by_project.get_mut(&facts.project) {
            *events = events.saturating_sub(u64::from(facts.events));
            if *events == 0 {
                self.by_project.remove(&facts.project);
            }
        }
    }
}

/// An entry in a consumer's hands.
#[derive(Debug)]
struct Lease {
    facts: Facts,
    owner: Arc<str>,
    until: Instant,
}

/// The entries that were handed out and are not yet acknowledged, and where the untouched ones begin.
#[derive(Debug)]
pub(super) struct Ledger {
    visibility: Duration,
    /// Entries above this id were never handed out by this process.
    read_to: i64,
    leases: HashMap<i64, Lease>,
    deadlines: BTreeSet<(Instant, i64)>,
    /// Handed out before, in nobody's hands now; oldest first.
    returned: BTreeMap<i64, Facts>,
}

impl Ledger {
    pub(super) fn new(visibility: Duration) -> Self {
        Self { visibility, read_to: 0, leases: HashMap::new(), deadlines: BTreeSet::new(), returned: BTreeMap::new() }
    }

    /// The id up to which entries were handed out at least once by this process.
    pub(super) const fn read_to(&self) -> i64 {
        self.read_to
    }

    /// When the next lease runs out.
    pub(super) fn next_deadline(&self) -> Option<Instant> {
        self.deadlines.first().map(|(until, _)| *until)
    }

    /// Takes entries from consumers whose time has passed.
    pub(super) fn expire(&mut self, now: Instant) {
        while let Some(&(until, id)) = self.deadlines.first() {
            if until > now {
                break;
            }
            self.give_back(id);
        }
    }

    /// Takes entries from a consumer that begins anew under its name.
    pub(super) fn recover(&mut self, owner: &str) {
        let held: Vec<i64> =
            self.leases.iter().filter(|(_, lease)| &*lease.owner == owner).map(|(id, _)| *id).collect();
        for id in held {
            self.give_back(id);
        }
    }

    /// Gives an entry back at once, where it is still in the hands of that delivery.
    pub(super) fn release(&mut self, id: i64, attempt: u32) {
        if self.leases.get(&id).is_some_and(|lease| lease.facts.attempts == attempt) {
            self.give_back(id);
        }
    }

    /// Starts a lease anew, where the entry is still in the hands of that delivery.
    pub(super) fn extend(&mut self, id: i64, attempt: u32, now: Instant) {
        let visibility = self.visibility;
        if let Some(lease) = self.leases.get_mut(&id).filter(|lease| lease.facts.attempts == attempt) {
            self.deadlines.remove(&(lease.until, id));
            lease.until = now + visibility;
            self.deadlines.insert((lease.until, id));
        }
    }

    fn give_back(&mut self, id: i64) {
        if let Some(lease) = self.leases.remove(&id) {
            self.deadlines.remove(&(lease.until, id));
            self.returned.insert(id, lease.facts);
        }
    }

    /// The entries that wait to be handed out again, oldest first.
    pub(super) fn returned(&self, most: usize) -> impl Iterator<Item = i64> {
        self.returned.keys().take(most).copied()
    }

    /// Notes a delivery; `facts.attempts` counts it already.
    pub(super) fn lease(&mut self, id: i64, facts: Facts, owner: &Arc<str>, now: Instant) {
        let until = now + self.visibility;
        self.returned.remove(&id);
        self.read_to = self.read_to.max(id);
        self.leases.insert(id, Lease { facts, owner: Arc::clone(owner), until });
        self.deadlines.insert((until, id));
    }

    /// Whether the entry was handed out and not yet acknowledged.
    pub(super) fn knows(&self, id: i64) -> bool {
        self.leases.contains_key(&id) || self.returned.contains_key(&id)
    }

    /// Forgets a deleted entry, whoever holds it: the store has committed it.
    pub(super) fn remove(&mut self, id: i64) -> Option<Facts> {
        match self.leases.remove(&id) {
            Some(lease) => {
                self.deadlines.remove(&(lease.until, id));
                Some(lease.facts)
            }
            None => self.returned.remove(&id),
        }
    }

    /// Every entry that was handed out and not yet acknowledged.
    pub(super) fn known(&self) -> Vec<i64> {
        self.leases.keys().chain(self.returned.keys()).copied().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn facts(attempts: u32) -> Facts {
        Facts { project: Project::default(), events: 3, bytes: 30, attempts }
    }

    #[test]
    fn a_lease_ends_with_its_time_and_a_late_holder_changes_nothing() {
        let mut ledger = Ledger::new(Duration::from_secs(10));
        let (start, owner): (_, Arc<str>) = (Instant::now(), "a".into());
        ledger.lease(1, facts(1), &owner, start);
        ledger.expire(start + Duration::from_secs(9));
        assert_eq!(ledger.returned(9).count(), 0);
        ledger.extend(1, 1, start + Duration::from_secs(9));
        ledger.expire(start + Duration::from_secs(18));
        assert_eq!(ledger.returned(9).count(), 0);
        ledger.expire(start + Duration::from_secs(19));
        assert_eq!(ledger.returned(9).collect::<Vec<_>>(), [1]);

        ledger.lease(1, facts(2), &"b".into(), start);
        ledger.release(1, 1);
        ledger.extend(1, 1, start + Duration::from_secs(60));
        assert_eq!(ledger.next_deadline(), Some(start + Duration::from_secs(10)));
        ledger.recover("a");
        assert_eq!(ledger.returned(9).count(), 0);
        ledger.recover("b");
        assert_eq!(ledger.returned(9).count(), 1);
        assert!(ledger.remove(1).is_some());
        assert!(ledger.remove(1).is_none());
    }

    #[test]
    fn the_stock_forgets_projects_without_events() {
        let mut stock = Stock::default();
        stock.add(1, &Project::default(), 3, 30, 5);
        assert_eq!((stock.batches, stock.events, stock.bytes, stock.oldest), (1, 3, 30, Some((1, 5))));
        stock.subtract(&facts(1));
        assert!(stock.by_project.is_empty());
        assert_eq!((stock.batches, stock.events, stock.bytes), (0, 0, 0));
    }
}

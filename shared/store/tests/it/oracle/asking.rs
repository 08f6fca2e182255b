//! Stores events, asks a store, and compares what it says with what the oracle says.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use analytics_domain::{Batch, EventOutcome, Project, Retention, Timestamp};
use analytics_query::{Context, Question, plan};
use analytics_store::{EventStore, Ingest, IngestBatch};
use analytics_testkit::oracle::{self, OracleAnswer, StoredEvent, World};
use serde_json::Value as Json;
use uuid::Uuid;

use super::Case;

/// A store under test.
pub(crate) struct Bench {
    store: Arc<dyn EventStore>,
    projects: AtomicU64,
}

impl Bench {
    pub(crate) fn new(store: Arc<dyn EventStore>) -> Self {
        Self { store, projects: AtomicU64::new(0) }
    }

    /// Stores events as their collectors would have sent them: those of a project with one receipt are a batch.
    ///
    /// They are stored under no retention, so that some are older than what a question may see.
    pub(crate) async fn store_all(&self, events: &[StoredEvent], world: &World) {
        let mut bodies: BTreeMap<(&str, Timestamp), Vec<&StoredEvent>> = BTreeMap::new();
        for stored in events {
            bodies.entry((stored.project.as_str(), stored.created_at)).or_default().push(stored);
        }
        let batches: Vec<Batch<'_>> = bodies
            .into_values()
            .map(|body| Batch {
                id: Uuid::new_v4(),
                project: body[0].project.clone(),
                received_at: body[0].created_at,
                refused: Vec::new(),
                context: None,
                events: body.iter().map(|stored| stored.event.clone()).collect(),
            })
            .collect();
        // Two transactions, so that what is kept up to date is also kept over several.
        for half in batches.chunks(batches.len().div_ceil(2).max(1)) {
            let items = half.iter().map(|batch| IngestBatch {
                batch: std::borrow::Cow::Borrowed(batch),
                failed: Vec::new(),
                attempt: 1,
            });
            let work = Ingest { batches: items.collect(), ..Ingest::default() };
            let outcomes = self.store.ingest(&work, Retention { days: 0 }, world.now).await.unwrap();
            let stored = |outcome: &EventOutcome| *outcome == EventOutcome::Stored;
            assert!(outcomes.iter().all(|batch| batch.events.iter().all(stored)), "{outcomes:?}");
        }
    }

    /// The same case in projects that nobody has used.
    pub(crate) fn in_fresh_projects(&self, case: &Case) -> Case {
        let number = self.projects.fetch_add(1, Ordering::Relaxed);
        let mut case = case.clone();
        let own = Project::new(&format!("try-{number}")).unwrap();
        let other = Project::new(&format!("neighbour-{number}")).unwrap();
        for stored in &mut case.events {
            stored.project = if stored.project == case.world.project { own.clone() } else { other.clone() };
        }
        case.world.project = own;
        case
    }

    pub(crate) fn expected(&self, case: &Case) -> OracleAnswer {
        oracle::answer(&case.events, &case.question, &case.world)
            .unwrap_or_else(|error| panic!("{error}: {}", case.question))
    }

    pub(crate) fn try_expected(&self, case: &Case) -> Option<OracleAnswer> {
        oracle::answer(&case.events, &case.question, &case.world).ok()
    }
}

//! Stores events, asks a store, and compares what it says with what the oracle says.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use analytics_domain::{Batch, EventOutcome, Project, Retention, Timestamp};
use analytics_query::{Askable, Context, Executable, plan};
use analytics_store::{AnswerError, EventStore, Ingest, IngestBatch, Reading, ask};
use analytics_testkit::oracle::{StoredEvent, World};
use uuid::Uuid;

use super::Case;

/// What answers are made from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Way {
    /// Raw rows and daily counts.
    Rows,
    /// Columns of a first half of the events; quarters that got more since are read from raw rows.
    OldColumns,
    /// Columns of all events, made anew when the second half had come.
    Columns,
}

impl Way {
    /// What it is called where suites are counted.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Rows => "raw rows",
            Self::OldColumns => "old columns",
            Self::Columns => "columns",
        }
    }
}

/// A store under test.
pub(crate) struct Bench {
    pub(super) store: Arc<dyn EventStore>,
    pub(super) way: Way,
    projects: AtomicU64,
    asked: AtomicU64,
}

impl Bench {
    pub(crate) fn new(store: Arc<dyn EventStore>, way: Way) -> Self {
        Self { store, way, projects: AtomicU64::new(0), asked: AtomicU64::new(0) }
    }

    async fn refresh(&self) {
        while self.store.refresh().await.unwrap().left {}
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
        for (index, half) in batches.chunks(batches.len().div_ceil(2).max(1)).enumerate() {
            if index > 0 && self.way != Way::Rows {
                self.refresh().await;
            }
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
        if self.way == Way::Columns {
            self.refresh().await;
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
}

impl Bench {
    pub(super) async fn context(&self, world: &World) -> Result<Context, String> {
        let retention = Retention { days: world.retention_days };
        let state = self.store.project_state(&world.project, retention.cutoff(world.now)).await;
        let state = state.map_err(|error| format!("project_state: {error:?}"))?;
        Ok(Context {
            now: world.now,
            project: world.project.clone(),
            retention,
            first_event: state.first_event,
            newest_receipt: state.newest_receipt,
            has_columns: self.way != Way::Rows,
        })
    }

    /// Asks the store a plan, and no other where it is refused.
    pub(super) async fn run<P: Executable>(&self, planned: &P) -> Result<P::Answer, AnswerError> {
        ask(self.store.as_ref(), Reading::Primary, planned).await
    }

    /// Asks the store as the API does; every second time, where columns can be read in several turns, as a larger question would be.
    pub(crate) async fn answer<Q: Askable>(
        &self,
        world: &World,
        question: &Q,
    ) -> Result<<Q::Plan as Executable>::Answer, AnswerError> {
        // A project's state is asked for in a test of its own.
        let context = self.context(world).await.unwrap();
        let planned = plan(question, &context)?;
        let is_large = self.asked.fetch_add(1, Ordering::Relaxed) % 2 == 1;
        let in_turns = planned.fallback().filter(|turns| is_large && turns.is_of_one_state());
        self.run(in_turns.as_ref().unwrap_or(&planned)).await
    }
}

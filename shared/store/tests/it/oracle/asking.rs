//! Stores events, asks a store, and compares what it says with what the oracle says.

use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use analytics_domain::{Batch, EventOutcome, Project, Retention, Timestamp};
use analytics_query::{
    Context, EventRecord, Executable, ExportPlan, ExportQuestion, Figure, Intake as _, Place, Question, ResultRow,
    Statement, plan,
};
use analytics_store::{AnswerError, EventStore, Ingest, IngestBatch};
use analytics_testkit::oracle::{self, Extent, OracleAnswer, OracleRow, StoredEvent, World};
use serde_json::Value as Json;
use uuid::Uuid;

use super::Case;

/// What the compiler takes of the language.
pub(crate) const EXTENT: Extent = Extent { compare: true, deeds: true };

/// Pages followed of one answer.
const PAGES: usize = 6;

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

/// A store under test.
pub(crate) struct Bench {
    pub(super) store: Arc<dyn EventStore>,
    way: Way,
    projects: AtomicU64,
}

impl Bench {
    pub(crate) fn new(store: Arc<dyn EventStore>, way: Way) -> Self {
        Self { store, way, projects: AtomicU64::new(0) }
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

    /// The oracle's answer with all rows, whatever the question's limit, and that limit; `None` where it is no question.
    pub(crate) fn expected(case: &Case) -> Option<(OracleAnswer, usize)> {
        let mut question = case.question.clone();
        let limit = question["limit"].as_u64().unwrap_or(100);
        question["limit"] = u64::MAX.into();
        let answer = oracle::answer(&case.events, &question, &case.world).ok()?;
        Some((answer, usize::try_from(limit).ok()?))
    }
}

/// What a store answered: the first page's rows, all rows over its pages, and how many there are said to be.
#[derive(Debug)]
pub(crate) struct Answered {
    first: Vec<ResultRow>,
    followed: Vec<ResultRow>,
    total_rows: u64,
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

    /// Exports the events that a question counts, in parts, and fails where they are not as many as the oracle counts, come
    /// twice, or come in another order than theirs.
    pub(crate) async fn export_agrees(&self, case: &Case) {
        let mut counting = serde_json::json!({"metrics": ["events"]});
        let mut asked = serde_json::json!({"limit": 13});
        for member in ["date_range", "timezone", "filters"] {
            if let Some(value) = case.question.get(member) {
                counting[member] = value.clone();
                asked[member] = value.clone();
            }
        }
        let counted = oracle::answer(&case.events, &counting, &case.world).unwrap();
        let context = self.context(&case.world).await.unwrap();
        let mut places: Vec<Place> = Vec::new();
        loop {
            let plan = ExportQuestion::from_json(&asked).unwrap().plan(&context).unwrap();
            let select = async |statement: Statement| self.store.select(&statement).await.unwrap();
            let until = ExportPlan::end(select(plan.look_ahead(self.store.dialect()).unwrap()).await);
            let events = ExportPlan::events(select(plan.page(plan.after(), until, self.store.dialect())).await);
            let of_the_case = |id: Uuid| case.events.iter().any(|stored| stored.event.id == id);
            assert!(events.len() <= 13 && events.iter().all(|event| of_the_case(event.id)), "{asked}");
            places.extend(events.iter().map(EventRecord::place));
            match until {
                Some(until) => asked["cursor"] = plan.cursor(until).into(),
                None => break,
            }
        }
        assert!(places.is_sorted_by(|a, b| a < b), "{asked}: {places:?}");
        assert_eq!(counted.rows[0].metrics, [Some(places.len() as f64)], "{asked}");
    }

    /// Runs the statements of a plan and makes the answer of their rows.
    pub(super) async fn run<P: Executable>(&self, planned: &P) -> Result<P::Answer, AnswerError> {
        let mut intake = planned.intake();
        let mut refused = None;
        let mut take = |place, row| {
            refused = intake.push(place, row).err();
            if refused.is_some() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        };
        let statements = planned.statements(self.store.dialect());
        self.store.select_together(&statements, &mut take).await?;
        match refused {
            Some(error) => Err(error.into()),
            None => Ok(intake.finish()?),
        }
    }

    /// Plans, selects and shapes, a page after the other; an error is its sentence.
    pub(crate) async fn ask(&self, world: &World, question: &Json) -> Result<Answered, String> {
        let context = self.context(world).await?;
        let mut question = question.clone();
        let mut pages: Vec<Vec<ResultRow>> = Vec::new();
        loop {
            let read = Question::from_json(&question).map_err(|error| format!("read: {error:?}"))?;
            let planned = plan(&read, &context).map_err(|error| format!("plan: {error:?}"))?;
            let statements = || planned.statements(self.store.dialect());
            let answer = self.run(&planned).await.map_err(|error| format!("{error:?}\n{:?}", statements()))?;
            pages.push(answer.results);
            match answer.meta.next_cursor {
                Some(cursor) if pages.len() < PAGES => question["cursor"] = cursor.into(),
                _ => {
                    let first = pages[0].clone();
                    return Ok(Answered { first, followed: pages.concat(), total_rows: answer.meta.total_rows });
                }
            }
        }
    }
}

/// What is different between the oracle's answer and the store's; `None` where they agree.
///
/// `expected` holds all rows, `limit` is the size of a page.
pub(crate) fn difference(expected: &OracleAnswer, limit: usize, got: &Result<Answered, String>) -> Option<String> {
    let got = match got {
        Ok(got) => got,
        Err(error) => return Some(format!("the store fails: {error}")),
    };
    let in_words = |what: &str, rows: &[OracleRow]| {
        let shown: Vec<_> = rows.iter().take(12).map(|row| format!("  {row:?}")).collect();
        format!("{what} ({} rows):\n{}", rows.len(), shown.join("\n"))
    };
    let first: Vec<OracleRow> = got.first.iter().map(as_oracle_row).collect();
    let followed: Vec<OracleRow> = got.followed.iter().map(as_oracle_row).collect();
    let page = &expected.rows[..limit.min(expected.rows.len())];
    let followable = &expected.rows[..limit.saturating_mul(PAGES).min(expected.rows.len())];
    for (name, expected, got) in [("the first page", page, &first), ("all pages", followable, &followed)] {
        if expected.len() == got.len() && expected.iter().zip(got).all(|(expected, got)| same_row(expected, got)) {
            continue;
        }
        let at = expected.iter().zip(got).take_while(|(expected, got)| same_row(expected, got)).count();
        let from = at.saturating_sub(1);
        return Some(format!(
            "{name} differs in row {at}, shown from row {from}\n{}\n{}",
            in_words("oracle", expected.get(from..).unwrap_or_default()),
            in_words("store", got.get(from..).unwrap_or_default())
        ));
    }
    (expected.total_rows as u64 != got.total_rows)
        .then(|| format!("total_rows: oracle {}, store {}", expected.total_rows, got.total_rows))
}

fn as_oracle_row(row: &ResultRow) -> OracleRow {
    let figures = |figures: &[Figure]| {
        let figure = |figure: &Figure| match *figure {
            Figure::Count(count) => Some(count as f64),
            Figure::Number(number) => Some(number),
            Figure::Null => None,
        };
        figures.iter().map(figure).collect()
    };
    OracleRow {
        dimensions: row.dimensions.clone(),
        metrics: figures(&row.metrics),
        comparison: row.comparison.as_ref().and_then(|row| row.as_deref().map(figures)),
    }
}

fn same_row(a: &OracleRow, b: &OracleRow) -> bool {
    let same_figures = |a: &[Option<f64>], b: &[Option<f64>]| {
        a.len() == b.len()
            && a.iter().zip(b).all(|(a, b)| match (a, b) {
                (Some(a), Some(b)) => (a - b).abs() <= 1e-9 * a.abs().max(b.abs()),
                (a, b) => a.is_none() && b.is_none(),
            })
    };
    let same_comparison = match (&a.comparison, &b.comparison) {
        (Some(a), Some(b)) => same_figures(a, b),
        (a, b) => a.is_none() && b.is_none(),
    };
    a.dimensions == b.dimensions && same_figures(&a.metrics, &b.metrics) && same_comparison
}

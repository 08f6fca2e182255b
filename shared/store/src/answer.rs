//! From a question to its answer: plan, select, shape.

use std::ops::ControlFlow;
use std::panic::resume_unwind;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use analytics_domain::{Project, Retention, Timestamp};
use analytics_query::{
    Askable, Context, Dialect, Executable, Intake, Looking, QueryError, QueryErrorCode, Row, Statement, plan,
};
use futures::future::try_join_all;
use thiserror::Error;
use tokio::task::spawn_blocking;

use crate::{EventStore, Inquiry, Listed, Reading, StoreError};

/// Most rows that a question may have the store hand over, over all its statements. What SQL reads and adds up by itself is
/// bounded by the statement timeout alone.
pub const ROWS_READ_MAX: u64 = 50_000_000;

/// Why a question has no answer.
#[derive(Debug, Error)]
pub enum AnswerError {
    /// The question is refused.
    #[error(transparent)]
    Query(#[from] QueryError),
    /// The store fails.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// A planned question, not yet asked.
#[derive(Debug, Clone)]
pub struct Prepared<P> {
    plan: P,
    reading: Reading,
}

/// Plans a question about a project with what the store knows of it.
///
/// # Errors
/// [`AnswerError`].
pub async fn prepare<Q: Askable>(
    store: &dyn EventStore,
    question: &Q,
    project: &Project,
    retention: Retention,
    now: Timestamp,
) -> Result<Prepared<Q::Plan>, AnswerError> {
    let state = store.project_state(project, retention.cutoff(now)).await?;
    let context = Context {
        now,
        project: project.clone(),
        retention,
        first_event: state.first_event,
        newest_receipt: state.newest_receipt,
        has_columns: state.has_columns,
    };
    Ok(Prepared { plan: plan(question, &context)?, reading: state.reading })
}

impl<P: Executable> Prepared<P> {
    /// The same for two questions that have the same answer at the same moment, project included.
    #[must_use]
    pub fn cache_key(&self) -> String {
        self.plan.cache_key()
    }

    /// Asks the store and makes the answer of its rows as they come.
    ///
    /// # Errors
    /// [`AnswerError`].
    pub async fn run(&self, store: &dyn EventStore) -> Result<P::Answer, AnswerError> {
        self.run_within(store, ROWS_READ_MAX).await
    }

    /// The same with another bound than [`ROWS_READ_MAX`].
    ///
    /// # Errors
    /// [`AnswerError`]; `query_too_large` where the store would hand over more than `most` rows.
    pub async fn run_within(&self, store: &dyn EventStore, most: u64) -> Result<P::Answer, AnswerError> {
        match self.read_from(store, self.reading, most).await {
            Err(AnswerError::Store(StoreError::ReplicaLost { source })) => {
                tracing::warn!(error = %source, "the replica was lost in the middle of an answer; the primary is asked");
                self.read_from(store, Reading::Primary, most).await
            }
            answered => answered,
        }
    }

    async fn read_from(&self, store: &dyn EventStore, reading: Reading, most: u64) -> Result<P::Answer, AnswerError> {
        let budget = Budget { most, read: AtomicU64::new(0) };
        let mut otherwise = None;
        loop {
            let plan = otherwise.as_ref().unwrap_or(&self.plan);
            let refusal = match run(store, reading, plan, &budget).await {
                Err(AnswerError::Query(refusal))
                    if refusal.code == QueryErrorCode::QueryTooLarge && !budget.is_exceeded() =>
                {
                    refusal
                }
                answered => return answered,
            };
            otherwise = Some(plan.fallback().ok_or(refusal)?);
        }
    }
}

/// The rows that a question may read, and those that it has.
#[derive(Debug)]
struct Budget {
    most: u64,
    read: AtomicU64,
}

impl Budget {
    fn take(&self) -> Result<(), QueryError> {
        if self.read.fetch_add(1, Ordering::Relaxed) < self.most {
            return Ok(());
        }
        let message = format!("the question reads more than {} rows; narrow date_range, or filter", self.most);
        Err(QueryError { code: QueryErrorCode::QueryTooLarge, path: "date_range".to_owned(), message })
    }

    fn is_exceeded(&self) -> bool {
        self.read.load(Ordering::Relaxed) > self.most
    }
}

/// Asks the store a planned question this one way; [`Prepared::run`] has others where it is refused.
///
/// # Errors
/// [`AnswerError`].
pub async fn ask<P: Executable>(store: &dyn EventStore, reading: Reading, plan: &P) -> Result<P::Answer, AnswerError> {
    run(store, reading, plan, &Budget { most: ROWS_READ_MAX, read: AtomicU64::new(0) }).await
}

async fn run<P: Executable>(
    store: &dyn EventStore,
    reading: Reading,
    plan: &P,
    budget: &Budget,
) -> Result<P::Answer, AnswerError> {
    let narrowed = match plan.looking() {
        Some(looking) => {
            let mut narrowing = Narrowing::new(looking, store.dialect(), budget);
            store.select_together(reading, &mut narrowing).await?;
            match narrowing.end()? {
                Narrowed::Read(intake) => return finish(intake).await,
                Narrowed::ToRead(plan) => plan,
            }
        }
        None => None,
    };
    let plan = narrowed.as_ref().unwrap_or(plan);
    let statements = plan.statements(store.dialect());
    if plan.is_of_one_state() {
        return read_together(store, reading, &statements, plan.intake(), budget).await;
    }
    let intake = Mutex::new(plan.intake());
    try_join_all(
        statements.iter().enumerate().map(|(index, statement)| read(store, reading, index, statement, &intake, budget)),
    )
    .await?;
    Ok(intake.into_inner().unwrap_or_else(PoisonError::into_inner).finish()?)
}

/// Looks for what a plan is to read, and reads it in the same state of the store, where it is good for that one alone.
struct Narrowing<'b, P: Executable> {
    dialect: Dialect,
    budget: &'b Budget,
    /// The statements that are looked into.
    before: Vec<Statement>,
    /// What looks; nothing once it has found, or given up.
    looking: Option<Box<dyn Looking<P>>>,
    found: Option<P>,
    /// The statements of what was found, and what takes their rows, where they are read at once.
    behind: Vec<Statement>,
    intake: Option<P::Intake>,
    refusal: Option<QueryError>,
}

/// What became of a plan.
enum Narrowed<P: Executable> {
    /// It was read.
    Read(P::Intake),
    /// It is still to be read; `None` where that is the plan as it is.
    ToRead(Option<P>),
}

impl<'b, P: Executable> Narrowing<'b, P> {
    fn new(looking: Box<dyn Looking<P>>, dialect: Dialect, budget: &'b Budget) -> Self {
        Self {
            dialect,
            budget,
            before: looking.statements(dialect),
            looking: Some(looking),
            found: None,
            behind: Vec::new(),
            intake: None,
            refusal: None,
        }
    }

    fn find(&mut self, looking: Box<dyn Looking<P>>) {
        self.found = looking.found();
        if let Some(plan) = self.found.as_ref().filter(|plan| plan.is_of_one_state()) {
            self.behind = plan.statements(self.dialect);
            self.intake = Some(plan.intake());
        }
    }

    fn end(self) -> Result<Narrowed<P>, QueryError> {
        match (self.refusal, self.intake) {
            (Some(refusal), _) => Err(refusal),
            (None, Some(intake)) => Ok(Narrowed::Read(intake)),
            (None, None) => Ok(Narrowed::ToRead(self.found)),
        }
    }
}

impl<P: Executable> Inquiry for Narrowing<'_, P> {
    fn statement(&mut self, place: usize) -> Option<Statement> {
        if let Some(statement) = self.before.get(place) {
            return Some(statement.clone());
        }
        if let Some(looking) = self.looking.take() {
            self.find(looking);
        }
        self.behind.get(place - self.before.len()).cloned()
    }

    fn push(&mut self, place: usize, row: Row) -> ControlFlow<()> {
        let taken = self.budget.take().and_then(|()| match (&mut self.looking, &mut self.intake) {
            (Some(looking), _) => Ok(looking.push(place, row)),
            (None, Some(intake)) => intake.push(place - self.before.len(), row).map(ControlFlow::Continue),
            (None, None) => Ok(ControlFlow::Break(())),
        });
        let goes_on = taken.unwrap_or_else(|refusal| {
            self.refusal = Some(refusal);
            ControlFlow::Break(())
        });
        if goes_on.is_break() {
            self.looking = None;
        }
        goes_on
    }
}

/// Hands the rows of statements to the intake, those of one after those of the other.
async fn read_together<I>(
    store: &dyn EventStore,
    reading: Reading,
    statements: &[Statement],
    mut intake: I,
    budget: &Budget,
) -> Result<I::Answer, AnswerError>
where
    I: Intake + 'static,
    I::Answer: Send + 'static,
{
    let mut refusal = None;
    let hand_over = |place, row| match budget.take().and_then(|()| intake.push(place, row)) {
        Ok(()) => ControlFlow::Continue(()),
        Err(error) => {
            refusal = Some(error);
            ControlFlow::Break(())
        }
    };
    store.select_together(reading, &mut Listed::new(statements, hand_over)).await?;
    match refusal {
        Some(refusal) => Err(refusal.into()),
        None => finish(intake).await,
    }
}

/// Makes the answer. What was gathered from columns may be millions of events: that is done where it keeps nobody else waiting.
async fn finish<I>(intake: I) -> Result<I::Answer, AnswerError>
where
    I: Intake + 'static,
    I::Answer: Send + 'static,
{
    match spawn_blocking(move || intake.finish()).await {
        Ok(answer) => Ok(answer?),
        Err(ended) => resume_unwind(ended.into_panic()),
    }
}

/// Hands the rows of one statement to the intake; a row that it refuses is the last.
async fn read<I: Intake>(
    store: &dyn EventStore,
    reading: Reading,
    index: usize,
    statement: &Statement,
    intake: &Mutex<I>,
    budget: &Budget,
) -> Result<(), AnswerError> {
    let mut refusal = None;
    let mut hand_over = |row| {
        let taken = budget.take();
        match taken.and_then(|()| intake.lock().unwrap_or_else(PoisonError::into_inner).push(index, row)) {
            Ok(()) => ControlFlow::Continue(()),
            Err(error) => {
                refusal = Some(error);
                ControlFlow::Break(())
            }
        }
    };
    store.select_each(reading, statement, &mut hand_over).await?;
    refusal.map_or(Ok(()), |refusal| Err(refusal.into()))
}

/// Answers a question about a project.
///
/// # Errors
/// [`AnswerError`].
pub async fn answer<Q: Askable>(
    store: &dyn EventStore,
    question: &Q,
    project: &Project,
    retention: Retention,
    now: Timestamp,
) -> Result<<Q::Plan as Executable>::Answer, AnswerError> {
    prepare(store, question, project, retention, now).await?.run(store).await
}

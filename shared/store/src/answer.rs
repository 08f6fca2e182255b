//! From a question to its answer: plan, select, shape.

use std::ops::ControlFlow;
use std::panic::resume_unwind;
use std::sync::{Mutex, PoisonError};

use analytics_domain::{Project, Retention, Timestamp};
use analytics_query::{Askable, Context, Executable, Intake, QueryError, QueryErrorCode, Statement, plan};
use futures::future::try_join_all;
use thiserror::Error;
use tokio::task::spawn_blocking;

use crate::{EventStore, StoreError};

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
pub struct Prepared<P>(P);

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
    Ok(Prepared(plan(question, &context)?))
}

impl<P: Executable> Prepared<P> {
    /// The same for two questions that have the same answer at the same moment, project included.
    #[must_use]
    pub fn cache_key(&self) -> String {
        self.0.cache_key()
    }

    /// Asks the store and makes the answer of its rows as they come.
    ///
    /// # Errors
    /// [`AnswerError`].
    pub async fn run(&self, store: &dyn EventStore) -> Result<P::Answer, AnswerError> {
        match run(store, &self.0).await {
            Err(AnswerError::Query(refusal)) if refusal.code == QueryErrorCode::QueryTooLarge => {
                match self.0.without_columns() {
                    Some(plan) => run(store, &plan).await,
                    None => Err(refusal.into()),
                }
            }
            answered => answered,
        }
    }
}

async fn run<P: Executable>(store: &dyn EventStore, plan: &P) -> Result<P::Answer, AnswerError> {
    let statements = plan.statements(store.dialect());
    if plan.is_of_one_state() {
        return read_together(store, &statements, plan.intake()).await;
    }
    let intake = Mutex::new(plan.intake());
    try_join_all(statements.iter().enumerate().map(|(index, statement)| read(store, index, statement, &intake)))
        .await?;
    Ok(intake.into_inner().unwrap_or_else(PoisonError::into_inner).finish()?)
}

/// Hands the rows of statements to the intake, those of one after those of the other. What was gathered from columns may be
/// millions of events: the answer is made of them where it keeps nobody else waiting.
async fn read_together<I>(
    store: &dyn EventStore,
    statements: &[Statement],
    mut intake: I,
) -> Result<I::Answer, AnswerError>
where
    I: Intake + 'static,
    I::Answer: Send + 'static,
{
    let mut refusal = None;
    let mut hand_over = |place, row| match intake.push(place, row) {
        Ok(()) => ControlFlow::Continue(()),
        Err(error) => {
            refusal = Some(error);
            ControlFlow::Break(())
        }
    };
    store.select_together(statements, &mut hand_over).await?;
    match refusal {
        Some(refusal) => Err(refusal.into()),
        None => match spawn_blocking(move || intake.finish()).await {
            Ok(answer) => Ok(answer?),
            Err(ended) => resume_unwind(ended.into_panic()),
        },
    }
}

/// Hands the rows of one statement to the intake; a row that it refuses is the last.
async fn read<I: Intake>(
    store: &dyn EventStore,
    index: usize,
    statement: &Statement,
    intake: &Mutex<I>,
) -> Result<(), AnswerError> {
    let mut refusal = None;
    let mut hand_over = |row| match intake.lock().unwrap_or_else(PoisonError::into_inner).push(index, row) {
        Ok(()) => ControlFlow::Continue(()),
        Err(error) => {
            refusal = Some(error);
            ControlFlow::Break(())
        }
    };
    store.select_each(statement, &mut hand_over).await?;
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

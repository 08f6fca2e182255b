//! Live queries answered by the store.

use std::sync::{Arc, OnceLock};

use analytics_domain::{Project, SharedRetention};
use analytics_host::clock::SharedClock;
use analytics_query::{Askable, FunnelQuestion, PathsQuestion, QueryError, Question, RetentionQuestion};
use analytics_store::{AnswerError, EventStore, StoreError, answer};
use async_trait::async_trait;
use serde_json::Value;
use tracing::error;

use crate::live_query::LiveQueries;
use crate::refusal::Refusal;

/// Answers live queries as the API does, never from a cache.
pub struct StoreQueries {
    store: OnceLock<Arc<dyn EventStore>>,
    clock: SharedClock,
    retention: SharedRetention,
}

impl StoreQueries {
    /// Without a store yet: until [`StoreQueries::open`] every question is refused with `store_unavailable`, and asked
    /// again after a while.
    pub fn new(clock: SharedClock, retention: SharedRetention) -> Self {
        Self { store: OnceLock::new(), clock, retention }
    }

    /// Questions go to this store from now on; a second one is not taken.
    pub fn open(&self, store: Arc<dyn EventStore>) {
        let _ = self.store.set(store);
    }

    /// The store, once there is one.
    pub fn store(&self) -> Option<&Arc<dyn EventStore>> {
        self.store.get()
    }
}

#[async_trait]
impl LiveQueries for StoreQueries {
    fn normalise(&self, question: &Value) -> Result<String, Refusal> {
        let normal = match LiveQuestion::read(question)? {
            LiveQuestion::Figures(question) => question.to_json(),
            LiveQuestion::Funnel(question) => question.to_json(),
            LiveQuestion::Paths(question) => question.to_json(),
            LiveQuestion::Retention(question) => question.to_json(),
        };
        Ok(normal.to_string())
    }

    async fn run(&self, project: &Project, question: &Value) -> Result<Value, Refusal> {
        match LiveQuestion::read(question)? {
            LiveQuestion::Figures(question) => self.answer(project, &question).await,
            LiveQuestion::Funnel(question) => self.answer(project, &question).await,
            LiveQuestion::Paths(question) => self.answer(project, &question).await,
            LiveQuestion::Retention(question) => self.answer(project, &question).await,
        }
    }
}

/// A question of a kind that can be asked live.
enum LiveQuestion {
    /// As the body of `POST /api/query`.
    Figures(Question),
    /// As the body of `POST /api/funnel`.
    Funnel(FunnelQuestion),
    /// As the body of `POST /api/paths`.
    Paths(PathsQuestion),
    /// As the body of `POST /api/retention`.
    Retention(RetentionQuestion),
}

impl LiveQuestion {
    /// Reads a question of the kind that its members tell.
    fn read(question: &Value) -> Result<Self, QueryError> {
        let has = |members: &[&str]| members.iter().any(|member| question.get(member).is_some());
        if has(&["steps"]) {
            FunnelQuestion::from_json(question).map(Self::Funnel)
        } else if has(&["from", "to", "depth", "name"]) {
            PathsQuestion::from_json(question).map(Self::Paths)
        } else if has(&["start", "return"]) {
            RetentionQuestion::from_json(question).map(Self::Retention)
        } else {
            Question::from_json(question).map(Self::Figures)
        }
    }
}

impl StoreQueries {
    async fn answer<Q: Askable + Sync>(&self, project: &Project, question: &Q) -> Result<Value, Refusal>
    where
        Q::Plan: Sync,
    {
        let store = self.store.get().ok_or_else(store_unavailable)?;
        let answered = answer(store.as_ref(), question, project, self.retention.get(), self.clock.now()).await;
        serde_json::to_value(answered.map_err(refusal)?).map_err(|error| {
            error!(error = %error, "an answer cannot be written as JSON");
            internal_error()
        })
    }
}

/// The codes are those of the API's problems.
fn refusal(failure: AnswerError) -> Refusal {
    match failure {
        AnswerError::Query(error) => error.into(),
        AnswerError::Store(StoreError::TooSlow { seconds }) => Refusal::new(
            "query_too_large",
            format!("the question takes longer than {seconds} s; narrow date_range, or ask for fewer dimensions"),
        )
        .at("date_range"),
        AnswerError::Store(failure @ StoreError::Data { .. }) => {
            error!(error = &failure as &dyn std::error::Error, "the store refuses a statement of ours");
            internal_error()
        }
        AnswerError::Store(failure) => {
            error!(error = &failure as &dyn std::error::Error, "a live query could not be answered");
            store_unavailable()
        }
    }
}

fn store_unavailable() -> Refusal {
    Refusal::new("store_unavailable", "the store cannot be asked now; it is asked again by itself").passing()
}

fn internal_error() -> Refusal {
    Refusal::new("internal_error", "the answer could not be computed; this is a defect, and it is in the log")
}

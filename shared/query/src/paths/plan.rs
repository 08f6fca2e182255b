//! A question of paths in its context: what is scanned, and how the rows are folded.

use std::sync::Arc;

use serde_json::json;

use super::PathsQuestion;
use super::answer::{PathEnd, PathsAnswer, PathsQuery};
use super::tally::Tally;
use super::trail::{Ends, Trail};
use crate::columns::Threads;
use crate::folding::{self, Folding};
use crate::ground::Ground;
use crate::scan::{ActorKey, Scan, ScannedEvent};
use crate::{Askable, Context, Dialect, Executable, Filter, Intake, QueryError, Row, Statement};

/// The mark of an event that paths begin with.
const FROM: usize = 0;
/// The mark of an event that paths end with.
const TO: usize = 1;

/// A planned [`PathsQuestion`].
#[derive(Debug, Clone, PartialEq)]
pub struct PathsPlan {
    question: PathsQuestion,
    ground: Ground,
    query: PathsQuery,
}

impl Askable for PathsQuestion {
    type Plan = PathsPlan;

    fn plan(&self, context: &Context) -> Result<PathsPlan, QueryError> {
        let ground = Ground::new(self.date_range, &self.timezone, context);
        let end = |filters: &Vec<Filter>| PathEnd { filters: filters.iter().map(Filter::to_json).collect() };
        let query = PathsQuery {
            from: self.from.as_ref().map(end),
            to: self.to.as_ref().map(end),
            depth: self.depth,
            by: self.by.name().to_owned(),
            name: self.name.to_string(),
            limit: self.limit,
            date_range: ground.shown.clone(),
            timezone: self.timezone.name().to_owned(),
        };
        Ok(PathsPlan { question: self.clone(), ground, query })
    }
}

impl PathsPlan {
    /// The question in its one form, with absolute instants.
    #[must_use]
    pub const fn query(&self) -> &PathsQuery {
        &self.query
    }

    /// One ordered scan of all events in the range, marked where paths begin and end.
    fn scan<T>(&self, with: impl FnOnce(Scan<'_>) -> T) -> T {
        let end = |filters: &'_ Option<Vec<Filter>>| filters.clone().unwrap_or_default();
        let (from, to) = (end(&self.question.from), end(&self.question.to));
        with(Scan {
            project: &self.ground.project,
            by: self.question.by,
            range: self.ground.range,
            read: self.ground.range,
            filters: &[],
            marks: &[&from, &to],
            unmarked: true,
            label: Some(&self.question.name),
        })
    }
}

impl Executable for PathsPlan {
    type Answer = PathsAnswer;
    type Intake = PathsIntake;

    fn statements(&self, dialect: Dialect) -> Vec<Statement> {
        self.scan(|scan| scan.statements(self.ground.turns, dialect))
    }

    fn is_of_one_state(&self) -> bool {
        self.scan(|scan| scan.is_of_columns(self.ground.turns))
    }

    fn fallback(&self) -> Option<Self> {
        self.is_of_one_state().then(|| Self { ground: self.ground.fallback(), ..self.clone() })
    }

    fn intake(&self) -> PathsIntake {
        PathsIntake::new(self, Threads::of_machine())
    }

    fn cache_key(&self) -> String {
        let query = &self.query;
        let end = |end: &Option<PathEnd>| end.as_ref().map(|end| end.filters.clone());
        let asked = json!([
            self.question.date_range.to_string(),
            query.timezone,
            end(&query.from),
            end(&query.to),
            query.depth,
            query.by,
            query.name,
            query.limit
        ]);
        self.ground.cache_key("paths", &asked.to_string())
    }
}

/// Takes the rows of a [`PathsPlan`]'s scan in, actor by actor.
#[derive(Debug)]
pub struct PathsIntake(Folding<Fold>);

/// The paths of actors, each of whose events come together and in order.
#[derive(Debug)]
struct Fold {
    ends: Ends,
    /// Whose events the trail has taken.
    actor: Option<ActorKey>,
    /// The name that came last: the same one is kept once while it repeats.
    name: Option<Arc<str>>,
    trail: Trail,
    tally: Tally,
    events_read: u64,
}

impl folding::Fold for Fold {
    type Plan = PathsPlan;

    fn new(PathsPlan { question, .. }: &PathsPlan) -> Self {
        Self {
            ends: Ends { has_from: question.from.is_some(), has_to: question.to.is_some(), depth: question.depth },
            actor: None,
            name: None,
            trail: Trail::default(),
            tally: Tally::default(),
            events_read: 0,
        }
    }

    fn end(&mut self) -> Result<(), QueryError> {
        let path = self.trail.finish(self.ends);
        self.tally.take(&path)
    }

    fn event(&mut self, event: ScannedEvent) -> Result<(), QueryError> {
        self.events_read += 1;
        if self.actor.as_ref() != Some(&event.actor) {
            self.end()?;
            self.actor = Some(event.actor);
        }
        if self.name != event.label {
            self.name = event.label;
        }
        let has = |mark: usize| event.marks & (1 << mark) != 0;
        self.trail.event(self.ends, has(FROM), has(TO), self.name.as_ref());
        Ok(())
    }

    fn join(&mut self, other: Self) -> Result<(), QueryError> {
        self.events_read += other.events_read;
        self.tally.join(other.tally)
    }
}

impl PathsIntake {
    pub(crate) fn new(plan: &PathsPlan, threads: Threads) -> Self {
        Self(plan.scan(|scan| Folding::new(plan.clone(), &scan, plan.ground.turns, threads)))
    }
}

impl Intake for PathsIntake {
    type Answer = PathsAnswer;

    fn push(&mut self, statement: usize, row: Row) -> Result<(), QueryError> {
        self.0.push(statement, row)
    }

    fn finish(self) -> Result<PathsAnswer, QueryError> {
        let (plan, fold, source) = self.0.finish()?;
        let (nodes, links) = fold.tally.finish(plan.question.limit as usize);
        let meta = plan.ground.meta(source, fold.events_read);
        Ok(PathsAnswer { nodes, links, meta, query: plan.query })
    }
}

//! Rows on their way to an answer: handed over one by one, kept only where the kind of question has to see all of them.

use serde::Serialize;

use crate::{QueryError, Row};

/// Takes the rows of a plan's statements in as they come, and makes the answer of them.
///
/// A kind that reads an ordered scan folds each row away, so that its memory does not grow with the events read.
pub trait Intake: Send {
    /// What is made of the rows.
    type Answer: Serialize;

    /// Takes a row of the statement at this place of [`crate::Executable::statements`]. The rows of one statement come in its
    /// order; those of several may come in any order among each other.
    ///
    /// # Errors
    /// [`QueryError`] `query_too_large` where the rows are more than an answer can be made of; no row is taken after that.
    fn push(&mut self, statement: usize, row: Row) -> Result<(), QueryError>;

    /// The answer, once every row was taken.
    ///
    /// # Errors
    /// [`QueryError`] `query_too_large` where the answer would have more rows than it may.
    fn finish(self) -> Result<Self::Answer, QueryError>;
}

/// A plan whose statements bound their own rows, so that the answer is made of all of them at once.
pub trait Gathered: Clone + Send {
    /// What the kind is answered with.
    type Answer: Serialize;

    /// The answer; `rows` holds the rows of each statement in their order, and may leave out the last ones that have none.
    ///
    /// # Errors
    /// [`QueryError`] `query_too_large` where the rows are more than an answer may have.
    fn answer(&self, rows: Vec<Vec<Row>>) -> Result<Self::Answer, QueryError>;
}

/// The intake of a [`Gathered`] plan: keeps the rows until all are there.
#[derive(Debug, Clone)]
pub struct Gathering<P> {
    plan: P,
    rows: Vec<Vec<Row>>,
}

impl<P: Gathered> Gathering<P> {
    /// An intake without rows.
    pub fn new(plan: &P) -> Self {
        Self { plan: plan.clone(), rows: Vec::new() }
    }
}

impl<P: Gathered> Intake for Gathering<P> {
    type Answer = P::Answer;

    fn push(&mut self, statement: usize, row: Row) -> Result<(), QueryError> {
        if self.rows.len() <= statement {
            self.rows.resize_with(statement + 1, Vec::new);
        }
        if let Some(rows) = self.rows.get_mut(statement) {
            rows.push(row);
        }
        Ok(())
    }

    fn finish(self) -> Result<P::Answer, QueryError> {
        self.plan.answer(self.rows)
    }
}

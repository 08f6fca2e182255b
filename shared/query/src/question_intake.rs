//! What the rows of a question of metrics and dimensions go through.

use crate::columns::{ColumnReader, Counting, STATEMENTS};
use crate::intake::Intake;
use crate::plan::Plan;
use crate::{Answer, QueryError, Row, Source};

/// Keeps the rows of SQL's groups, and counts over columns.
#[derive(Debug)]
pub struct QuestionIntake {
    plan: Plan,
    parts: Vec<Part>,
}

/// What is read for one range.
#[derive(Debug)]
enum Part {
    Groups(Vec<Row>),
    Columns(Box<ColumnReader<Counting>>),
}

impl Part {
    const fn statements(&self) -> usize {
        match self {
            Self::Groups(_) => 1,
            Self::Columns(_) => STATEMENTS,
        }
    }
}

impl QuestionIntake {
    /// An intake without rows.
    pub(crate) fn new(plan: &Plan) -> Self {
        let parts = plan.selections().map(|selection| match selection.counting(&plan.question) {
            None => Part::Groups(Vec::new()),
            Some(counting) => Part::Columns(Box::new(ColumnReader::new(counting))),
        });
        Self { plan: plan.clone(), parts: parts.collect() }
    }
}

impl Intake for QuestionIntake {
    type Answer = Answer;

    fn push(&mut self, statement: usize, row: Row) -> Result<(), QueryError> {
        let mut place = statement;
        for part in &mut self.parts {
            if place >= part.statements() {
                place -= part.statements();
                continue;
            }
            match part {
                Part::Groups(rows) => rows.push(row),
                Part::Columns(reader) => reader.push(place, row)?,
            }
            break;
        }
        Ok(())
    }

    fn finish(self) -> Result<Answer, QueryError> {
        let mut rows = Vec::with_capacity(self.parts.len());
        let mut raw = 0;
        for part in self.parts {
            rows.push(match part {
                Part::Groups(rows) => rows,
                Part::Columns(reader) => {
                    let (counting, read) = reader.finish()?;
                    raw += read;
                    counting.rows()
                }
            });
        }
        let mut answer = crate::shape::shape(&self.plan, rows)?;
        if raw > 0 && answer.meta.source == Source::Rollup {
            answer.meta.source = Source::Mixed;
        }
        Ok(answer)
    }
}

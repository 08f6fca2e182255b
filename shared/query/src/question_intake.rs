//! What the rows of a question of metrics and dimensions go through.

use crate::columns::{ColumnReader, Counting, STATEMENTS, Threads};
use crate::intake::Intake;
use crate::plan::Plan;
use crate::{Answer, Cell, QueryError, Row, Source};

/// Most bytes of the texts of SQL's groups: their rows are bounded, and a text may have 32 KiB.
const TEXT_BYTES_MAX: usize = 128 << 20;

/// Keeps the rows of SQL's groups, and counts over columns.
#[derive(Debug)]
pub struct QuestionIntake {
    plan: Plan,
    parts: Vec<Part>,
    text_bytes: usize,
    rows: u64,
}

/// What is read for one range.
#[derive(Debug)]
enum Part {
    Groups(Vec<Row>),
    /// Groups of what days count by value, behind the word whether some value has no count of its own.
    ValuesOfDays(Vec<Row>),
    Columns(Box<ColumnReader<Counting>>),
}

impl Part {
    const fn statements(&self) -> usize {
        match self {
            Self::Groups(_) => 1,
            Self::ValuesOfDays(_) => 2,
            Self::Columns(_) => STATEMENTS,
        }
    }
}

impl QuestionIntake {
    /// An intake without rows.
    pub(crate) fn new(plan: &Plan, threads: Threads) -> Self {
        let parts = plan.selections().map(|selection| match selection.counting(&plan.question) {
            None if selection.is_by_values_of_days() => Part::ValuesOfDays(Vec::new()),
            None => Part::Groups(Vec::new()),
            Some(counting) => Part::Columns(Box::new(ColumnReader::new(counting, threads))),
        });
        Self { plan: plan.clone(), parts: parts.collect(), text_bytes: 0, rows: 0 }
    }
}

fn text_bytes(row: &Row) -> usize {
    let length = |cell: &Cell| if let Cell::Text(text) = cell { text.len() } else { 0 };
    row.iter().map(length).sum()
}

impl Intake for QuestionIntake {
    type Answer = Answer;

    fn push(&mut self, statement: usize, row: Row) -> Result<(), QueryError> {
        self.rows += 1;
        let mut place = statement;
        for part in &mut self.parts {
            if place >= part.statements() {
                place -= part.statements();
                // The threads of a range are free for the next one.
                if let Part::Columns(reader) = part {
                    reader.close()?;
                }
                continue;
            }
            match part {
                Part::Groups(rows) => {
                    self.text_bytes += text_bytes(&row);
                    rows.push(row);
                }
                // Never the last word: the plan has a fallback.
                Part::ValuesOfDays(_) if place == 0 => {
                    return Err(QueryError::too_large("dimensions", "a day of the range counts some values together"));
                }
                Part::ValuesOfDays(rows) => rows.push(row),
                Part::Columns(reader) => reader.push(place, row)?,
            }
            break;
        }
        if self.text_bytes > TEXT_BYTES_MAX {
            let most = TEXT_BYTES_MAX >> 20;
            let message =
                format!("the values of the rows take more than {most} MiB; leave out a dimension or add a filter");
            return Err(QueryError::too_large("dimensions", message));
        }
        Ok(())
    }

    fn finish(self) -> Result<Answer, QueryError> {
        let mut rows = Vec::with_capacity(self.parts.len());
        let mut raw = 0;
        for part in self.parts {
            rows.push(match part {
                Part::Groups(rows) | Part::ValuesOfDays(rows) => rows,
                Part::Columns(reader) => {
                    let (counting, read, _) = reader.finish()?;
                    raw += read;
                    counting.rows()
                }
            });
        }
        let mut answer = crate::shape::shape(&self.plan, rows)?;
        answer.meta.rows_read = self.rows;
        if raw > 0 && answer.meta.source == Source::Rollup {
            answer.meta.source = Source::Mixed;
        }
        Ok(answer)
    }
}

//! Rows of an ordered scan folded into an answer: one by one where they come in order, or turn by turn where they were gathered.

use crate::columns::{Scanning, Threads, Turn, TurnReader, Turns};
use crate::scan::{Scan, ScannedEvent};
use crate::{QueryError, Row, Source};

/// What is made of the events of actors, each of whose events come together and in order.
pub(crate) trait Fold: Send + Sized {
    /// What is asked.
    type Plan: Sync;

    /// One that has seen nothing.
    fn new(plan: &Self::Plan) -> Self;

    /// Takes an event.
    fn event(&mut self, event: ScannedEvent) -> Result<(), QueryError>;

    /// Says that the events of the last actor are over.
    fn end(&mut self) -> Result<(), QueryError>;

    /// Takes in what another one, that was ended, made of other actors.
    fn join(&mut self, other: Self) -> Result<(), QueryError>;
}

/// Takes the rows of a scan's statements in, and folds them.
#[derive(Debug)]
pub(crate) struct Folding<F: Fold> {
    plan: F::Plan,
    /// Gathers the rows where they are those of columns.
    reader: Option<Box<TurnReader<Scanning>>>,
    fold: F,
}

impl<F: Fold> Folding<F> {
    /// One without rows, of a plan and its scan.
    pub(crate) fn new(plan: F::Plan, scan: &Scan<'_>, turns: Option<Turns>, threads: Threads) -> Self {
        let reader = scan.scanning(turns).map(|(scanning, turns)| TurnReader::new(&scanning, turns, threads));
        Self { fold: F::new(&plan), reader: reader.map(Box::new), plan }
    }

    /// Takes a row of the statement at this place.
    pub(crate) fn push(&mut self, statement: usize, row: Row) -> Result<(), QueryError> {
        let Some(reader) = &mut self.reader else {
            return ScannedEvent::from_row(row).map_or(Ok(()), |event| self.fold.event(event));
        };
        match reader.push(statement, row)? {
            Some(turn) => self.take(turn),
            None => Ok(()),
        }
    }

    /// Folds what a turn has gathered by as many threads as it had.
    fn take(&mut self, (scanning, hired): Turn<Scanning>) -> Result<(), QueryError> {
        for mut fold in scanning.fold(&hired, || F::new(&self.plan), F::event)? {
            fold.end()?;
            self.fold.join(fold)?;
        }
        Ok(())
    }

    /// The plan, what was made of all events, and where these came from.
    pub(crate) fn finish(mut self) -> Result<(F::Plan, F, Source), QueryError> {
        let Some(reader) = self.reader.take() else {
            self.fold.end()?;
            return Ok((self.plan, self.fold, Source::Raw));
        };
        let (turn, raw) = reader.finish()?;
        self.take(turn)?;
        Ok((self.plan, self.fold, if raw > 0 { Source::Mixed } else { Source::Rollup }))
    }
}

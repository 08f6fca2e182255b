//! The units of the calendar that a retention is told in: those of its cohorts, and those after them that have cells.

use analytics_domain::Timestamp;
use jiff::ToSpan as _;

use crate::plan::ROW_BUDGET;
use crate::{Buckets, Interval, QueryError, Range, Zone};

/// The units from the one that holds the range's first instant to the one of the last cohort's last cell.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Units {
    /// Maybe a few more than are needed.
    all: Buckets,
    /// Units that have an instant in common with the range: the first so many of `all`.
    cohorts: usize,
    periods: usize,
}

impl Units {
    /// The units of a range.
    pub(crate) fn new(unit: Interval, range: Range, periods: u32, zone: &Zone) -> Result<Self, QueryError> {
        let too_large = || {
            let message = format!(
                "the answer has more than {ROW_BUDGET} cells; narrow date_range, ask for a longer unit or for fewer periods"
            );
            QueryError::too_large("date_range", message)
        };
        let periods = periods as usize;
        let touched = Buckets::new(unit, range, zone, ROW_BUDGET / periods.max(1)).ok_or_else(too_large)?;
        let cohorts = touched.starts().len();
        let Some(last) = touched.starts().last() else { return Ok(Self { all: touched, cohorts, periods }) };
        // One more than there are cells: a date that the zone skipped is no unit.
        let ahead = i64::try_from(periods + 1).unwrap_or(i64::MAX);
        let date = zone.clock(*last).date();
        let end = match unit {
            Interval::Month => date.saturating_add(ahead.months()),
            Interval::Week => date.saturating_add(ahead.weeks()),
            _ => date.saturating_add(ahead.days()),
        };
        let whole = Range { from: range.from, to: zone.start_of_day(end) };
        let all = Buckets::new(unit, whole, zone, usize::MAX).ok_or_else(too_large)?;
        Ok(Self { all, cohorts, periods })
    }

    /// How many units may be cohorts.
    pub(crate) const fn cohorts(&self) -> usize {
        self.cohorts
    }

    /// How many cells a cohort has.
    pub(crate) const fn periods(&self) -> usize {
        self.periods
    }

    /// Every unit, for the statement.
    pub(crate) const fn buckets(&self) -> &Buckets {
        &self.all
    }

    /// The first instant of a unit.
    pub(crate) fn start_of(&self, index: usize) -> Option<Timestamp> {
        self.all.starts().get(index).copied()
    }

    /// The end of the last cohort's last cell; nothing behind it counts.
    pub(crate) fn end(&self) -> Timestamp {
        self.all.end_of((self.cohorts + self.periods).saturating_sub(2))
    }

    /// Whether a unit is not over at an instant.
    pub(crate) fn is_open(&self, index: usize, now: Timestamp) -> bool {
        self.all.end_of(index) > now
    }

    /// The unit that holds an instant.
    pub(crate) fn index_of(&self, instant: Timestamp) -> Option<usize> {
        self.all.index_of(instant)
    }
}

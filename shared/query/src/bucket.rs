//! Buckets of time: worked out here, so that every store has the same ones, and handed to SQL as instants.

use analytics_domain::Timestamp;
use jiff::ToSpan as _;
use jiff::civil::{Date, DateTime, Weekday};

use crate::{Interval, Range, Zone};

const MICROS_PER_MINUTE: i64 = 60_000_000;
const MICROS_PER_HOUR: i64 = 60 * MICROS_PER_MINUTE;

/// Every bucket that has an instant in common with a range, in order, without holes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Buckets {
    starts: Vec<Timestamp>,
    end: Timestamp,
}

/// Buckets of equal length, one behind the other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Run {
    /// The start of the first.
    pub(crate) start: Timestamp,
    /// The index of the first.
    pub(crate) first: usize,
    /// The length of each, in microseconds.
    pub(crate) length: i64,
}

impl Buckets {
    /// The buckets of a range; `None` where they are more than `most`.
    #[must_use]
    pub fn new(interval: Interval, range: Range, zone: &Zone, most: usize) -> Option<Self> {
        if range.from >= range.to {
            return Some(Self { starts: Vec::new(), end: range.to });
        }
        match interval {
            Interval::Minute => on_the_clock(MICROS_PER_MINUTE, range, zone, most),
            Interval::Hour => on_the_clock(MICROS_PER_HOUR, range, zone, most),
            Interval::Day => {
                let first = zone.clock(range.from).date();
                on_the_calendar(first, |date| date.tomorrow().ok(), range, zone, most)
            }
            Interval::Week => {
                let date = zone.clock(range.from).date();
                let monday = date.saturating_sub(i64::from(date.weekday().since(Weekday::Monday)).days());
                on_the_calendar(monday, |date| date.checked_add(1.week()).ok(), range, zone, most)
            }
            Interval::Month => {
                let first = zone.clock(range.from).date().first_of_month();
                on_the_calendar(first, |date| date.checked_add(1.month()).ok(), range, zone, most)
            }
        }
    }

    /// The starts; the first may lie before the range.
    #[must_use]
    pub fn starts(&self) -> &[Timestamp] {
        &self.starts
    }

    /// The end of a bucket, which is the start of the next.
    #[must_use]
    pub fn end_of(&self, index: usize) -> Timestamp {
        self.starts.get(index + 1).copied().unwrap_or(self.end)
    }

    /// The index of the bucket that holds an instant; `None` before the first.
    #[must_use]
    pub fn index_of(&self, instant: Timestamp) -> Option<usize> {
        self.starts.partition_point(|start| *start <= instant).checked_sub(1)
    }

    /// The buckets as runs of equal length, which is how SQL without a binary search finds one by arithmetic.
    pub(crate) fn runs(&self) -> Vec<Run> {
        let mut runs: Vec<Run> = Vec::new();
        for (index, start) in self.starts.iter().enumerate() {
            let length = self.end_of(index).micros_since(*start);
            if runs.last().is_none_or(|run| run.length != length) {
                runs.push(Run { start: *start, first: index, length });
            }
        }
        runs
    }
}

/// Buckets that begin with a date.
fn on_the_calendar(
    first: Date,
    next: impl Fn(Date) -> Option<Date>,
    range: Range,
    zone: &Zone,
    most: usize,
) -> Option<Buckets> {
    let mut starts: Vec<Timestamp> = Vec::new();
    let mut date = Some(first);
    loop {
        let Some(this) = date else { return Some(Buckets { starts, end: range.to }) };
        let start = zone.start_of_day(this);
        date = next(this);
        // A date that the zone skipped begins with the next one.
        if starts.last() == Some(&start) {
            continue;
        }
        if start >= range.to {
            return Some(Buckets { starts, end: start });
        }
        if start <= range.from {
            starts.clear();
        } else if starts.len() >= most {
            return None;
        }
        starts.push(start);
    }
}

/// Buckets while the clock shows one hour or minute at one offset.
fn on_the_clock(length: i64, range: Range, zone: &Zone, most: usize) -> Option<Buckets> {
    // Where the clock began to run as it does at `from`, and where the clock's hour would have begun.
    let shown = clock_micros(zone.clock(range.from));
    let whole = range.from.saturating_add_micros(-shown.rem_euclid(length));
    let mut start = zone.last_change(range.from).map_or(whole, |change| change.max(whole));
    let mut starts = Vec::new();
    let mut change = zone.next_change(range.from);
    while start < range.to {
        if starts.len() >= most {
            return None;
        }
        starts.push(start);
        let shown = clock_micros(zone.clock(start));
        let next = start.saturating_add_micros(length - shown.rem_euclid(length));
        start = next;
        if let Some(at) = change
            && at <= next
        {
            start = at;
            change = zone.next_change(at);
        }
    }
    Some(Buckets { starts, end: start })
}

/// Microseconds since midnight by the clock.
fn clock_micros(clock: DateTime) -> i64 {
    let seconds = i64::from(clock.hour()) * 3_600 + i64::from(clock.minute()) * 60 + i64::from(clock.second());
    seconds * 1_000_000 + i64::from(clock.subsec_nanosecond()) / 1_000
}

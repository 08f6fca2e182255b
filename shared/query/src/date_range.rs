//! The stretch of time that a question is about.
//!
//! - `today`, `yesterday`; `Nd`: today and the N - 1 calendar days before it; `month`, `year`: from the first day of the
//!   current one; `all`: from the day of the first event. All but `yesterday` end with the end of today.
//! - `Nh`: the N hours before now, now itself not included.
//! - `[from, to]`: two dates, both included, or two instants with offset, `to` not included.
//!
//! Days are those of the question's zone.

use std::fmt;

use analytics_domain::Timestamp;
use jiff::ToSpan as _;
use jiff::civil::Date;
use serde_json::{Value, json};

use crate::{Context, QueryError, Zone};

/// Most days in `Nd` and most hours in `Nh`.
const COUNT_MAX: u32 = 10_000;

/// What a range may be, for messages.
pub(crate) const ALLOWED: &str = "today, yesterday, 24h, 7d, 30d, 90d, month, year, all, or [from, to] of two dates \
                                  (both included) or of two RFC 3339 instants with offset (to not included)";

const MICROS_PER_HOUR: i64 = 3_600_000_000;

/// A range as it was asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DateRange {
    /// `today`.
    Today,
    /// `yesterday`.
    Yesterday,
    /// `7d`: today and so many less one days before it.
    Days(u32),
    /// `24h`: so many hours up to now.
    Hours(u32),
    /// `month`: from the first of this month.
    Month,
    /// `year`: from the first of January.
    Year,
    /// `all`: from the first event's day.
    All,
    /// Two dates, both included.
    Dates(Date, Date),
    /// Two instants, the second not included.
    Instants(Timestamp, Timestamp),
}

/// A range in instants: `from` is part of it, `to` is not.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Range {
    /// The first instant.
    pub from: Timestamp,
    /// The first instant behind.
    pub to: Timestamp,
}

impl DateRange {
    /// Reads a range.
    ///
    /// # Errors
    /// [`QueryError`] at `path`, with the ranges that there are.
    pub fn parse(value: &Value, path: &str) -> Result<Self, QueryError> {
        let wrong = || QueryError::invalid(path, format!("expected a range: {ALLOWED}"));
        match value {
            Value::String(name) => Self::parse_name(name).ok_or_else(wrong),
            Value::Array(ends) => {
                let [Value::String(from), Value::String(to)] = ends.as_slice() else { return Err(wrong()) };
                Self::parse_ends(from, to, path)
            }
            _ => Err(wrong()),
        }
    }

    /// Reads a range that is a word.
    pub(crate) fn parse_name(name: &str) -> Option<Self> {
        Some(match name {
            "today" => Self::Today,
            "yesterday" => Self::Yesterday,
            "month" => Self::Month,
            "year" => Self::Year,
            "all" => Self::All,
            _ => {
                let digits = name.get(..name.len().checked_sub(1)?)?;
                if digits.is_empty() || digits.starts_with('0') || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
                    return None;
                }
                let count = digits.parse().ok().filter(|count| *count <= COUNT_MAX)?;
                match name.as_bytes().last()? {
                    b'd' => Self::Days(count),
                    b'h' => Self::Hours(count),
                    _ => return None,
                }
            }
        })
    }

    /// Reads a range of two ends.
    pub(crate) fn parse_ends(from: &str, to: &str, path: &str) -> Result<Self, QueryError> {
        let wrong = |index: usize| {
            let message = "expected a date (2026-11-02) or an RFC 3339 instant with offset, both ends of the same kind";
            QueryError::invalid(format!("{path}[{index}]"), message)
        };
        let range = match (parse_end(from).ok_or_else(|| wrong(0))?, parse_end(to).ok_or_else(|| wrong(1))?) {
            (End::Date(from), End::Date(to)) => Self::Dates(from, to),
            (End::Instant(from), End::Instant(to)) => Self::Instants(from, to),
            _ => return Err(wrong(1)),
        };
        let turned = match range {
            Self::Dates(from, to) => from > to,
            Self::Instants(from, to) => from > to,
            _ => false,
        };
        if turned {
            return Err(QueryError::invalid(path, "the range ends before it begins; expected [from, to]"));
        }
        Ok(range)
    }

    /// The range as it is written in questions.
    pub(crate) fn to_json(self) -> Value {
        match self {
            Self::Dates(from, to) => json!([from.to_string(), to.to_string()]),
            Self::Instants(from, to) => json!([from.to_string(), to.to_string()]),
            word => json!(word.to_string()),
        }
    }

    /// The range in instants, as the retention leaves it out of account.
    pub(crate) fn resolve(self, zone: &Zone, context: &Context) -> Range {
        let today = zone.clock(context.now).date();
        let days = |first: Date, last: Date| Range {
            from: zone.start_of_day(first),
            to: zone.start_of_day(last.tomorrow().unwrap_or(Date::MAX)),
        };
        let back = |count: u32| today.saturating_sub(i64::from(count).days());
        match self {
            Self::Today => days(today, today),
            Self::Yesterday => days(back(1), back(1)),
            Self::Days(count) => days(back(count - 1), today),
            Self::Hours(count) => {
                let from = context.now.saturating_add_micros(-i64::from(count) * MICROS_PER_HOUR);
                Range { from, to: context.now }
            }
            Self::Month => days(today.first_of_month(), today),
            Self::Year => days(today.first_of_year(), today),
            Self::All => {
                let first = context.first_event.map_or(today, |first| zone.clock(first).date());
                days(first.min(today), today)
            }
            Self::Dates(first, last) => days(first, last),
            Self::Instants(from, to) => Range { from, to },
        }
    }
}

/// Prints the range in one form: a word, or the two ends as JSON.
impl fmt::Display for DateRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Today => f.write_str("today"),
            Self::Yesterday => f.write_str("yesterday"),
            Self::Days(count) => write!(f, "{count}d"),
            Self::Hours(count) => write!(f, "{count}h"),
            Self::Month => f.write_str("month"),
            Self::Year => f.write_str("year"),
            Self::All => f.write_str("all"),
            Self::Dates(from, to) => write!(f, "[\"{from}\",\"{to}\"]"),
            Self::Instants(from, to) => write!(f, "[\"{from}\",\"{to}\"]"),
        }
    }
}

enum End {
    Date(Date),
    Instant(Timestamp),
}

fn parse_end(text: &str) -> Option<End> {
    let bytes = text.as_bytes();
    let is_date = bytes.len() == 10
        && bytes
            .iter()
            .enumerate()
            .all(|(at, byte)| if matches!(at, 4 | 7) { *byte == b'-' } else { byte.is_ascii_digit() });
    if is_date {
        // The last days of year 9999 have no instant behind them in every zone.
        return text.parse::<Date>().ok().filter(|date| (1..=9998).contains(&date.year())).map(End::Date);
    }
    Timestamp::parse_rfc3339(text).map(End::Instant)
}

/// What a range is compared with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Compare {
    /// `previous_period`: moved back by its own number of days (`Nh`: hours), by the calendar and clock of the zone. A
    /// range that is not made of whole days is moved by the fewest days that leave no overlap.
    PreviousPeriod,
    /// `previous_year`: the same dates of the year before; 29 February becomes 28.
    PreviousYear,
    /// A range of its own.
    Range(DateRange),
}

impl Compare {
    /// Reads what to compare with.
    ///
    /// # Errors
    /// [`QueryError`] at `path`, with what is allowed.
    pub fn parse(value: &Value, path: &str) -> Result<Self, QueryError> {
        match value.as_str() {
            Some("previous_period") => return Ok(Self::PreviousPeriod),
            Some("previous_year") => return Ok(Self::PreviousYear),
            _ => {}
        }
        DateRange::parse(value, path).map(Self::Range).map_err(|error| {
            let at_end = error.path != path;
            let all = format!("expected previous_period, previous_year or a range: {ALLOWED}");
            if at_end { error } else { QueryError::invalid(path, all) }
        })
    }

    /// The range to compare `range` with, which was asked for as `asked`.
    pub(crate) fn resolve(self, asked: DateRange, range: Range, zone: &Zone, context: &Context) -> Range {
        match self {
            Self::Range(other) => other.resolve(zone, context),
            Self::PreviousPeriod => {
                if let DateRange::Hours(count) = asked {
                    let back = -i64::from(count) * MICROS_PER_HOUR;
                    return Range {
                        from: range.from.saturating_add_micros(back),
                        to: range.to.saturating_add_micros(back),
                    };
                }
                let (from, to) = (zone.clock(range.from), zone.clock(range.to));
                let whole = i64::from((to.date() - from.date()).get_days());
                let days = if to.time() > from.time() { whole + 1 } else { whole.max(1) };
                moved(range, zone, |date| date.saturating_sub(days.days()))
            }
            Self::PreviousYear => moved(range, zone, |date| date.saturating_sub(1.year())),
        }
    }
}

/// Prints what was asked for, in one form.
impl fmt::Display for Compare {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::PreviousPeriod => f.write_str("previous_period"),
            Self::PreviousYear => f.write_str("previous_year"),
            Self::Range(range) => range.fmt(f),
        }
    }
}

/// Both ends on other dates at the same time of the clock; an end that begins a day begins the other day.
fn moved(range: Range, zone: &Zone, to_date: impl Fn(Date) -> Date) -> Range {
    let one = |instant: Timestamp| {
        let clock = zone.clock(instant);
        let date = to_date(clock.date());
        if zone.start_of_day(clock.date()) == instant {
            zone.start_of_day(date)
        } else {
            zone.instant(date.to_datetime(clock.time()))
        }
    };
    Range { from: one(range.from), to: one(range.to) }
}

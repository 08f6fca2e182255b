//! Ranges of time and the buckets in them.

use analytics_domain::{Retention, Timestamp};
use jiff::civil::{Date, DateTime, Weekday};
use jiff::tz::TimeZone;
use jiff::{ToSpan, Unit, ZonedRound};
use serde_json::Value as Json;

use super::{OracleError, World};

/// From one instant, included, to another, not included.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Range {
    pub(super) from: Timestamp,
    pub(super) to: Timestamp,
}

/// A stretch of time with a name.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Bucket {
    pub(super) start: Timestamp,
    pub(super) name: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Interval {
    Minute,
    Hour,
    Day,
    /// From this day of the week on; it is Monday but where a test asks what a wrong store would say.
    Week(Weekday),
    Month,
}

impl Interval {
    pub(super) fn parse(name: &str) -> Option<Self> {
        Some(match name {
            "minute" => Self::Minute,
            "hour" => Self::Hour,
            "day" => Self::Day,
            "week" => Self::Week(Weekday::Monday),
            "week_from_sunday" => Self::Week(Weekday::Sunday),
            "month" => Self::Month,
            _ => return None,
        })
    }
}

/// What `date_range` says, before the retention has its say.
pub(super) fn resolve(
    range: &Json,
    zone: &TimeZone,
    world: &World,
    first_event: Option<Timestamp>,
) -> Result<Range, OracleError> {
    let wrong = || OracleError::new("date_range", format!("a range, not {range}"));
    let today = date_of(world.now, zone)?;
    let days = |from: Date, last: Date| -> Result<Range, OracleError> {
        Ok(Range { from: start_of_day(from, zone)?, to: start_of_day(next_day(last)?, zone)? })
    };
    if let Some([from, to]) = range.as_array().map(Vec::as_slice) {
        let (from, to) = (from.as_str().ok_or_else(wrong)?, to.as_str().ok_or_else(wrong)?);
        return match (Timestamp::parse_rfc3339(from), Timestamp::parse_rfc3339(to)) {
            (Some(from), Some(to)) => Ok(Range { from, to }),
            (None, None) => days(from.parse().map_err(|_| wrong())?, to.parse().map_err(|_| wrong())?),
            _ => Err(wrong()),
        };
    }
    match range.as_str().ok_or_else(wrong)? {
        "today" => days(today, today),
        "yesterday" => days(days_before(today, 1)?, days_before(today, 1)?),
        "7d" => days(days_before(today, 6)?, today),
        "30d" => days(days_before(today, 29)?, today),
        "90d" => days(days_before(today, 89)?, today),
        "month" => days(today.first_of_month(), today),
        "year" => days(today.first_of_year(), today),
        "24h" => Ok(Range { from: world.now.saturating_add_micros(-24 * 3_600 * 1_000_000), to: world.now }),
        "all" => {
            let first = first_event.map_or(Ok(today), |first| date_of(first, zone))?;
            days(first.min(today), today)
        }
        _ => Err(wrong()),
    }
}

/// The part of a range that the retention leaves.
pub(super) fn clamp(range: Range, world: &World) -> Range {
    let cutoff = Retention { days: world.retention_days }.cutoff(world.now);
    Range { from: range.from.max(cutoff), to: range.to }
}

/// The range that a question is compared with, before the retention has its say.
pub(super) fn compared(
    compare: &Json,
    asked: &Json,
    range: Range,
    zone: &TimeZone,
    world: &World,
) -> Result<Range, OracleError> {
    let moved = |back: &dyn Fn(DateTime) -> Option<DateTime>| -> Result<Range, OracleError> {
        let one = |instant: Timestamp| -> Result<Timestamp, OracleError> {
            let moved = back(civil(instant, zone)?).ok_or_else(|| outside("compare"))?;
            let zoned = moved.to_zoned(zone.clone()).map_err(|_| outside("compare"))?;
            Ok(Timestamp::from_jiff(zoned.timestamp()))
        };
        Ok(Range { from: one(range.from)?, to: one(range.to)? })
    };
    match compare.as_str() {
        Some("previous_period") if asked.as_str() == Some("24h") => {
            let day = -24 * 3_600 * 1_000_000;
            Ok(Range { from: range.from.saturating_add_micros(day), to: range.to.saturating_add_micros(day) })
        }
        Some("previous_period") => {
            // By its own number of days, or where it is not made of whole ones, by the fewest that leave no overlap.
            let mut days = 1_i64;
            loop {
                let earlier = moved(&|time| time.checked_sub(days.days()).ok())?;
                if earlier.to <= range.from {
                    return Ok(earlier);
                }
                days += 1;
            }
        }
        Some("previous_year") => moved(&|time| time.checked_sub(1.year()).ok()),
        _ => resolve(compare, zone, world, None),
    }
}

/// Every bucket that has an instant in common with the range, in order.
///
/// Hours and minutes are those of the clock on the wall: a new one begins where the clock shows another hour or minute and
/// also where its offset changes, so that the hour that comes twice is two buckets and none is longer than its name says.
pub(super) fn buckets(range: Range, interval: Interval, zone: &TimeZone) -> Result<Vec<Bucket>, OracleError> {
    if range.from >= range.to {
        return Ok(Vec::new());
    }
    let mut starts = Vec::new();
    match interval {
        Interval::Minute | Interval::Hour => {
            // Offsets since 2000 are multiples of a quarter of an hour and change at such: no step passes over a start.
            let (unit, step) = if interval == Interval::Hour { (Unit::Hour, 15) } else { (Unit::Minute, 1) };
            let step = step * 60 * 1_000_000;
            let before = range.from.as_micros().div_euclid(step) * step - 2 * 3_600 * 1_000_000;
            let mut last = None;
            let mut at = Timestamp::from_micros(before);
            while at < range.to {
                let clock = civil(at, zone)?;
                let shown = clock
                    .round(jiff::civil::DateTimeRound::new().smallest(unit).mode(jiff::RoundMode::Trunc))
                    .map_err(|_| outside("date_range"))?;
                let offset = zone.to_offset(at.to_jiff().ok_or_else(|| outside("date_range"))?);
                if last.is_some_and(|last| last != (shown, offset)) {
                    starts.push(at);
                }
                last = Some((shown, offset));
                at = at.saturating_add_micros(step);
            }
        }
        Interval::Day | Interval::Week(_) | Interval::Month => {
            let mut date = date_of(range.from, zone)?;
            date = match interval {
                Interval::Week(first) => days_before(date, i64::from(date.weekday().since(first)))?,
                Interval::Month => date.first_of_month(),
                _ => date,
            };
            loop {
                let start = start_of_day(date, zone)?;
                if start >= range.to {
                    break;
                }
                starts.push(start);
                let span = match interval {
                    Interval::Week(_) => 1.week(),
                    Interval::Month => 1.month(),
                    _ => 1.day(),
                };
                date = date.checked_add(span).map_err(|_| outside("date_range"))?;
            }
        }
    }
    // The bucket that holds the range's start may begin before it; the ones before that have nothing in the range.
    let before = starts.iter().filter(|start| **start <= range.from).count();
    starts.drain(..before.saturating_sub(1));
    starts.into_iter().map(|start| Ok(Bucket { start, name: name(start, zone)? })).collect()
}

/// An instant as `2026-11-02T00:00:00+01:00` on a zone's clock.
fn name(instant: Timestamp, zone: &TimeZone) -> Result<String, OracleError> {
    let zoned = instant.to_jiff().ok_or_else(|| outside("date_range"))?.to_zoned(zone.clone());
    // Buckets start at whole seconds.
    let zoned = zoned
        .round(ZonedRound::new().smallest(Unit::Second).mode(jiff::RoundMode::Trunc))
        .map_err(|_| outside("date_range"))?;
    Ok(zoned.strftime("%Y-%m-%dT%H:%M:%S%:z").to_string())
}

fn civil(instant: Timestamp, zone: &TimeZone) -> Result<DateTime, OracleError> {
    Ok(zone.to_datetime(instant.to_jiff().ok_or_else(|| outside("date_range"))?))
}

pub(super) fn date_of(instant: Timestamp, zone: &TimeZone) -> Result<Date, OracleError> {
    Ok(civil(instant, zone)?.date())
}

/// The first instant of a day: midnight, or where the clock jumps over it, the end of the jump.
pub(super) fn start_of_day(date: Date, zone: &TimeZone) -> Result<Timestamp, OracleError> {
    let midnight = date.to_zoned(zone.clone()).map_err(|_| outside("date_range"))?;
    Ok(Timestamp::from_jiff(midnight.timestamp()))
}

pub(super) fn days_before(date: Date, days: i64) -> Result<Date, OracleError> {
    date.checked_sub(days.days()).map_err(|_| outside("date_range"))
}

fn next_day(date: Date) -> Result<Date, OracleError> {
    date.checked_add(1.day()).map_err(|_| outside("date_range"))
}

fn outside(path: &str) -> OracleError {
    OracleError::new(path, "instants of the years -9999 to 9999")
}

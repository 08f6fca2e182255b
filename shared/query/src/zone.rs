//! The zone whose clock and calendar a question is asked in.

use std::fmt;
use std::sync::OnceLock;

use analytics_domain::Timestamp;
use jiff::civil::{Date, DateTime};
use jiff::tz::{AmbiguousOffset, Offset, TimeZone, TimeZoneDatabase};

use crate::QueryError;

/// An IANA time zone, from the rules that are compiled in: the same on every machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Zone {
    name: String,
    rules: TimeZone,
}

impl Zone {
    /// UTC.
    #[must_use]
    pub fn utc() -> Self {
        Self { name: "UTC".to_owned(), rules: TimeZone::UTC }
    }

    /// The zone of an IANA name, upper and lower case alike.
    ///
    /// # Errors
    /// [`QueryError`] at `path` where there is no such zone.
    pub fn parse(name: &str, path: &str) -> Result<Self, QueryError> {
        static ZONES: OnceLock<TimeZoneDatabase> = OnceLock::new();
        let wrong = || QueryError::invalid(path, "expected the IANA name of a time zone, such as Europe/Berlin or UTC");
        if name.eq_ignore_ascii_case("utc") {
            return Ok(Self::utc());
        }
        // The database knows a few names that are no zones of IANA's, `Etc/Unknown` among them.
        let rules = ZONES.get_or_init(TimeZoneDatabase::bundled).get(name).map_err(|_| wrong())?;
        let name = rules.iana_name().ok_or_else(wrong)?.to_owned();
        Ok(Self { name, rules })
    }

    /// The name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// What the zone's calendar and clock show.
    pub(crate) fn clock(&self, instant: Timestamp) -> DateTime {
        self.rules.to_datetime(jiff_instant(instant))
    }

    /// The zone's offset at an instant.
    pub(crate) fn offset(&self, instant: Timestamp) -> Offset {
        self.rules.to_offset(jiff_instant(instant))
    }

    /// The first instant of a date: midnight, or, where the clock jumps over midnight, the end of the jump.
    ///
    /// A date that the zone skipped as a whole begins where the next one does.
    pub(crate) fn start_of_day(&self, date: Date) -> Timestamp {
        let midnight = self.rules.to_ambiguous_timestamp(date.at(0, 0, 0, 0));
        if let AmbiguousOffset::Gap { .. } = midnight.offset() {
            // The transition is the last one at or before midnight as the offset before it would have it.
            let inside = midnight.later().or_else(|_| midnight.earlier()).unwrap_or(jiff::Timestamp::MAX);
            let behind = jiff::Timestamp::from_microsecond(inside.as_microsecond() + 1).unwrap_or(inside);
            if let Some(jump) = self.rules.preceding(behind).next() {
                return Timestamp::from_jiff(jump.timestamp());
            }
        }
        self.instant(date.at(0, 0, 0, 0))
    }

    /// The instant at which the clock shows `clock`: the first of two, or the moment behind a jump.
    pub(crate) fn instant(&self, clock: DateTime) -> Timestamp {
        self.rules.to_ambiguous_timestamp(clock).compatible().map_or_else(
            |_| Timestamp::from_jiff(if clock.year() > 0 { jiff::Timestamp::MAX } else { jiff::Timestamp::MIN }),
            Timestamp::from_jiff,
        )
    }

    /// The next instant after `after` at which the zone's offset changes.
    pub(crate) fn next_change(&self, after: Timestamp) -> Option<Timestamp> {
        let mut offset = self.offset(after);
        for transition in self.rules.following(jiff_instant(after)) {
            if transition.offset() != offset {
                return Some(Timestamp::from_jiff(transition.timestamp()));
            }
            offset = transition.offset();
        }
        None
    }

    /// The last instant at or before `until` at which the zone's offset changed.
    pub(crate) fn last_change(&self, until: Timestamp) -> Option<Timestamp> {
        let behind = until.saturating_add_micros(1);
        self.rules
            .preceding(jiff_instant(behind))
            .map(|change| Timestamp::from_jiff(change.timestamp()))
            .find(|change| self.offset(*change) != self.offset(change.saturating_add_micros(-1)))
    }

    /// Whether the zone's offset is zero from `from` up to `to`.
    pub(crate) fn is_utc_between(&self, from: Timestamp, to: Timestamp) -> bool {
        self.offset(from).is_zero() && self.next_change(from).is_none_or(|change| change >= to)
    }

    /// An instant as `2026-11-02T00:00:00+01:00`, with a fraction where it has one.
    #[must_use]
    pub fn write(&self, instant: Timestamp) -> String {
        let zoned = jiff_instant(instant).to_zoned(self.rules.clone());
        let format = if instant.as_micros().rem_euclid(1_000_000) == 0 {
            "%Y-%m-%dT%H:%M:%S%:z"
        } else {
            "%Y-%m-%dT%H:%M:%S.%6f%:z"
        };
        zoned.strftime(format).to_string()
    }
}

impl fmt::Display for Zone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)
    }
}

/// The calendar library's instant, held at the ends of its range.
fn jiff_instant(instant: Timestamp) -> jiff::Timestamp {
    let end = if instant.as_micros() < 0 { jiff::Timestamp::MIN } else { jiff::Timestamp::MAX };
    instant.to_jiff().unwrap_or(end)
}

#[cfg(test)]
mod tests {
    use jiff::civil::date;

    use super::*;

    fn start(zone: &str, day: Date) -> String {
        let zone = Zone::parse(zone, "timezone").unwrap();
        zone.write(zone.start_of_day(day))
    }

    #[test]
    fn a_day_begins_at_its_first_instant() {
        assert_eq!(start("Europe/Berlin", date(2026, 3, 29)), "2026-03-29T00:00:00+01:00");
        // Midnight did not exist.
        assert_eq!(start("America/Sao_Paulo", date(2018, 11, 4)), "2018-11-04T01:00:00-02:00");
        assert_eq!(start("Africa/Cairo", date(2026, 4, 24)), "2026-04-24T01:00:00+03:00");
        // Midnight came twice: the day before ended with a repeated hour, or the day begins with one.
        assert_eq!(start("America/Sao_Paulo", date(2018, 2, 18)), "2018-02-18T00:00:00-03:00");
        assert_eq!(start("America/Havana", date(2026, 11, 1)), "2026-11-01T00:00:00-04:00");
        // The whole day was skipped.
        assert_eq!(start("Pacific/Apia", date(2011, 12, 30)), "2011-12-31T00:00:00+14:00");
        assert_eq!(start("Pacific/Apia", date(2011, 12, 31)), "2011-12-31T00:00:00+14:00");
        // A jump that does not end at a full hour, over a midnight inside it (America/Toronto, 1919).
        assert_eq!(start("America/Toronto", date(1919, 3, 31)), "1919-03-31T00:30:00-04:00");
    }

    #[test]
    fn names_are_those_of_iana() {
        assert_eq!(Zone::parse("europe/berlin", "timezone").unwrap().name(), "Europe/Berlin");
        for name in ["", "+01:00", "CEST-2", "Mars/Base", "Europe/Berlin\0"] {
            assert_eq!(Zone::parse(name, "timezone").unwrap_err().path, "timezone", "{name}");
        }
    }
}

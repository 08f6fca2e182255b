//! Instants with the one precision that every part keeps: microseconds.

use std::fmt;

use serde::{Deserialize, Serialize};

/// Microseconds in a second.
pub const MICROS_PER_SECOND: i64 = 1_000_000;

/// Microseconds in a UTC day.
pub const MICROS_PER_DAY: i64 = 86_400 * MICROS_PER_SECOND;

/// An instant: microseconds since 1970-01-01T00:00:00Z, leap seconds not counted.
///
/// Microseconds are what PostgreSQL's `timestamptz` keeps, so a value survives every queue and store unchanged.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Timestamp(i64);

impl Timestamp {
    /// The instant `micros` microseconds after the Unix epoch.
    #[must_use]
    pub const fn from_micros(micros: i64) -> Self {
        Self(micros)
    }

    /// The instant `millis` milliseconds after the Unix epoch; `None` where that leaves the range of `i64` microseconds.
    #[must_use]
    pub const fn from_millis(millis: i64) -> Option<Self> {
        match millis.checked_mul(1_000) {
            Some(micros) => Some(Self(micros)),
            None => None,
        }
    }

    /// Microseconds since the Unix epoch.
    #[must_use]
    pub const fn as_micros(self) -> i64 {
        self.0
    }

    /// Whole milliseconds since the Unix epoch, rounded down.
    #[must_use]
    pub const fn as_millis(self) -> i64 {
        self.0.div_euclid(1_000)
    }

    /// Whole UTC days since 1970-01-01, rounded down: the day that `daily_metrics` files this instant under.
    #[must_use]
    pub const fn utc_day(self) -> i64 {
        self.0.div_euclid(MICROS_PER_DAY)
    }

    /// The first instant of UTC day `day`, counted from 1970-01-01.
    #[must_use]
    pub const fn from_utc_day(day: i64) -> Self {
        Self(day.saturating_mul(MICROS_PER_DAY))
    }

    /// This instant moved by `micros`, held at the ends of the range.
    #[must_use]
    pub const fn saturating_add_micros(self, micros: i64) -> Self {
        Self(self.0.saturating_add(micros))
    }

    /// Microseconds from `earlier` to this instant, negative where it lies before.
    #[must_use]
    pub const fn micros_since(self, earlier: Self) -> i64 {
        self.0.saturating_sub(earlier.0)
    }

    /// The same instant as the calendar library's type; `None` outside the years -9999 to 9999.
    #[must_use]
    pub fn to_jiff(self) -> Option<jiff::Timestamp> {
        jiff::Timestamp::from_microsecond(self.0).ok()
    }

    /// The calendar library's instant, cut to whole microseconds (towards the past).
    #[must_use]
    pub fn from_jiff(instant: jiff::Timestamp) -> Self {
        Self(i64::try_from(instant.as_nanosecond().div_euclid(1_000)).unwrap_or(i64::MAX))
    }

    /// Reads an RFC 3339 instant with an offset; what is finer than microseconds is cut off.
    ///
    /// A leap second (`:60`) is read as the second before it, as PostgreSQL's neighbours do.
    #[must_use]
    pub fn parse_rfc3339(text: &str) -> Option<Self> {
        rfc3339::parse(text.as_bytes()).map(Self)
    }
}

/// Prints `2026-11-02T10:00:00.000000Z`, the one form that answers use.
impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (year, month, day) = civil_from_days(self.utc_day());
        let in_day = self.0.rem_euclid(MICROS_PER_DAY);
        let seconds = in_day / MICROS_PER_SECOND;
        write!(
            f,
            "{year:04}-{month:02}-{day:02}T{:02}:{:02}:{:02}.{:06}Z",
            seconds / 3_600,
            seconds / 60 % 60,
            seconds % 60,
            in_day % MICROS_PER_SECOND
        )
    }
}

/// As JSON: the text of [`Timestamp`]'s `Display`; in binary formats: the microseconds.
impl Serialize for Timestamp {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if serializer.is_human_readable() { serializer.collect_str(self) } else { serializer.serialize_i64(self.0) }
    }
}

impl<'de> Deserialize<'de> for Timestamp {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        if deserializer.is_human_readable() {
            let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
            Self::parse_rfc3339(&text)
                .ok_or_else(|| serde::de::Error::custom("expected an RFC 3339 instant with an offset"))
        } else {
            i64::deserialize(deserializer).map(Self)
        }
    }
}

/// The civil date of a day counted from 1970-01-01, in the proleptic Gregorian calendar.
///
/// The algorithm is Howard Hinnant's `civil_from_days` (public description, "chrono-Compatible Low-Level Date Algorithms").
#[must_use]
pub const fn civil_from_days(days: i64) -> (i64, u32, u32) {
    let z = days + 719_468;
    let era = z.div_euclid(146_097);
    let day_of_era = z.rem_euclid(146_097);
    let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted_month = (5 * day_of_year + 2) / 153;
    let day = (day_of_year - (153 * shifted_month + 2) / 5 + 1) as u32;
    let month = if shifted_month < 10 { shifted_month + 3 } else { shifted_month - 9 } as u32;
    let year = year_of_era + era * 400 + if month <= 2 { 1 } else { 0 };
    (year, month, day)
}

/// The day, counted from 1970-01-01, of a civil date; the inverse of [`civil_from_days`].
#[must_use]
pub const fn days_from_civil(year: i64, month: u32, day: u32) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let year_of_era = year.rem_euclid(400);
    let shifted_month = if month > 2 { month as i64 - 3 } else { month as i64 + 9 };
    let day_of_year = (153 * shifted_month + 2) / 5 + day as i64 - 1;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    era * 146_097 + day_of_era - 719_468
}

/// The reader of RFC 3339 text: this is on the way of every event, so it walks bytes and allocates nothing.
mod rfc3339 {
    use super::{MICROS_PER_DAY, MICROS_PER_SECOND, days_from_civil};

    /// Microseconds since the Unix epoch, or `None` where the text breaks section 5.6 of RFC 3339.
    pub(super) fn parse(text: &[u8]) -> Option<i64> {
        let (date_time, rest) = text.split_at_checked(19)?;
        let year = digits(&date_time[0..4])?;
        let month = digits(&date_time[5..7])? as u32;
        let day = digits(&date_time[8..10])? as u32;
        let hour = digits(&date_time[11..13])?;
        let minute = digits(&date_time[14..16])?;
        let second = digits(&date_time[17..19])?;
        let separators = date_time[4] == b'-'
            && date_time[7] == b'-'
            && matches!(date_time[10], b'T' | b't' | b' ')
            && date_time[13] == b':'
            && date_time[16] == b':';
        if !separators || !(1..=12).contains(&month) || day == 0 || day > days_in_month(year, month) {
            return None;
        }
        if hour > 23 || minute > 59 || second > 60 {
            return None;
        }
        let (fraction, zone) = fraction(rest)?;
        let offset = offset_seconds(zone)?;
        let (second, fraction) = if second == 60 { (59, MICROS_PER_SECOND - 1) } else { (second, fraction) };
        let days = days_from_civil(year, month, day);
        let seconds = hour * 3_600 + minute * 60 + second - offset;
        days.checked_mul(MICROS_PER_DAY)?.checked_add(seconds * MICROS_PER_SECOND + fraction)
    }

    fn digits(text: &[u8]) -> Option<i64> {
        let mut value = 0;
        for byte in text {
            if !byte.is_ascii_digit() {
                return None;
            }
            value = value * 10 + i64::from(byte - b'0');
        }
        Some(value)
    }

    fn days_in_month(year: i64, month: u32) -> u32 {
        match month {
            4 | 6 | 9 | 11 => 30,
            2 if year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) => 29,
            2 => 28,
            _ => 31,
        }
    }

    /// The microseconds of an optional fraction of a second, and what follows it.
    fn fraction(text: &[u8]) -> Option<(i64, &[u8])> {
        let Some(rest) = text.strip_prefix(b".") else { return Some((0, text)) };
        let length = rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
        if length == 0 {
            return None;
        }
        let mut micros = 0;
        for digit in rest[..length].iter().copied().chain(std::iter::repeat(b'0')).take(6) {
            micros = micros * 10 + i64::from(digit - b'0');
        }
        Some((micros, &rest[length..]))
    }

    /// Seconds east of UTC of `Z`, `+05:45` or `-08:00`.
    fn offset_seconds(zone: &[u8]) -> Option<i64> {
        match zone {
            [b'Z' | b'z'] => Some(0),
            [sign @ (b'+' | b'-'), h1, h2, b':', m1, m2] => {
                let hours = digits(&[*h1, *h2])?;
                let minutes = digits(&[*m1, *m2])?;
                if hours > 23 || minutes > 59 {
                    return None;
                }
                let seconds = hours * 3_600 + minutes * 60;
                Some(if *sign == b'-' { -seconds } else { seconds })
            }
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn prints_microseconds_in_utc() {
        let instant = Timestamp::parse_rfc3339("2026-11-02T10:00:00Z").unwrap();
        assert_eq!(instant.to_string(), "2026-11-02T10:00:00.000000Z");
        let before_epoch = Timestamp::from_micros(-1);
        assert_eq!(before_epoch.to_string(), "1969-12-31T23:59:59.999999Z");
    }

    #[test]
    fn refuses_what_rfc3339_forbids() {
        for text in [
            "",
            "2026-11-02",
            "2026-11-02T10:00:00",
            "2026-13-02T10:00:00Z",
            "2026-02-29T10:00:00Z",
            "2026-11-02T24:00:00Z",
            "2026-11-02T10:60:00Z",
            "2026-11-02T10:00:61Z",
            "2026-11-02T10:00:00.Z",
            "2026-11-02T10:00:00+0100",
            "2026-11-02T10:00:00+24:00",
            "infinity",
            "2026-11-02T10:00:00Zx",
        ] {
            assert_eq!(Timestamp::parse_rfc3339(text), None, "{text}");
        }
    }

    proptest! {
        /// The calendar library is the oracle: both read the same instants and print the same text.
        #[test]
        fn agrees_with_the_calendar_library(
            micros in -62_135_596_800_000_000_i64..253_370_764_800_000_000,
            offset_minutes in -1_439_i32..=1_439,
            digits in 0_usize..=9,
        ) {
            let instant = jiff::Timestamp::from_microsecond(micros).unwrap();
            let offset = jiff::tz::Offset::from_seconds(offset_minutes * 60).unwrap();
            let zoned = instant.to_zoned(jiff::tz::TimeZone::fixed(offset));
            prop_assume!((1..=9999).contains(&zoned.year()));
            let text = format!(
                "{}{}{}",
                zoned.strftime("%Y-%m-%dT%H:%M:%S"),
                if digits == 0 { String::new() } else {
                    let all = format!("{:09}", zoned.subsec_nanosecond());
                    format!(".{}", &all[..digits])
                },
                zoned.strftime("%:z"),
            );
            let expected: jiff::Timestamp = text.parse().unwrap();
            let read = Timestamp::parse_rfc3339(&text).unwrap();
            prop_assert_eq!(read, Timestamp::from_jiff(expected));
            prop_assert_eq!(Timestamp::parse_rfc3339(&read.to_string()), Some(read));
            let (year, month, day) = civil_from_days(read.utc_day());
            prop_assert_eq!(days_from_civil(year, month, day), read.utc_day());
        }
    }
}

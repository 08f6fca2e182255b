//! Buckets of time against the calendar library, and by hand where clocks change.

use analytics_query::{Buckets, Interval, Range, Zone};
use jiff::tz::TimeZone;
use jiff::{ToSpan as _, Unit, ZonedRound};
use proptest::prelude::*;

use crate::at;

fn names(interval: Interval, zone: &str, from: &str, to: &str) -> Vec<String> {
    let zone = Zone::parse(zone, "timezone").unwrap();
    let buckets = Buckets::new(interval, Range { from: at(from), to: at(to) }, &zone, 100_000).unwrap();
    buckets.starts().iter().map(|start| zone.write(*start)).collect()
}

#[test]
fn a_bucket_carries_its_own_start() {
    assert_eq!(
        names(Interval::Week, "Europe/Berlin", "2026-11-12T12:00:00Z", "2026-11-16T12:00:00Z"),
        ["2026-11-09T00:00:00+01:00", "2026-11-16T00:00:00+01:00"]
    );
    assert_eq!(
        names(Interval::Month, "America/New_York", "2026-10-31T12:00:00Z", "2026-12-01T05:00:00Z"),
        ["2026-10-01T00:00:00-04:00", "2026-11-01T00:00:00-04:00"]
    );
    assert!(names(Interval::Day, "UTC", "2026-11-12T12:00:00Z", "2026-11-12T12:00:00Z").is_empty());
}

#[test]
fn clocks_that_change() {
    assert_eq!(
        names(Interval::Hour, "Europe/Berlin", "2026-10-25T00:30:00Z", "2026-10-25T02:00:00Z"),
        ["2026-10-25T02:00:00+02:00", "2026-10-25T02:00:00+01:00"]
    );
    assert_eq!(
        names(Interval::Hour, "Europe/Berlin", "2026-03-29T00:00:00Z", "2026-03-29T02:00:00Z"),
        ["2026-03-29T01:00:00+01:00", "2026-03-29T03:00:00+02:00"]
    );
    // Half an hour: the repeated half and the short hour are buckets of their own.
    assert_eq!(
        names(Interval::Hour, "Australia/Lord_Howe", "2026-04-04T14:00:00Z", "2026-04-04T16:00:00Z"),
        ["2026-04-05T01:00:00+11:00", "2026-04-05T01:30:00+10:30", "2026-04-05T02:00:00+10:30"]
    );
    assert_eq!(
        names(Interval::Hour, "Australia/Lord_Howe", "2026-10-03T15:00:00Z", "2026-10-03T17:00:00Z"),
        ["2026-10-04T01:00:00+10:30", "2026-10-04T02:30:00+11:00", "2026-10-04T03:00:00+11:00"]
    );
    assert_eq!(
        names(Interval::Hour, "Asia/Kathmandu", "2026-11-12T12:00:00Z", "2026-11-12T13:00:00Z"),
        ["2026-11-12T17:00:00+05:45", "2026-11-12T18:00:00+05:45"]
    );
    // A day that never was.
    assert_eq!(
        names(Interval::Day, "Pacific/Apia", "2011-12-29T12:00:00Z", "2011-12-31T12:00:00Z"),
        ["2011-12-29T00:00:00-10:00", "2011-12-31T00:00:00+14:00", "2012-01-01T00:00:00+14:00"]
    );
    assert_eq!(
        names(Interval::Day, "America/Sao_Paulo", "2018-11-03T12:00:00Z", "2018-11-05T12:00:00Z"),
        ["2018-11-03T00:00:00-03:00", "2018-11-04T01:00:00-02:00", "2018-11-05T00:00:00-02:00"]
    );
}

#[test]
fn more_than_asked_for_is_refused() {
    let range = Range { from: at("2026-01-01T00:00:00Z"), to: at("2026-01-11T00:00:00Z") };
    for (interval, count) in [(Interval::Minute, 14_400), (Interval::Hour, 240), (Interval::Day, 10)] {
        assert_eq!(Buckets::new(interval, range, &Zone::utc(), count).unwrap().starts().len(), count);
        assert_eq!(Buckets::new(interval, range, &Zone::utc(), count - 1), None);
    }
}

const ZONES: [&str; 10] = [
    "UTC",
    "Europe/Berlin",
    "America/New_York",
    "Asia/Kathmandu",
    "Pacific/Chatham",
    "Australia/Lord_Howe",
    "Africa/Cairo",
    "America/Sao_Paulo",
    "Pacific/Apia",
    "Africa/Casablanca",
];

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, ..ProptestConfig::default() })]

    /// Buckets follow one another without holes over the whole range, each holds one reading of the calendar or clock, and
    /// neighbours hold different ones.
    #[test]
    fn every_instant_has_its_bucket(
        zone in proptest::sample::select(ZONES.as_slice()),
        from in 946_684_800_i64..2_000_000_000,
        length in 1_i64..10_000_000,
        interval in proptest::sample::select([Interval::Minute, Interval::Hour, Interval::Day, Interval::Week, Interval::Month].as_slice()),
        places in proptest::collection::vec(0.0_f64..1.0, 20),
    ) {
        let zone_rules = TimeZone::get(zone).unwrap();
        let zone = Zone::parse(zone, "timezone").unwrap();
        let length = if interval == Interval::Minute { length % 100_000 + 1 } else { length };
        let instant = |seconds: i64| analytics_domain::Timestamp::from_micros(seconds * 1_000_000);
        let range = Range { from: instant(from), to: instant(from + length) };
        let buckets = Buckets::new(interval, range, &zone, 100_000).unwrap();
        let reading = |seconds: i64| {
            let zoned = jiff::Timestamp::from_second(seconds).unwrap().to_zoned(zone_rules.clone());
            let unit = |unit| zoned.datetime().round(jiff::civil::DateTimeRound::new().smallest(unit).mode(jiff::RoundMode::Trunc)).unwrap();
            match interval {
                Interval::Minute => format!("{} {}", unit(Unit::Minute), zoned.offset()),
                Interval::Hour => format!("{} {}", unit(Unit::Hour), zoned.offset()),
                Interval::Day => zoned.date().to_string(),
                Interval::Week => format!("{:?}", (zoned.date() - i64::from(zoned.weekday().to_monday_zero_offset()).days())),
                Interval::Month => zoned.date().first_of_month().to_string(),
            }
        };
        let starts = buckets.starts();
        prop_assert!(starts[0] <= range.from && (starts.len() == 1 || starts[1] > range.from));
        prop_assert!(*starts.last().unwrap() < range.to && buckets.end_of(starts.len() - 1) >= range.to);
        prop_assert!(starts.windows(2).all(|pair| pair[0] < pair[1]));
        for place in places {
            let at = from + (place * length as f64) as i64;
            let index = buckets.index_of(instant(at)).unwrap();
            let (start, end) = (starts[index].as_micros() / 1_000_000, buckets.end_of(index).as_micros() / 1_000_000);
            prop_assert_eq!(reading(at), reading(start));
            prop_assert_eq!(reading(at), reading(end - 1));
            prop_assert_ne!(reading(at), reading(end));
            prop_assert_ne!(reading(at), reading(start - 1));
        }
        // The calendar library rounds a time to its day by itself.
        if interval == Interval::Day {
            let zoned = range.from.to_jiff().unwrap().to_zoned(zone_rules.clone());
            let day = zoned.round(ZonedRound::new().smallest(Unit::Day).mode(jiff::RoundMode::Trunc)).unwrap();
            prop_assert_eq!(starts[0], analytics_domain::Timestamp::from_jiff(day.timestamp()));
        }
    }
}

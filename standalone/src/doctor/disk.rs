//! What the store takes on disk, what it will take, and when the disk is full.

use std::path::Path;

use analytics_domain::{Retention, Timestamp};
use analytics_host::clock::{Clock as _, SystemClock};
use analytics_host::config::WorkConfig;
use analytics_store::footprint::{EventBytes, FEWEST_EVENTS, Forecast};
use analytics_store::{EventStore, Footprint, Keeping, StoreError};

use super::Findings;

/// The settings that tell how long things are kept.
#[derive(Debug, Clone, Copy)]
pub(super) struct Kept {
    retention_days: Option<u32>,
    dedupe_days: u32,
    /// 0 where events go one by one.
    chunk_days: u32,
}

impl Kept {
    /// Where raw events lie in chunks or partitions.
    pub(super) fn in_chunks(work: &WorkConfig) -> Self {
        Self { retention_days: work.retention_days, dedupe_days: work.dedupe_days, chunk_days: work.chunk_days }
    }

    /// Where they do not.
    pub(super) fn one_by_one(work: &WorkConfig) -> Self {
        Self { chunk_days: 0, ..Self::in_chunks(work) }
    }
}

/// Bytes that are free where `folder` lies, for who is no superuser.
pub(super) fn free_at(folder: &Path) -> Option<u64> {
    let found = rustix::fs::statvfs(folder).ok()?;
    found.f_bavail.checked_mul(found.f_frsize)
}

/// Tells of a store with the schema of this build; nothing of an empty one.
pub(super) async fn tell(findings: &mut Findings, store: &dyn EventStore, kept: Kept, free: Option<u64>) {
    let now = SystemClock.now();
    let looked = async {
        let retention = match kept.retention_days {
            Some(days) => Retention { days },
            None => store.retention().await?.unwrap_or_default(),
        };
        Ok::<_, StoreError>((retention, store.footprint(now, kept.dedupe_days).await?))
    };
    let (retention, footprint) = match looked.await {
        Ok(looked) => looked,
        Err(StoreError::TooSlow { seconds }) => {
            return findings
                .note("disk", &format!("its parts are not told: counting them takes more than {seconds} s"));
        }
        Err(error) => return findings.wrong("disk", &error),
    };
    let keeping = Keeping { retention, dedupe_days: kept.dedupe_days, chunk_days: kept.chunk_days };
    for line in lines(&footprint, keeping, free, now) {
        match line {
            Line::Fine(what, sentence) => findings.fine(what, &sentence),
            Line::Note(what, sentence) => findings.note(what, &sentence),
        }
    }
}

#[derive(Debug, PartialEq, Eq)]
enum Line {
    Fine(&'static str, String),
    Note(&'static str, String),
}

fn lines(footprint: &Footprint, keeping: Keeping, free: Option<u64>, now: Timestamp) -> Vec<Line> {
    let (events, taken) = (grouped(footprint.events), size(footprint.bytes()));
    if footprint.events == 0 {
        return Vec::new();
    }
    let Some(bytes) = footprint.event_bytes() else {
        let fewest = grouped(FEWEST_EVENTS);
        return vec![Line::Fine("disk", format!("{events} events take {taken}; a forecast needs {fewest}"))];
    };
    let mut lines = vec![Line::Fine("disk", format!("{events} events take {taken}; {}", parts(&bytes)))];
    let Some(daily) = footprint.daily else {
        lines
            .push(Line::Fine("disk forecast", "needs a whole day of events, from midnight to midnight UTC".to_owned()));
        return lines;
    };
    let mean = match daily.days {
        1 => "yesterday".to_owned(),
        days => format!("in the last {days} days"),
    };
    let Some(forecast) = footprint.forecast(keeping) else {
        lines.push(Line::Fine("disk forecast", format!("no event came {mean}, so nothing grows")));
        return lines;
    };
    let (a_day, grown) = (grouped(daily.events), size(forecast.a_day()));
    let how_long = format!("ids are remembered for {} days", keeping.dedupe_days);
    let sentence = match forecast.end() {
        Some(end) => format!(
            "{a_day} events a day, the mean {mean}, come to {} where events are kept for {} and {how_long}; now it grows by \
             {grown} a day",
            size(end),
            days(u64::from(keeping.retention.days)),
        ),
        None => format!(
            "{a_day} events a day, the mean {mean}, grow by {grown} a day without an end: events are kept for ever, {how_long}"
        ),
    };
    lines.push(Line::Fine("disk forecast", sentence));
    lines.push(space(&forecast, free, now));
    lines
}

fn parts(bytes: &EventBytes) -> String {
    let EventBytes { raw, index, columns, id, .. } = bytes;
    let packed = match bytes.compressed {
        Some(packed) => {
            format!("; {packed:.0} in place of {:.0} for raw row and index in compressed chunks", raw + index)
        }
        None => String::new(),
    };
    format!(
        "{:.0} bytes a new one: raw row {raw:.0}, its index {index:.0}, columns and counts {columns:.0}, remembered id \
         {id:.0}{packed}",
        bytes.all()
    )
}

fn space(forecast: &Forecast, free: Option<u64>, now: Timestamp) -> Line {
    const WHAT: &str = "disk space";
    let Some(free) = free else {
        let sentence = "the database does not tell what is free on its disk; say it, as in --disk-free 200GB";
        return Line::Note(WHAT, sentence.to_owned());
    };
    match forecast.days_to_fill(free) {
        None => Line::Fine(WHAT, format!("{} are free, enough for that", size(free))),
        Some(left) => {
            let day = Timestamp::from_utc_day(now.utc_day().saturating_add(i64::try_from(left).unwrap_or(i64::MAX)));
            let day = day.to_string();
            let day = day.get(..10).unwrap_or_default();
            let sentence = format!(
                "{} are free, which is full in {}, on {day}: make room, or keep events for fewer days",
                size(free),
                days(left)
            );
            Line::Note(WHAT, sentence)
        }
    }
}

fn days(count: u64) -> String {
    if count == 1 { "1 day".to_owned() } else { format!("{} days", grouped(count)) }
}

/// `14,400,000`.
fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

const UNITS: [(&str, f64); 5] = [("TB", 1e12), ("GB", 1e9), ("MB", 1e6), ("kB", 1e3), ("B", 1.0)];
const BINARY_UNITS: [(&str, f64); 4] =
    [("TiB", 1_099_511_627_776.0), ("GiB", 1_073_741_824.0), ("MiB", 1_048_576.0), ("KiB", 1_024.0)];

/// `490 GB`, `2.3 TB`.
fn size(bytes: u64) -> String {
    let bytes = bytes as f64;
    // 999.6 MB are 1.0 GB, and not 1000 MB.
    let (unit, of) = UNITS.into_iter().find(|(_, of)| bytes >= of * 0.9995).unwrap_or(("B", 1.0));
    let number = bytes / of;
    if number < 9.95 && of > 1.0 { format!("{number:.1} {unit}") } else { format!("{number:.0} {unit}") }
}

/// Reads `200GB`, `1.5 TiB` or a number of bytes.
pub(super) fn read_size(text: &str) -> Result<u64, String> {
    let units = || UNITS.into_iter().chain(BINARY_UNITS);
    let digits = text.trim_end_matches(|letter: char| letter.is_ascii_alphabetic());
    let unit = text.get(digits.len()..).unwrap_or_default();
    let of = units().find(|(name, _)| name.eq_ignore_ascii_case(unit)).map(|(_, of)| of);
    let of = of.or(unit.is_empty().then_some(1.0));
    let number = digits.trim().parse::<f64>().ok().filter(|number| number.is_finite() && *number >= 0.0);
    match (number, of) {
        (Some(number), Some(of)) if number * of < 1e18 => Ok((number * of) as u64),
        _ => Err("expected a size, such as 200GB, 1.5TB, 900GiB or a number of bytes".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use analytics_store::footprint::Daily;

    const KEEPING: Keeping = Keeping { retention: Retention { days: 90 }, dedupe_days: 30, chunk_days: 7 };
    /// 2026-11-02T10:00:00Z.
    const NOW: Timestamp = Timestamp::from_micros(1_793_613_600_000_000);

    fn footprint() -> Footprint {
        Footprint {
            events: 14_400_000,
            raw: 14_400_000 * 215,
            index: 14_400_000 * 32,
            columns: 14_400_000 * 50,
            remembered: 14_400_000,
            ids: 14_400_000 * 125,
            daily: Some(Daily { events: 14_400_000, days: 7 }),
            ..Footprint::default()
        }
    }

    fn text(line: &Line) -> &str {
        let (Line::Fine(_, text) | Line::Note(_, text)) = line;
        text
    }

    #[test]
    fn the_figures_are_those_of_the_table_of_the_docs() {
        // 10,000 events a minute in docs/operations.md: 490 GB.
        let lines = lines(&footprint(), KEEPING, Some(600_000_000_000), NOW);
        assert_eq!(
            lines.iter().map(text).collect::<Vec<_>>(),
            [
                "14,400,000 events take 6.1 GB; 422 bytes a new one: raw row 215, its index 32, columns and counts 50, \
                 remembered id 125",
                "14,400,000 events a day, the mean in the last 7 days, come to 491 GB where events are kept for 90 days and ids \
                 are remembered for 30 days; now it grows by 6.1 GB a day",
                "600 GB are free, enough for that",
            ]
        );
    }

    #[test]
    fn the_day_is_named_on_which_the_disk_is_full() {
        let told = |free, keeping| lines(&footprint(), keeping, free, NOW).pop().unwrap();
        let full = told(Some(60_000_000_000), KEEPING);
        assert!(matches!(full, Line::Note("disk space", _)));
        assert_eq!(
            text(&full),
            "60 GB are free, which is full in 10 days, on 2026-11-12: make room, or keep events for fewer days"
        );
        let forever = Keeping { retention: Retention { days: 0 }, ..KEEPING };
        assert!(text(&lines(&footprint(), forever, None, NOW)[1]).contains("without an end"));
        assert!(text(&told(Some(1_000_000_000_000_000), forever)).contains(" on 2"));
        assert!(text(&told(None, KEEPING)).contains("--disk-free"));
    }

    #[test]
    fn little_is_said_of_little() {
        assert_eq!(lines(&Footprint::default(), KEEPING, Some(1), NOW), []);
        let few = Footprint { events: 12, ..footprint() };
        assert_eq!(lines(&few, KEEPING, None, NOW).len(), 1);
        let first_day = Footprint { daily: None, ..footprint() };
        assert!(text(&lines(&first_day, KEEPING, None, NOW)[1]).contains("whole day"));
        let quiet = Footprint { daily: Some(Daily { events: 0, days: 1 }), ..footprint() };
        assert_eq!(text(&lines(&quiet, KEEPING, None, NOW)[1]), "no event came yesterday, so nothing grows");
        let packed = Footprint { compressed_events: 7_200_000, compressed: 7_200_000 * 51, ..footprint() };
        assert!(
            text(&lines(&packed, KEEPING, None, NOW)[0])
                .ends_with("; 51 in place of 494 for raw row and index in compressed chunks")
        );
    }

    #[test]
    fn sizes_are_read_as_they_are_told() {
        for (text, bytes) in [
            ("200GB", 200_000_000_000),
            ("1.5 TB", 1_500_000_000_000),
            ("2GiB", 2_147_483_648),
            ("10kb", 10_000),
            ("512", 512),
        ] {
            assert_eq!(read_size(text), Ok(bytes), "{text}");
        }
        for text in ["", "GB", "-1GB", "200 bananas", "nan", "1e30TB", "1,5TB"] {
            assert!(read_size(text).unwrap_err().contains("200GB"), "{text}");
        }
        assert_eq!([0, 999, 999_950, 23_000_000_000].map(size), ["0 B", "999 B", "1.0 MB", "23 GB"]);
        assert_eq!([0, 999, 1_000, 1_234_567].map(grouped), ["0", "999", "1,000", "1,234,567"]);
    }
}

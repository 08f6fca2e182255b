//! What the store takes on disk, and what it will take: from sizes and counts that are there, never from raw rows.
//!
//! Each part of the store is kept for a time of its own, and has a size an event of its own. What comes a day, times both, is
//! what the part takes in the end; how fast it gets there tells when a disk is full.

use analytics_domain::{Retention, Timestamp};

/// Days of which the mean is taken: a week, so that weekends are in it as often as they come.
pub const MEAN_DAYS: i64 = 7;

/// Below so many events pages that are hardly filled tell more of the sizes than events do.
pub const FEWEST_EVENTS: u64 = 10_000;

/// A chunk is compressed so many days after its end.
pub const COMPRESS_AFTER_DAYS: u32 = 7;

/// What the store takes now, in bytes, and how many events that is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Footprint {
    /// Raw events, by the counts of their days.
    pub events: u64,
    /// Their rows, but for those that are compressed.
    pub raw: u64,
    /// The index over these.
    pub index: u64,
    /// How many of the events lie in compressed chunks.
    pub compressed_events: u64,
    /// What these chunks take.
    pub compressed: u64,
    /// Columns, counts, sessions, and everything else that is kept.
    pub columns: u64,
    /// Events whose ids are remembered, by the counts of the days of their receipt.
    pub remembered: u64,
    /// Remembered ids of events and batches.
    pub ids: u64,
    /// What comes; `None` before the first whole day.
    pub daily: Option<Daily>,
}

/// How many events come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Daily {
    /// The mean of a day.
    pub events: u64,
    /// Of how many whole days.
    pub days: u32,
}

/// How long things are kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Keeping {
    /// Raw events and what is made of them.
    pub retention: Retention,
    /// Ids are remembered for half as long again at most.
    pub dedupe_days: u32,
    /// How wide a chunk or a partition is, which goes as a whole; 0 where events go one by one.
    pub chunk_days: u32,
}

/// Bytes an event, by part.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct EventBytes {
    /// A raw row, not compressed.
    pub raw: f64,
    /// Its entry in the index.
    pub index: f64,
    /// A compressed raw row with its share of the index; `None` where no chunk is compressed.
    pub compressed: Option<f64>,
    /// What is made of it.
    pub columns: f64,
    /// Its remembered id, with the share of its batch's.
    pub id: f64,
}

impl EventBytes {
    /// All of them, of an event that has just come.
    #[must_use]
    pub fn all(&self) -> f64 {
        self.raw + self.index + self.columns + self.id
    }
}

/// What the store will take.
#[derive(Debug, Clone, PartialEq)]
pub struct Forecast {
    parts: Vec<Growth>,
}

/// One part that grows by a constant number of bytes a day, until as much goes as comes.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Growth {
    now: f64,
    a_day: f64,
    /// `None` where it is kept for ever.
    end: Option<f64>,
}

impl Growth {
    fn after(&self, days: f64) -> f64 {
        let grown = self.now + self.a_day * days;
        // What is more than will be needed is used again, and not given back.
        self.end.map_or(grown, |end| grown.min(end.max(self.now)))
    }
}

impl Footprint {
    /// All of it.
    #[must_use]
    pub const fn bytes(&self) -> u64 {
        self.raw + self.index + self.compressed + self.columns + self.ids
    }

    /// How much of it an event is; `None` where there are fewer than [`FEWEST_EVENTS`].
    #[must_use]
    pub fn event_bytes(&self) -> Option<EventBytes> {
        let (loose, compressed) = (self.events.saturating_sub(self.compressed_events), self.compressed_events);
        let share = |bytes: u64, events: u64| if events == 0 { 0.0 } else { bytes as f64 / events as f64 };
        (self.events >= FEWEST_EVENTS).then(|| EventBytes {
            raw: share(self.raw, loose),
            index: share(self.index, loose),
            compressed: (compressed > 0).then(|| share(self.compressed, compressed)),
            columns: share(self.columns, self.events),
            id: share(self.ids, self.remembered),
        })
    }

    /// What it comes to where as many events come as of late; `None` where nobody can tell: too few events, no whole day of them,
    /// or none of late.
    #[must_use]
    pub fn forecast(&self, keeping: Keeping) -> Option<Forecast> {
        let (bytes, events) = (self.event_bytes()?, self.daily?.events as f64);
        if events == 0.0 {
            return None;
        }
        let kept = |days: u32| (keeping.retention.days > 0).then(|| f64::from(keeping.retention.days + days));
        let loose = bytes.raw + bytes.index;
        // Where chunks are compressed, only the last ones are not.
        let (loose_days, packed) = match (bytes.compressed, kept(keeping.chunk_days)) {
            (None, days) => (days, None),
            (Some(packed), days) => {
                let young = f64::from(COMPRESS_AFTER_DAYS + keeping.chunk_days);
                let old = days.map(|days| (days - young).max(0.0));
                (Some(days.map_or(young, |days| days.min(young))), Some((packed, old)))
            }
        };
        let part = |now: u64, bytes: f64, days: Option<f64>| Growth {
            now: now as f64,
            a_day: events * bytes,
            end: days.map(|days| events * bytes * days),
        };
        let mut parts = vec![
            part(self.raw + self.index, loose, loose_days),
            part(self.columns, bytes.columns, kept(0)),
            part(self.ids, bytes.id, Some(f64::from(keeping.dedupe_days) * 1.5)),
        ];
        parts.extend(packed.map(|(bytes, days)| part(self.compressed, bytes, days)));
        Some(Forecast { parts })
    }
}

impl Forecast {
    /// What the store takes once as much goes as comes; `None` where events are kept for ever.
    #[must_use]
    pub fn end(&self) -> Option<u64> {
        self.parts.iter().map(|part| part.end).sum::<Option<f64>>().map(|bytes| bytes as u64)
    }

    /// By how much it grows in the next day.
    #[must_use]
    pub fn a_day(&self) -> u64 {
        (self.after(1.0) - self.after(0.0)) as u64
    }

    /// After how many days so many more bytes are taken; `None` where they never are.
    #[must_use]
    pub fn days_to_fill(&self, free: u64) -> Option<u64> {
        let full = self.after(0.0) + free as f64;
        // Nothing kept for ever is asked about beyond a thousand years.
        let (mut low, mut high) = (0, 366_000);
        if self.after(high as f64) < full {
            return None;
        }
        while low < high {
            let middle = (low + high) / 2;
            if self.after(middle as f64) < full { low = middle + 1 } else { high = middle }
        }
        Some(low)
    }

    fn after(&self, days: f64) -> f64 {
        self.parts.iter().map(|part| part.after(days)).sum()
    }
}

/// The mean of the last whole days, the last of them yesterday, from the first day that has events; `None` where there is no
/// whole day. Days without events count as such.
pub(crate) fn mean_of(days: &[(i64, u64)], today: i64) -> Option<Daily> {
    let first = days.iter().map(|(day, _)| *day).min()?.max(today - MEAN_DAYS);
    let count = u32::try_from(today - first).ok().filter(|count| *count > 0)?;
    let events: u64 = days.iter().filter(|(day, _)| (first..today).contains(day)).map(|(_, events)| events).sum();
    Some(Daily { events: events.div_ceil(u64::from(count)), days: count })
}

/// The first day of receipt whose ids are all remembered, told from when ids were first added to the newest generation.
pub(crate) fn remembered_from(event_ids_since: Option<&str>, dedupe_days: u32) -> i64 {
    let since = event_ids_since.and_then(|micros| micros.parse::<i64>().ok());
    since.map_or(0, |since| {
        let from = since.saturating_sub(2 * crate::migration::generation_micros(dedupe_days));
        Timestamp::from_micros(from).utc_day().max(0)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 100,000 events of 200 + 40 + 30 + 60 bytes, ten days of 10,000.
    const FOOTPRINT: Footprint = Footprint {
        events: 100_000,
        raw: 20_000_000,
        index: 4_000_000,
        compressed_events: 0,
        compressed: 0,
        columns: 3_000_000,
        remembered: 50_000,
        ids: 3_000_000,
        daily: Some(Daily { events: 10_000, days: 7 }),
    };
    const KEEPING: Keeping = Keeping { retention: Retention { days: 90 }, dedupe_days: 30, chunk_days: 7 };

    #[test]
    fn each_part_ends_with_its_own_time() {
        let bytes = FOOTPRINT.event_bytes().unwrap();
        assert_eq!((bytes.raw, bytes.index, bytes.columns, bytes.id), (200.0, 40.0, 30.0, 60.0));
        assert_eq!(bytes.all(), 330.0);
        let forecast = FOOTPRINT.forecast(KEEPING).unwrap();
        assert_eq!(forecast.end(), Some(10_000 * (240 * 97 + 30 * 90 + 60 * 45)));
        assert_eq!(forecast.a_day(), 10_000 * 330);
    }

    #[test]
    fn a_disk_is_full_when_what_is_still_growing_has_filled_it() {
        let forecast = FOOTPRINT.forecast(KEEPING).unwrap();
        // Ids have 24 MB left to grow, at 0.6 MB a day: 40 days; columns grow for 80, raw rows and index for 87.
        assert_eq!(forecast.days_to_fill(3_300_000), Some(1));
        assert_eq!(forecast.days_to_fill(33_000_000), Some(10));
        assert_eq!(forecast.days_to_fill(40 * 3_300_000), Some(40));
        assert_eq!(forecast.days_to_fill(40 * 3_300_000 + 10 * 2_700_000), Some(50));
        let all = forecast.end().unwrap() - FOOTPRINT.bytes();
        assert_eq!(forecast.days_to_fill(all), Some(87));
        assert_eq!(forecast.days_to_fill(all + 1), None);
        // For ever is longer than any disk.
        let forever = FOOTPRINT.forecast(Keeping { retention: Retention { days: 0 }, ..KEEPING }).unwrap();
        assert_eq!(forever.end(), None);
        assert_eq!(forever.days_to_fill(40 * 3_300_000 + 1_000 * 2_700_000), Some(1_040));
    }

    #[test]
    fn what_is_there_already_does_not_grow() {
        // Three days are kept of ten that are there.
        let keeping = Keeping { retention: Retention { days: 3 }, dedupe_days: 2, chunk_days: 0 };
        let forecast = FOOTPRINT.forecast(keeping).unwrap();
        assert_eq!(forecast.end(), Some(10_000 * (240 * 3 + 30 * 3 + 60 * 3)));
        assert_eq!((forecast.a_day(), forecast.days_to_fill(1)), (0, None));
    }

    #[test]
    fn old_chunks_are_compressed() {
        let footprint = Footprint { events: 300_000, compressed_events: 200_000, compressed: 8_000_000, ..FOOTPRINT };
        let bytes = footprint.event_bytes().unwrap();
        assert_eq!((bytes.raw, bytes.index, bytes.compressed, bytes.columns), (200.0, 40.0, Some(40.0), 10.0));
        let forecast = footprint.forecast(KEEPING).unwrap();
        assert_eq!(forecast.end(), Some(10_000 * (240 * 14 + 40 * 83 + 10 * 90 + 60 * 45)));
    }

    #[test]
    fn nothing_is_told_of_little() {
        assert_eq!(Footprint { events: FEWEST_EVENTS - 1, ..FOOTPRINT }.event_bytes(), None);
        assert_eq!(Footprint { daily: None, ..FOOTPRINT }.forecast(KEEPING), None);
        let quiet = Footprint { daily: Some(Daily { events: 0, days: 7 }), ..FOOTPRINT };
        assert_eq!(quiet.forecast(KEEPING), None);
    }

    #[test]
    fn the_mean_is_of_whole_days() {
        let daily = |events, days| Some(Daily { events, days });
        let days = [(100, 70_000), (193, 20), (196, 9), (199, 41), (200, 9_000), (201, 1)];
        assert_eq!(mean_of(&days, 200), daily(10, 7));
        assert_eq!(mean_of(&days[2..], 200), daily(13, 4), "rounded up, so that few are not none");
        assert_eq!((mean_of(&days[4..], 200), mean_of(&[], 200)), (None, None));
        assert_eq!(mean_of(&days[..1], 200), daily(0, 7));
        let since = 1_000 * analytics_domain::timestamp::MICROS_PER_DAY;
        assert_eq!(remembered_from(Some(&since.to_string()), 30), 970);
        assert_eq!(remembered_from(None, 30), 0);
    }
}

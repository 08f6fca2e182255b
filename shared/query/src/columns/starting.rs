//! In which quarter of an hour each session starts: what tells which sessions a page of a list may hold, and where their events
//! are.

use std::collections::HashMap;

use analytics_columns::{ACTOR, ACTORS, Corrupt, Quarter, Segment, TIME};
use analytics_domain::Timestamp;

use super::mask::mask;
use super::reader::{Quarterly, Stop};
use super::values::{Fields, columns_of, fields_of};
use crate::{Filter, Range};

/// Most times that a session is seen in a quarter: four bytes each.
const SEEN_MAX: usize = 4_000_000;
/// Most numbers between the least and the greatest of a session: a bit each.
const SPAN_MAX: usize = 1 << 26;
/// With more quarters than these to read, the range is read as a whole.
const QUARTERS_MAX: usize = 2_000;
/// Likewise with more sessions to look for.
const SESSIONS_MAX: usize = 200_000;

/// The sessions of each quarter, and which of them have an event in it that passes all filters.
#[derive(Debug)]
pub(crate) struct Starting {
    range: Range,
    filters: Vec<Filter>,
    most: usize,
    /// By quarter, as they came: a session's number, and in the lowest bit whether it passes.
    seen: Vec<u32>,
    /// The quarters, as they came, and where what was seen in them ends. Of one there may be several parts.
    ends: Vec<(i64, usize)>,
}

/// What is to be read for a page of sessions, which begins behind the start of one, or with the newest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Page {
    /// The quarters that those sessions have events in, ascending, each once.
    pub(crate) quarters: Vec<i64>,
    /// The first quarter that they start in.
    pub(crate) first: i64,
    /// The numbers of the sessions that may be on it, ascending.
    pub(crate) sessions: Vec<u32>,
}

impl Starting {
    pub(crate) fn new(range: Range, filters: &[Filter]) -> Self {
        Self { range, filters: filters.to_vec(), most: SEEN_MAX, seen: Vec::new(), ends: Vec::new() }
    }

    /// Whether all of a quarter is in the range.
    fn holds(&self, quarter: Quarter) -> bool {
        self.range.from <= quarter.start() && quarter.end() <= self.range.to
    }

    /// For each pair of a quarter whether it has an event in the range, and one that passes.
    fn pairs(&self, segment: &Segment) -> Result<Vec<(u32, bool, bool)>, Corrupt> {
        let actors = segment.actors()?;
        let is_whole = self.holds(segment.quarter);
        if is_whole && self.filters.is_empty() {
            return Ok(actors.sessions.into_iter().map(|session| (session, true, true)).collect());
        }
        let passing = mask(&self.filters, &mut Fields::new(segment, &actors))?;
        let in_range = if is_whole {
            0..actors.events as usize
        } else {
            let times = segment.times(&actors)?;
            let before = |border: Timestamp| times.partition_point(|time| *time < border);
            before(self.range.from)..before(self.range.to)
        };
        let mut pairs: Vec<_> = actors.sessions.iter().map(|session| (*session, false, false)).collect();
        let events = segment.actor(&actors)?;
        for (event, pair) in events.into_iter().enumerate().take(in_range.end).skip(in_range.start) {
            let passes = passing.as_ref().is_none_or(|passing| passing.get(event).copied().unwrap_or(false));
            if let Some((_, is_there, has_passed)) = pairs.get_mut(pair as usize) {
                *is_there = true;
                *has_passed |= passes;
            }
        }
        Ok(pairs)
    }

    /// What to read for the sessions behind one that starts at `behind`, or for the newest: at least `limit` of them, where there
    /// are so many. `None` where that is so much that the range had better be read as a whole.
    ///
    /// A quarter is taken whole. Which of the sessions of its own quarter come behind the one told is not known here: they may
    /// be on the page, and do not count.
    pub(crate) fn page(&self, limit: usize, behind: Option<Timestamp>) -> Option<Page> {
        let border = behind.map_or(i64::MAX, |behind| Quarter::of(behind).0);
        let parts = self.by_quarter();
        let numbers =
            || parts.iter().flat_map(|(quarter, seen)| seen.iter().map(|seen| (*quarter, seen >> 1, seen & 1 == 1)));
        let none = Numbers::between(numbers().map(|(_, session, _)| session))?;

        let mut passing = none.clone();
        for (_, session, _) in numbers().filter(|(_, _, passes)| *passes) {
            passing.insert(session);
        }
        let mut started = none.clone();
        let mut starts: Vec<(i64, usize)> = Vec::new();
        for (quarter, session, _) in numbers().take_while(|(quarter, _, _)| *quarter <= border) {
            if !started.insert(session) || !passing.holds(session) {
                continue;
            }
            match starts.last_mut() {
                Some((last, count)) if *last == quarter => *count += 1,
                _ => starts.push((quarter, 1)),
            }
        }
        // Where there are none, none starts before the range.
        let mut first = Quarter::of(self.range.from).0;
        let mut sure = 0;
        for (quarter, count) in starts.into_iter().rev() {
            if sure >= limit {
                break;
            }
            first = quarter;
            sure += if quarter < border { count } else { 0 };
        }

        let mut started = none.clone();
        let mut on_page = none;
        let mut sessions = Vec::new();
        let mut quarters = Vec::new();
        for (quarter, session, _) in numbers() {
            let is_start = started.insert(session);
            if is_start && (first..=border).contains(&quarter) && passing.holds(session) {
                on_page.insert(session);
                sessions.push(session);
            }
            if on_page.holds(session) && quarters.last() != Some(&quarter) {
                quarters.push(quarter);
            }
        }
        sessions.sort_unstable();
        let is_narrow = quarters.len() <= QUARTERS_MAX && sessions.len() <= SESSIONS_MAX;
        is_narrow.then_some(Page { quarters, first, sessions })
    }

    /// What was seen, quarter by quarter.
    fn by_quarter(&self) -> Vec<(i64, &[u32])> {
        let mut from = 0;
        let part = |(quarter, end): &(i64, usize)| {
            let seen = self.seen.get(from..*end).unwrap_or_default();
            from = *end;
            (*quarter, seen)
        };
        let mut parts: Vec<_> = self.ends.iter().map(part).collect();
        parts.sort_by_key(|(quarter, _)| *quarter);
        parts
    }
}

impl Quarterly for Starting {
    fn columns(&self) -> Vec<String> {
        let mut names = vec![ACTORS.to_owned()];
        let is_whole = self.holds(Quarter::of(self.range.from))
            && self.holds(Quarter(Quarter::from_or_after(self.range.to).0 - 1));
        if !is_whole {
            names.push(TIME.to_owned());
        }
        if !is_whole || !self.filters.is_empty() {
            names.push(ACTOR.to_owned());
        }
        names.extend(self.filters.iter().flat_map(fields_of).flat_map(|field| columns_of(&field)));
        names.sort_unstable();
        names.dedup();
        names
    }

    fn is_of_any_order(&self) -> bool {
        true
    }

    fn take(&mut self, segment: &Segment, _: &HashMap<u32, u32>) -> Result<(), Stop> {
        let from = self.seen.len();
        // Those of a session come one after the other.
        let mut last = None;
        for (session, _, passes) in self.pairs(segment)?.into_iter().filter(|(_, is_there, _)| *is_there) {
            let number =
                session.checked_mul(2).ok_or_else(|| Stop::TooLarge("there are too many sessions".to_owned()))?;
            match self.seen.last_mut() {
                Some(seen) if last == Some(session) => *seen |= u32::from(passes),
                _ => self.seen.push(number | u32::from(passes)),
            }
            last = Some(session);
        }
        if self.seen.len() > from {
            self.ends.push((segment.quarter.0, self.seen.len()));
        }
        self.check()
    }

    fn beside(&self) -> Self {
        Self { range: self.range, filters: self.filters.clone(), most: self.most, seen: Vec::new(), ends: Vec::new() }
    }

    fn join(&mut self, other: Self) -> Result<(), Stop> {
        let before = self.seen.len();
        self.seen.extend(other.seen);
        self.ends.extend(other.ends.into_iter().map(|(quarter, end)| (quarter, before + end)));
        Ok(())
    }

    fn weight(&self) -> usize {
        self.seen.len()
    }

    fn most(&self) -> usize {
        self.most
    }

    fn check(&self) -> Result<(), Stop> {
        if self.seen.len() <= self.most {
            return Ok(());
        }
        Err(Stop::TooLarge(format!("sessions are seen in quarters of an hour more than {} times", self.most)))
    }
}

/// Numbers between two, a bit each.
#[derive(Debug, Clone)]
struct Numbers {
    least: u32,
    words: Vec<u64>,
}

impl Numbers {
    /// None yet, of those between the least and the greatest of these; `None` where they lie too far from each other.
    fn between(numbers: impl Iterator<Item = u32>) -> Option<Self> {
        let (least, greatest) =
            numbers.fold((u32::MAX, 0), |(least, most), number| (number.min(least), number.max(most)));
        let span = greatest.checked_sub(least).map_or(0, |span| span as usize + 1);
        (span <= SPAN_MAX).then(|| Self { least, words: vec![0; span.div_ceil(64)] })
    }

    fn place(&self, number: u32) -> (usize, u64) {
        let bit = number.wrapping_sub(self.least) as usize;
        (bit / 64, 1 << (bit % 64))
    }

    /// Takes a number in; whether it was not there.
    fn insert(&mut self, number: u32) -> bool {
        let (word, bit) = self.place(number);
        let Some(word) = self.words.get_mut(word) else { return false };
        let is_new = *word & bit == 0;
        *word |= bit;
        is_new
    }

    fn holds(&self, number: u32) -> bool {
        let (word, bit) = self.place(number);
        self.words.get(word).is_some_and(|word| word & bit != 0)
    }
}

#[cfg(test)]
mod tests {
    use analytics_columns::{EventRow, columns};

    use super::*;

    /// A quarter with an event of each of these sessions, a second after each other.
    fn quarter(quarter: i64, sessions: &[(u32, &str)]) -> Segment {
        let rows: Vec<EventRow<'_>> = sessions
            .iter()
            .zip(0..)
            .map(|((session, action), second)| EventRow {
                timestamp: Quarter(quarter).start().saturating_add_micros(second * 1_000_000),
                session: *session,
                user: 0,
                known: 0,
                event_type: "t",
                event_action: action,
                metadata: "{}",
            })
            .collect();
        Segment::new(Quarter(quarter), columns(&rows))
    }

    fn all(from: i64, to: i64) -> Range {
        Range { from: Quarter(from).start(), to: Quarter(to).start() }
    }

    fn seen(range: Range, filters: &[Filter], quarters: &[Segment]) -> Starting {
        let mut starting = Starting::new(range, filters);
        quarters.iter().for_each(|quarter| starting.take(quarter, &HashMap::new()).unwrap());
        starting
    }

    /// Three sessions that begin in the quarters 10, 11 and 12; the first is seen in all of them, and once more.
    fn three() -> [Segment; 4] {
        [
            quarter(10, &[(5, "view")]),
            quarter(11, &[(5, "view"), (6, "pay"), (5, "view")]),
            quarter(12, &[(5, "pay"), (9, "view")]),
            quarter(14, &[(5, "view")]),
        ]
    }

    fn page(quarters: &[i64], first: i64, sessions: &[u32]) -> Option<Page> {
        Some(Page { quarters: quarters.to_vec(), first, sessions: sessions.to_vec() })
    }

    #[test]
    fn a_page_goes_back_to_as_many_starts_as_it_has() {
        let starting = seen(all(0, 100), &[], &three());
        assert_eq!(starting.page(1, None), page(&[12], 12, &[9]));
        assert_eq!(starting.page(2, None), page(&[11, 12], 11, &[6, 9]));
        assert_eq!(starting.page(3, None), page(&[10, 11, 12, 14], 10, &[5, 6, 9]));
        assert_eq!(starting.page(4, None), starting.page(3, None));
        assert_eq!(seen(all(0, 100), &[], &[]).page(4, None), page(&[], 0, &[]));
    }

    #[test]
    fn sessions_of_the_quarter_that_a_page_goes_on_in_do_not_count() {
        let starting = seen(all(0, 100), &[], &three());
        let behind = |quarter| Some(Quarter(quarter).end().saturating_add_micros(-1));
        assert_eq!(starting.page(1, behind(12)), page(&[11, 12], 11, &[6, 9]));
        assert_eq!(starting.page(1, behind(11)), page(&[10, 11, 12, 14], 10, &[5, 6]));
        assert_eq!(starting.page(1, behind(10)), page(&[10, 11, 12, 14], 10, &[5]));
        assert_eq!(starting.page(1, behind(9)), page(&[], 0, &[]));
    }

    #[test]
    fn a_session_passes_wherever_an_event_of_it_does() {
        let pay = Filter::parse_all(&serde_json::json!([["is", "event_action", ["pay"]]]), "filters").unwrap();
        let starting = seen(all(0, 100), &pay, &three());
        assert_eq!(starting.page(1, None), page(&[11], 11, &[6]));
        assert_eq!(starting.page(2, None), page(&[10, 11, 12, 14], 10, &[5, 6]));
    }

    #[test]
    fn events_beyond_the_edges_of_the_range_do_not_count() {
        let from = Quarter(11).start().saturating_add_micros(1_500_000);
        let range = Range { from, to: Quarter(12).start().saturating_add_micros(1_000_000) };
        let quarters = &three()[1..3];
        // Of the quarter 11 the third event is left, and of 12 the first one.
        assert_eq!(seen(range, &[], quarters).page(9, None), page(&[11, 12], 11, &[5]));
        let pay = Filter::parse_all(&serde_json::json!([["is", "event_action", ["pay"]]]), "filters").unwrap();
        assert_eq!(seen(range, &pay, quarters).page(9, None), page(&[11, 12], 11, &[5]));
        let within = Range { from, to: from.saturating_add_micros(100) };
        assert_eq!(seen(within, &[], quarters).page(9, None), page(&[], 11, &[]));
        // What is not needed is not read.
        assert_eq!(Starting::new(all(0, 9), &[]).columns(), [ACTORS]);
        assert_eq!(Starting::new(all(0, 9), &pay).columns(), [ACTOR, ACTORS, "event_action"]);
        assert_eq!(Starting::new(range, &[]).columns(), [ACTOR, ACTORS, TIME]);
        assert_eq!(Starting::new(Range { to: Quarter(12).end(), ..range }, &[]).columns(), [ACTOR, ACTORS, TIME]);
    }

    #[test]
    fn who_takes_which_quarter_in_which_order_is_not_told() {
        let whole = seen(all(0, 100), &[], &three());
        let [first, second, third, fourth] = three();
        let mut joined = seen(all(0, 100), &[], &[third, first]);
        joined.join(seen(all(0, 100), &[], &[fourth, second])).unwrap();
        for limit in 1..5 {
            assert_eq!(joined.page(limit, None), whole.page(limit, None), "{limit}");
        }
    }

    #[test]
    fn what_is_too_much_is_not_narrowed() {
        let range = all(0, 10_000);
        let mut starting = Starting { most: 2, ..Starting::new(range, &[]) };
        starting.take(&quarter(1, &[(1, "a"), (2, "a")]), &HashMap::new()).unwrap();
        assert!(matches!(starting.take(&quarter(2, &[(1, "a")]), &HashMap::new()), Err(Stop::TooLarge(_))));
        let mut starting = Starting::new(range, &[]);
        for number in 0..=QUARTERS_MAX as i64 {
            assert_eq!(starting.page(1, None).is_some(), number <= QUARTERS_MAX as i64);
            starting.take(&quarter(number, &[(3, "a")]), &HashMap::new()).unwrap();
        }
        assert_eq!(starting.page(1, None), None);
        let far = seen(range, &[], &[quarter(1, &[(1, "a"), (SPAN_MAX as u32 + 1, "a")])]);
        assert_eq!(far.page(1, None), None);
        assert!(Starting::new(range, &[]).take(&quarter(1, &[(1 << 31, "a")]), &HashMap::new()).is_err());
    }
}

//! Thirty days of a shop's visits, in the order of time, the same for the same seed.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use analytics_domain::{Event, Timestamp};
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use uuid::Builder;

/// The days that the events lie in, up to [`now`].
pub const DAYS: i64 = 30;
const MICROS_PER_DAY: i64 = 86_400_000_000;

/// Most events of a session; the least is one.
const SESSION_MAX: u32 = 20;
/// Longest from one event of a session to its next, in microseconds.
const PAUSE_MAX: i64 = 120_000_000;

/// Type, action, and how often among 100 events.
const HAPPENINGS: [(&str, &str, u32); 8] = [
    ("navigation", "page_view", 46),
    ("navigation", "search", 10),
    ("engagement", "click", 14),
    ("engagement", "scroll_end", 6),
    ("commerce", "view_item", 12),
    ("commerce", "add_to_cart", 7),
    ("commerce", "purchase", 3),
    ("account", "sign_in", 2),
];

const COUNTRIES: [&str; 30] = [
    "DE", "FR", "US", "GB", "JP", "BR", "IT", "ES", "NL", "PL", "SE", "NO", "DK", "FI", "CH", "AT", "BE", "PT", "IE",
    "CZ", "CA", "MX", "AR", "IN", "NP", "AU", "NZ", "KR", "ZA", "EG",
];
const PATHS: f64 = 500.0;
const REFERRERS: u32 = 20;

/// The instant that counts as now: 2026-11-20T12:00:00Z.
pub const fn now() -> Timestamp {
    Timestamp::from_micros(1_795_176_000_000_000)
}

/// A session that goes on.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Visit {
    next: i64,
    number: u64,
    left: u32,
    /// The user, and how many events are left when it becomes known.
    user: Option<(u64, u32)>,
    country: usize,
    referrer: Option<u32>,
}

/// Makes the events, one after the other.
#[derive(Debug)]
pub struct Visits {
    random: StdRng,
    going_on: BinaryHeap<Reverse<Visit>>,
    left: u64,
    users: u64,
    next_start: i64,
    /// Mean time from one session's start to the next one's, in microseconds.
    pace: f64,
    started: u64,
}

impl Visits {
    /// So many events; a user stands for a hundred of them.
    pub fn new(seed: u64, events: u64) -> Self {
        let span = DAYS * MICROS_PER_DAY;
        let sessions = (events as f64 / (f64::from(SESSION_MAX + 1) / 2.0)).max(1.0);
        Self {
            random: StdRng::seed_from_u64(seed),
            going_on: BinaryHeap::new(),
            left: events,
            users: (events / 100).max(1),
            next_start: now().as_micros() - span,
            // A little quicker, so that the last event comes before now.
            pace: span as f64 * 0.99 / sessions,
            started: 0,
        }
    }

    fn start(&mut self) -> Visit {
        let random = &mut self.random;
        let events = random.random_range(1..=SESSION_MAX);
        // A third is known by a user, half of these from some later event on.
        let user = random.random_bool(1.0 / 3.0).then(|| {
            let from = if random.random_bool(0.5) { events } else { random.random_range(1..=events) };
            (random.random_range(0..self.users), from)
        });
        let visit = Visit {
            next: self.next_start,
            number: self.started,
            left: events,
            user,
            country: skewed(random, COUNTRIES.len() as f64),
            referrer: random.random_bool(0.6).then(|| random.random_range(0..REFERRERS)),
        };
        self.started += 1;
        self.next_start += (self.pace * random.random_range(0.0..2.0)) as i64 + 1;
        visit
    }
}

/// A number below `end`, the low ones much more often.
fn skewed(random: &mut StdRng, end: f64) -> usize {
    (random.random_range(0.0_f64..1.0).powi(3) * end) as usize
}

impl Iterator for Visits {
    type Item = Event<'static>;

    fn next(&mut self) -> Option<Event<'static>> {
        if self.left == 0 {
            return None;
        }
        self.left -= 1;
        let is_new = self.going_on.peek().is_none_or(|Reverse(visit)| self.next_start <= visit.next);
        let mut visit = match self.going_on.pop() {
            Some(Reverse(visit)) if !is_new => visit,
            waiting => {
                self.going_on.extend(waiting);
                self.start()
            }
        };
        let random = &mut self.random;
        let timestamp = Timestamp::from_micros(visit.next);
        let (event_type, action) = happening(random);
        let user = visit.user.filter(|(_, from)| visit.left <= *from);
        let event = Event {
            id: Builder::from_unix_timestamp_millis(u64::try_from(timestamp.as_millis()).ok()?, &random.random())
                .into_uuid(),
            client_id: false,
            session_id: format!("s-{:012x}", visit.number).into(),
            user_id: user.map(|(user, _)| format!("user-{user:06}").into()),
            event_type: event_type.into(),
            event_action: action.into(),
            metadata: metadata(random, &visit, event_type).into(),
            timestamp,
        };
        visit.left -= 1;
        if visit.left > 0 {
            visit.next += random.random_range(1_000..PAUSE_MAX);
            self.going_on.push(Reverse(visit));
        }
        Some(event)
    }
}

fn happening(random: &mut StdRng) -> (&'static str, &'static str) {
    let mut drawn = random.random_range(0..100);
    for (event_type, action, often) in HAPPENINGS {
        if drawn < often {
            return (event_type, action);
        }
        drawn -= often;
    }
    ("navigation", "page_view")
}

/// Keys sorted, as the collector leaves them; what is bought or looked at has a price.
fn metadata(random: &mut StdRng, visit: &Visit, event_type: &str) -> String {
    let country = COUNTRIES.get(visit.country).copied().unwrap_or("DE");
    let path = skewed(random, PATHS);
    let millis = random.random_range(5..2_000);
    let mut text = format!(r#"{{"country":"{country}","ms":{millis},"path":"/products/{path}""#);
    if event_type == "commerce" {
        // Never a whole number: it is a double for every store that tells doubles from integers.
        let cents = random.random_range(1..200) * 100 + 99;
        text.push_str(&format!(r#","price":{}.{}"#, cents / 100, cents % 100));
    }
    if let Some(referrer) = visit.referrer {
        text.push_str(&format!(r#","referrer":"https://site-{referrer}.example/""#));
    }
    text.push('}');
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn visits_come_in_order_and_end_before_now() {
        let events: Vec<_> = Visits::new(1, 20_000).collect();
        assert_eq!(events.len(), 20_000);
        assert!(events.is_sorted_by_key(|event| event.timestamp));
        assert!(events.iter().all(|event| event.timestamp < now()));
        let again: Vec<_> = Visits::new(1, 20_000).collect();
        assert_eq!(events, again);
        let named = events.iter().filter(|event| event.user_id.is_some()).count();
        assert!((4_000..6_500).contains(&named), "{named} of 20,000 events name a user");
    }

    #[test]
    fn now_is_noon() {
        assert_eq!(Timestamp::parse_rfc3339("2026-11-20T12:00:00Z"), Some(now()));
    }
}

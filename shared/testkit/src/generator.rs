//! Events that look like a shop's visitors, the same for the same seed.

use analytics_domain::Timestamp;
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use serde_json::{Map, Value, json};
use uuid::Uuid;

/// Sessions that go on at one time.
const OPEN_SESSIONS: usize = 40;

/// What happens in a session: type, action, and how often among 100 events.
const HAPPENINGS: &[(&str, &str, u32)] = &[
    ("navigation", "page_view", 46),
    ("engagement", "click", 14),
    ("engagement", "search", 7),
    ("engagement", "scroll_end", 6),
    ("commerce", "view_item", 12),
    ("commerce", "add_to_cart", 6),
    ("commerce", "begin_checkout", 3),
    ("commerce", "purchase", 2),
    ("account", "sign_in", 2),
    ("account", "sign_up", 1),
    ("error", "script_error", 1),
];

const PATHS: &[&str] = &["/", "/shop", "/shop/shoes", "/shop/bags", "/docs", "/docs/start", "/blog/größen", "/about"];
const COUNTRIES: &[&str] = &["DE", "FR", "US", "GB", "JP", "BR"];
const BROWSERS: &[&str] = &["Firefox", "Chrome", "Safari", "Edge"];

#[derive(Debug, Clone)]
struct Session {
    id: String,
    user: Option<String>,
    country: &'static str,
    browser: &'static str,
    left: u32,
}

/// Makes events from a seed: the same seed, options and calls give the same events.
///
/// Few paths, countries and users are much more frequent than the rest; about 6 in 10 sessions have a user, some from
/// their middle on; some metadata is missing, nested, not ASCII or of another kind than usual.
#[derive(Debug, Clone)]
pub struct EventGenerator {
    random: StdRng,
    sessions: Vec<Session>,
    next_session: u32,
    users: u32,
    from: Timestamp,
    to: Timestamp,
    ids: bool,
}

impl EventGenerator {
    /// A generator of events between `from` and `to`, evenly spread and in no order.
    ///
    /// # Panics
    /// Where `to` is not after `from`.
    #[must_use]
    pub fn new(seed: u64, from: Timestamp, to: Timestamp) -> Self {
        assert!(from < to, "the period must not be empty");
        let random = StdRng::seed_from_u64(seed);
        Self { random, sessions: Vec::new(), next_session: 0, users: 500, from, to, ids: true }
    }

    /// Draws users from so many; the default is 500.
    #[must_use]
    pub fn with_users(mut self, users: u32) -> Self {
        self.users = users.max(1);
        self
    }

    /// Leaves `id` out, so that the collector gives one.
    #[must_use]
    pub fn without_ids(mut self) -> Self {
        self.ids = false;
        self
    }

    /// The next event, as a client would send it.
    pub fn event(&mut self) -> Value {
        let session = self.session();
        let (kind, action) = self.happening();
        let micros = self.random.random_range(self.from.as_micros()..self.to.as_micros());
        let mut event = Map::new();
        if self.ids {
            let millis = u64::try_from(micros.div_euclid(1_000)).unwrap_or_default();
            let id: Uuid = uuid::Builder::from_unix_timestamp_millis(millis, &self.random.random()).into_uuid();
            event.insert("id".into(), id.to_string().into());
        }
        event.insert("session_id".into(), session.id.clone().into());
        if let Some(user) = &session.user {
            event.insert("user_id".into(), user.clone().into());
        }
        event.insert("event_type".into(), kind.into());
        event.insert("event_action".into(), action.into());
        event.insert("timestamp".into(), Timestamp::from_micros(micros).to_string().into());
        if let Some(metadata) = self.metadata(&session, action) {
            event.insert("metadata".into(), metadata);
        }
        event.into()
    }

    /// `{"events":[...]}` with `count` events.
    pub fn batch(&mut self, count: usize) -> Value {
        let events: Vec<Value> = (0..count).map(|_| self.event()).collect();
        json!({ "events": events })
    }

    /// The text of a [`batch`](Self::batch).
    pub fn body(&mut self, count: usize) -> Vec<u8> {
        self.batch(count).to_string().into_bytes()
    }

    /// A session that goes on, or a new one in the place of one that has ended.
    fn session(&mut self) -> Session {
        let slot = self.random.random_range(0..OPEN_SESSIONS);
        while self.sessions.len() <= slot {
            let session = self.new_session();
            self.sessions.push(session);
        }
        if self.sessions[slot].left == 0 {
            self.sessions[slot] = self.new_session();
        }
        let signs_in = self.sessions[slot].user.is_none() && self.random.random_ratio(1, 20);
        if signs_in {
            self.sessions[slot].user = Some(self.user());
        }
        let session = &mut self.sessions[slot];
        session.left -= 1;
        session.clone()
    }

    fn new_session(&mut self) -> Session {
        let number = self.next_session;
        self.next_session += 1;
        let user = self.random.random_ratio(1, 2).then(|| self.user());
        Session {
            id: format!("s-{number:06}-{:08x}", self.random.random::<u32>()),
            user,
            country: COUNTRIES[self.skewed(COUNTRIES.len())],
            browser: BROWSERS[self.skewed(BROWSERS.len())],
            left: self.random.random_range(1..=25),
        }
    }

    fn user(&mut self) -> String {
        let users = usize::try_from(self.users).unwrap_or(usize::MAX);
        format!("user-{}", self.skewed(users))
    }

    fn happening(&mut self) -> (&'static str, &'static str) {
        let mut ticket = self.random.random_range(0..HAPPENINGS.iter().map(|(_, _, weight)| weight).sum());
        for (kind, action, weight) in HAPPENINGS {
            if ticket < *weight {
                return (kind, action);
            }
            ticket -= weight;
        }
        ("navigation", "page_view")
    }

    fn metadata(&mut self, session: &Session, action: &str) -> Option<Value> {
        if self.random.random_ratio(1, 25) {
            return None;
        }
        let mut metadata = json!({
            "path": PATHS[self.skewed(PATHS.len())],
            "country": session.country,
            "device": { "browser": session.browser, "mobile": session.browser == "Safari" },
            "ms": self.random.random_range(5..2_000),
        });
        match action {
            "view_item" | "add_to_cart" | "begin_checkout" | "purchase" => {
                let cents: u32 = self.random.random_range(100..50_000);
                // Now and then a price is a text, as shops send them: number metrics must pass it over.
                metadata["price"] = match self.random.random_range(0..30) {
                    0 => format!("{}.{:02}", cents / 100, cents % 100).into(),
                    1 => Value::Null,
                    _ => (f64::from(cents) / 100.0).into(),
                };
                metadata["currency"] = "EUR".into();
            }
            "search" => metadata["query"] = format!("größe {}", self.random.random_range(36..47)).into(),
            _ => {}
        }
        Some(metadata)
    }

    /// An index below `length`, small ones much more often.
    fn skewed(&mut self, length: usize) -> usize {
        let draw = || self.random.random_range(0..length);
        std::iter::repeat_with(draw).take(3).min().unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};

    use super::*;

    const FROM: Timestamp = Timestamp::from_micros(1_700_000_000_000_000);
    const TO: Timestamp = Timestamp::from_micros(1_700_600_000_000_000);

    #[test]
    fn a_seed_decides_everything() {
        let body = |seed| EventGenerator::new(seed, FROM, TO).body(500);
        assert_eq!(body(7), body(7));
        assert_ne!(body(7), body(8));
    }

    #[test]
    fn events_keep_the_rules_and_vary() {
        let mut generator = EventGenerator::new(1, FROM, TO);
        let events: Vec<Value> = (0..5_000).map(|_| generator.event()).collect();
        let mut counts: BTreeMap<&str, BTreeSet<String>> = BTreeMap::new();
        for event in &events {
            let at = Timestamp::from_jiff(event["timestamp"].as_str().unwrap().parse().unwrap());
            assert!((FROM..TO).contains(&at));
            assert!(event["session_id"].as_str().unwrap().len() <= analytics_domain::event::SESSION_ID_MAX);
            for field in ["id", "session_id", "user_id", "event_type", "event_action"] {
                counts.entry(field).or_default().insert(event[field].to_string());
            }
        }
        assert_eq!(counts["id"].len(), 5_000);
        assert_eq!(counts["event_type"].len(), 5);
        assert_eq!(counts["event_action"].len(), HAPPENINGS.len());
        assert!(counts["session_id"].len() > 200 && counts["user_id"].len() > 50);
        // Some sessions are without a user first and named later, which persons are made of.
        let mut users: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
        for event in &events {
            users.entry(event["session_id"].to_string()).or_default().insert(event["user_id"].to_string());
        }
        assert!(users.values().any(|users| users.len() == 2));
        assert!(events.iter().any(|event| event["metadata"]["price"].is_string()));
    }

    #[test]
    fn ids_can_be_left_to_the_collector() {
        let mut generator = EventGenerator::new(1, FROM, TO).without_ids().with_users(1);
        let batch = generator.batch(100);
        let events = batch["events"].as_array().unwrap();
        assert!(events.iter().all(|event| event.get("id").is_none()));
        assert!(events.iter().all(|event| event["user_id"].is_null() || event["user_id"] == "user-0"));
    }
}

//! `analytics demo`: a believable stream of made-up visitors, sent like any client's events.

use std::time::Duration;

use analytics_domain::Timestamp;
use analytics_host::clock::{Clock, SystemClock};
use clap::Args;
use rand::rngs::StdRng;
use rand::seq::IndexedRandom;
use rand::{Rng, SeedableRng};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::http::Address;
use crate::import::identity::made_id;
use crate::import::sender::{Origin, SendError, Sender, Sent};

/// Options of `analytics demo`.
#[derive(Debug, Args)]
pub struct DemoOptions {
    /// Days of made-up past to send first
    #[arg(long, default_value_t = 30, value_name = "DAYS", value_parser = clap::value_parser!(u32).range(0..=89))]
    pub days: u32,
    /// Visitors a day
    #[arg(long, default_value_t = 200, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=20_000))]
    pub visitors: u32,
    /// How long to go on live after that, in seconds; 0 sends only the past
    #[arg(long, default_value_t = 60, value_name = "SECONDS")]
    pub live: u64,
    /// The same seed makes the same visitors of a past day, who count once however often they are sent
    #[arg(long, default_value_t = 1, value_name = "SEED")]
    pub seed: u64,
    /// The write key to send with, where the collector wants one
    #[arg(long, env = "ANALYTICS_WRITE_KEY", hide_env_values = true, value_name = "KEY")]
    pub key: Option<String>,
}

/// How the made-up visitors come.
const REFERRERS: [(&str, u32); 6] = [
    ("", 40),
    ("https://search.example", 30),
    ("https://news.example", 12),
    ("https://social.example", 10),
    ("https://blog.example/review", 5),
    ("https://partner.example", 3),
];
const COUNTRIES: [(&str, u32); 8] =
    [("DE", 28), ("US", 24), ("FR", 12), ("GB", 11), ("NP", 8), ("BR", 7), ("JP", 6), ("IN", 4)];
const DEVICES: [(&str, u32); 3] = [("mobile", 52), ("desktop", 43), ("tablet", 5)];
const PAGES: [(&str, u32); 7] = [
    ("/", 35),
    ("/pricing", 18),
    ("/docs", 17),
    ("/docs/install", 10),
    ("/blog", 9),
    ("/blog/why-exactly-once", 6),
    ("/about", 5),
];
const PLANS: [(&str, f64); 3] = [("starter", 9.0), ("team", 49.0), ("business", 199.0)];

/// Sends the past, then goes on live; `tell` is called with a sentence now and then, and says whether anybody listens: where
/// not, the demo ends. Returns what became of the events.
///
/// Each day of the past is made of the seed and its date, so that a second run sends the same events with the same ids and
/// adds only what has come since.
///
/// # Errors
/// [`SendError`] where the collector is away or refuses.
pub async fn run(options: &DemoOptions, address: &Address, tell: impl Fn(String) -> bool) -> Result<Sent, SendError> {
    let mut sender = Sender::new(address, options.key.as_deref())?;
    let mut all = Sent::default();
    let now = now();
    for day in (0..=options.days).rev() {
        let date = now.utc_day() - i64::from(day);
        let events = Visitors::of_day(options.seed, date).day(options.visitors, date, now);
        for batch in events.chunks(500) {
            send(&mut sender, batch, &mut all).await?;
        }
        if day % 10 == 0 {
            let told = format!("{} events of made-up visitors sent, {day} days to go", all.accepted);
            if !tell(told) {
                return Ok(all);
            }
        }
    }
    // Who comes now has not come before, whatever the seed.
    let mut visitors = Visitors { rng: StdRng::seed_from_u64(options.seed ^ now.as_micros().unsigned_abs()) };
    let end = tokio::time::Instant::now() + Duration::from_secs(options.live);
    while tokio::time::Instant::now() < end {
        let moment = self::now();
        let mut events = visitors.visit(moment);
        events.iter_mut().for_each(|event| event["timestamp"] = json!(moment));
        identify(&mut events);
        send(&mut sender, &events, &mut all).await?;
        let wait = visitors.rng.random_range(200..1_500);
        tokio::time::sleep(Duration::from_millis(wait)).await;
    }
    Ok(all)
}

/// Sends events and waits for their answers.
async fn send(sender: &mut Sender, events: &[Value], all: &mut Sent) -> Result<(), SendError> {
    let batch = events.iter().map(|event| (Origin::default(), event.to_string())).collect();
    for (sent, failed) in [sender.send(batch).await, sender.finish().await] {
        all.add(sent);
        all.reasons.truncate(1);
        if let Some(failed) = failed {
            return Err(failed.error);
        }
    }
    Ok(())
}

/// What a demo came to, for a person.
#[must_use]
pub fn lines(sent: &Sent) -> Vec<String> {
    let mut lines = vec![format!("{} events of made-up visitors were accepted", sent.accepted)];
    if let Some((_, reason)) = sent.reasons.first() {
        lines.push(format!("{} were refused, the first with {reason}", sent.rejected));
    }
    if sent.out_of_range {
        lines.push(
            "  the server keeps fewer days than --days asks for: ask for fewer, or set RETENTION_DAYS=0".to_owned(),
        );
    }
    if sent.accepted > 0 {
        lines.push("accepted events that were stored before count once".to_owned());
    }
    lines
}

fn now() -> Timestamp {
    SystemClock.now()
}

fn time_of(event: &Value) -> Timestamp {
    event["timestamp"].as_str().and_then(Timestamp::parse_rfc3339).unwrap_or_default()
}

/// Gives the events of a visit ids made of what they are.
fn identify(visit: &mut [Value]) {
    for (number, event) in (0..).zip(visit) {
        let hash = Sha256::new().chain_update(b"analytics demo 1").chain_update(u64::to_be_bytes(number));
        let hash = hash.chain_update(event.to_string()).finalize();
        event["id"] = json!(made_id(time_of(event), number, &hash.into()));
    }
}

struct Visitors {
    rng: StdRng,
}

impl Visitors {
    /// The visitors of a UTC day.
    fn of_day(seed: u64, date: i64) -> Self {
        let hash = Sha256::new().chain_update(seed.to_be_bytes()).chain_update(date.to_be_bytes()).finalize();
        Self { rng: StdRng::from_seed(hash.into()) }
    }

    /// The events of one day up to `now`, in order of their times.
    fn day(&mut self, visitors: u32, date: i64, now: Timestamp) -> Vec<Value> {
        let start = Timestamp::from_utc_day(date);
        let weekday = (start.utc_day() + 3).rem_euclid(7);
        let share = if weekday >= 5 { 0.55 } else { 1.0 };
        let visits = (f64::from(visitors) * share * self.rng.random_range(0.85..1.15)) as u32;
        let mut events = Vec::new();
        for _ in 0..visits {
            // Two humps, around 10:30 and 20:00 UTC, as a site with readers on both sides of an ocean has.
            let hour = if self.rng.random_bool(0.6) { 10.5 } else { 20.0 };
            let spread: f64 = (0..4).map(|_| self.rng.random_range(-2.5..2.5)).sum::<f64>() / 2.0;
            let micros = ((hour + spread).clamp(0.0, 23.9) * 3.6e9) as i64;
            let mut visit = self.visit(start.saturating_add_micros(micros));
            identify(&mut visit);
            events.extend(visit);
        }
        events.retain(|event| time_of(event) <= now);
        events.sort_by(|a, b| a["timestamp"].as_str().cmp(&b["timestamp"].as_str()));
        events
    }

    /// One visit: pages, sometimes a sign-up, sometimes an order.
    fn visit(&mut self, start: Timestamp) -> Vec<Value> {
        let session = format!("demo-{:016x}", self.rng.random::<u64>());
        let known = self.rng.random_bool(0.3).then(|| format!("user-{:04}", self.rng.random_range(0..2_000)));
        let context = json!({
            "referrer": self.pick(&REFERRERS), "country": self.pick(&COUNTRIES), "device": self.pick(&DEVICES),
        });
        let mut at = start;
        let mut events = Vec::new();
        let mut add = |rng: &mut StdRng, at: &mut Timestamp, kind: &str, action: &str, extra: Value| {
            let mut metadata = context.clone();
            if let (Some(metadata), Value::Object(extra)) = (metadata.as_object_mut(), extra) {
                metadata.extend(extra);
                metadata.retain(|_, value| value.as_str() != Some(""));
            }
            let mut event = json!({
                "session_id": session, "event_type": kind, "event_action": action, "timestamp": *at, "metadata": metadata,
            });
            if let Some(user) = &known {
                event["user_id"] = json!(user);
            }
            events.push(event);
            *at = at.saturating_add_micros(rng.random_range(4_000_000..90_000_000));
        };
        let pages = 1 + self.rng.random_range(0_u32..6).min(self.rng.random_range(0..6));
        for _ in 0..pages {
            let path = self.pick(&PAGES);
            let load = self.rng.random_range(40..900);
            add(&mut self.rng, &mut at, "page", "view", json!({ "path": path, "load_ms": load }));
        }
        if self.rng.random_bool(0.12) {
            add(&mut self.rng, &mut at, "engagement", "signup", json!({ "path": "/signup" }));
            if self.rng.random_bool(0.35) {
                let (plan, price) = PLANS.choose(&mut self.rng).copied().unwrap_or(PLANS[0]);
                add(&mut self.rng, &mut at, "commerce", "checkout_started", json!({ "plan": plan }));
                if self.rng.random_bool(0.6) {
                    add(&mut self.rng, &mut at, "commerce", "order_paid", json!({ "plan": plan, "price": price }));
                }
            }
        }
        events
    }

    fn pick(&mut self, weighted: &[(&'static str, u32)]) -> &'static str {
        let all: u32 = weighted.iter().map(|(_, weight)| weight).sum();
        let mut left = self.rng.random_range(0..all.max(1));
        for (value, weight) in weighted {
            if left < *weight {
                return value;
            }
            left -= weight;
        }
        ""
    }
}

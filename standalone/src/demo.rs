//! `analytics demo`: a believable stream of made-up visitors, sent like any client's events.

use std::time::Duration;

use analytics_domain::Timestamp;
use analytics_host::clock::{Clock, SystemClock};
use clap::Args;
use rand::rngs::StdRng;
use rand::seq::IndexedRandom;
use rand::{Rng, SeedableRng};
use serde_json::{Value, json};

use crate::import::sender::{SendError, Sender};

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
    /// The same seed makes the same visitors
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

/// Sends the past, then goes on live; `tell` is called with a sentence now and then. Returns how many events were accepted.
///
/// # Errors
/// [`SendError`] where the collector is away or refuses.
pub async fn run(options: &DemoOptions, base_url: &str, tell: impl Fn(String)) -> Result<u64, SendError> {
    let mut visitors = Visitors { rng: StdRng::seed_from_u64(options.seed), visitors: options.visitors };
    let mut sender = Sender::new(base_url, options.key.as_deref());
    let now = now();
    let mut accepted = 0;
    for day in (0..=options.days).rev() {
        let start = Timestamp::from_utc_day(now.utc_day() - i64::from(day));
        let events: Vec<Value> = visitors.day(start, now);
        for batch in events.chunks(500) {
            let batch = batch.iter().cloned().map(|event| (0, event)).collect();
            accepted += sender.send(batch).await.map_err(|(_, error)| error)?.accepted;
        }
        accepted += sender.finish().await.map_err(|(_, error)| error)?.accepted;
        if day % 10 == 0 {
            tell(format!("{accepted} events of made-up visitors sent, {day} days to go"));
        }
    }
    let end = tokio::time::Instant::now() + Duration::from_secs(options.live);
    while tokio::time::Instant::now() < end {
        let moment = self::now();
        let batch: Vec<_> = visitors
            .visit(moment)
            .into_iter()
            .map(|mut event| {
                event["timestamp"] = json!(moment);
                (0, event)
            })
            .collect();
        accepted += sender.send(batch).await.map_err(|(_, error)| error)?.accepted;
        accepted += sender.finish().await.map_err(|(_, error)| error)?.accepted;
        let wait = visitors.rng.random_range(200..1_500);
        tokio::time::sleep(Duration::from_millis(wait)).await;
    }
    Ok(accepted)
}

fn now() -> Timestamp {
    SystemClock.now()
}

struct Visitors {
    rng: StdRng,
    visitors: u32,
}

impl Visitors {
    /// The events of one day up to `now`, in order of their times.
    fn day(&mut self, start: Timestamp, now: Timestamp) -> Vec<Value> {
        let weekday = (start.utc_day() + 3).rem_euclid(7);
        let share = if weekday >= 5 { 0.55 } else { 1.0 };
        let visits = (f64::from(self.visitors) * share * self.rng.random_range(0.85..1.15)) as u32;
        let mut events = Vec::new();
        for _ in 0..visits {
            // Two humps, around 10:30 and 20:00 UTC, as a site with readers on both sides of an ocean has.
            let hour = if self.rng.random_bool(0.6) { 10.5 } else { 20.0 };
            let spread: f64 = (0..4).map(|_| self.rng.random_range(-2.5..2.5)).sum::<f64>() / 2.0;
            let micros = ((hour + spread).clamp(0.0, 23.9) * 3.6e9) as i64;
            events.extend(self.visit(start.saturating_add_micros(micros)));
        }
        events
            .retain(|event| event["timestamp"].as_str().and_then(Timestamp::parse_rfc3339).is_some_and(|at| at <= now));
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

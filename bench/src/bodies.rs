//! The bodies that are posted: events of about 215 bytes, as a web shop sends them.

use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use serde_json::{Value, json};

const ACTIONS: [&str; 6] = ["view", "product_view", "add_to_cart", "checkout_started", "order_paid", "search"];

/// One event; metadata keys stand in the order in which a program writes them, not sorted.
pub fn event(rng: &mut StdRng) -> Value {
    json!({
        "session_id": format!("s-{:012x}", rng.random_range(0..50_000_u64)),
        "user_id": format!("user-{:05}", rng.random_range(0..20_000)),
        "event_type": (if rng.random_bool(0.7) { "page" } else { "commerce" }),
        "event_action": ACTIONS[rng.random_range(0..ACTIONS.len())],
        "metadata": {
            "path": format!("/products/{}", rng.random_range(0..300)),
            "price": f64::from(rng.random_range(100..20_000)) / 100.0,
            "device": (if rng.random_bool(0.5) { "mobile" } else { "desktop" }),
        },
    })
}

/// A body of `events` events, the same for the same seed.
pub fn body(events: usize, seed: u64) -> String {
    let mut rng = StdRng::seed_from_u64(seed);
    let events: Vec<Value> = (0..events).map(|_| event(&mut rng)).collect();
    json!({ "events": events }).to_string()
}

const REFERRERS: [&str; 4] = [
    "https://www.google.com/",
    "https://t.co/9aBcDeF",
    "https://news.example.org/item?id=4711",
    "https://duckduckgo.com/",
];

/// A body of `events` views of pages, as the tracker sends them; one in four came from elsewhere.
pub fn views(events: usize, seed: u64) -> String {
    let mut rng = StdRng::seed_from_u64(seed);
    let mut view = || {
        let path = format!("/products/{}", rng.random_range(0..300));
        let mut metadata = json!({ "host": "shop.example", "path": path, "title": format!("Product of {path}") });
        if rng.random_bool(0.25) {
            metadata["referrer"] = REFERRERS[rng.random_range(0..REFERRERS.len())].into();
        }
        json!({
            "session_id": format!("s-{:012x}", rng.random_range(0..50_000_u64)),
            "event_type": "page",
            "event_action": "view",
            "metadata": metadata,
        })
    };
    let events: Vec<Value> = (0..events).map(|_| view()).collect();
    json!({ "events": events }).to_string()
}

//! Measures how long a body takes to decode: `cargo run --release -p analytics-domain --example decode`.
#![allow(clippy::print_stdout, clippy::expect_used, reason = "a measurement for the terminal")]

use std::time::Instant;

use analytics_domain::{DecodeContext, Retention, Timestamp, decode};
use uuid::Uuid;

/// Metadata as a browser sends it: keys in the order of the code that made it.
const UNSORTED: &str = r#"{"path":"/docs/install","referrer":"https://example.com/","price":19.99,"ms":120}"#;
/// The same in canonical form.
const SORTED: &str = r#"{"ms":120,"path":"/docs/install","price":19.99,"referrer":"https://example.com/"}"#;
/// With a level more, white space and an escape.
const NESTED: &str =
    r#"{"path": "/docs\/install", "item": {"sku": "A-1", "price": 19.90, "tags": ["a", "b"]}, "ms": 120}"#;

fn main() {
    // How many events each measurement decodes.
    let events: usize = std::env::args().nth(1).and_then(|count| count.parse().ok()).unwrap_or(50_000);
    let context =
        DecodeContext { received_at: Timestamp::from_micros(1_793_613_600_000_000), retention: Retention::default() };
    for (name, metadata) in [("sorted", SORTED), ("unsorted", UNSORTED), ("nested", NESTED), ("none", "{}")] {
        for count in [1, 10, 100, 1_000] {
            let event = format!(
                r#"{{"session_id":"0192f0c1-2d3e-7a4b","event_type":"page_view","event_action":"view","timestamp":1793613599123,"metadata":{metadata}}}"#
            );
            let body = format!("{{\"events\":[{}]}}", vec![event; count].join(","));
            let rounds = events / count;
            let mut next = 0_u128;
            // The best of several: what is slower was disturbed by others on the machine.
            let mut best = f64::INFINITY;
            for _ in 0..8 {
                let start = Instant::now();
                for _ in 0..rounds {
                    let decoded = decode(std::hint::black_box(body.as_bytes()), &context, &mut || {
                        next += 1;
                        Uuid::from_u128(next)
                    });
                    assert_eq!(decoded.expect("a valid body").events.len(), count);
                }
                best = best.min(start.elapsed().as_secs_f64());
            }
            println!(
                "{name:>8} {count:>5} events of {:>3} bytes: {:>6.1} ns an event, {:>5.2} GB/s",
                body.len() / count,
                best * 1e9 / (rounds * count) as f64,
                (rounds * body.len()) as f64 / best / 1e9,
            );
        }
    }
}

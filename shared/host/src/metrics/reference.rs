//! The page of the docs that lists every metric.

use std::fmt::Write as _;

use super::registry::{Kind, REGISTRY};

/// `docs/metrics.md`, made from the registry.
#[must_use]
pub fn reference() -> String {
    let mut page = String::from(
        "# Metrics\n\n\
         Made from the registry in `shared/host/src/metrics/registry.rs`; do not edit by hand.\n\n\
         Every role answers `GET /metrics` in Prometheus' text format; `analytics` shows what all of its roles show. A label \
         never carries what a client can invent without bound.\n\n\
         | metric | kind | unit | labels | roles | meaning |\n|---|---|---|---|---|---|\n",
    );
    for metric in REGISTRY {
        let kind = match metric.kind {
            Kind::Counter => "counter",
            Kind::Gauge => "gauge",
            Kind::Histogram(_) => "histogram",
        };
        let labels = metric.labels.iter().map(|label| format!("`{label}`")).collect::<Vec<_>>().join(", ");
        let roles = metric.roles;
        // Writing to a String does not fail.
        let _ =
            writeln!(page, "| `{}` | {kind} | {} | {labels} | {roles} | {} |", metric.name, metric.unit, metric.help);
    }
    page.push_str("\nUpper bounds of the histograms' buckets, before `+Inf`:\n\n");
    for metric in REGISTRY {
        if let Kind::Histogram(bounds) = metric.kind {
            let bounds = bounds.iter().map(|bound| format!("`{bound}`")).collect::<Vec<_>>().join(", ");
            let _ = writeln!(page, "- `{}`: {bounds}", metric.name);
        }
    }
    page
}

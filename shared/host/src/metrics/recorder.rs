//! The recorder of the process and the page that shows it.

use std::sync::OnceLock;
use std::time::Duration;

use axum::Router;
use axum::response::IntoResponse;
use axum::routing::get;
use http::header;
use metrics::{Unit, describe_counter, describe_gauge, describe_histogram, gauge};
use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle};
use tracing::error;
#[cfg(feature = "lambda")]
use {super::embedded::EmbeddedMetrics, crate::problem::Problem, axum::routing::any, http::StatusCode};

use super::registry::{Kind, Metric, REGISTRY};
use super::{names, process};

/// Histograms keep each value until they are summed up; this often at least, whether somebody looks or not.
const SUM_UP_EVERY: Duration = Duration::from_secs(2);

/// The type that Prometheus' text format is served as.
const TEXT_FORMAT: &str = "text/plain; version=0.0.4; charset=utf-8";

static RECORDER: OnceLock<Recorder> = OnceLock::new();

/// How the figures of this process are told.
enum Recorder {
    /// On a page, to whoever reads it.
    Page(PrometheusHandle),
    /// On standard output, after each invocation of a function.
    #[cfg(feature = "lambda")]
    Embedded(EmbeddedMetrics),
}

/// Installs the recorder of a function, in place of [`install`]'s: figures are told by [`tell_embedded`].
#[cfg(feature = "lambda")]
pub fn install_embedded(role: &'static str) {
    RECORDER.get_or_init(|| {
        let recorder = EmbeddedMetrics::new(role);
        if metrics::set_global_recorder(recorder.clone()).is_err() {
            error!("another metrics recorder was installed in this process before: no metrics are told");
        }
        Recorder::Embedded(recorder)
    });
}

/// Writes a function's figures to standard output, as far as they have changed; without [`install_embedded`], nothing.
#[cfg(feature = "lambda")]
pub fn tell_embedded() {
    if let Some(Recorder::Embedded(recorder)) = RECORDER.get() {
        recorder.tell();
    }
}

/// Installs the recorder of the process, once; later calls do nothing. Handles made before it count nothing.
pub fn install() {
    RECORDER.get_or_init(|| {
        let builder = REGISTRY.iter().fold(PrometheusBuilder::new(), with_bounds);
        let recorder = builder.build_recorder();
        let handle = recorder.handle();
        if metrics::set_global_recorder(recorder).is_err() {
            error!("another metrics recorder was installed in this process before: /metrics will be empty");
        }
        REGISTRY.iter().for_each(describe);
        process::remember_start();
        gauge!(names::BUILD_INFO, "version" => env!("CARGO_PKG_VERSION")).set(1.0);
        sum_up_in_background(handle.clone());
        Recorder::Page(handle)
    });
}

fn with_bounds(builder: PrometheusBuilder, metric: &Metric) -> PrometheusBuilder {
    let Kind::Histogram(bounds) = metric.kind else { return builder };
    // Fails only for an empty list of bounds; the registry has none, and a test holds it to that.
    match builder.set_buckets_for_metric(Matcher::Full(metric.name.to_owned()), bounds) {
        Ok(builder) => builder,
        Err(error) => unreachable!("the registry's bounds of {} are refused: {error}", metric.name),
    }
}

fn describe(metric: &Metric) {
    let unit = match metric.unit {
        "seconds" => Unit::Seconds,
        "bytes" => Unit::Bytes,
        _ => Unit::Count,
    };
    match metric.kind {
        Kind::Counter => describe_counter!(metric.name, unit, metric.help),
        Kind::Gauge => describe_gauge!(metric.name, unit, metric.help),
        Kind::Histogram(_) => describe_histogram!(metric.name, unit, metric.help),
    }
}

/// A thread and not a task: the recorder belongs to the process, runtimes come and go in tests.
fn sum_up_in_background(handle: PrometheusHandle) {
    let work = move || {
        loop {
            std::thread::sleep(SUM_UP_EVERY);
            handle.run_upkeep();
        }
    };
    if let Err(error) = std::thread::Builder::new().name("metrics".to_owned()).spawn(work) {
        error!(%error, "no thread for metrics: histograms are summed up only when /metrics is read");
    }
}

/// The page as Prometheus reads it.
#[must_use]
pub fn render() -> String {
    install();
    process::measure();
    match RECORDER.get() {
        Some(Recorder::Page(handle)) => handle.render(),
        _ => String::new(),
    }
}

/// `GET /metrics`; of a function, which lives too short to be asked, a 404 that says where its figures are.
pub fn router() -> Router {
    install();
    match RECORDER.get() {
        #[cfg(feature = "lambda")]
        Some(Recorder::Embedded(_)) => Router::new().route("/metrics", any(no_page)),
        _ => Router::new().route("/metrics", get(page)),
    }
}

#[cfg(feature = "lambda")]
async fn no_page() -> Problem {
    let detail = "a function has no page of metrics: its figures are in CloudWatch, under the same names in the namespace \
                  analytics";
    Problem::new(StatusCode::NOT_FOUND, "not_found", detail).with("path", "/metrics")
}

async fn page() -> impl IntoResponse {
    ([(header::CONTENT_TYPE, TEXT_FORMAT), (header::CACHE_CONTROL, "no-store")], render())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_page_holds_the_promised_bounds_and_helps() {
        install();
        install();
        for name in [names::BATCH_SIZE, names::PROCESSING_DURATION, names::API_LATENCY] {
            metrics::histogram!(name).record(0.05);
        }
        metrics::counter!(names::EVENTS_QUEUED).increment(3);
        let page = render();
        for line in [
            r#"analytics_batch_size_histogram_bucket{le="10"} 1"#,
            r#"analytics_processing_duration_seconds_bucket{le="0.1"} 1"#,
            r#"analytics_api_latency_seconds_bucket{le="0.5"} 1"#,
            "analytics_events_queued_total 3",
            "# TYPE analytics_events_queued_total counter",
            "# TYPE analytics_batch_size_histogram histogram",
            "# HELP analytics_events_queued_total Events made durable in the queue and answered with 202.",
            concat!(r#"analytics_build_info{version=""#, env!("CARGO_PKG_VERSION"), r#""} 1"#),
        ] {
            assert!(page.lines().any(|found| found == line), "{line} is not in\n{page}");
        }
        for name in [names::PROCESS_MEMORY, names::PROCESS_OPEN_FDS, names::PROCESS_START] {
            let line = page.lines().find(|line| line.starts_with(&format!("{name} "))).unwrap();
            assert!(line.rsplit_once(' ').unwrap().1.parse::<f64>().unwrap() > 0.0, "{line}");
        }
    }

    #[test]
    fn the_registry_holds_together() {
        for (index, metric) in REGISTRY.iter().enumerate() {
            assert!(!REGISTRY[..index].iter().any(|other| other.name == metric.name), "{} stands twice", metric.name);
            assert!(metric.help.ends_with('.'), "{}", metric.name);
            assert_eq!(matches!(metric.kind, Kind::Counter), metric.name.ends_with("_total"), "{}", metric.name);
            if let Kind::Histogram(bounds) = metric.kind {
                assert!(bounds.is_sorted() && !bounds.is_empty(), "{}", metric.name);
            }
        }
    }
}

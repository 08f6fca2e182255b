//! Metrics where nobody can come and read a page: written to standard output as CloudWatch's embedded metric format.
//!
//! A line is a JSON document that the log service makes metrics of: the names are those of `/metrics`. Counters tell what was
//! added since the last line, histograms their values, gauges what they stand at where they were set since.
//!
//! Source of the format: the specification "Embedded metric format" of Amazon CloudWatch Logs: a metric has at most 100
//! values in a document.

use std::collections::{BTreeMap, HashMap};
use std::io::Write as _;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use metrics::{Counter, Gauge, GaugeFn, Histogram, Key, KeyName, Metadata, Recorder, SharedString, Unit};
use metrics_util::registry::{AtomicStorage, Registry};
use serde_json::{Map, Value, json};

use super::registry::REGISTRY;
use crate::clock::{Clock as _, SystemClock};

/// What the metrics stand under in CloudWatch.
const NAMESPACE: &str = "analytics";

/// Most values of a metric in one document.
const MOST_VALUES: usize = 100;

/// A gauge that knows whether it was set since it was told last.
#[derive(Debug, Default)]
struct SetGauge {
    bits: AtomicU64,
    is_set: AtomicBool,
}

impl SetGauge {
    fn change(&self, change: impl Fn(f64) -> f64) {
        let _ = self
            .bits
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |bits| Some(change(f64::from_bits(bits)).to_bits()));
        self.is_set.store(true, Ordering::Relaxed);
    }

    /// What it stands at, where it was set since the last call.
    fn take(&self) -> Option<f64> {
        self.is_set.swap(false, Ordering::Relaxed).then(|| f64::from_bits(self.bits.load(Ordering::Relaxed)))
    }
}

impl GaugeFn for SetGauge {
    fn increment(&self, value: f64) {
        self.change(|now| now + value);
    }

    fn decrement(&self, value: f64) {
        self.change(|now| now - value);
    }

    fn set(&self, value: f64) {
        self.change(|_| value);
    }
}

/// A recorder whose figures are written out by [`EmbeddedMetrics::tell`].
#[derive(Clone)]
pub(super) struct EmbeddedMetrics {
    role: &'static str,
    registry: Arc<Registry<Key, AtomicStorage>>,
    gauges: Arc<Mutex<HashMap<Key, Arc<SetGauge>>>>,
    /// How far each counter had come when it was told last.
    told: Arc<Mutex<HashMap<Key, u64>>>,
}

/// Label values and, under them, metrics with what they tell.
type Documents = BTreeMap<Vec<(String, String)>, BTreeMap<String, Vec<Value>>>;

impl EmbeddedMetrics {
    /// One of a role, which every metric is told under.
    pub(super) fn new(role: &'static str) -> Self {
        Self { role, registry: Arc::new(Registry::new(AtomicStorage)), gauges: Arc::default(), told: Arc::default() }
    }

    /// Writes what has changed to standard output.
    pub(super) fn tell(&self) {
        let lines = self.lines(SystemClock.now().as_millis());
        let mut out = std::io::stdout().lock();
        for line in lines {
            // Without its standard output a process has nobody to tell that to.
            let _ = writeln!(out, "{line}");
        }
        let _ = out.flush();
    }

    /// What has changed since the last call, a document a line.
    fn lines(&self, now_millis: i64) -> Vec<String> {
        let mut documents = Documents::new();
        let mut add = |key: &Key, value: Value| {
            let labels = key.labels().map(|label| (label.key().to_owned(), label.value().to_owned())).collect();
            documents.entry(labels).or_default().entry(key.name().to_owned()).or_default().push(value);
        };
        let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        self.registry.visit_counters(|key, counter| {
            let count = counter.load(Ordering::Relaxed);
            let before = told.insert(key.clone(), count).unwrap_or(0);
            if count > before {
                add(key, (count - before).into());
            }
        });
        for (key, gauge) in self.gauges.lock().unwrap_or_else(PoisonError::into_inner).iter() {
            if let Some(value) = gauge.take() {
                add(key, value.into());
            }
        }
        self.registry.visit_histograms(|key, histogram| {
            histogram.clear_with(|values| values.iter().for_each(|value| add(key, (*value).into())));
        });
        documents.into_iter().flat_map(|(labels, metrics)| self.documents(&labels, metrics, now_millis)).collect()
    }

    fn documents(
        &self,
        labels: &[(String, String)],
        mut metrics: BTreeMap<String, Vec<Value>>,
        now_millis: i64,
    ) -> Vec<String> {
        let mut lines = Vec::new();
        while !metrics.is_empty() {
            let mut document = Map::new();
            let mut named = Vec::new();
            for (name, values) in &mut metrics {
                let rest = values.split_off(values.len().min(MOST_VALUES));
                let told = std::mem::replace(values, rest);
                named.push(json!({ "Name": name, "Unit": unit(name) }));
                document.insert(name.clone(), if told.len() == 1 { told[0].clone() } else { told.into() });
            }
            metrics.retain(|_, values| !values.is_empty());
            let dimensions: Vec<&str> =
                std::iter::once("role").chain(labels.iter().map(|(key, _)| key.as_str())).collect();
            document.insert("role".to_owned(), self.role.into());
            document.extend(labels.iter().map(|(key, value)| (key.clone(), value.clone().into())));
            let directive = json!([{ "Namespace": NAMESPACE, "Dimensions": [dimensions], "Metrics": named }]);
            document.insert("_aws".to_owned(), json!({ "Timestamp": now_millis, "CloudWatchMetrics": directive }));
            lines.push(Value::Object(document).to_string());
        }
        lines
    }
}

/// The unit of a metric in CloudWatch's words.
fn unit(name: &str) -> &'static str {
    match REGISTRY.iter().find(|metric| metric.name == name).map(|metric| metric.unit) {
        Some("seconds") => "Seconds",
        Some("bytes") => "Bytes",
        Some("state") | None => "None",
        Some(_) => "Count",
    }
}

impl Recorder for EmbeddedMetrics {
    fn describe_counter(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}

    fn describe_gauge(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}

    fn describe_histogram(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}

    fn register_counter(&self, key: &Key, _: &Metadata<'_>) -> Counter {
        self.registry.get_or_create_counter(key, |counter| Arc::clone(counter).into())
    }

    fn register_gauge(&self, key: &Key, _: &Metadata<'_>) -> Gauge {
        let mut gauges = self.gauges.lock().unwrap_or_else(PoisonError::into_inner);
        Gauge::from_arc(Arc::clone(gauges.entry(key.clone()).or_default()))
    }

    fn register_histogram(&self, key: &Key, _: &Metadata<'_>) -> Histogram {
        self.registry.get_or_create_histogram(key, |histogram| Arc::clone(histogram).into())
    }
}

#[cfg(test)]
mod tests {
    use super::super::names;
    use super::*;

    fn told(recorder: &EmbeddedMetrics) -> Vec<Value> {
        recorder.lines(1_700_000_000_000).iter().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    #[test]
    fn tells_what_was_added_since_the_last_time() {
        let recorder = EmbeddedMetrics::new("collector");
        metrics::with_local_recorder(&recorder, || {
            let queued = metrics::counter!(names::EVENTS_QUEUED);
            let of_type = metrics::counter!(names::EVENTS_RECEIVED, "type" => "page");
            let depth = metrics::gauge!(names::QUEUE_DEPTH);
            assert!(told(&recorder).is_empty());
            queued.increment(3);
            of_type.increment(2);
            depth.set(7.0);
            let lines = told(&recorder);
            assert_eq!(lines.len(), 2);
            assert_eq!(lines[0][names::EVENTS_QUEUED], 3);
            assert_eq!(lines[0][names::QUEUE_DEPTH], 7.0);
            assert_eq!(lines[0]["role"], "collector");
            let directive = &lines[0]["_aws"]["CloudWatchMetrics"][0];
            assert_eq!(directive["Namespace"], "analytics");
            assert_eq!(directive["Dimensions"], json!([["role"]]));
            assert_eq!(directive["Metrics"][0], json!({ "Name": names::EVENTS_QUEUED, "Unit": "Count" }));
            assert_eq!(lines[1]["type"], "page");
            assert_eq!(lines[1]["_aws"]["CloudWatchMetrics"][0]["Dimensions"], json!([["role", "type"]]));
            queued.increment(1);
            let lines = told(&recorder);
            assert_eq!((lines.len(), &lines[0][names::EVENTS_QUEUED]), (1, &json!(1)));
            assert!(lines[0].get(names::QUEUE_DEPTH).is_none(), "a gauge that was not set is not told");
            assert!(told(&recorder).is_empty());
            // Nothing is news too: what CloudWatch was told last would stand for ever.
            depth.set(0.0);
            assert_eq!(told(&recorder)[0][names::QUEUE_DEPTH], 0.0);
        });
    }

    #[test]
    fn splits_more_values_than_a_document_may_hold() {
        let recorder = EmbeddedMetrics::new("api");
        metrics::with_local_recorder(&recorder, || {
            let latency = metrics::histogram!(names::API_LATENCY);
            (0..250).for_each(|index| latency.record(f64::from(index)));
            let lines = told(&recorder);
            let sizes: Vec<usize> =
                lines.iter().map(|line| line[names::API_LATENCY].as_array().unwrap().len()).collect();
            assert_eq!(sizes, [100, 100, 50]);
            assert_eq!(lines[0]["_aws"]["CloudWatchMetrics"][0]["Metrics"][0]["Unit"], "Seconds");
            assert!(told(&recorder).is_empty());
        });
    }
}

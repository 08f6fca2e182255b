//! Every metric, with what its reader has to know.

use super::names;

/// How a metric behaves over time.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Kind {
    /// Only rises, from 0 at the start of the process.
    Counter,
    /// Goes up and down.
    Gauge,
    /// Counts values by the smallest of these upper bounds that holds them.
    Histogram(&'static [f64]),
}

/// A metric and what its reader has to know.
#[derive(Debug, Clone, Copy)]
pub struct Metric {
    /// Its name; a histogram is exposed as `_bucket`, `_sum` and `_count` of it.
    pub name: &'static str,
    /// How it behaves.
    pub kind: Kind,
    /// One sentence, shown as `HELP`.
    pub help: &'static str,
    /// Its labels; each takes values of a bounded set.
    pub labels: &'static [&'static str],
    /// What its numbers count.
    pub unit: &'static str,
    /// The roles that show it; the single process shows what its roles show.
    pub roles: &'static str,
}

const COLLECTOR: &str = "collector";
const PROCESSOR: &str = "processor";
const API: &str = "api";
const REALTIME: &str = "realtime";
const QUEUE: &str = "collector, processor";
const EVERY: &str = "all";

/// Bounds of sizes: a body holds at most 1,000 events.
const EVENT_COUNTS: &[f64] = &[1.0, 2.0, 5.0, 10.0, 25.0, 50.0, 100.0, 250.0, 500.0, 1_000.0];
/// Bounds of transactions: they grow to 50 times `BATCH_SIZE`.
const TRANSACTION_COUNTS: &[f64] =
    &[1.0, 10.0, 50.0, 100.0, 250.0, 500.0, 1_000.0, 2_500.0, 5_000.0, 10_000.0, 50_000.0];
/// Bounds of times in seconds.
const SECONDS: &[f64] = &[0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0];

const fn metric(
    name: &'static str,
    kind: Kind,
    unit: &'static str,
    labels: &'static [&'static str],
    roles: &'static str,
    help: &'static str,
) -> Metric {
    Metric { name, kind, help, labels, unit, roles }
}

/// Every metric of every role, in the order of an event's way.
pub static REGISTRY: &[Metric] = &[
    metric(
        names::EVENTS_RECEIVED,
        Kind::Counter,
        "events",
        &["type"],
        COLLECTOR,
        "Events accepted by the collector, by event type: the first 50 types of the process, then other.",
    ),
    metric(
        names::EVENTS_QUEUED,
        Kind::Counter,
        "events",
        &[],
        COLLECTOR,
        "Events made durable in the queue and answered with 202.",
    ),
    metric(
        names::EVENTS_REJECTED,
        Kind::Counter,
        "events",
        &["reason"],
        COLLECTOR,
        "Events refused by the collector, by the stable code that the client was given.",
    ),
    metric(
        names::BATCH_SIZE,
        Kind::Histogram(EVENT_COUNTS),
        "events",
        &[],
        COLLECTOR,
        "Events in a body sent to the collector.",
    ),
    metric(
        names::COLLECT_LATENCY,
        Kind::Histogram(SECONDS),
        "seconds",
        &[],
        COLLECTOR,
        "How long the collector took to answer a body that it had whole: judging its events, and the queue.",
    ),
    metric(
        names::QUEUE_DURABLE,
        Kind::Gauge,
        "state",
        &[],
        COLLECTOR,
        "What a 202 survives: 1 a power cut, 0 a killed process (a power cut may take about the last second), -1 not known.",
    ),
    metric(
        names::QUEUE_DEPTH,
        Kind::Gauge,
        "events",
        &[],
        QUEUE,
        "Events accepted and not yet stored; on SQS an estimate, made from the number of entries.",
    ),
    metric(
        names::QUEUE_BATCHES,
        Kind::Gauge,
        "entries",
        &[],
        QUEUE,
        "Queue entries accepted and not yet acknowledged; on SQS the approximate number of messages.",
    ),
    metric(
        names::QUEUE_OLDEST,
        Kind::Gauge,
        "seconds",
        &[],
        QUEUE,
        "How long the oldest entry of the queue has waited; 0 where it is empty.",
    ),
    metric(
        names::EVENTS_PROCESSED,
        Kind::Counter,
        "events",
        &[],
        PROCESSOR,
        "Events taken from the queue in transactions that were committed, whatever became of each.",
    ),
    metric(
        names::EVENTS_DUPLICATE,
        Kind::Counter,
        "events",
        &[],
        PROCESSOR,
        "Events that were stored before and so count once.",
    ),
    metric(
        names::EVENTS_EXPIRED,
        Kind::Counter,
        "events",
        &[],
        PROCESSOR,
        "Events older than RETENTION_DAYS when they were taken from the queue, and dropped.",
    ),
    metric(
        names::EVENTS_ERASED,
        Kind::Counter,
        "events",
        &[],
        PROCESSOR,
        "Events of people who had been erased when they were taken from the queue, and dropped.",
    ),
    metric(
        names::STORE_FAILURES,
        Kind::Counter,
        "transactions",
        &[],
        PROCESSOR,
        "Transactions that the store could not take and that are tried again.",
    ),
    metric(
        names::PROCESSING_DURATION,
        Kind::Histogram(SECONDS),
        "seconds",
        &[],
        PROCESSOR,
        "How long a transaction took, from its first statement to its commit.",
    ),
    metric(
        names::TRANSACTION_EVENTS,
        Kind::Histogram(TRANSACTION_COUNTS),
        "events",
        &[],
        PROCESSOR,
        "Events in a committed transaction.",
    ),
    metric(
        names::INGEST_LAG,
        Kind::Gauge,
        "seconds",
        &[],
        PROCESSOR,
        "From the receipt of the oldest event of the last transaction to its commit; 0 where nothing waits.",
    ),
    metric(
        names::DEAD_LETTERS,
        Kind::Gauge,
        "events",
        &[],
        PROCESSOR,
        "Events and entries that could not be stored and are put aside, of every project.",
    ),
    metric(
        names::API_REQUESTS,
        Kind::Counter,
        "requests",
        &["endpoint", "status"],
        API,
        "Requests answered by the API, by route template (without /api) and HTTP status.",
    ),
    metric(
        names::API_LATENCY,
        Kind::Histogram(SECONDS),
        "seconds",
        &[],
        API,
        "How long the API took to begin its answer.",
    ),
    metric(
        names::REPLICA_STATE,
        Kind::Gauge,
        "state",
        &[],
        API,
        "Where questions are read: 1 from the replica, 0 from the primary because the replica is left out, -1 no replica is set.",
    ),
    metric(
        names::REPLICA_LAG,
        Kind::Gauge,
        "seconds",
        &[],
        API,
        "How far the replica is behind the primary, at most; 0 where none is set.",
    ),
    metric(
        names::REPLICA_READS,
        Kind::Counter,
        "readings",
        &["outcome"],
        API,
        "Readings meant for the replica: answered by it, passed_over to the primary because it was left out, or failed there and \
         answered by the primary.",
    ),
    metric(
        names::REALTIME_CONNECTIONS,
        Kind::Gauge,
        "connections",
        &[],
        REALTIME,
        "Open WebSockets and event streams.",
    ),
    metric(
        names::REALTIME_SENT,
        Kind::Counter,
        "messages",
        &[],
        REALTIME,
        "Messages handed to WebSockets and event streams.",
    ),
    metric(
        names::REALTIME_DROPPED,
        Kind::Counter,
        "messages",
        &[],
        REALTIME,
        "Messages that slow readers lost, as each of them was told.",
    ),
    metric(
        names::HTTP_CONNECTIONS,
        Kind::Gauge,
        "connections",
        &[],
        EVERY,
        "Open connections, upgraded ones included.",
    ),
    metric(
        names::HTTP_CONNECTIONS_REFUSED,
        Kind::Counter,
        "connections",
        &[],
        EVERY,
        "Connections turned away because there were too many.",
    ),
    metric(
        names::HTTP_CONNECTIONS_STALLED,
        Kind::Counter,
        "connections",
        &[],
        EVERY,
        "Connections ended because the client sent its headers or read its answer too slowly.",
    ),
    metric(names::HTTP_IN_FLIGHT, Kind::Gauge, "requests", &[], EVERY, "Requests whose answer has not begun."),
    metric(
        names::HTTP_PANICS,
        Kind::Counter,
        "requests",
        &[],
        EVERY,
        "Requests answered with 500 because their handler panicked: each is a defect.",
    ),
    metric(
        names::BUILD_INFO,
        Kind::Gauge,
        "state",
        &["version"],
        EVERY,
        "Always 1; the label names the build that runs.",
    ),
    metric(names::PROCESS_MEMORY, Kind::Gauge, "bytes", &[], EVERY, "Resident memory of the process."),
    metric(names::PROCESS_OPEN_FDS, Kind::Gauge, "files", &[], EVERY, "Open files and sockets of the process."),
    metric(
        names::PROCESS_START,
        Kind::Gauge,
        "seconds",
        &[],
        EVERY,
        "When the process began, in seconds since the Unix epoch.",
    ),
];

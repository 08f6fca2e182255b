//! The names of every metric. What each means stands in [`super::REGISTRY`].

/// Events that reached the collector and were accepted, by event type.
pub const EVENTS_RECEIVED: &str = "analytics_events_received_total";
/// Events made durable in the queue.
pub const EVENTS_QUEUED: &str = "analytics_events_queued_total";
/// Events refused, by reason.
pub const EVENTS_REJECTED: &str = "analytics_events_rejected_total";
/// Events in an accepted body.
pub const BATCH_SIZE: &str = "analytics_batch_size_histogram";
/// How long the collector took to answer a body that it had.
pub const COLLECT_LATENCY: &str = "analytics_collect_latency_seconds";
/// What an answered event survives.
pub const QUEUE_DURABLE: &str = "analytics_queue_durable";
/// Events accepted and not yet stored.
pub const QUEUE_DEPTH: &str = "analytics_queue_depth";
/// Queue entries not yet acknowledged.
pub const QUEUE_BATCHES: &str = "analytics_queue_batches";
/// How long the oldest queue entry has waited.
pub const QUEUE_OLDEST: &str = "analytics_queue_oldest_seconds";
/// Events of committed transactions.
pub const EVENTS_PROCESSED: &str = "analytics_events_processed_total";
/// Events that were stored before.
pub const EVENTS_DUPLICATE: &str = "analytics_events_duplicate_total";
/// Events too old when they were taken from the queue.
pub const EVENTS_EXPIRED: &str = "analytics_events_expired_total";
/// Events of people who were erased, dropped when they were taken from the queue.
pub const EVENTS_ERASED: &str = "analytics_events_erased_total";
/// Transactions that the store could not take.
pub const STORE_FAILURES: &str = "analytics_store_failures_total";
/// How long a transaction took.
pub const PROCESSING_DURATION: &str = "analytics_processing_duration_seconds";
/// Events in a transaction.
pub const TRANSACTION_EVENTS: &str = "analytics_transaction_events";
/// From receipt to commit.
pub const INGEST_LAG: &str = "analytics_ingest_lag_seconds";
/// Events and entries put aside.
pub const DEAD_LETTERS: &str = "analytics_dead_letters";
/// Requests to the API, by route and status.
pub const API_REQUESTS: &str = "analytics_api_requests_total";
/// How long the API took to answer.
pub const API_LATENCY: &str = "analytics_api_latency_seconds";
/// Whether questions are read from the replica.
pub const REPLICA_STATE: &str = "analytics_replica_state";
/// How far the replica is behind.
pub const REPLICA_LAG: &str = "analytics_replica_lag_seconds";
/// Readings meant for the replica, by who answered.
pub const REPLICA_READS: &str = "analytics_replica_reads_total";
/// Open sockets and streams of the live feed.
pub const REALTIME_CONNECTIONS: &str = "analytics_realtime_connections";
/// Messages handed to live sockets and streams.
pub const REALTIME_SENT: &str = "analytics_realtime_messages_sent_total";
/// Events that slow live readers lost.
pub const REALTIME_DROPPED: &str = "analytics_realtime_messages_dropped_total";
/// Open connections of the HTTP edge.
pub const HTTP_CONNECTIONS: &str = "analytics_http_connections";
/// Connections that the edge turned away.
pub const HTTP_CONNECTIONS_REFUSED: &str = "analytics_http_connections_refused_total";
/// Connections that the edge ended because the client was too slow.
pub const HTTP_CONNECTIONS_STALLED: &str = "analytics_http_connections_stalled_total";
/// Requests being answered.
pub const HTTP_IN_FLIGHT: &str = "analytics_http_requests_in_flight";
/// Handlers that panicked.
pub const HTTP_PANICS: &str = "analytics_http_panics_total";
/// The build that runs.
pub const BUILD_INFO: &str = "analytics_build_info";
/// Memory of the process.
pub const PROCESS_MEMORY: &str = "process_resident_memory_bytes";
/// Open files and sockets of the process.
pub const PROCESS_OPEN_FDS: &str = "process_open_fds";
/// When the process began.
pub const PROCESS_START: &str = "process_start_time_seconds";

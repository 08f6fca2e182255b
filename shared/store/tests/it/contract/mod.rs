//! What every store has to do, whatever it is made of.
//!
//! A scenario is a function over a [`Fixture`]; [`store_contract!`] stamps all of them on one adapter. A scenario has a fresh
//! store of its own.

pub(crate) mod blocks;
pub(crate) mod budgets;
pub(crate) mod cardinality;
pub(crate) mod columns;
pub(crate) mod concurrency;
pub(crate) mod counting;
pub(crate) mod erasure;
pub(crate) mod erasure_model;
pub(crate) mod footprint;
pub(crate) mod letters;
pub(crate) mod model;
pub(crate) mod projects;
pub(crate) mod questions;
pub(crate) mod schema;
pub(crate) mod sessions;
pub(crate) mod upgrade;
pub(crate) mod upkeep;

use std::any::Any;
use std::borrow::Cow;
use std::sync::Arc;

use analytics_domain::{Batch, BatchOutcome, Event, EventOutcome, Project, Retention, Timestamp};
use analytics_query::{Cell, Dialect, Param, Row, Statement};
use analytics_store::{Cardinality, EventStore, Ingest, IngestBatch, Reading, StoreError};
use uuid::Uuid;

/// A store of one scenario.
pub(crate) struct Fixture {
    /// The store, migrated.
    pub(crate) store: Arc<dyn EventStore>,
    /// Runs SQL beside the store, as an operator would.
    pub(crate) operator: Box<dyn Operator>,
    /// What has to live as long as the store.
    pub(crate) _guard: Box<dyn Any + Send + Sync>,
}

/// Somebody with a database shell.
pub(crate) trait Operator: Send + Sync {
    /// Runs statements.
    fn run(&self, sql: &str);
}

/// The present of all scenarios: 2026-11-02T10:00:00Z.
pub(crate) const NOW: Timestamp = Timestamp::from_micros(1_793_613_600_000_000);
/// A day counts so few values one by one in every scenario.
pub(crate) const CARDINALITY: Cardinality = Cardinality { event_types: 12, event_actions: 60 };
/// A second.
pub(crate) const SECOND: i64 = 1_000_000;
/// A day.
pub(crate) const DAY: i64 = 86_400 * SECOND;
/// Ninety days.
pub(crate) const RETENTION: Retention = Retention { days: 90 };

pub(crate) fn project(name: &str) -> Project {
    Project::new(name).unwrap()
}

/// A plain event, ten seconds old.
pub(crate) fn event(id: u128) -> Event<'static> {
    Event {
        id: Uuid::from_u128(id),
        client_id: true,
        session_id: "session".into(),
        user_id: None,
        event_type: "type".into(),
        event_action: "action".into(),
        metadata: "{}".into(),
        timestamp: NOW.saturating_add_micros(-10 * SECOND),
    }
}

/// A batch received now, with an id of its own.
pub(crate) fn batch(project: &Project, events: Vec<Event<'static>>) -> Batch<'static> {
    Batch {
        id: Uuid::new_v4(),
        project: project.clone(),
        received_at: NOW.saturating_add_micros(-SECOND),
        refused: Vec::new(),
        context: None,
        events,
    }
}

pub(crate) fn item<'a>(batch: &'a Batch<'a>) -> IngestBatch<'a> {
    IngestBatch { batch: Cow::Borrowed(batch), failed: Vec::new(), attempt: 1 }
}

pub(crate) fn work<'a>(batches: &'a [Batch<'a>]) -> Ingest<'a> {
    Ingest { batches: batches.iter().map(item).collect(), ..Ingest::default() }
}

impl Fixture {
    pub(crate) async fn ingest(&self, work: &Ingest<'_>) -> Result<Vec<BatchOutcome>, StoreError> {
        self.store.ingest(work, RETENTION, NOW).await
    }

    /// Stores one batch and gives its outcomes.
    pub(crate) async fn put(&self, batch: &Batch<'_>) -> Vec<EventOutcome> {
        let batches = std::slice::from_ref(batch);
        self.ingest(&work(batches)).await.unwrap().remove(0).events
    }

    /// Runs a statement whose parameters are written `$1`.
    pub(crate) async fn rows(&self, sql: &str, params: Vec<Param>) -> Vec<Row> {
        let sql = match self.store.dialect() {
            Dialect::Postgres => sql.to_owned(),
            Dialect::Sqlite => sql.replace('$', "?"),
        };
        self.store.select(Reading::Primary, &Statement { sql, params }).await.unwrap()
    }

    pub(crate) async fn count(&self, table: &str) -> i64 {
        let rows = self.rows(&format!("SELECT count(*) FROM {table}"), Vec::new()).await;
        let [Cell::Int(count)] = rows[0][..] else { panic!("{rows:?}") };
        count
    }

    /// Ids of the project's raw events, sorted.
    pub(crate) async fn ids(&self, project: &Project) -> Vec<u128> {
        let rows =
            self.rows("SELECT id FROM raw_events WHERE project = $1 ORDER BY id", vec![text(project.as_str())]).await;
        rows.iter().map(|row| as_uuid(&row[0]).as_u128()).collect()
    }
}

pub(crate) fn text(value: &str) -> Param {
    Param::Text(value.to_owned())
}

pub(crate) fn as_text(cell: &Cell) -> &str {
    let Cell::Text(text) = cell else { panic!("{cell:?}") };
    text
}

pub(crate) fn as_int(cell: &Cell) -> i64 {
    let Cell::Int(number) = cell else { panic!("{cell:?}") };
    *number
}

pub(crate) fn as_uuid(cell: &Cell) -> Uuid {
    let Cell::Uuid(id) = cell else { panic!("{cell:?}") };
    *id
}

/// An instant, which PostgreSQL gives as such and SQLite as its microseconds.
pub(crate) fn as_instant(cell: &Cell) -> Timestamp {
    match cell {
        Cell::Timestamp(instant) => *instant,
        Cell::Int(micros) => Timestamp::from_micros(*micros),
        other => panic!("{other:?}"),
    }
}

/// Stamps every scenario on the adapter that `$open` (an async function that gives a [`Fixture`]) opens.
macro_rules! store_contract {
    ($open:path) => {
        store_contract!(@scenarios $open,
            counting: [an_id_counts_once_over_batches_and_times, twins_in_a_batch_count_once, projects_do_not_share_ids,
                a_redelivered_batch_changes_nothing, refused_events_are_counted_by_code, late_events_expire,
                many_batches_in_one_transaction, a_batch_of_only_refused_events_is_counted],
            budgets: [every_kind_of_question_ends, a_question_reads_so_many_rows_at_most],
            cardinality: [values_beyond_a_days_number_are_counted_together, one_transaction_of_many_values_fills_a_day,
                writers_of_new_values_keep_the_number],
            blocks: [blocks_are_read_in_place_of_their_quarters, blocks_know_sessions_by_their_user_of_now,
                blocks_count_by_type_and_action_in_every_zone],
            columns: [answers_miss_nothing_before_and_after_columns_are_made,
                a_session_that_is_known_later_is_known_in_old_columns, columns_hold_while_writers_and_makers_run,
                columns_go_with_the_retention, events_from_before_there_were_columns_get_them,
                a_quarter_of_many_events_has_parts],
            concurrency: [writers_of_the_same_ids_and_rollups_agree, writers_of_many_of_the_same_ids_agree, writers_of_the_same_sessions_agree],
            erasure: [a_person_goes_with_all_that_was_made_of_them, what_is_queued_is_dropped_when_it_comes,
                a_session_that_is_named_late_loses_what_it_had, others_keep_what_is_theirs, dead_letters_of_a_person_go,
                an_erasure_runs_beside_writers_and_makers, counts_without_a_row_of_their_own_are_kept_right,
                old_tombstones_go],
            footprint: [what_is_taken_and_will_be_is_told, what_has_gone_is_told_no_more],
            letters: [poison_is_found_and_put_aside, a_replay_moves_the_counts, a_replay_that_fails_again_keeps_its_history,
                a_redelivery_does_not_lose_a_dead_letter, unreadable_entries_are_kept, pages_are_newest_first,
                two_replays_of_one_letter_store_it_once, late_events_and_replays_leave_no_drift],
            projects: [keys_are_found_by_digest_and_listed_by_project, who_add_keys_at_once_keep_the_bound,
                keys_that_send_are_listed_of_all_projects,
                a_session_ends_with_its_key_its_time_and_its_project, a_key_has_so_many_sessions_at_most,
                what_is_saved_comes_back_as_it_was, a_project_has_settings_of_its_own, it_is_known_who_said_the_retention],
            questions: [every_kind_of_parameter_and_cell, a_slow_question_ends_and_frees_its_connection,
                rows_come_one_by_one_until_no_more_are_wanted,
                metadata_comes_back, a_session_is_named_by_its_first_user, project_state_is_kept,
                the_order_of_text_is_bytewise],
            sessions: [pages_of_sessions_are_those_of_raw_rows, a_page_of_sessions_reads_the_quarters_of_its_sessions,
                columns_that_cannot_be_read_are_no_obstacle_to_a_list,
                what_is_asked_next_is_of_the_state_that_was_looked_at],
            schema: [processes_may_migrate_at_once, a_newer_schema_is_refused, settings_are_kept],
            upgrade: [every_older_schema_is_brought_up_and_answers_as_before],
            upkeep: [old_events_go_and_rollups_stay, ids_are_remembered_over_generations_and_then_forgotten,
                a_batch_is_remembered_over_generations, upkeep_runs_beside_itself_and_writers, old_sessions_go],
        );

        #[test]
        fn random_batches_agree_with_the_model() {
            let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
            let fixture = runtime.block_on($open());
            crate::contract::model::random_batches_agree_with_the_model(&runtime, &fixture);
            runtime.block_on(async move { drop(fixture) });
        }

        #[test]
        fn random_values_agree_with_the_model() {
            let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
            let fixture = runtime.block_on($open());
            crate::contract::cardinality::random_values_agree_with_the_model(&runtime, &fixture);
            runtime.block_on(async move { drop(fixture) });
        }

        #[test]
        fn every_order_of_events_and_an_erasure_ends_alike() {
            let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
            let fixture = runtime.block_on($open());
            crate::contract::erasure_model::every_order_of_events_and_an_erasure_ends_alike(&runtime, &fixture);
            runtime.block_on(async move { drop(fixture) });
        }
    };
    (@scenarios $open:path, $($subject:ident: [$($scenario:ident),* $(,)?]),* $(,)?) => {
        $($(
            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $scenario() {
                let fixture = $open().await;
                crate::contract::$subject::$scenario(&fixture).await;
            }
        )*)*
    };
}
pub(crate) use store_contract;

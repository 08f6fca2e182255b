//! Random questions about random events, answered by every store and by the naive oracle of the testkit.
//!
//! A suite asks one store for one kind of question, and there is one for each way in which the store can answer it.
//! `ANALYTICS_ORACLE_PAIRS` says how many questions a suite asks (default 300), `ANALYTICS_ORACLE_SEED` where the seeds begin
//! (default 1). Each tells how many it asked on a line of its own, which `cargo xtask test` adds up. A disagreement is made
//! small before it is shown: fewer events, a shorter question.
//!
//! That a store which is only a little wrong is found out by so many questions is shown by `faults`.

mod asking;
mod cohorts;
mod deeds;
mod faults;
mod figures;
mod kinds;
mod sequences;
mod sessions;
mod shrinking;
mod totals;

use std::sync::Arc;

use analytics_domain::Project;
use analytics_query::EventFilters;
use analytics_store::EventStore;
use analytics_store::postgres::{PostgresOptions, PostgresStore};
use analytics_store::sqlite::{SqliteOptions, SqliteStore};
use analytics_testkit::oracle::{StoredEvent, World, passes, random_events, random_filters, random_world};
use analytics_testkit::postgres::{Database, Edition, database};
use rand::SeedableRng;
use rand::rngs::StdRng;
use serde_json::Value as Json;

/// Questions asked about one set of events.
const QUESTIONS_A_WORLD: u64 = 15;
/// Events of a set.
const EVENTS: usize = 60;

/// A question with all that its answer depends on.
#[derive(Debug, Clone)]
pub(crate) struct Case {
    pub(crate) world: World,
    pub(crate) events: Vec<StoredEvent>,
    pub(crate) question: Json,
}

fn number(variable: &str, default: u64) -> u64 {
    match std::env::var(variable) {
        Ok(text) => text.parse().unwrap_or_else(|_| panic!("{variable} is {text:?}, a whole number is needed")),
        Err(_) => default,
    }
}

/// A live feed judges events one by one in memory, by the same filters.
#[test]
fn filters_in_memory_agree() {
    let first_seed = number("ANALYTICS_ORACLE_SEED", 1);
    for seed in first_seed..first_seed + 40 {
        let mut rng = StdRng::seed_from_u64(seed);
        let (world, around) = random_world(&mut rng, &Project::default());
        let events = random_events(&mut rng, EVENTS, &world, &around);
        for _ in 0..40 {
            let asked = random_filters(&mut rng);
            let filters = EventFilters::parse(&asked, "filters").unwrap();
            for stored in &events {
                let expected = passes(&stored.event, &asked).unwrap();
                let got = filters.matches(&stored.event);
                assert_eq!(got, expected, "seed {seed}: {asked} on {:?}", stored.event);
            }
        }
    }
}

async fn sqlite(folder: &tempfile::TempDir) -> Arc<dyn EventStore> {
    let store = SqliteStore::open(folder.path().join("events.db"), SqliteOptions::default()).await.unwrap();
    store.migrate().await.unwrap();
    Arc::new(store)
}

/// A store in a database of its own, which lives as long as what comes with it.
async fn postgres(edition: Edition) -> (Arc<dyn EventStore>, Database) {
    let database = tokio::task::spawn_blocking(move || database(edition)).await.unwrap().unwrap();
    let store = PostgresStore::connect(PostgresOptions::new(database.url())).await.unwrap();
    store.migrate().await.unwrap();
    (Arc::new(store), database)
}

/// Stamps one test for each store on a function that asks a store.
macro_rules! on_every_store {
    ($($name:ident: $agree:path),* $(,)?) => {
        $(mod $name {
            use super::{Edition, postgres, sqlite};

            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn sqlite_agrees() {
                let folder = tempfile::tempdir().unwrap();
                $agree(sqlite(&folder).await, "sqlite").await;
            }

            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn postgres_15_agrees() {
                let (store, _database) = postgres(Edition::Plain15).await;
                $agree(store, "postgres-15").await;
            }

            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn timescale_agrees() {
                let (store, _database) = postgres(Edition::Timescale17).await;
                $agree(store, "timescale").await;
            }
        })*
    };
}

on_every_store! {
    rows: super::kinds::agree::<super::figures::Figures>,
    old_columns: super::kinds::agree_by_old_columns::<super::figures::Figures>,
    columns: super::kinds::agree_by_columns::<super::figures::Figures>,
    funnels: super::kinds::agree::<super::sequences::Funnels>,
    funnels_of_columns: super::kinds::agree_by_columns::<super::sequences::Funnels>,
    funnels_of_old_columns: super::kinds::agree_by_old_columns::<super::sequences::Funnels>,
    paths_of_columns: super::kinds::agree_by_columns::<super::sequences::Paths>,
    paths_of_old_columns: super::kinds::agree_by_old_columns::<super::sequences::Paths>,
    paths: super::kinds::agree::<super::sequences::Paths>,
    retention: super::kinds::agree::<super::cohorts::Cohorts>,
    retention_of_columns: super::kinds::agree_by_columns::<super::cohorts::Cohorts>,
    retention_of_old_columns: super::kinds::agree_by_old_columns::<super::cohorts::Cohorts>,
    sessions_listed: super::kinds::agree::<super::sessions::Sessions>,
    sessions_listed_of_columns: super::kinds::agree_by_columns::<super::sessions::Sessions>,
    sessions_listed_of_old_columns: super::kinds::agree_by_old_columns::<super::sessions::Sessions>,
    one_session: super::kinds::agree::<super::sessions::OneSession>,
    one_session_of_old_columns: super::kinds::agree_by_old_columns::<super::sessions::OneSession>,
    one_user: super::kinds::agree::<super::sessions::OneUser>,
    one_user_of_columns: super::kinds::agree_by_columns::<super::sessions::OneUser>,
    one_user_of_old_columns: super::kinds::agree_by_old_columns::<super::sessions::OneUser>,
    totals_of_columns: super::kinds::agree_by_columns::<super::totals::Totals>,
    totals_of_old_columns: super::kinds::agree_by_old_columns::<super::totals::Totals>,
    what_was_done: super::deeds::agree,
}

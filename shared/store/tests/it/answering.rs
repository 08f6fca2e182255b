//! From a question to its answer, row by row.

use std::time::{Duration, Instant};

use analytics_domain::{Project, Retention, Timestamp};
use analytics_query::{
    Askable, Cell, Context, Dialect, Executable, Intake, QueryError, QueryErrorCode, Row, Statement,
};
use analytics_store::sqlite::{SqliteOptions, SqliteStore};
use analytics_store::{AnswerError, EventStore, answer};

/// Counts rows of two statements and takes so many at most.
#[derive(Clone, Copy)]
struct Counting {
    rows: u64,
    most: u64,
    /// How many it takes where it is answered another way, and then another; 0 where there is none.
    otherwise: [u64; 2],
}

impl Askable for Counting {
    type Plan = Self;

    fn plan(&self, _: &Context) -> Result<Self, QueryError> {
        Ok(*self)
    }
}

impl Executable for Counting {
    type Answer = [u64; 2];
    type Intake = Counted;

    fn statements(&self, _: Dialect) -> Vec<Statement> {
        let upto = |last: u64| Statement {
            sql: format!(
                "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {last}) SELECT i FROM n"
            ),
            params: vec![],
        };
        vec![upto(self.rows), upto(7)]
    }

    fn fallback(&self) -> Option<Self> {
        let [most, then] = self.otherwise;
        (most > 0).then_some(Self { most, otherwise: [then, 0], ..*self })
    }

    fn intake(&self) -> Counted {
        Counted { counts: [0; 2], most: self.most }
    }

    fn cache_key(&self) -> String {
        String::new()
    }
}

struct Counted {
    counts: [u64; 2],
    most: u64,
}

impl Intake for Counted {
    type Answer = [u64; 2];

    fn push(&mut self, statement: usize, row: Row) -> Result<(), QueryError> {
        self.counts[statement] += 1;
        // Rows of one statement come in its order, whatever comes between.
        assert_eq!(row, [Cell::Int(i64::try_from(self.counts[statement]).unwrap())]);
        if self.counts[0] > self.most {
            let (path, message) = ("date_range".to_owned(), "too many".to_owned());
            return Err(QueryError { code: QueryErrorCode::QueryTooLarge, path, message });
        }
        Ok(())
    }

    fn finish(self) -> Result<[u64; 2], QueryError> {
        Ok(self.counts)
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rows_are_folded_as_they_come_and_a_refusal_ends_the_reading() {
    let folder = tempfile::tempdir().unwrap();
    let options = SqliteOptions { statement_timeout: Duration::from_secs(60), ..SqliteOptions::default() };
    let store = SqliteStore::open(folder.path().join("events.db"), options).await.unwrap();
    store.migrate().await.unwrap();
    let ask = async |rows, most| {
        let (project, now) = (Project::default(), Timestamp::from_micros(0));
        answer(&store, &Counting { rows, most, otherwise: [0; 2] }, &project, Retention { days: 0 }, now).await
    };
    assert_eq!(ask(1_000, u64::MAX).await.unwrap(), [1_000, 7]);
    // Reading them all would take minutes.
    let began = Instant::now();
    for _ in 0..8 {
        let refused = ask(1_000_000_000, 10).await.unwrap_err();
        assert!(matches!(&refused, AnswerError::Query(error) if error.path == "date_range"), "{refused:?}");
    }
    assert!(began.elapsed() < Duration::from_secs(10), "{:?}", began.elapsed());
}

#[tokio::test]
async fn what_is_too_large_for_one_way_is_asked_the_next() {
    let folder = tempfile::tempdir().unwrap();
    let store = SqliteStore::open(folder.path().join("events.db"), SqliteOptions::default()).await.unwrap();
    store.migrate().await.unwrap();
    let ask = async |rows, most, otherwise| {
        let (project, now) = (Project::default(), Timestamp::from_micros(0));
        answer(&store, &Counting { rows, most, otherwise }, &project, Retention { days: 0 }, now).await
    };
    assert_eq!(ask(100, 10, [200, 0]).await.unwrap(), [100, 7]);
    assert_eq!(ask(100, 10, [50, 200]).await.unwrap(), [100, 7]);
    // Where that is too much as well, it is the end.
    for otherwise in [[0, 0], [50, 0], [50, 70]] {
        let refused = ask(100, 10, otherwise).await;
        assert!(
            matches!(refused, Err(AnswerError::Query(error)) if error.code == QueryErrorCode::QueryTooLarge),
            "{otherwise:?}"
        );
    }
}

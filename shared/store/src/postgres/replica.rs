//! The replica: how far it has come, and whether a question may be read from it.
//!
//! How far it is behind is told by positions in the primary's log, noted here with the time at which each was seen. A replica
//! that has replayed such a position has all that was committed up to that time. So no clock but this process's is asked, a
//! primary on which nothing is written lags nothing, and nobody has to write a heartbeat. (`now() -
//! pg_last_xact_replay_timestamp()` would tell of a lag whenever nothing is written.)
//!
//! Two look at it. A watch notes positions and says whether the replica is left out, for health, metrics and the log. And each
//! question asks the server that it got, in the exchange that begins its transaction, how far it has come: a replica that has
//! stopped replaying a moment ago, or one of several behind one name, answers nothing that is older than the bound.

use std::collections::VecDeque;
use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError, Weak};
use std::time::{Duration, Instant};

use sqlx::Row as _;
use sqlx::postgres::{PgConnectOptions, PgRow};
use tokio::sync::{Notify, OnceCell};
use tokio::time::{sleep, timeout};

use super::connection::{self, Begin, PostgresOptions};
use super::link::{Pool, Session};
use super::store::applied;
use crate::migration::{POSTGRES, SchemaState, schema_state};
use crate::{ReplicaReport, StoreError};

/// The longest that either server may take to say how far it has come.
const PATIENCE: Duration = Duration::from_secs(2);

/// How often the replica is looked at, at most and at least; in between, four times within the bound.
const OFTEN: Duration = Duration::from_millis(250);
const SELDOM: Duration = Duration::from_secs(1);

/// After this time without a look, or what the replica may be behind, who asks looks first.
const STALE: Duration = Duration::from_secs(3);

/// How often it is asked whether it has come to a position that is waited for.
const FOLLOW_EVERY: Duration = Duration::from_millis(50);

/// Positions that are kept: at one a second, an hour of lag can be told.
const POSITIONS: usize = 3_600;

/// Reads how far a primary's log is flushed, and which server it is. A standby's log is not its own.
const OF_PRIMARY: &str = "
    SELECT CASE WHEN pg_is_in_recovery() THEN NULL ELSE (pg_current_wal_flush_lsn() - '0/0')::int8 END,
        (SELECT system_identifier FROM pg_control_system())";

/// The same of a standby: how far it has replayed.
const OF_STANDBY: &str = "
    SELECT CASE WHEN pg_is_in_recovery() THEN coalesce((pg_last_wal_replay_lsn() - '0/0')::int8, 0) END,
        (SELECT system_identifier FROM pg_control_system())";

/// Positions in the primary's log, each with a time at which everything before it was committed; oldest first.
#[derive(Debug, Default)]
struct Positions(VecDeque<(Instant, i64)>);

impl Positions {
    fn note(&mut self, at: Instant, position: i64) {
        // A server that was restored to an earlier state begins anew.
        if self.0.back().is_some_and(|(_, last)| *last > position) {
            self.0.clear();
        }
        self.0.push_back((at, position));
        if self.0.len() > POSITIONS {
            self.0.pop_front();
        }
    }

    /// How far a replica has to have come that is behind by no more than `allowed`; `None` where nothing was noted since.
    fn floor(&self, now: Instant, allowed: Duration) -> Option<i64> {
        self.0.iter().find(|(at, _)| now.saturating_duration_since(*at) <= allowed).map(|(_, position)| *position)
    }

    /// By how much, at most, a replica is behind that has come so far; where that is more than what is noted, at least.
    fn lag(&self, now: Instant, replayed: i64) -> Duration {
        match self.0.back() {
            Some((_, newest)) if *newest > replayed => {
                let covered = self.0.iter().rev().find(|(_, position)| *position <= replayed).or(self.0.front());
                covered.map_or(Duration::ZERO, |(at, _)| now.saturating_duration_since(*at))
            }
            _ => Duration::ZERO,
        }
    }
}

/// Why a replica is left out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum LeftOut {
    /// Nobody has looked at it yet.
    NotLookedAt,
    /// It cannot be reached, or does not answer in time.
    Away,
    /// It is no standby.
    WritesItself,
    /// It follows some other server.
    OfAnother,
    /// Migrations have not come there yet.
    OldSchema,
    /// How far the primary has come is not known.
    PrimaryAway,
    /// It is behind, and has not been looked at for long enough to say by how much.
    Unknown,
    /// It is behind by so much, and so much is allowed.
    Behind(Duration, Duration),
}

impl LeftOut {
    /// Whether it is another reason, not only another figure.
    fn differs(self, other: Option<Self>) -> bool {
        other.is_none_or(|other| std::mem::discriminant(&self) != std::mem::discriminant(&other))
    }
}

/// A sentence for whoever looks after the deployment; it names no address.
impl fmt::Display for LeftOut {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("it is left out, the primary is asked: ")?;
        match self {
            Self::NotLookedAt => f.write_str("nobody has looked at it yet"),
            Self::Away => f.write_str("it does not answer"),
            Self::WritesItself => {
                f.write_str("it is no standby; DATABASE_REPLICA_URL has to name a streaming replica of DATABASE_URL")
            }
            Self::OfAnother => {
                f.write_str("it is a replica of another server; DATABASE_REPLICA_URL has to name one of DATABASE_URL")
            }
            Self::OldSchema => f.write_str("it has not replayed the migrations that this build needs"),
            Self::PrimaryAway => f.write_str("the primary does not answer, so how far it is behind is not known"),
            Self::Unknown => f.write_str("how far it is behind is not known yet"),
            Self::Behind(lag, allowed) => {
                write!(f, "it is {:.0} s behind, allowed are {} s", lag.as_secs_f64().ceil(), allowed.as_secs())
            }
        }
    }
}

/// What the last look found.
#[derive(Debug)]
struct Seen {
    positions: Positions,
    looked: Option<Instant>,
    left_out: Option<LeftOut>,
    lag: Duration,
}

/// Connections to the replica: for questions, and one to look at it.
#[derive(Debug)]
struct Pools {
    questions: Pool,
    watch: Pool,
}

/// A replica that questions may be read from.
#[derive(Debug)]
pub(super) struct Replica {
    connect: PgConnectOptions,
    options: PostgresOptions,
    /// Made when it first answers: only then it is known whether a pooler stands in between.
    pools: OnceCell<Pools>,
    allowed: Duration,
    seen: Mutex<Seen>,
    looking: tokio::sync::Mutex<()>,
    /// Told when it does not answer any more: who reads from it need not wait for it.
    gone: Notify,
    answered: AtomicU64,
    passed_over: AtomicU64,
    failed: AtomicU64,
}

impl Replica {
    /// The replica that the options name; nothing is asked of it yet.
    pub(super) fn new(url: &str, options: &PostgresOptions) -> Result<Self, StoreError> {
        let seen = Seen {
            positions: Positions::default(),
            looked: None,
            left_out: Some(LeftOut::NotLookedAt),
            lag: Duration::ZERO,
        };
        Ok(Self {
            connect: connection::parse("DATABASE_REPLICA_URL", url, options)?,
            options: options.clone(),
            pools: OnceCell::new(),
            allowed: options.replica_max_lag,
            seen: Mutex::new(seen),
            looking: tokio::sync::Mutex::default(),
            gone: Notify::new(),
            answered: AtomicU64::new(0),
            passed_over: AtomicU64::new(0),
            failed: AtomicU64::new(0),
        })
    }

    /// What is known of it.
    pub(super) fn report(&self) -> ReplicaReport {
        let seen = self.seen();
        ReplicaReport {
            left_out: seen.left_out.map(|reason| reason.to_string()),
            lag: seen.lag,
            answered: self.answered.load(Ordering::Relaxed),
            passed_over: self.passed_over.load(Ordering::Relaxed),
            failed: self.failed.load(Ordering::Relaxed),
        }
    }

    /// Begins a transaction on it where it is behind by no more than is allowed, and has come to `at_least`; with how far it
    /// has come.
    pub(super) async fn begin(&self, primary: &Pool, begin: &Begin, at_least: i64) -> Option<(Session, i64)> {
        let wanted = self.admit(primary).await.map(|wanted| wanted.max(at_least));
        let (Some(wanted), Some(pools)) = (wanted, self.pools.get()) else {
            self.passed_over.fetch_add(1, Ordering::Relaxed);
            return None;
        };
        match timeout(PATIENCE, Session::begin_on_standby(&pools.questions, begin)).await {
            Ok(Ok((session, replayed))) if replayed >= wanted => Some((session, replayed)),
            Ok(Ok((session, _))) => {
                let _ = session.rollback().await;
                self.passed_over.fetch_add(1, Ordering::Relaxed);
                None
            }
            Ok(Err(_)) | Err(_) => {
                self.failed();
                None
            }
        }
    }

    /// Runs a question that has begun on it; where the replica goes away meanwhile, the question ends.
    pub(super) async fn answer<T>(
        &self,
        question: impl Future<Output = Result<T, StoreError>>,
    ) -> Result<T, StoreError> {
        let gone = self.gone.notified();
        let answered = tokio::select! {
            answered = question => answered,
            () = gone => Err(StoreError::Unavailable {
                doing: "answer a question",
                source: "the replica does not answer any more".into(),
            }),
        };
        match &answered {
            Err(StoreError::Unavailable { .. }) => self.failed(),
            _ => {
                self.answered.fetch_add(1, Ordering::Relaxed);
            }
        }
        answered
    }

    /// Counts a question that it failed at, and has it looked at before the next one.
    fn failed(&self) {
        self.failed.fetch_add(1, Ordering::Relaxed);
        self.seen().looked = None;
    }

    /// How far it has to have come for a question now; `None` where it is left out.
    async fn admit(&self, primary: &Pool) -> Option<i64> {
        let fresh = STALE.min(self.allowed);
        let is_fresh = self.seen().looked.is_some_and(|looked| looked.elapsed() < fresh);
        if !is_fresh {
            self.look(primary).await;
        }
        let seen = self.seen();
        match seen.left_out {
            None => seen.positions.floor(Instant::now(), self.allowed),
            Some(_) => None,
        }
    }

    /// Looks at both servers and judges the replica anew. Those who come while somebody looks wait for that look.
    pub(super) async fn look(&self, primary: &Pool) {
        let came = Instant::now();
        let _turn = self.looking.lock().await;
        if self.seen().looked.is_some_and(|looked| looked >= came) {
            return;
        }
        // Before it is asked: what is committed by then is before the position that it tells.
        let at = Instant::now();
        let origin = within_patience(position(primary, OF_PRIMARY)).await.ok();
        let standby = within_patience(self.stand()).await;
        let now = Instant::now();
        let mut seen = self.seen();
        if let Some((Some(position), _)) = origin {
            seen.positions.note(at, position);
        }
        let judged = match standby {
            Err(_) => Err(LeftOut::Away),
            Ok(((None, _), _)) => Err(LeftOut::WritesItself),
            Ok(((_, system), _)) if origin.is_some_and(|(_, of_primary)| of_primary != system) => {
                Err(LeftOut::OfAnother)
            }
            Ok((_, SchemaState::Older)) => Err(LeftOut::OldSchema),
            Ok(((Some(replayed), _), _)) => Ok(replayed),
        };
        let left_out = match judged {
            Err(reason) => Some(reason),
            Ok(replayed) => {
                seen.lag = seen.positions.lag(now, replayed);
                match seen.positions.floor(now, self.allowed) {
                    Some(floor) if floor <= replayed => None,
                    Some(_) if seen.lag <= self.allowed => Some(LeftOut::Unknown),
                    Some(_) => Some(LeftOut::Behind(seen.lag, self.allowed)),
                    None => Some(LeftOut::PrimaryAway),
                }
            }
        };
        self.tell(seen.left_out, left_out);
        seen.left_out = left_out;
        seen.looked = Some(now);
        drop(seen);
        if left_out == Some(LeftOut::Away) {
            self.gone.notify_waiters();
        }
    }

    /// Logs what has changed.
    fn tell(&self, before: Option<LeftOut>, now: Option<LeftOut>) {
        match now {
            Some(reason) if reason.differs(before) => tracing::warn!("the replica: {reason}"),
            None if before.is_some() => tracing::info!("questions are read from the replica"),
            _ => {}
        }
    }

    /// How far it has come, of which server it is, and whether its schema will do.
    async fn stand(&self) -> Result<((Option<i64>, i64), SchemaState), StoreError> {
        let fault = super::fault::fault("look at the replica");
        let pools = self.pools.get_or_try_init(|| self.open()).await?;
        let found = position(&pools.watch, OF_STANDBY).await.map_err(fault)?;
        let mut session = Session::begin(&pools.watch, &Begin::reading(PATIENCE)).await.map_err(fault)?;
        let newest = applied(session.connection().map_err(fault)?).await.map_err(fault)?;
        session.commit().await.map_err(fault)?;
        Ok((found, schema_state(POSTGRES, newest)))
    }

    async fn open(&self) -> Result<Pools, StoreError> {
        let cache = self.options.statement_cache;
        let keeps = connection::keeps_statements(&self.connect, cache, PATIENCE, "look at the replica").await?;
        let pool = |max_connections| {
            let options = PostgresOptions { max_connections, acquire_timeout: PATIENCE, ..self.options.clone() };
            connection::pool(&self.connect, &options, keeps)
        };
        Ok(Pools { questions: pool(self.options.max_connections), watch: pool(1) })
    }

    /// Waits until it has replayed what the primary has by now, for as long as a replica may be read from without it: after
    /// that nobody reads from it before it has.
    pub(super) async fn follow(&self, primary: &Pool) {
        let _ = timeout(self.allowed, async {
            let Ok((Some(wanted), _)) = within_patience(position(primary, OF_PRIMARY)).await else {
                return sleep(self.allowed).await;
            };
            loop {
                if let Some(pools) = self.pools.get()
                    && let Ok((Some(replayed), _)) = within_patience(position(&pools.watch, OF_STANDBY)).await
                    && replayed >= wanted
                {
                    return;
                }
                sleep(FOLLOW_EVERY).await;
            }
        })
        .await;
    }

    /// Closes every connection to it.
    pub(super) async fn close(&self) {
        if let Some(pools) = self.pools.get() {
            pools.questions.close().await;
            pools.watch.close().await;
        }
    }

    fn seen(&self) -> MutexGuard<'_, Seen> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Looks at a replica for as long as somebody has it.
pub(super) async fn watch(replica: Weak<Replica>, primary: Pool) {
    loop {
        let Some(replica) = replica.upgrade().filter(|_| !primary.driver().is_closed()) else { return };
        replica.look(&primary).await;
        let pause = (replica.allowed / 4).clamp(OFTEN, SELDOM);
        drop(replica);
        sleep(pause).await;
    }
}

/// A position in a server's log, where it has one to tell, and which server's log it is.
async fn position(pool: &Pool, statement: &'static str) -> Result<(Option<i64>, i64), sqlx::Error> {
    let row: PgRow = sqlx::raw_sql(statement).fetch_one(pool.driver()).await?;
    Ok((row.try_get(0)?, row.try_get(1)?))
}

async fn within_patience<T, E>(answer: impl Future<Output = Result<T, E>>) -> Result<T, Option<E>> {
    timeout(PATIENCE, answer).await.map_err(|_| None)?.map_err(Some)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn lag_is_told_by_positions_and_not_by_silence() {
        let began = Instant::now();
        let mut positions = Positions::default();
        assert_eq!(positions.floor(began, 5 * SECOND), None, "nothing is known");
        for (second, position) in [(0, 100), (1, 200), (2, 200), (3, 300)] {
            positions.note(began + second * SECOND, position);
        }
        let now = began + 4 * SECOND;
        assert_eq!(positions.lag(now, 300), Duration::ZERO);
        assert_eq!(positions.lag(now, 299), 2 * SECOND, "it has all of two seconds ago");
        assert_eq!(positions.lag(now, 199), 4 * SECOND);
        assert_eq!(positions.lag(now, 50), 4 * SECOND, "at least");
        assert_eq!(positions.floor(now, SECOND), Some(300));
        assert_eq!(positions.floor(now, 2 * SECOND), Some(200));
        assert_eq!(positions.floor(now, 10 * SECOND), Some(100));
        assert_eq!(positions.floor(now + 20 * SECOND, 10 * SECOND), None, "the primary was not heard of since");
        // Nothing is written for an hour: a replica that has come so far is not behind.
        for second in 4..3_600 {
            positions.note(began + second * SECOND, 300);
        }
        let now = began + 3_600 * SECOND;
        assert_eq!((positions.lag(now, 300), positions.floor(now, 5 * SECOND)), (Duration::ZERO, Some(300)));
    }

    #[test]
    fn positions_are_bounded_and_begin_anew_with_the_server() {
        let began = Instant::now();
        let mut positions = Positions::default();
        for second in 0..2 * POSITIONS as u32 {
            positions.note(began + second * SECOND, i64::from(second));
        }
        assert_eq!(positions.0.len(), POSITIONS);
        positions.note(began + 8_000 * SECOND, 5);
        assert_eq!(positions.0.len(), 1);
    }

    #[test]
    fn why_it_is_left_out_is_a_sentence() {
        let behind = LeftOut::Behind(Duration::from_millis(11_200), 5 * SECOND);
        assert_eq!(behind.to_string(), "it is left out, the primary is asked: it is 12 s behind, allowed are 5 s");
        assert!(!behind.differs(Some(LeftOut::Behind(9 * SECOND, 5 * SECOND))));
        assert!(behind.differs(Some(LeftOut::Away)) && behind.differs(None));
    }
}

//! Live queries: a question is run once for all who ask it, at most once a second after a commit of its project.

use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use analytics_domain::Project;
use analytics_host::clock::SharedClock;
use analytics_messaging::FeedCursor;
use async_trait::async_trait;
use serde_json::Value;
use tokio::sync::Semaphore;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tracing::warn;

use crate::fanout::{Channel, Hub};
use crate::limits::Limits;
use crate::outbox::Outbox;
use crate::payload::{Kind, Payload};
use crate::refusal::Refusal;
use crate::subscription::Subscription;

/// Longest pause between two tries of a question that the store could not answer.
const LONGEST_PAUSE: Duration = Duration::from_secs(30);

/// Answers questions of the query language.
#[async_trait]
pub trait LiveQueries: Send + Sync {
    /// Checks a question without asking the store, and gives its normal form: questions of equal normal form have equal
    /// answers, and are run together. Paths of refusals are those of the API.
    fn normalise(&self, question: &Value) -> Result<String, Refusal>;

    /// The answer as of now, never from a cache: the object that the API answers a question of that kind with.
    async fn run(&self, project: &Project, question: &Value) -> Result<Value, Refusal>;
}

/// The live queries of this process.
pub(crate) struct LiveBoard {
    queries: Option<Arc<dyn LiveQueries>>,
    hub: Arc<Hub>,
    clock: SharedClock,
    watches: Mutex<HashMap<WatchKey, Weak<Watch>>>,
    permits: Arc<Semaphore>,
    limits: Limits,
}

type WatchKey = (Project, String);

/// One question of one project, and those who want its answer.
struct Watch {
    key: WatchKey,
    board: Weak<LiveBoard>,
    audience: Mutex<Audience>,
    stop: CancellationToken,
}

#[derive(Default)]
struct Audience {
    members: HashMap<u64, Member>,
    next_seat: u64,
    /// The newest answer; `None` before the first and while the store fails.
    answer: Option<Arc<Payload>>,
    /// Why there is no answer.
    failure: Option<Refusal>,
    fingerprint: u64,
}

struct Member {
    subscription: Arc<Subscription>,
    outbox: Arc<Outbox>,
    has_snapshot: bool,
}

/// A subscription's place at a live query; dropping it gives the place up.
pub(crate) struct LiveSeat {
    watch: Arc<Watch>,
    number: u64,
}

impl LiveBoard {
    /// No live queries yet; `queries` is `None` where no store is configured.
    pub(crate) fn new(
        queries: Option<Arc<dyn LiveQueries>>,
        hub: Arc<Hub>,
        clock: SharedClock,
        limits: &Limits,
    ) -> Arc<Self> {
        Arc::new(Self {
            queries,
            hub,
            clock,
            watches: Mutex::new(HashMap::new()),
            permits: Arc::new(Semaphore::new(limits.live_queries_at_once.max(1))),
            limits: limits.clone(),
        })
    }

    /// Subscribes to a question: the newest answer at once where there is one, else the first that comes.
    pub(crate) async fn subscribe(
        self: &Arc<Self>,
        project: &Project,
        question: Value,
        subscription: &Arc<Subscription>,
        outbox: &Arc<Outbox>,
    ) -> Result<LiveSeat, Refusal> {
        let Some(queries) = &self.queries else {
            return Err(Refusal::new(
                "queries_unavailable",
                "this server has no database to ask (DATABASE_URL is not set); events can be subscribed to",
            ));
        };
        let key = (project.clone(), queries.normalise(&question)?);
        let channel = self.hub.channel(project).await?;
        let watch = self.watch(key, question, channel)?;
        Watch::join(watch, subscription, outbox)
    }

    fn watch(self: &Arc<Self>, key: WatchKey, question: Value, channel: Arc<Channel>) -> Result<Arc<Watch>, Refusal> {
        let mut watches = self.watches.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(watch) = watches.get(&key).and_then(Weak::upgrade) {
            return Ok(watch);
        }
        if watches.len() >= self.limits.live_queries {
            return Err(Refusal::new(
                "too_many_live_queries",
                format!(
                    "this server keeps at most {} different live queries; ask again later",
                    self.limits.live_queries
                ),
            )
            .passing());
        }
        let watch = Arc::new(Watch {
            key: key.clone(),
            board: Arc::downgrade(self),
            audience: Mutex::default(),
            stop: CancellationToken::new(),
        });
        watches.insert(key, Arc::downgrade(&watch));
        tokio::spawn(keep_up(Arc::clone(self), Arc::downgrade(&watch), watch.stop.clone(), question, channel));
        Ok(watch)
    }

    /// The answer and its fingerprint, or why there is none.
    async fn ask(&self, project: &Project, question: &Value, cursor: FeedCursor) -> Result<Answer, Refusal> {
        let queries =
            self.queries.as_ref().ok_or_else(|| Refusal::new("queries_unavailable", "there is no database"))?;
        let _permit = self.permits.acquire().await;
        let answer = queries.run(project, question).await?;
        let body = answer.to_string();
        if body.len() > self.limits.answer_bytes {
            return Err(Refusal::new(
                "query_too_large",
                format!(
                    "the answer has {} bytes and a live one may have {}; ask for fewer rows with limit",
                    body.len(),
                    self.limits.answer_bytes
                ),
            )
            .at("limit"));
        }
        Ok(Answer { fingerprint: fingerprint(answer), payload: Payload::new(body, cursor) })
    }

    /// Takes a watch that has failed for good off the board, though seats still hold it: who asks the same again gets a
    /// new try.
    fn forget(&self, key: &WatchKey, watch: &Weak<Watch>) {
        let mut watches = self.watches.lock().unwrap_or_else(PoisonError::into_inner);
        // Compared without an upgrade: a last owner that goes under this lock would wait for it for ever.
        if watches.get(key).is_some_and(|other| other.ptr_eq(watch)) {
            watches.remove(key);
        }
    }

    /// The place in the feed that an answer asked for now surely holds; the clock's word where the feed was never read.
    fn cursor(&self, channel: &Channel) -> FeedCursor {
        channel.position().unwrap_or_else(|| FeedCursor {
            millis: u64::try_from(self.clock.now().as_millis()).unwrap_or(0),
            sequence: 0,
            index: 0,
        })
    }
}

struct Answer {
    payload: Arc<Payload>,
    fingerprint: u64,
}

/// A number that changes when what an answer says changes; how it came about and when does not count.
fn fingerprint(mut answer: Value) -> u64 {
    if let Value::Object(fields) = &mut answer {
        fields.remove("query");
        if let Some(Value::Object(meta)) = fields.get_mut("meta") {
            for passing in ["took_ms", "cached", "fresh_as_of", "source", "next_cursor", "events_read", "rows_read"] {
                meta.remove(passing);
            }
        }
    }
    let mut hasher = DefaultHasher::new();
    answer.to_string().hash(&mut hasher);
    hasher.finish()
}

impl Watch {
    fn join(watch: Arc<Self>, subscription: &Arc<Subscription>, outbox: &Arc<Outbox>) -> Result<LiveSeat, Refusal> {
        let mut audience = watch.audience();
        match &audience.failure {
            Some(failure) if failure.passing => outbox.error(subscription, failure),
            Some(failure) => return Err(failure.clone()),
            None => {}
        }
        let number = audience.next_seat;
        audience.next_seat += 1;
        if let Some(answer) = &audience.answer {
            outbox.answer(subscription, Kind::Snapshot, answer);
        }
        let has_snapshot = audience.answer.is_some();
        let member = Member { subscription: Arc::clone(subscription), outbox: Arc::clone(outbox), has_snapshot };
        audience.members.insert(number, member);
        drop(audience);
        Ok(LiveSeat { watch, number })
    }

    /// Hands an answer to those who have none yet and, where it says something new, to all.
    fn tell_answer(&self, answer: Answer) {
        let mut audience = self.audience();
        let is_news = audience.failure.take().is_some() || audience.fingerprint != answer.fingerprint;
        for member in audience.members.values_mut() {
            if !member.has_snapshot {
                member.has_snapshot = true;
                member.outbox.answer(&member.subscription, Kind::Snapshot, &answer.payload);
            } else if is_news {
                member.outbox.answer(&member.subscription, Kind::Update, &answer.payload);
            }
        }
        audience.fingerprint = answer.fingerprint;
        audience.answer = Some(answer.payload);
    }

    /// Tells a failure once; a lasting one ends the subscriptions.
    fn tell_failure(&self, failure: Refusal) {
        let mut audience = self.audience();
        if audience.failure.as_ref().is_none_or(|told| told.code != failure.code) {
            for member in audience.members.values() {
                member.outbox.error(&member.subscription, &failure);
            }
        }
        if !failure.passing {
            for member in audience.members.values() {
                member.subscription.end();
            }
            audience.members.clear();
        }
        audience.answer = None;
        audience.failure = Some(failure);
    }

    fn audience(&self) -> MutexGuard<'_, Audience> {
        self.audience.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.stop.cancel();
        if let Some(board) = self.board.upgrade() {
            let mut watches = board.watches.lock().unwrap_or_else(PoisonError::into_inner);
            if watches.get(&self.key).is_some_and(|watch| watch.strong_count() == 0) {
                watches.remove(&self.key);
            }
        }
    }
}

impl Drop for LiveSeat {
    fn drop(&mut self) {
        self.watch.audience().members.remove(&self.number);
    }
}

/// Runs a question until nobody wants it any more.
async fn keep_up(
    board: Arc<LiveBoard>,
    asked_for: Weak<Watch>,
    stop: CancellationToken,
    question: Value,
    channel: Arc<Channel>,
) {
    let Some(key) = asked_for.upgrade().map(|watch| watch.key.clone()) else { return };
    let project = &key.0;
    let mut commits = channel.commits();
    let mut pause = board.limits.query_every;
    loop {
        // What is committed from here on leads to another run.
        commits.borrow_and_update();
        let cursor = board.cursor(&channel);
        let started = Instant::now();
        let asked = tokio::select! {
            () = stop.cancelled() => return,
            asked = board.ask(project, &question, cursor) => asked,
        };
        // A slow question rests as long as it ran: a live query never holds a connection of the store all the time.
        let mut next = started + board.limits.query_every.max(started.elapsed() * 2);
        let Some(watch) = asked_for.upgrade() else { return };
        match asked {
            Ok(answer) => {
                watch.tell_answer(answer);
                drop(watch);
                pause = board.limits.query_every;
                tokio::select! {
                    () = stop.cancelled() => return,
                    changed = commits.changed() => if changed.is_err() { return },
                }
            }
            Err(failure) => {
                if failure.passing {
                    warn!(project = %project, code = failure.code, reason = %failure, "a live query cannot be answered now");
                }
                let is_passing = failure.passing;
                watch.tell_failure(failure);
                drop(watch);
                if !is_passing {
                    board.forget(&key, &asked_for);
                    return;
                }
                next = Instant::now() + pause;
                pause = (pause * 2).min(LONGEST_PAUSE);
            }
        }
        tokio::select! {
            () = stop.cancelled() => return,
            () = tokio::time::sleep_until(next) => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn only_what_an_answer_says_counts() {
        let answer = |count: u64, took: u64, fresh: &str| {
            json!({"results": [{"metrics": [count]}], "query": {"date_range": [fresh, fresh]},
                "meta": {"took_ms": took, "cached": false, "fresh_as_of": fresh, "total_rows": 1}})
        };
        assert_eq!(fingerprint(answer(1, 2, "a")), fingerprint(answer(1, 3, "b")));
        assert_ne!(fingerprint(answer(1, 2, "a")), fingerprint(answer(2, 2, "a")));
    }
}

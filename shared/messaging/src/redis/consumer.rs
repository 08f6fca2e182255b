//! One processor's reading side of the stream.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::{Duration, Instant};

use async_trait::async_trait;
use redis::aio::MultiplexedConnection;
use redis::{RedisError, RedisResult, Value};

use super::link::{Link, needs_new_connection, timed_out};
use super::queue::{GROUP, TIMEOUT, unavailable};
use super::reply::{QueueEntry, array, entry, streams, text, unexpected};
use super::script::{ACKNOWLEDGE, RECLAIM, SET_IDLE};
use super::shards::Keys;
use crate::queue::{Consumer, Delivery, QueueError, Receipt};

/// How often a consumer looks for what others let go of, at most.
const RECLAIM_INTERVAL: Duration = Duration::from_millis(500);

/// The time since delivery that makes an entry free for everybody, whatever visibility they have: a year.
const RELEASED: Duration = Duration::from_secs(365 * 86_400);

/// Own entries of an earlier run that are taken over in one step.
const RECOVER_ENTRIES: usize = 500;

/// How long is waited after a node of a cluster said that the stream is elsewhere, or on its way there.
const REDIRECT_PAUSE: Duration = Duration::from_millis(20);

/// The cursor from which a claim begins and to which it comes back.
const BEGINNING: &str = "0-0";

/// Makes the stream and its group, which begins with the oldest entry, where they are not there.
pub(super) async fn ensure_group(link: &Link, stream: &str) -> RedisResult<()> {
    let made = link
        .run(async |mut connection| {
            redis::cmd("XGROUP")
                .arg(&["CREATE", stream, GROUP, "0", "MKSTREAM"])
                .query_async::<()>(&mut connection)
                .await
        })
        .await;
    match made {
        Err(error) if error.code() == Some("BUSYGROUP") => Ok(()),
        outcome => outcome,
    }
}

/// What a receipt names: the entry and what its count has to be lowered by.
struct Place<'a> {
    id: &'a str,
    events: &'a str,
    project: &'a str,
}

impl<'a> Place<'a> {
    fn of(receipt: &'a Receipt) -> Option<Self> {
        let mut parts = receipt.0.splitn(3, '/');
        Some(Self { id: parts.next()?, events: parts.next()?, project: parts.next()? })
    }
}

/// A consumer of the group, by a name that a restarted process has again.
pub(super) struct RedisConsumer {
    link: Arc<Link>,
    keys: Keys,
    name: String,
    visibility: Duration,
    /// For the blocking read alone: nothing else can be answered on it meanwhile.
    reader: Option<MultiplexedConnection>,
    /// Ids that were handed out and not yet acknowledged or released.
    held: HashSet<String>,
    /// Whether the server may hold entries in this consumer's name that it does not know of: at its start, and where an
    /// answer was lost. `Some` is the id after which to look.
    recover: Option<String>,
    reclaim_at: Instant,
    reclaim_cursor: String,
}

impl RedisConsumer {
    pub(super) fn new(link: Arc<Link>, keys: Keys, name: &str, visibility: Duration) -> Self {
        Self {
            link,
            keys,
            name: name.to_owned(),
            visibility,
            reader: None,
            held: HashSet::new(),
            recover: Some("-".to_owned()),
            reclaim_at: Instant::now(),
            reclaim_cursor: BEGINNING.to_owned(),
        }
    }

    /// Hands entries out: from here on they are known to be held.
    fn deliver(&mut self, entries: impl Iterator<Item = (QueueEntry, u32)>) -> Vec<Delivery> {
        entries
            .map(|(entry, attempt)| {
                let receipt = Receipt(format!("{}/{}/{}", entry.id, entry.events, entry.project));
                self.held.insert(entry.id);
                Delivery { receipt, payload: entry.payload, attempt }
            })
            .collect()
    }

    /// One pass over all sources: own entries of an earlier run, what others let go of, what is new.
    async fn try_receive(&mut self, most: usize, until: Instant) -> RedisResult<Vec<Delivery>> {
        loop {
            while let Some(after) = self.recover.clone() {
                let found = self.recover_own(most, &after).await?;
                if !found.is_empty() {
                    return Ok(found);
                }
            }
            if Instant::now() >= self.reclaim_at {
                let found = self.reclaim(most).await?;
                if !found.is_empty() {
                    return Ok(found);
                }
                if self.reclaim_cursor != BEGINNING {
                    continue;
                }
                self.reclaim_at = Instant::now() + RECLAIM_INTERVAL.min(self.visibility / 2);
            }
            let block = until.min(self.reclaim_at).saturating_duration_since(Instant::now());
            let found = self.read_new(most, block).await?;
            if !found.is_empty() || Instant::now() >= until {
                return Ok(found);
            }
        }
    }

    /// Takes over a page of the entries that lie under this name and were not handed out by this consumer.
    async fn recover_own(&mut self, most: usize, after: &str) -> RedisResult<Vec<Delivery>> {
        const WHAT: &str = "pending entries";
        let (stream, name, page) = (&self.keys.stream, &self.name, most.min(RECOVER_ENTRIES));
        let pending: Vec<(String, String, u64, u32)> = self
            .link
            .run(async |mut connection| {
                redis::cmd("XPENDING")
                    .arg(&[stream, GROUP, after, "+"])
                    .arg(page)
                    .arg(name)
                    .query_async(&mut connection)
                    .await
            })
            .await?;
        let Some((last, ..)) = pending.last() else {
            self.recover = None;
            return Ok(Vec::new());
        };
        let next = format!("({last}");
        let attempts: HashMap<&str, u32> = pending
            .iter()
            .filter(|(id, ..)| !self.held.contains(id))
            .map(|(id, _, _, attempts)| (id.as_str(), attempts + 1))
            .collect();
        if attempts.is_empty() {
            self.recover = Some(next);
            return Ok(Vec::new());
        }
        let ids: Vec<&str> = attempts.keys().copied().collect();
        let claimed: Value = self
            .link
            .run(async |mut connection| {
                redis::cmd("XCLAIM").arg(&[stream, GROUP, name, "0"]).arg(&ids).query_async(&mut connection).await
            })
            .await?;
        let mut entries: Vec<_> = QueueEntry::all(array(claimed, WHAT)?)?
            .into_iter()
            .map(|entry| {
                let attempt = attempts.get(entry.id.as_str()).copied().unwrap_or(1);
                (entry, attempt)
            })
            .collect();
        entries.sort_by_cached_key(|(entry, _)| order(&entry.id));
        self.recover = Some(next);
        Ok(self.deliver(entries.into_iter()))
    }

    /// Takes over entries whose consumers let go of them or let their time pass.
    async fn reclaim(&mut self, most: usize) -> RedisResult<Vec<Delivery>> {
        const WHAT: &str = "claimed entries";
        let (name, cursor, idle) = (&self.name, &self.reclaim_cursor, millis(self.visibility));
        let answer: Value = self
            .link
            .run(async |connection| {
                RECLAIM
                    .run(connection, &[&self.keys.stream], |command| {
                        command.arg(GROUP).arg(name).arg(idle).arg(cursor).arg(most);
                    })
                    .await
            })
            .await?;
        let mut parts = array(answer, WHAT)?.into_iter();
        let (Some(cursor), Some(claimed)) = (parts.next(), parts.next()) else { return Err(unexpected(WHAT)) };
        let mut entries = Vec::new();
        for claim in array(claimed, WHAT)? {
            let mut parts = array(claim, WHAT)?.into_iter();
            let (Some(id), Some(attempt), Some(fields)) = (parts.next(), parts.next(), parts.next()) else {
                return Err(unexpected(WHAT));
            };
            let attempt: u32 = redis::from_redis_value(attempt).map_err(|_| unexpected(WHAT))?;
            entries.push((QueueEntry::new(text(id, WHAT)?, array(fields, WHAT)?), attempt));
        }
        self.reclaim_cursor = text(cursor, WHAT)?;
        Ok(self.deliver(entries.into_iter()))
    }

    /// Reads entries that nobody has seen; waits up to `block` for the first.
    async fn read_new(&mut self, most: usize, block: Duration) -> RedisResult<Vec<Delivery>> {
        // Until the answer is here the server may have given out entries that this consumer never hears of: after an error
        // and after a dropped future. Such a connection also has an answer on it that nobody wants any more.
        let recover = self.recover.replace("-".to_owned());
        let mut reader = match self.reader.take() {
            Some(reader) => reader,
            None => self.connect_reader().await?,
        };
        let mut command = redis::cmd("XREADGROUP");
        command.arg(&["GROUP", GROUP, &self.name, "COUNT"]).arg(most);
        // Zero would wait for ever.
        if block >= Duration::from_millis(1) {
            command.arg("BLOCK").arg(millis(block));
        }
        command.arg(&["STREAMS", &self.keys.stream, ">"]);
        let limit = block + TIMEOUT;
        let answer: RedisResult<Value> = match tokio::time::timeout(limit, command.query_async(&mut reader)).await {
            Ok(answer) => answer,
            Err(_) => Err(timed_out(limit)),
        };
        let answer = match answer {
            Err(error) if !needs_new_connection(&error) => {
                self.reader = Some(reader);
                return Err(error);
            }
            answer => answer?,
        };
        self.reader = Some(reader);
        let mut entries = Vec::new();
        for (_, values) in streams(answer)? {
            for value in values {
                entries.extend(entry(value)?.map(|(id, fields)| (QueueEntry::new(id, fields), 1)));
            }
        }
        self.recover = recover;
        Ok(self.deliver(entries.into_iter()))
    }

    /// Makes the stream and its group anew after they were gone.
    async fn remake_group(&mut self, error: &RedisError) -> Result<(), QueueError> {
        let (stream, consumer) = (&self.keys.stream, &self.name);
        if error.code() == Some("UNBLOCKED") && self.link.is_of_a_cluster() {
            tracing::info!(stream, consumer, "the queue's stream has left its node while it was waited at");
        } else {
            tracing::warn!(
                stream,
                consumer,
                "the queue's stream or group is gone: the server was emptied or replaced, and entries may be lost; it is \
                 made anew"
            );
        }
        ensure_group(&self.link, &self.keys.stream).await.map_err(unavailable("make its stream and group"))?;
        self.reclaim_cursor = BEGINNING.to_owned();
        Ok(())
    }

    async fn connect_reader(&self) -> RedisResult<MultiplexedConnection> {
        match tokio::time::timeout(TIMEOUT, self.link.dedicated()).await {
            Ok(reader) => reader,
            Err(_) => Err(timed_out(TIMEOUT)),
        }
    }

    async fn set_idle(&self, receipts: &[Receipt], idle: Duration) -> RedisResult<()> {
        let ids: Vec<&str> = receipts.iter().filter_map(Place::of).map(|place| place.id).collect();
        if ids.is_empty() {
            return Ok(());
        }
        let done = self
            .link
            .run(async |connection| {
                SET_IDLE
                    .run::<()>(connection, &[&self.keys.stream], |command| {
                        command.arg(GROUP).arg(&self.name).arg(millis(idle)).arg(&ids);
                    })
                    .await
            })
            .await;
        match done {
            // The stream is gone, and with it the entries.
            Err(error) if is_group_lost(&error) => Ok(()),
            outcome => outcome,
        }
    }
}

/// Whether somebody emptied the server or replaced it: the stream or its group is not there.
fn is_group_lost(error: &RedisError) -> bool {
    matches!(error.code(), Some("NOGROUP" | "UNBLOCKED"))
}

/// Whole milliseconds.
fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

/// An id in an order that its text does not have.
fn order(id: &str) -> (u64, u64) {
    let (millis, sequence) = id.split_once('-').unwrap_or((id, ""));
    (millis.parse().unwrap_or(0), sequence.parse().unwrap_or(0))
}

#[async_trait]
impl Consumer for RedisConsumer {
    async fn receive(&mut self, most: usize, wait: Duration) -> Result<Vec<Delivery>, QueueError> {
        if most == 0 {
            return Ok(Vec::new());
        }
        let until = Instant::now() + wait;
        let received = loop {
            match self.try_receive(most, until).await {
                Err(error) if Instant::now() >= until + TIMEOUT => break Err(error),
                Err(error) if is_group_lost(&error) => self.remake_group(&error).await?,
                Err(error) if self.link.is_redirected(&error) => {
                    tokio::time::sleep(REDIRECT_PAUSE).await;
                }
                outcome => break outcome,
            }
        };
        received.map_err(unavailable("hand out entries"))
    }

    async fn acknowledge(&mut self, receipts: &[Receipt]) -> Result<(), QueueError> {
        let places: Vec<Place<'_>> = receipts.iter().filter_map(Place::of).collect();
        // In parts: a script holds up the server's other clients.
        for part in places.chunks(RECOVER_ENTRIES) {
            self.link
                .run(async |connection| {
                    ACKNOWLEDGE
                        .run::<()>(connection, &[&self.keys.stream, &self.keys.depth], |command| {
                            command.arg(GROUP);
                            for place in part {
                                command.arg(&[place.id, place.events, place.project]);
                            }
                        })
                        .await
                })
                .await
                .map_err(unavailable("remove stored entries"))?;
            for place in part {
                self.held.remove(place.id);
            }
        }
        Ok(())
    }

    async fn extend(&mut self, receipts: &[Receipt]) -> Result<(), QueueError> {
        self.set_idle(receipts, Duration::ZERO).await.map_err(unavailable("extend leases"))
    }

    async fn release(&mut self, receipts: &[Receipt]) -> Result<(), QueueError> {
        self.set_idle(receipts, RELEASED).await.map_err(unavailable("give entries back"))?;
        for place in receipts.iter().filter_map(Place::of) {
            self.held.remove(place.id);
        }
        // They are the oldest again, for this consumer too.
        self.reclaim_at = Instant::now();
        self.reclaim_cursor = BEGINNING.to_owned();
        Ok(())
    }
}

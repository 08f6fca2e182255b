//! The feed inside one process: a ring a project.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use analytics_domain::{Event, Project, Timestamp};
use async_trait::async_trait;

use crate::feed::{Feed, FeedCursor, FeedError, FeedItem, FeedMessage, FeedSubscription, Resume};
use crate::ring::{Outside, Ring, RingReader};

/// Messages that lie together in a ring at most: what a slow subscriber loses goes by such parts.
const PART: usize = 500;

/// How often the rings of silent projects are looked at.
const SWEEP_INTERVAL: Duration = Duration::from_secs(10);

/// The feed of a process whose processor and sockets are one; it starts empty with every start.
#[derive(Debug)]
pub struct ProcessFeed {
    /// Where every ring begins: a cursor of an earlier process lies before it.
    start: FeedCursor,
    rings: Mutex<Rings>,
}

#[derive(Debug)]
struct Rings {
    by_project: HashMap<Project, Arc<Ring>>,
    swept: Instant,
}

impl Default for ProcessFeed {
    fn default() -> Self {
        Self::new()
    }
}

impl ProcessFeed {
    /// An empty feed.
    #[must_use]
    pub fn new() -> Self {
        Self {
            start: FeedCursor { millis: now_millis(), sequence: 0, index: 0 },
            rings: Mutex::new(Rings { by_project: HashMap::new(), swept: Instant::now() }),
        }
    }

    fn ring(&self, project: &Project) -> Arc<Ring> {
        let mut rings = self.rings.lock().unwrap_or_else(PoisonError::into_inner);
        let now = Instant::now();
        if now.saturating_duration_since(rings.swept) >= SWEEP_INTERVAL {
            rings.swept = now;
            rings.by_project.values().for_each(|ring| ring.forget_old(now));
        }
        let ring = rings.by_project.entry(project.clone()).or_insert_with(|| Arc::new(Ring::new(self.start)));
        Arc::clone(ring)
    }
}

fn now_millis() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| u64::try_from(since.as_millis()).unwrap_or(u64::MAX))
}

#[async_trait]
impl Feed for ProcessFeed {
    async fn publish(&self, project: &Project, received_at: Timestamp, events: &[Event<'_>]) -> Result<(), FeedError> {
        if events.is_empty() {
            return Ok(());
        }
        let ring = self.ring(project);
        let now = now_millis();
        for part in events.chunks(PART) {
            let owned: Vec<Arc<Event<'static>>> =
                part.iter().map(|event| Arc::new(event.clone().into_owned())).collect();
            ring.push_with(|last| {
                // The clock may stand still or be set back; cursors only rise.
                let (millis, sequence) =
                    if now > last.millis { (now, 0) } else { (last.millis, last.sequence.saturating_add(1)) };
                (0..)
                    .zip(owned)
                    .map(|(index, event)| FeedMessage {
                        cursor: FeedCursor { millis, sequence, index },
                        received_at,
                        event,
                    })
                    .collect()
            });
        }
        Ok(())
    }

    async fn subscribe(&self, project: &Project, from: Resume) -> Result<Box<dyn FeedSubscription>, FeedError> {
        let ring = self.ring(project);
        ring.forget_old(Instant::now());
        let (reader, missed) = match from {
            Resume::Now => (ring.read_new(), false),
            Resume::After(cursor) => match ring.read_after(cursor) {
                Ok(reader) => (reader, false),
                Err(Outside::Older) => (ring.read_all(), true),
                Err(Outside::Newer) => (ring.read_new(), true),
            },
        };
        Ok(Box::new(ProcessSubscription { reader, missed }))
    }

    async fn check(&self) -> Result<(), FeedError> {
        Ok(())
    }
}

/// One subscriber.
#[derive(Debug)]
struct ProcessSubscription {
    reader: RingReader,
    /// Whether the subscriber asked for what is not here and was not yet told so.
    missed: bool,
}

#[async_trait]
impl FeedSubscription for ProcessSubscription {
    async fn next(&mut self) -> Result<FeedItem, FeedError> {
        if std::mem::take(&mut self.missed) {
            return Ok(FeedItem::Missed(None));
        }
        Ok(self.reader.next().await)
    }

    fn position(&self) -> FeedCursor {
        self.reader.position()
    }
}

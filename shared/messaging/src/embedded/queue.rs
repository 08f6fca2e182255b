//! The adapter behind the port: async callers before, the writer's thread behind.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use analytics_domain::Retention;
use async_trait::async_trait;
use tokio::sync::oneshot;

use super::file::{FileLock, OpenError, QueueFile};
use super::mailbox::{Answer, Mailbox, Place, Request, Waiter};
use super::options::EmbeddedOptions;
use super::writer::{Writer, now_millis};
use crate::queue::{Consumer, Delivery, Durability, EnqueueError, Entry, Queue, QueueDepth, QueueError, Receipt};
use crate::write_keys::{ToldWriteKeys, WriteKey};

/// The file's name where a folder is given.
const FILE_NAME: &str = "queue.db";

/// How long a check waits for the writer.
const CHECK_TIMEOUT: Duration = Duration::from_secs(2);

/// The queue of the single process, in one SQLite file that only this process writes.
///
/// The file is closed, flushed and free for others when the queue and all its consumers are dropped; the drop waits for
/// the writer's last commit.
#[derive(Debug)]
pub struct EmbeddedQueue {
    handle: Arc<Handle>,
}

/// Ends the writer when the last user is gone.
#[derive(Debug)]
struct Handle {
    mailbox: Arc<Mailbox>,
    durability: Durability,
    /// Kept in memory: who tells and who is told live in this process.
    retention: Mutex<Option<Retention>>,
    /// Likewise, and until when it holds.
    write_keys: Mutex<Option<(Vec<WriteKey>, Instant)>>,
    thread: Option<JoinHandle<()>>,
}

impl Drop for Handle {
    fn drop(&mut self) {
        self.mailbox.close();
        if let Some(thread) = self.thread.take() {
            // A writer that panicked has nothing left to wait for.
            let _ = thread.join();
        }
    }
}

impl EmbeddedQueue {
    /// Opens or creates the queue in a folder (`queue.db` there, the folder made if need be) or in a file of any other name.
    ///
    /// Reads the whole file once to count it. Blocks; a start-up may, a request must not.
    ///
    /// # Errors
    /// [`QueueError::Misconfigured`] where the queue is open already or was written by a later build,
    /// [`QueueError::Unavailable`] where the file cannot be read or written.
    pub fn open(path: impl AsRef<Path>, options: EmbeddedOptions) -> Result<Self, QueueError> {
        let path = file_path(path.as_ref())?;
        let file = QueueFile::open(FileLock::take(&path)?).map_err(|(_, error)| match error {
            OpenError::NewerLayout { .. } => QueueError::Misconfigured {
                problem: format!("the queue {} cannot be used: {error}", path.display()),
                mend: "start the build that wrote it, or a later one".to_owned(),
            },
            OpenError::Sqlite(source) => QueueError::Unavailable { doing: "open its file", source: source.into() },
        })?;
        let stock = file
            .count()
            .map_err(|source| QueueError::Unavailable { doing: "count its file", source: source.into() })?;
        tracing::info!(path = %path.display(), batches = stock.batches, events = stock.events, "queue opened");
        let mailbox = Arc::new(Mailbox::new(&options, stock));
        let durability = match options.durability {
            Durability::Durable => Durability::Durable,
            Durability::Fast | Durability::Unknown => Durability::Fast,
        };
        let writer = Writer::new(Arc::clone(&mailbox), file, options.visibility, durability == Durability::Durable);
        let thread = std::thread::Builder::new()
            .name("queue-writer".to_owned())
            .spawn(move || writer.run())
            .map_err(|source| QueueError::Unavailable { doing: "start its writer", source: source.into() })?;
        Ok(Self {
            handle: Arc::new(Handle {
                mailbox,
                durability,
                retention: Mutex::default(),
                write_keys: Mutex::default(),
                thread: Some(thread),
            }),
        })
    }

    /// Copies all that lies in the queue, in flight or not, to a new file at `to`: of one state, with every entry whose
    /// `enqueue` was answered before. Nothing else is written or handed out meanwhile.
    ///
    /// # Errors
    /// [`QueueError::Unavailable`] where the copy cannot be written, or a file is there already.
    pub async fn copy_to(&self, to: &Path) -> Result<(), QueueError> {
        let to = to.to_owned();
        self.handle.ask("copy its file", |answer| Request::Copy { to, answer }).await
    }
}

/// The file of a folder or of a file's path.
fn file_path(path: &Path) -> Result<PathBuf, QueueError> {
    let unavailable =
        |source: std::io::Error| QueueError::Unavailable { doing: "make its folder", source: source.into() };
    if path.is_dir() || path.extension().is_none() {
        std::fs::create_dir_all(path).map_err(unavailable)?;
        return Ok(path.join(FILE_NAME));
    }
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder).map_err(unavailable)?;
    }
    Ok(path.to_owned())
}

impl Handle {
    /// Asks the writer and waits for its answer.
    async fn ask<T>(&self, doing: &'static str, request: impl FnOnce(Answer<T>) -> Request) -> Result<T, QueueError> {
        let (answer, answered) = oneshot::channel();
        self.mailbox.post(request(answer));
        answered.await.map_err(|_| stopped(doing))?
    }
}

/// The writer is gone: it panicked, since no handle is left once it has been told to end.
fn stopped(doing: &'static str) -> QueueError {
    QueueError::Unavailable { doing, source: "the queue's writer has stopped".into() }
}

#[async_trait]
impl Queue for EmbeddedQueue {
    async fn enqueue(&self, entry: Entry) -> Result<(), EnqueueError> {
        let (answer, answered) = oneshot::channel();
        self.handle.mailbox.admit(entry, answer)?;
        answered.await.map_err(|_| EnqueueError::Unavailable { reason: "the queue's writer has stopped".to_owned() })?
    }

    async fn consumer(&self, name: &str) -> Result<Box<dyn Consumer>, QueueError> {
        let owner: Arc<str> = name.into();
        let recovered = Arc::clone(&owner);
        self.handle.ask("begin to read", |answer| Request::Recover { owner: recovered, answer }).await?;
        Ok(Box::new(EmbeddedConsumer { handle: Arc::clone(&self.handle), owner }))
    }

    async fn depth(&self) -> Result<QueueDepth, QueueError> {
        let stock = self.handle.mailbox.stock();
        let waited = |millis: i64| Duration::from_millis(u64::try_from(now_millis() - millis).unwrap_or(0));
        Ok(QueueDepth {
            batches: stock.batches,
            events: stock.events,
            by_project: Some(stock.by_project),
            oldest: stock.oldest.map(|(_, since)| waited(since)),
        })
    }

    async fn check(&self) -> Result<(), QueueError> {
        const DOING: &str = "take entries";
        if let Some(reason) = self.handle.mailbox.full() {
            return Err(QueueError::Unavailable { doing: DOING, source: format!("it is full: {reason}").into() });
        }
        let written = self.handle.ask(DOING, |answer| Request::Check { answer });
        tokio::time::timeout(CHECK_TIMEOUT, written).await.map_err(|_| QueueError::Unavailable {
            doing: DOING,
            source: format!("the disk did not answer within {} s", CHECK_TIMEOUT.as_secs()).into(),
        })?
    }

    fn durability(&self) -> Durability {
        self.handle.durability
    }

    async fn tell_retention(&self, retention: Retention) -> Result<(), QueueError> {
        *self.handle.retention.lock().unwrap_or_else(PoisonError::into_inner) = Some(retention);
        Ok(())
    }

    async fn told_retention(&self) -> Result<Option<Retention>, QueueError> {
        Ok(*self.handle.retention.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn carries_write_keys(&self) -> bool {
        true
    }

    async fn tell_write_keys(&self, keys: &[WriteKey], holds: Duration) -> Result<(), QueueError> {
        let told = (keys.to_vec(), Instant::now() + holds);
        *self.handle.write_keys.lock().unwrap_or_else(PoisonError::into_inner) = Some(told);
        Ok(())
    }

    async fn told_write_keys(&self) -> Result<Option<ToldWriteKeys>, QueueError> {
        let told = self.handle.write_keys.lock().unwrap_or_else(PoisonError::into_inner);
        let left = |until: Instant| until.checked_duration_since(Instant::now()).filter(|left| !left.is_zero());
        Ok(told.as_ref().and_then(|(keys, until)| Some(ToldWriteKeys { keys: keys.clone(), holds: left(*until)? })))
    }

    /// Nothing is left behind here: an acknowledgement is one transaction, and leases end with their process.
    async fn tidy(&self) -> Result<(), QueueError> {
        Ok(())
    }
}

/// One consumer of an embedded queue.
#[derive(Debug)]
struct EmbeddedConsumer {
    handle: Arc<Handle>,
    owner: Arc<str>,
}

/// The places that receipts name; those of another adapter name none.
fn places(receipts: &[Receipt]) -> Vec<Place> {
    receipts.iter().filter_map(Place::of).collect()
}

#[async_trait]
impl Consumer for EmbeddedConsumer {
    async fn receive(&mut self, most: usize, wait: Duration) -> Result<Vec<Delivery>, QueueError> {
        if most == 0 {
            return Ok(Vec::new());
        }
        let owner = Arc::clone(&self.owner);
        let until = Instant::now() + wait;
        self.handle.ask("hand out entries", |answer| Request::Receive(Waiter { owner, most, until, answer })).await
    }

    async fn acknowledge(&mut self, receipts: &[Receipt]) -> Result<(), QueueError> {
        let places = places(receipts);
        self.handle.ask("remove stored entries", |answer| Request::Acknowledge { places, answer }).await
    }

    async fn extend(&mut self, receipts: &[Receipt]) -> Result<(), QueueError> {
        let places = places(receipts);
        self.handle.ask("extend leases", |answer| Request::Extend { places, answer }).await
    }

    async fn release(&mut self, receipts: &[Receipt]) -> Result<(), QueueError> {
        let places = places(receipts);
        self.handle.ask("give entries back", |answer| Request::Release { places, answer }).await
    }
}

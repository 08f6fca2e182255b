//! The writer's way to its file: what an error does to it, and how it is mended.

use std::error::Error;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::file::{FileLock, QueueFile, is_disk_full};
use super::ledger::Stock;
use super::writer::Writer;
use crate::queue::QueueError;
use crate::reason::sentence;

/// How often an unusable file is opened anew.
const REOPEN_INTERVAL: Duration = Duration::from_millis(200);

/// A failure that is told to several callers.
pub(super) type Failure = Arc<dyn Error + Send + Sync>;

/// The file, or why there is none.
pub(super) enum Access {
    Open(QueueFile),
    Broken {
        lock: FileLock,
        failure: Failure,
        retry_at: Instant,
    },
    /// Only while one of the others is being made of the other.
    Changing,
}

/// Wraps a failure with what was being done.
pub(super) fn unavailable(doing: &'static str, failure: &Failure) -> QueueError {
    QueueError::Unavailable { doing, source: Arc::clone(failure).into() }
}

impl Writer {
    /// Commits `work`; on a full disk once more after the log was copied into the file, whose room it then writes over.
    pub(super) fn write(
        &mut self,
        flush: bool,
        work: impl Fn(&QueueFile) -> rusqlite::Result<()>,
    ) -> Result<(), Failure> {
        let written = self.attempt(|file| match file.transaction(flush, &work) {
            Err(error) if is_disk_full(&error) => {
                file.checkpoint()?;
                file.transaction(flush, &work)
            }
            outcome => outcome,
        });
        if flush && written.is_ok() {
            self.last_flush = Instant::now();
        }
        written
    }

    /// Runs `work` on the file; opens it anew first where an earlier error left it in doubt.
    pub(super) fn attempt<T>(
        &mut self,
        work: impl FnOnce(&mut QueueFile) -> rusqlite::Result<T>,
    ) -> Result<T, Failure> {
        self.mend()?;
        let file = match &mut self.access {
            Access::Open(file) => file,
            Access::Broken { failure, .. } => return Err(Arc::clone(failure)),
            Access::Changing => return Err(Arc::new(std::io::Error::other("the queue's file is being opened"))),
        };
        match work(file) {
            Ok(value) => Ok(value),
            Err(error) => {
                let sound = is_disk_full(&error);
                let failure: Failure = Arc::new(error);
                if !sound {
                    self.give_up(&failure);
                }
                Err(failure)
            }
        }
    }

    /// Closes a file in doubt: what its log holds is settled when it is opened anew.
    fn give_up(&mut self, failure: &Failure) {
        if let Access::Open(file) = std::mem::replace(&mut self.access, Access::Changing) {
            let lock = file.into_lock();
            tracing::error!(
                path = %lock.path().display(), error = %sentence(&**failure),
                "the queue's file cannot be used; it is opened anew with the next request"
            );
            self.access =
                Access::Broken { lock, failure: Arc::clone(failure), retry_at: Instant::now() + REOPEN_INTERVAL };
        }
    }

    /// Opens a broken file anew and takes stock of it; leases of entries that are still there go on.
    fn mend(&mut self) -> Result<(), Failure> {
        match &self.access {
            Access::Broken { failure, retry_at, .. } if Instant::now() < *retry_at => return Err(Arc::clone(failure)),
            Access::Broken { .. } => {}
            _ => return Ok(()),
        }
        let Access::Broken { lock, .. } = std::mem::replace(&mut self.access, Access::Changing) else { return Ok(()) };
        let retry_at = Instant::now() + REOPEN_INTERVAL;
        let file = match QueueFile::open(lock) {
            Ok(file) => file,
            Err((lock, error)) => {
                let failure: Failure = Arc::new(error);
                self.access = Access::Broken { lock, failure: Arc::clone(&failure), retry_at };
                return Err(failure);
            }
        };
        match self.take_stock(&file) {
            Ok(stock) => {
                tracing::info!(batches = stock.batches, events = stock.events, "the queue's file is usable again");
                self.next_id = self.next_id.max(stock.newest + 1);
                self.mailbox.settle(0, 0, |told| *told = stock);
                self.access = Access::Open(file);
                Ok(())
            }
            Err(error) => {
                let failure: Failure = Arc::new(error);
                let lock = file.into_lock();
                self.access = Access::Broken { lock, failure: Arc::clone(&failure), retry_at };
                Err(failure)
            }
        }
    }

    fn take_stock(&mut self, file: &QueueFile) -> rusqlite::Result<Stock> {
        let stock = file.count()?;
        for id in self.ledger.known() {
            if !file.holds(id)? {
                self.ledger.remove(id);
            }
        }
        Ok(stock)
    }
}

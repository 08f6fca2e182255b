//! What all requests together may take: bytes of bodies, and hands for large ones.

use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::refusal::Refusal;

/// Bytes are counted in pieces of this size.
const PIECE: usize = 1 << 10;

/// The collector's bounds over all its requests.
pub(crate) struct Budget {
    /// Free pieces of memory for bodies as they were sent.
    pieces: Arc<Semaphore>,
    /// Large bodies are worked on by so many threads at a time, one a core: what a body inflates to takes memory only while
    /// a hand holds it, however many bodies wait.
    hands: Arc<Semaphore>,
}

/// What a request holds until this is dropped.
#[derive(Debug)]
pub(crate) struct Held {
    _permit: OwnedSemaphorePermit,
}

impl Budget {
    pub(crate) fn new(bytes: usize) -> Self {
        let cores = std::thread::available_parallelism().map_or(2, usize::from);
        let pieces = (bytes / PIECE).clamp(1, Semaphore::MAX_PERMITS);
        Self { pieces: Arc::new(Semaphore::new(pieces)), hands: Arc::new(Semaphore::new(cores)) }
    }

    /// Holds `bytes`, or refuses at once: whoever waited here would hold on to a connection that others could use.
    pub(crate) fn hold(&self, bytes: usize) -> Result<Held, Refusal> {
        let pieces = u32::try_from(bytes.div_ceil(PIECE)).map_err(|_| Refusal::Overloaded)?;
        let permit = Arc::clone(&self.pieces).try_acquire_many_owned(pieces).map_err(|_| Refusal::Overloaded)?;
        Ok(Held { _permit: permit })
    }

    /// Waits for a hand; those who wait hold no more than what they were sent.
    pub(crate) async fn hand(&self) -> Result<Held, Refusal> {
        let permit = Arc::clone(&self.hands).acquire_owned().await.map_err(|_| Refusal::Overloaded)?;
        Ok(Held { _permit: permit })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refuses_beyond_the_bound_and_takes_again_what_was_given_back() {
        let budget = Budget::new(10 * PIECE);
        let first = budget.hold(5 * PIECE + 1).unwrap();
        assert!(matches!(budget.hold(4 * PIECE + 1), Err(Refusal::Overloaded)));
        let second = budget.hold(4 * PIECE).unwrap();
        drop(first);
        let third = budget.hold(6 * PIECE).unwrap();
        assert!(budget.hold(1).is_err());
        assert!(budget.hold(0).is_ok());
        drop((second, third));
        assert!(budget.hold(10 * PIECE).is_ok());
    }
}

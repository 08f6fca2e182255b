//! What all requests together may take: bytes of bodies, and hands for large ones.

use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore, SemaphorePermit};

use crate::refusal::Refusal;

/// Bytes are counted in pieces of this size.
const PIECE: usize = 1 << 10;

/// The collector's bounds over all its requests.
pub(crate) struct Budget {
    /// Free pieces of memory for bodies as they were sent.
    pieces: Arc<Semaphore>,
    /// Large bodies are worked on by so many threads at a time, a core each: a body that inflates holds its memory only
    /// while one of them has it, however many wait.
    hands: Semaphore,
}

/// Bytes that one request holds; given back when it is dropped.
#[derive(Debug)]
pub(crate) struct Held {
    pieces: Arc<Semaphore>,
    permit: Option<OwnedSemaphorePermit>,
    bytes: usize,
}

impl Budget {
    pub(crate) fn new(bytes: usize) -> Self {
        let cores = std::thread::available_parallelism().map_or(2, usize::from);
        Self {
            pieces: Arc::new(Semaphore::new((bytes / PIECE).clamp(1, Semaphore::MAX_PERMITS))),
            hands: Semaphore::new(cores),
        }
    }

    /// Nothing yet.
    pub(crate) fn hold(&self) -> Held {
        Held { pieces: Arc::clone(&self.pieces), permit: None, bytes: 0 }
    }

    /// Waits for a hand.
    pub(crate) async fn hand(&self) -> Option<SemaphorePermit<'_>> {
        // The semaphore is never closed.
        self.hands.acquire().await.ok()
    }
}

impl Held {
    /// Holds `bytes` in all, or refuses at once: whoever waited here would hold on to what others wait for.
    pub(crate) fn grow_to(&mut self, bytes: usize) -> Result<(), Refusal> {
        let (held, wanted) = (self.bytes.div_ceil(PIECE), bytes.div_ceil(PIECE));
        if wanted > held {
            let more = u32::try_from(wanted - held).map_err(|_| Refusal::Overloaded)?;
            let permit = Arc::clone(&self.pieces).try_acquire_many_owned(more).map_err(|_| Refusal::Overloaded)?;
            match &mut self.permit {
                Some(held) => held.merge(permit),
                none => *none = Some(permit),
            }
        }
        self.bytes = self.bytes.max(bytes);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refuses_beyond_the_bound_and_takes_again_what_was_given_back() {
        let budget = Budget::new(10 * PIECE);
        let mut first = budget.hold();
        first.grow_to(6 * PIECE).unwrap();
        first.grow_to(6 * PIECE + 1).unwrap();
        let mut second = budget.hold();
        assert!(second.grow_to(4 * PIECE).is_err());
        second.grow_to(3 * PIECE).unwrap();
        drop(first);
        second.grow_to(10 * PIECE).unwrap();
        assert!(second.grow_to(10 * PIECE + 1).is_err());
    }
}

//! How many threads one question may use, and how many all questions together do.

use std::panic::resume_unwind;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, OnceLock, PoisonError};
use std::thread::{Builder, available_parallelism, scope};

use super::lane::LANES;
use crate::QueryError;

/// What the threads of questions are called.
pub(super) const NAME: &str = "question";

/// From so many bytes of columns on a question is large enough for threads: to count them takes some tens of milliseconds. With
/// less, joining what two threads have counted takes as long as the second saves.
const HELD_BYTES: usize = 4 << 20;

/// How many threads do the work of questions in this process.
static AT_WORK: AtomicUsize = AtomicUsize::new(0);

/// The threads that a question may ask for.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Threads {
    /// Most for one question.
    pub(super) most: usize,
    /// So many bytes come before any is asked for: what is smaller is done without.
    pub(super) held: usize,
    /// Most for all questions.
    bound: usize,
    at_work: &'static AtomicUsize,
}

impl Threads {
    /// As many as there are cores, for one question and for all: where others have them, a question is answered by the thread
    /// that asks it, as on a machine of one core.
    pub(crate) fn of_machine() -> Self {
        static CORES: OnceLock<usize> = OnceLock::new();
        let cores = *CORES.get_or_init(|| available_parallelism().map_or(1, usize::from));
        Self { most: cores.min(LANES), held: HELD_BYTES, bound: cores, at_work: &AT_WORK }
    }

    /// So many, for a question of any size, whatever others there are.
    #[cfg(test)]
    pub(super) fn of_test(most: usize) -> Self {
        Self { most, held: 0, bound: usize::MAX, at_work: Box::leak(Box::default()) }
    }

    /// The same, once so many bytes have come.
    #[cfg(test)]
    pub(super) fn after(self, held: usize) -> Self {
        Self { held, ..self }
    }

    /// How many are at work.
    #[cfg(test)]
    pub(super) fn at_work(&self) -> usize {
        self.at_work.load(Ordering::Relaxed)
    }

    /// Takes those that are free; `None` where that would be one alone.
    pub(super) fn hire(&self) -> Option<Hired> {
        let mut count = 0;
        let taken = self.at_work.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |at_work| {
            count = self.most.min(self.bound.saturating_sub(at_work));
            (count > 1).then_some(at_work + count)
        });
        taken.is_ok().then(|| Hired { count, at_work: Some(self.at_work) })
    }
}

/// How many threads a question has; others may have them once this is gone.
#[derive(Debug)]
pub(crate) struct Hired {
    count: usize,
    at_work: Option<&'static AtomicUsize>,
}

impl Hired {
    /// None but the thread that asks.
    pub(super) const fn nobody() -> Self {
        Self { count: 1, at_work: None }
    }

    pub(super) const fn count(&self) -> usize {
        self.count
    }

    /// Folds shares, each as a whole, into as many folds as there are threads. Which fold takes which share is not told.
    pub(super) fn fold<S: Send, F: Send>(
        &self,
        shares: Vec<S>,
        fresh: impl Fn() -> F + Sync,
        take: impl Fn(&mut F, S) -> Result<(), QueryError> + Sync,
    ) -> Result<Vec<F>, QueryError> {
        let shares = Mutex::new(shares.into_iter());
        let next = || shares.lock().unwrap_or_else(PoisonError::into_inner).next();
        let work = || {
            let mut fold = fresh();
            while let Some(share) = next() {
                if let Err(refusal) = take(&mut fold, share) {
                    // The others need not go on.
                    *shares.lock().unwrap_or_else(PoisonError::into_inner) = Vec::new().into_iter();
                    return Err(refusal);
                }
            }
            Ok(fold)
        };
        scope(|scope| {
            // What a thread would have done that cannot be started is done by the others.
            let start = |_| Builder::new().name(NAME.to_owned()).spawn_scoped(scope, work).ok();
            let others: Vec<_> = (1..self.count).filter_map(start).collect();
            let own = work();
            let others = others.into_iter().map(|other| other.join().unwrap_or_else(|panic| resume_unwind(panic)));
            std::iter::once(own).chain(others.collect::<Vec<_>>()).collect()
        })
    }
}

impl Drop for Hired {
    fn drop(&mut self) {
        if let Some(at_work) = self.at_work {
            at_work.fetch_sub(self.count, Ordering::Relaxed);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn all_questions_together_have_no_more_threads_than_there_are() {
        let five = Threads { bound: 5, ..Threads::of_test(0) };
        let threads = |most| Threads { most, ..five };
        let first = threads(3).hire().unwrap();
        let second = threads(3).hire().unwrap();
        assert_eq!((first.count(), second.count()), (3, 2));
        assert!(threads(3).hire().is_none());
        drop(second);
        assert_eq!(threads(4).hire().unwrap().count(), 2);
        drop(first);
        let four = threads(4).hire().unwrap();
        // One alone is none.
        assert!(threads(4).hire().is_none());
        assert!(threads(1).hire().is_none());
        drop(four);
        assert_eq!(five.at_work(), 0);
        assert_eq!(Hired::nobody().count(), 1);
    }

    #[test]
    fn every_share_is_folded_once() {
        for most in 2..=4 {
            let hired = Threads::of_test(most).hire().unwrap();
            let folds = hired.fold((0..100).collect(), HashSet::new, |fold, share| {
                fold.insert(share);
                Ok(())
            });
            let folds = folds.unwrap();
            assert_eq!(folds.len(), most);
            assert_eq!(folds.iter().map(HashSet::len).sum::<usize>(), 100);
            assert_eq!(folds.into_iter().flatten().collect::<HashSet<u32>>().len(), 100);
        }
    }

    #[test]
    fn a_share_that_is_refused_is_the_answer() {
        let hired = Threads::of_test(2).hire().unwrap();
        let folds = hired.fold(
            (0..1_000).collect(),
            || (),
            |(), share| match share {
                7 => Err(QueryError::too_large("window", "7")),
                _ => Ok(()),
            },
        );
        assert_eq!(folds.unwrap_err().message, "7");
    }
}

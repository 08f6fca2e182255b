//! The ids that a project's readers were lately shown.

use std::collections::{HashSet, VecDeque};

use uuid::Uuid;

/// The last so many ids, oldest forgotten first.
///
/// A batch that the queue hands out again is published again, since the first publishing may have been lost between the
/// store's commit and the feed; who saw the first one need not see the second.
#[derive(Debug)]
pub(crate) struct RecentIds {
    order: VecDeque<Uuid>,
    known: HashSet<Uuid>,
    most: usize,
}

impl RecentIds {
    /// Remembers at most `most` ids; memory grows with use, to about 60 bytes an id.
    pub(crate) fn new(most: usize) -> Self {
        Self { order: VecDeque::new(), known: HashSet::new(), most: most.max(1) }
    }

    /// Whether `id` is new; it is known from now on.
    pub(crate) fn is_new(&mut self, id: Uuid) -> bool {
        if !self.known.insert(id) {
            return false;
        }
        if self.order.len() == self.most
            && let Some(oldest) = self.order.pop_front()
        {
            self.known.remove(&oldest);
        }
        self.order.push_back(id);
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn knows_the_last_ones_and_no_more() {
        let mut recent = RecentIds::new(3);
        for id in 0..3 {
            assert!(recent.is_new(Uuid::from_u128(id)));
            assert!(!recent.is_new(Uuid::from_u128(id)));
        }
        assert!(recent.is_new(Uuid::from_u128(3)));
        assert!(!recent.is_new(Uuid::from_u128(1)));
        assert!(recent.is_new(Uuid::from_u128(0)));
        assert_eq!((recent.order.len(), recent.known.len()), (3, 3));
    }
}

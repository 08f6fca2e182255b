//! Turns: an answer that would hold too much at once is made of several readings, each of a share of the actors.
//!
//! What follows what is told by each actor's events alone, so that the answer is the sum of what the turns give. All of them read
//! one state of the store.

use super::reader::{ColumnReader, Quarterly};
use super::statements::STATEMENTS;
use super::threads::{Hired, Threads};
use crate::{QueryError, Row, Statement};

/// With so many times the turns, where they were too few. The columns are read anew for each.
const FACTOR: u32 = 4;
/// Most turns; the last of them take some seconds for each ten million events.
const TURNS_MAX: u32 = 16;

/// How many turns there are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Turns(u32);

impl Turns {
    /// All actors at once.
    pub(crate) const ONE: Self = Self(1);

    /// As many as a question takes that was too large for these; `None` where it is left to raw rows.
    pub(crate) fn more(self) -> Option<Self> {
        let more = self.0 * FACTOR;
        (more <= TURNS_MAX).then_some(Self(more))
    }

    /// The statements of all turns.
    pub(crate) fn statements(self, once: &[Statement; STATEMENTS]) -> Vec<Statement> {
        self.shares().flat_map(|_| once.iter().cloned()).collect()
    }

    /// What each turn looks at.
    pub(crate) fn shares(self) -> impl ExactSizeIterator<Item = Share> {
        (0..self.0).map(move |turn| Share { turn, of: self })
    }
}

/// The actors of one turn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Share {
    turn: u32,
    of: Turns,
}

impl Share {
    /// All actors.
    pub(crate) const ALL: Self = Self { turn: 0, of: Turns::ONE };

    /// Whether an actor is among them, told by its key. Each share has actors of every shard: numbers that follow each other are
    /// spread over all (multiplicative hashing: Knuth, The Art of Computer Programming, volume 3, 6.4).
    pub(super) const fn holds(self, actor: u32) -> bool {
        ((actor >> 1).wrapping_mul(2_654_435_769) >> 16) % self.of.0 == self.turn
    }
}

/// What can look at a share of the actors alone.
pub(crate) trait Shared: Quarterly {
    /// Another one for the same answer, that has taken nothing yet and looks at these actors.
    fn of_share(&self, share: Share) -> Self;
}

/// What was gathered in a turn, and the threads that did it.
pub(crate) type Turn<T> = (T, Hired);

/// Hands on what the statements of all turns give.
#[derive(Debug)]
pub(crate) struct TurnReader<T> {
    reader: ColumnReader<T>,
    turn: usize,
    shares: Vec<Share>,
    /// Raw events that were read in the first turn: the others read the same.
    raw: Option<u64>,
}

impl<T: Shared> TurnReader<T> {
    pub(crate) fn new(taker: &T, turns: Turns, threads: Threads) -> Self {
        let shares: Vec<Share> = turns.shares().collect();
        let first = taker.of_share(shares.first().copied().unwrap_or(Share::ALL));
        Self { reader: ColumnReader::new(first, threads), turn: 0, shares, raw: None }
    }

    /// Takes a row of the statement at this place among those of all turns; they come one after another. Gives what a turn has
    /// gathered once it is over.
    pub(crate) fn push(&mut self, statement: usize, row: Row) -> Result<Option<Turn<T>>, QueryError> {
        let turn = statement / STATEMENTS;
        let over = if turn > self.turn { Some(self.next_turn(turn)?) } else { None };
        self.reader.push(statement % STATEMENTS, row)?;
        Ok(over)
    }

    fn next_turn(&mut self, turn: usize) -> Result<Turn<T>, QueryError> {
        self.turn = turn;
        let share = self.shares.get(turn).copied().unwrap_or(Share::ALL);
        let (taker, raw, hired) = self.reader.again(|taker| taker.of_share(share))?;
        self.raw.get_or_insert(raw);
        Ok((taker, hired))
    }

    /// What the last turn has gathered, and how many raw events were read.
    pub(crate) fn finish(self) -> Result<(Turn<T>, u64), QueryError> {
        let (taker, raw, hired) = self.reader.finish()?;
        Ok(((taker, hired), self.raw.unwrap_or(raw)))
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::super::shards::{SHARDS, shard_of};
    use super::*;

    fn some_of_sixteen(actor: u32) -> bool {
        Share { turn: 5, of: Turns(16) }.holds(actor)
    }

    #[test]
    fn an_actor_is_in_one_share_and_shares_are_alike() {
        let mut turns = Some(Turns::ONE);
        let mut met = Vec::new();
        while let Some(some) = turns {
            let held = |share: Share| (0..100_000).filter(|actor| share.holds(*actor)).count();
            let counts: Vec<usize> = some.shares().map(held).collect();
            assert_eq!(counts.iter().sum::<usize>(), 100_000);
            let (least, most) = (counts.iter().min().unwrap(), counts.iter().max().unwrap());
            assert!(most - least < 100_000 / counts.len() / 20, "{counts:?}");
            met.push(counts.len());
            turns = some.more();
        }
        assert_eq!(met, [1, 4, 16]);
        assert!((0..1_000).all(|actor| Share::ALL.holds(actor)));
        let shards: HashSet<usize> = (0..10_000).filter(|actor| some_of_sixteen(*actor)).map(shard_of).collect();
        assert_eq!(shards.len(), SHARDS, "a turn has work for every thread");
    }
}

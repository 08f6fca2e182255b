//! Shards of actors: what an actor did is put in order and folded by one thread, and each shard by itself fits a core's cache.

/// How many there are: many more than threads, so that these end together.
pub(super) const SHARDS: usize = 64;

/// The shard of an actor's key, which is a number and, in the lowest bit, of which kind it is.
pub(super) const fn shard_of(actor: u32) -> usize {
    (actor >> 1) as usize % SHARDS
}

/// The place of an actor's key in its shard: as close together as the numbers are.
pub(super) const fn place_in_shard(actor: u32) -> usize {
    (actor >> 1) as usize / SHARDS * 2 + (actor & 1) as usize
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn every_actor_has_a_place_of_its_own() {
        let places: HashSet<_> = (0..1_000).map(|actor| (shard_of(actor), place_in_shard(actor))).collect();
        assert_eq!(places.len(), 1_000);
        assert!(places.iter().all(|(shard, place)| *shard < SHARDS && *place < 1_000 / SHARDS + 2));
    }
}

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

/// With more actors for each item, as when few are left of many people, a count for each actor would take more than it saves.
const SPARSE: usize = 16;

/// The items of a shard by actor and what else they are told apart by; equal ones as they stand in one list after the other.
pub(super) fn ordered<T: Copy + Default, K: Ord>(
    lists: &[Vec<T>],
    actor: impl Fn(&T) -> u32,
    within: impl Fn(&T) -> K,
) -> Vec<T> {
    let count = lists.iter().map(Vec::len).sum();
    let place = |item: &T| place_in_shard(actor(item));
    let actors = lists.iter().flatten().map(|item| place(item) + 1).max().unwrap_or(0);
    if actors / SPARSE > count {
        let mut items = lists.concat();
        items.sort_by_key(|item| (actor(item), within(item)));
        return items;
    }
    // Counted first: how many items each actor has tells where they stand.
    let mut next = vec![0_u32; actors];
    for item in lists.iter().flatten() {
        if let Some(count) = next.get_mut(place(item)) {
            *count += 1;
        }
    }
    let mut sum = 0;
    for count in &mut next {
        sum += std::mem::replace(count, sum);
    }
    let mut all = vec![T::default(); count];
    for item in lists.iter().flatten() {
        if let Some(next) = next.get_mut(place(item)) {
            if let Some(slot) = all.get_mut(*next as usize) {
                *slot = *item;
            }
            *next += 1;
        }
    }
    // Quarters come in their order, but those of other lanes may stand in another list, and those of raw rows come last.
    for run in all.chunk_by_mut(|a, b| actor(a) == actor(b)) {
        if !run.is_sorted_by_key(&within) {
            run.sort_by_key(&within);
        }
    }
    all
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

    #[test]
    fn items_stand_by_actor_and_equal_ones_as_they_came() {
        let item = |actor: u32, at: i64, label: u32| (actor * SHARDS as u32 * 2, at, label);
        let ordered = |lists: &[Vec<(u32, i64, u32)>]| ordered(lists, |item| item.0, |item| item.1);
        let items = vec![item(4, 5, 0), item(1, 9, 0), item(4, 7, 1), item(4, 7, 2), item(1, 2, 0), item(4, 6, 0)];
        let expected = [item(1, 2, 0), item(1, 9, 0), item(4, 5, 0), item(4, 6, 0), item(4, 7, 1), item(4, 7, 2)];
        assert_eq!(ordered(std::slice::from_ref(&items)), expected);
        let (first, second) = items.split_at(2);
        assert_eq!(ordered(&[second.to_vec(), first.to_vec()]), expected);
        assert_eq!(ordered(&[]), []);
        let sparse = vec![item(1_000_000, 5, 0), item(3, 9, 1), item(3, 9, 2), item(3, 1, 0)];
        assert_eq!(ordered(&[sparse]), [item(3, 1, 0), item(3, 9, 1), item(3, 9, 2), item(1_000_000, 5, 0)]);
    }
}

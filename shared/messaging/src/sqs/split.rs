//! An entry as messages: one, or several where the queue takes none of that size.

use std::ops::Range;

use analytics_domain::Batch;
use uuid::Uuid;

use super::body::pack;

/// One message of an entry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Part {
    /// The message's body.
    pub(super) body: String,
    /// The events in it, by their place in the batch.
    pub(super) events: Range<u32>,
}

/// The messages of an entry of `events` events, each of at most `size_max` bytes; or why there can be none.
///
/// The first carries the batch's id and its counts of refused events, so that those count once; the others carry ids of their
/// own, since the store takes a batch that it knows for a redelivery. Each carries the facts of the request.
pub(super) fn parts(payload: &[u8], events: u32, size_max: usize) -> Result<Vec<Part>, String> {
    let body = pack(payload);
    if body.len() <= size_max {
        return Ok(vec![Part { body, events: 0..events }]);
    }
    let (batch, facts) = Batch::decode_apart(payload).map_err(|error| {
        format!("it has {} bytes as text, the queue takes {size_max}, and it cannot be split: {error}", body.len())
    })?;
    let mut parts: Vec<Part> = Vec::new();
    // What is still to be tried, the events that come first on top.
    let (left, right) = halves(&(0..batch.events.len()));
    let mut untried = vec![right, left];
    while let Some(range) = untried.pop() {
        let body = pack(&part_of(&batch, parts.len(), &range).encode_with(facts.as_ref()));
        if body.len() <= size_max {
            parts.push(Part { body, events: place(range.start)..place(range.end) });
        } else if range.len() <= 1 {
            return Err(format!("an event has {} bytes as text, and the queue takes {size_max}", body.len()));
        } else {
            let (left, right) = halves(&range);
            untried.extend([right, left]);
        }
    }
    Ok(parts)
}

fn halves(range: &Range<usize>) -> (Range<usize>, Range<usize>) {
    let middle = range.start + range.len() / 2;
    (range.start..middle, middle..range.end)
}

/// A place in a batch: there are at most thousands.
fn place(index: usize) -> u32 {
    u32::try_from(index).unwrap_or(u32::MAX)
}

/// Some events of a batch as a batch.
fn part_of<'a>(batch: &Batch<'a>, number: usize, events: &Range<usize>) -> Batch<'a> {
    Batch {
        id: if number == 0 { batch.id } else { part_id(batch.id, number) },
        refused: if number == 0 { batch.refused.clone() } else { Vec::new() },
        project: batch.project.clone(),
        received_at: batch.received_at,
        context: batch.context.clone(),
        events: batch.events[events.clone()].to_vec(),
    }
}

/// The id of a further part: always the same for the same batch, and beside it in any order of ids by time.
fn part_id(batch: Uuid, number: usize) -> Uuid {
    let mut bytes = Uuid::new_v5(&batch, &number.to_be_bytes()).into_bytes();
    bytes[..8].copy_from_slice(&batch.as_bytes()[..8]);
    Uuid::new_v8(bytes)
}

#[cfg(test)]
mod tests {
    use std::borrow::Cow;
    use std::collections::BTreeSet;

    use analytics_domain::facts::{Derived, Facts};
    use analytics_domain::{Event, Project, Timestamp};
    use proptest::prelude::*;

    use super::super::body::unpack;
    use super::*;

    /// Text that does not compress well.
    fn noise(seed: u64, bytes: usize) -> String {
        let mut state = seed.wrapping_mul(2).wrapping_add(1);
        let mut draw = || {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_"[(state >> 58) as usize]
        };
        (0..bytes).map(|_| char::from(draw())).collect()
    }

    fn batch(sizes: &[usize]) -> Batch<'static> {
        let event = |(index, size): (usize, &usize)| Event {
            id: Uuid::from_u128(index as u128),
            client_id: true,
            session_id: "s".into(),
            user_id: None,
            event_type: "t".into(),
            event_action: "a".into(),
            metadata: Cow::Owned(format!("{{\"a\":\"{}\"}}", noise(index as u64, *size))),
            timestamp: Timestamp::from_micros(1),
        };
        Batch {
            id: Uuid::from_u128(0x0190_0000_0000_7000_8000_0000_0000_0001),
            project: Project::default(),
            received_at: Timestamp::from_micros(1_700_000_000_000_000),
            refused: vec![("invalid_field".into(), 3)],
            context: None,
            events: sizes.iter().enumerate().map(event).collect(),
        }
    }

    #[test]
    fn what_fits_is_one_message_even_where_it_is_no_batch() {
        let payload = batch(&[10, 10]).encode();
        let one = parts(&payload, 2, 1_000).unwrap();
        assert_eq!((one.len(), one[0].events.clone(), unpack(&one[0].body)), (1, 0..2, payload.into()));
        assert_eq!(parts(b"junk", 7, 1_000).unwrap()[0].events, 0..7);
    }

    #[test]
    fn what_cannot_be_split_says_why() {
        let junk = parts(noise(1, 5_000).as_bytes(), 1, 1_000).unwrap_err();
        assert!(junk.contains("takes 1000") && junk.contains("no batch"), "{junk}");
        let event = parts(&batch(&[10, 5_000, 10]).encode(), 3, 1_000).unwrap_err();
        assert!(event.contains("an event has"), "{event}");
    }

    #[test]
    fn parts_have_ids_that_are_always_the_same() {
        let payload = batch(&[600; 9]).encode();
        let (first, second) = (parts(&payload, 9, 1_500).unwrap(), parts(&payload, 9, 1_500).unwrap());
        assert_eq!(first, second);
        let other = Batch { id: Uuid::from_u128(2), ..batch(&[600; 9]) }.encode();
        let ids = |parts: &[Part]| -> Vec<Uuid> {
            parts.iter().map(|part| Batch::decode(&unpack(&part.body)).unwrap().id).collect()
        };
        let all: BTreeSet<Uuid> = ids(&first).into_iter().chain(ids(&parts(&other, 9, 1_500).unwrap())).collect();
        assert_eq!(all.len(), 2 * first.len());
        let times: BTreeSet<u64> = ids(&first).iter().map(|id| id.as_u64_pair().0 >> 16).collect();
        assert_eq!(times.len(), 1, "they lie together");
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(40))]
        #[test]
        fn parts_together_are_the_batch(
            sizes in proptest::collection::vec(0..900_usize, 1..60),
            size_max in 1_500..9_000_usize,
            told in proptest::bool::ANY,
        ) {
            let whole = batch(&sizes);
            let facts = Facts::new(&[("browser", "Firefox".into())], None, Derived::default()).filter(|_| told);
            let split = parts(&whole.encode_with(facts.as_ref()), place(sizes.len()), size_max).unwrap();
            let mut events = Vec::new();
            for (number, part) in split.iter().enumerate() {
                prop_assert!(part.body.len() <= size_max);
                prop_assert_eq!(part.events.start as usize, events.len());
                let payload = unpack(&part.body);
                let (read, beside) = Batch::decode_apart(&payload).unwrap();
                prop_assert_eq!(&beside, &facts);
                prop_assert_eq!(read.events.len(), part.events.len());
                prop_assert_eq!(read.refused.is_empty(), number > 0);
                prop_assert_eq!(read.id == whole.id, number == 0);
                let head = (&read.project, read.received_at, &read.context);
                prop_assert_eq!(head, (&whole.project, whole.received_at, &whole.context));
                for event in read.events {
                    let owned = Event { session_id: "s".into(), event_type: "t".into(), event_action: "a".into(),
                        metadata: event.metadata.into_owned().into(), user_id: None, ..whole.events[events.len()].clone() };
                    prop_assert_eq!(event.id, owned.id);
                    events.push(owned);
                }
            }
            prop_assert_eq!(events, whole.events);
        }
    }
}

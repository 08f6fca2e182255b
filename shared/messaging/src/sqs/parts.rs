//! An entry in as few messages as the queue's limit allows.

use std::ops::Range;

use analytics_domain::Batch;
use uuid::Uuid;

use super::text::pack;

/// A message of an entry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Part {
    /// Its text; none where a single event is too large for any message.
    pub(super) body: Option<String>,
    /// Which events of the batch it holds.
    pub(super) events: Range<usize>,
}

/// The messages of an entry of `events` events, each of at most `limit` bytes: one, or, where that is too large, halves of
/// halves of its batch.
///
/// The first part keeps the batch's id and its counts of refused events. Each other one gets an id of its own, made from the
/// batch's and its place, so that sending the entry again sends the same parts.
pub(super) fn split(payload: &[u8], events: u32, limit: usize) -> Vec<Part> {
    let body = pack(payload);
    let events = 0..events as usize;
    if body.len() <= limit {
        return vec![Part { body: Some(body), events }];
    }
    match Batch::decode(payload) {
        Ok(batch) if !batch.events.is_empty() => {
            let mut parts = Vec::new();
            halve(&batch, 0..batch.events.len(), limit, &mut parts);
            parts
        }
        _ => vec![Part { body: None, events }],
    }
}

fn halve(batch: &Batch<'_>, events: Range<usize>, limit: usize, parts: &mut Vec<Part>) {
    let whole = events.len() == batch.events.len();
    // The whole is known to be too large.
    let body = if whole && events.len() > 1 { None } else { Some(pack(&part(batch, &events).encode())) };
    match body.filter(|body| body.len() <= limit) {
        Some(body) => parts.push(Part { body: Some(body), events }),
        None if events.len() > 1 => {
            let middle = events.start + events.len() / 2;
            halve(batch, events.start..middle, limit, parts);
            halve(batch, middle..events.end, limit, parts);
        }
        None => parts.push(Part { body: None, events }),
    }
}

fn part<'a>(batch: &Batch<'a>, events: &Range<usize>) -> Batch<'a> {
    let is_first = events.start == 0;
    Batch {
        id: if is_first { batch.id } else { Uuid::new_v5(&batch.id, &(events.start as u64).to_be_bytes()) },
        project: batch.project.clone(),
        received_at: batch.received_at,
        refused: if is_first { batch.refused.clone() } else { Vec::new() },
        context: batch.context.clone(),
        events: batch.events.get(events.clone()).unwrap_or_default().to_vec(),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use analytics_domain::{Event, Project, Timestamp};
    use proptest::prelude::*;

    use super::super::text::unpack;
    use super::*;

    fn batch(sizes: &[usize], seed: u64) -> Batch<'static> {
        // Texts that do not compress: the digits of a simple generator of random numbers.
        let mut state = seed | 1;
        let mut text = |size: usize| -> String {
            let mut next = || {
                state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                char::from(b' ' + ((state >> 33) % 90) as u8)
            };
            (0..size).map(|_| next()).collect()
        };
        let event = |(index, size): (usize, &usize)| Event {
            id: Uuid::from_u128(index as u128),
            client_id: true,
            session_id: "s".into(),
            user_id: None,
            event_type: "t".into(),
            event_action: "a".into(),
            metadata: text(*size).into(),
            timestamp: Timestamp::from_micros(index as i64),
        };
        Batch {
            id: Uuid::from_u128(seed.into()),
            project: Project::default(),
            received_at: Timestamp::from_micros(1),
            refused: vec![("invalid_field".into(), 3)],
            context: None,
            events: sizes.iter().enumerate().map(event).collect(),
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn every_event_is_in_one_part(sizes in prop::collection::vec(0_usize..3_000, 1..60), seed: u64, limit in 6_000_usize..30_000) {
            let whole = batch(&sizes, seed);
            let parts = split(&whole.encode(), sizes.len() as u32, limit);
            let mut events = Vec::new();
            let mut ids = BTreeSet::new();
            let mut refused = 0;
            for part in &parts {
                let body = part.body.as_ref().unwrap();
                prop_assert!(body.len() <= limit);
                let entry = unpack(body);
                let read = Batch::decode(&entry).unwrap();
                prop_assert_eq!(part.events.clone(), events.len()..events.len() + read.events.len());
                refused += read.refused.len();
                ids.insert(read.id);
                events.extend(read.events.into_iter().map(|event| (event.id, event.metadata.into_owned())));
            }
            prop_assert_eq!(ids.len(), parts.len());
            prop_assert!(ids.contains(&whole.id));
            prop_assert_eq!(refused, 1);
            let sent: Vec<_> = whole.events.iter().map(|event| (event.id, event.metadata.to_string())).collect();
            prop_assert_eq!(events, sent);
            prop_assert_eq!(split(&whole.encode(), sizes.len() as u32, limit), parts);
        }
    }

    #[test]
    fn an_event_beyond_the_limit_hurts_no_other() {
        let whole = batch(&[10, 20_000, 10], 7);
        let parts = split(&whole.encode(), 3, 4_000);
        let lost: Vec<_> = parts.iter().filter(|part| part.body.is_none()).map(|part| part.events.clone()).collect();
        assert_eq!(lost, [1..2]);
        assert_eq!(parts.iter().map(|part| part.events.len()).sum::<usize>(), 3);
        assert_eq!(split(&[9; 1], 5, 1), [Part { body: None, events: 0..5 }]);
    }
}

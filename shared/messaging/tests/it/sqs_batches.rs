//! Batches as a collector makes them, of a size that tests choose.

use analytics_domain::{Batch, Event, Project, Timestamp};
use analytics_messaging::Entry;
use uuid::Uuid;

/// So many events, each with metadata of about so many bytes that do not compress to much less.
pub(crate) fn batch(events: usize, metadata_bytes: usize) -> Batch<'static> {
    let noise = || (0..metadata_bytes.div_ceil(32)).map(|_| Uuid::new_v4().simple().to_string()).collect::<String>();
    let event = |_| Event {
        id: Uuid::new_v4(),
        client_id: true,
        session_id: "s".into(),
        user_id: None,
        event_type: "t".into(),
        event_action: "a".into(),
        metadata: format!("{{\"noise\":\"{}\"}}", noise()).into(),
        timestamp: Timestamp::from_micros(1_700_000_000_000_000),
    };
    Batch {
        id: Uuid::new_v4(),
        project: Project::default(),
        received_at: Timestamp::from_micros(1_700_000_000_000_000),
        refused: vec![("invalid_field".into(), 2), ("too_large".into(), 1)],
        context: None,
        events: (0..events).map(event).collect(),
    }
}

/// The entry that a collector makes of a batch.
pub(crate) fn entry_of(batch: &Batch<'_>) -> Entry {
    let events = u32::try_from(batch.events.len()).unwrap();
    Entry { project: batch.project.clone(), events, payload: batch.encode().into() }
}

/// The ids of a batch's events.
pub(crate) fn event_ids(batch: &Batch<'_>) -> impl Iterator<Item = Uuid> {
    batch.events.iter().map(|event| event.id)
}

//! What became of an event: every event of a batch ends in exactly one of these.

/// The end of one accepted event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EventOutcome {
    /// It is in the store now and was not before.
    Stored,
    /// Its id was stored before, by this or another batch, or stands twice in this one.
    Duplicate,
    /// It aged past the retention while it waited; it is counted and dropped.
    Expired,
    /// The store cannot take it; it is kept as a dead letter with its reason.
    DeadLettered,
    /// It is of somebody who was erased after it was accepted; it is counted and dropped.
    Erased,
}

/// What became of a batch's events, in their order.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct BatchOutcome {
    /// One outcome an event.
    pub events: Vec<EventOutcome>,
}

impl BatchOutcome {
    /// How many events ended as `outcome`.
    #[must_use]
    pub fn count(&self, outcome: EventOutcome) -> usize {
        self.events.iter().filter(|event| **event == outcome).count()
    }
}

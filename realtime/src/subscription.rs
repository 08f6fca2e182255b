//! One subscription of a reader, as all who write to that reader know it.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::payload::json_text;

/// A client's name for a subscription, with its JSON form at hand; cheap to clone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct SubscriptionId {
    text: Arc<str>,
    json: Arc<str>,
}

impl SubscriptionId {
    /// Takes an id that was checked already.
    pub(crate) fn new(text: &str) -> Self {
        Self { text: text.into(), json: json_text(text).into() }
    }

    /// The id.
    pub(crate) fn as_str(&self) -> &str {
        &self.text
    }

    /// The id as a JSON text, with its quotes.
    pub(crate) fn json(&self) -> &str {
        &self.json
    }
}

/// A subscription; once it has ended nothing of it is queued any more, whoever still holds it.
#[derive(Debug)]
pub(crate) struct Subscription {
    id: SubscriptionId,
    ended: AtomicBool,
}

impl Subscription {
    /// A subscription that runs.
    pub(crate) fn new(id: &str) -> Arc<Self> {
        Arc::new(Self { id: SubscriptionId::new(id), ended: AtomicBool::new(false) })
    }

    /// Its id.
    pub(crate) fn id(&self) -> &SubscriptionId {
        &self.id
    }

    /// Whether it has ended.
    pub(crate) fn has_ended(&self) -> bool {
        self.ended.load(Ordering::Acquire)
    }

    /// Ends it; what is queued already goes with [`crate::outbox::Outbox::forget`].
    pub(crate) fn end(&self) {
        self.ended.store(true, Ordering::Release);
    }
}

//! A reader that comes back reads the feed's history by itself, until it has caught up with everybody else.

use std::sync::Arc;
use std::time::Duration;

use analytics_domain::Project;
use analytics_messaging::{FeedCursor, FeedItem, Resume};
use futures::FutureExt as _;
use tracing::debug;

use crate::event_filter::EventFilter;
use crate::fanout::{Channel, Hub, Seat};
use crate::outbox::Outbox;
use crate::payload::Payload;
use crate::recent::RecentIds;
use crate::subscription::Subscription;

/// Pause after the feed failed.
const PAUSE: Duration = Duration::from_secs(1);

/// What a resuming subscription needs.
pub(crate) struct Resuming {
    /// Where history comes from.
    pub(crate) hub: Arc<Hub>,
    /// Where the reader ends up.
    pub(crate) channel: Arc<Channel>,
    /// Whose feed it is.
    pub(crate) project: Project,
    /// What the reader wants to see.
    pub(crate) filter: Arc<EventFilter>,
    /// The subscription.
    pub(crate) subscription: Arc<Subscription>,
    /// The reader's queue.
    pub(crate) outbox: Arc<Outbox>,
    /// The last message that the reader has seen.
    pub(crate) since: FeedCursor,
    /// How many ids are remembered.
    pub(crate) recent_ids: usize,
}

impl Resuming {
    /// Shows what came after `since`, at the reader's pace, and then takes a seat in the channel.
    ///
    /// Until the two meet, the reader is served by a subscription of its own: nothing is lost or shown twice in between.
    /// Dropping the future ends it.
    pub(crate) async fn run(mut self) -> Seat {
        let mut recent = RecentIds::new(self.recent_ids);
        loop {
            match self.read(&mut recent).await {
                Ok(seat) => return seat,
                Err(error) => {
                    debug!(error = &error as &dyn std::error::Error, "a reader's history cannot be read; trying again");
                    tokio::time::sleep(PAUSE).await;
                }
            }
        }
    }

    async fn read(&mut self, recent: &mut RecentIds) -> Result<Seat, analytics_messaging::FeedError> {
        let mut history = self.hub.feed().subscribe(&self.project, Resume::After(self.since)).await?;
        loop {
            // What is there already is shown before the two are compared.
            let item = match history.next().now_or_never() {
                Some(item) => item?,
                None => {
                    let reached = history.position();
                    let joined = self.channel.join_after(reached, &self.filter, &self.subscription, &self.outbox);
                    if let Some(seat) = joined {
                        return Ok(seat);
                    }
                    history.next().await?
                }
            };
            match item {
                FeedItem::Missed(missed) => {
                    let missed = if self.filter.passes_all() { missed } else { None };
                    self.outbox.gap(&self.subscription, missed);
                }
                FeedItem::Messages(messages) => {
                    for message in messages.iter() {
                        if recent.is_new(message.event.id) && self.filter.matches(&message.event) {
                            self.outbox.room_for_event().await;
                            self.outbox.event(&self.subscription, &Payload::of_event(message));
                        }
                    }
                }
            }
            self.since = history.position();
        }
    }
}

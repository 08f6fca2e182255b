//! One task a project reads the feed once and hands each event to every reader that wants it.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use analytics_domain::Project;
use analytics_messaging::{Feed, FeedCursor, FeedItem, FeedMessage, FeedSubscription, Resume};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use crate::event_filter::EventFilter;
use crate::outbox::Outbox;
use crate::payload::Payload;
use crate::recent::RecentIds;
use crate::refusal::Refusal;
use crate::subscription::Subscription;

/// How long a new reader waits for the feed before it is told that it is away.
const READY_WITHIN: Duration = Duration::from_secs(5);

/// Longest pause between two tries to reach the feed.
const LONGEST_PAUSE: Duration = Duration::from_secs(5);

/// The projects that have readers in this process.
pub(crate) struct Hub {
    feed: Arc<dyn Feed>,
    recent_ids: usize,
    channels: Mutex<HashMap<Project, Weak<Channel>>>,
}

/// One project's readers; its task lives as long as somebody holds the channel.
pub(crate) struct Channel {
    project: Project,
    hub: Weak<Hub>,
    audience: Mutex<Audience>,
    is_reading: watch::Sender<bool>,
    commits: watch::Sender<u64>,
    stop: CancellationToken,
}

#[derive(Default)]
struct Audience {
    /// Up to where the feed was handed out; `None` until it is read for the first time.
    position: Option<FeedCursor>,
    /// Readers by their filter's normal form: a filter is tried once an event, however many readers share it.
    groups: HashMap<Arc<str>, Group>,
    next_seat: u64,
}

struct Group {
    filter: Arc<EventFilter>,
    members: HashMap<u64, Member>,
}

struct Member {
    /// What was shown to this reader already, out of the feed's history.
    after: Option<FeedCursor>,
    subscription: Arc<Subscription>,
    outbox: Arc<Outbox>,
}

/// A reader's place in a channel; dropping it gives the place up.
pub(crate) struct Seat {
    channel: Arc<Channel>,
    filter: Arc<str>,
    number: u64,
}

impl Hub {
    /// No channels yet.
    pub(crate) fn new(feed: Arc<dyn Feed>, recent_ids: usize) -> Arc<Self> {
        Arc::new(Self { feed, recent_ids, channels: Mutex::new(HashMap::new()) })
    }

    /// The feed itself, for those who read history.
    pub(crate) fn feed(&self) -> &Arc<dyn Feed> {
        &self.feed
    }

    /// The project's channel, reading: what is published from now on comes through it.
    pub(crate) async fn channel(self: &Arc<Self>, project: &Project) -> Result<Arc<Channel>, Refusal> {
        let channel = self.open(project);
        let mut is_reading = channel.is_reading.subscribe();
        let reads = tokio::time::timeout(READY_WITHIN, is_reading.wait_for(|is_reading| *is_reading)).await.is_ok();
        if reads { Ok(channel) } else { Err(feed_unavailable()) }
    }

    fn open(self: &Arc<Self>, project: &Project) -> Arc<Channel> {
        let mut channels = self.channels.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(channel) = channels.get(project).and_then(Weak::upgrade) {
            return channel;
        }
        let channel = Arc::new(Channel {
            project: project.clone(),
            hub: Arc::downgrade(self),
            audience: Mutex::default(),
            is_reading: watch::Sender::new(false),
            commits: watch::Sender::new(0),
            stop: CancellationToken::new(),
        });
        channels.insert(project.clone(), Arc::downgrade(&channel));
        let reading = read_feed(
            Arc::clone(&self.feed),
            project.clone(),
            Arc::downgrade(&channel),
            channel.stop.clone(),
            RecentIds::new(self.recent_ids),
        );
        tokio::spawn(reading);
        channel
    }
}

impl Channel {
    /// Seats a reader: it gets what is handed out from now on.
    pub(crate) fn join(
        self: &Arc<Self>,
        filter: &Arc<EventFilter>,
        subscription: &Arc<Subscription>,
        outbox: &Arc<Outbox>,
    ) -> Seat {
        self.seat(&mut self.audience(), None, filter, subscription, outbox)
    }

    /// Seats a reader that has read the feed up to `after` by itself, if that is as far as this channel: then everything
    /// later comes through the channel, once. `None` where the channel is further ahead or does not know how far it is.
    pub(crate) fn join_after(
        self: &Arc<Self>,
        after: FeedCursor,
        filter: &Arc<EventFilter>,
        subscription: &Arc<Subscription>,
        outbox: &Arc<Outbox>,
    ) -> Option<Seat> {
        let mut audience = self.audience();
        if audience.position.is_none_or(|position| position > after) {
            return None;
        }
        Some(self.seat(&mut audience, Some(after), filter, subscription, outbox))
    }

    /// Rises with everything that is heard of the project; a wake-up for those who ask the store.
    pub(crate) fn commits(&self) -> watch::Receiver<u64> {
        self.commits.subscribe()
    }

    /// Up to where the feed was handed out.
    pub(crate) fn position(&self) -> Option<FeedCursor> {
        self.audience().position
    }

    fn seat(
        self: &Arc<Self>,
        audience: &mut Audience,
        after: Option<FeedCursor>,
        filter: &Arc<EventFilter>,
        subscription: &Arc<Subscription>,
        outbox: &Arc<Outbox>,
    ) -> Seat {
        let number = audience.next_seat;
        audience.next_seat += 1;
        let member = Member { after, subscription: Arc::clone(subscription), outbox: Arc::clone(outbox) };
        audience
            .groups
            .entry(Arc::clone(filter.normal_form()))
            .or_insert_with(|| Group { filter: Arc::clone(filter), members: HashMap::new() })
            .members
            .insert(number, member);
        Seat { channel: Arc::clone(self), filter: Arc::clone(filter.normal_form()), number }
    }

    fn hand_out(&self, message: &FeedMessage, is_new: bool) {
        let mut audience = self.audience();
        audience.position = Some(message.cursor);
        if !is_new {
            return;
        }
        let mut payload = None;
        for group in audience.groups.values() {
            if group.members.is_empty() || !group.filter.matches(&message.event) {
                continue;
            }
            let payload = payload.get_or_insert_with(|| Payload::of_event(message));
            for member in group.members.values() {
                if member.after.is_none_or(|after| after < message.cursor) {
                    member.outbox.event(&member.subscription, payload);
                }
            }
        }
    }

    /// Tells every reader of a gap. How many of a filtered reader's events are in it nobody knows.
    fn tell_gap(&self, missed: Option<u64>) {
        for group in self.audience().groups.values() {
            let missed = if group.filter.passes_all() { missed } else { None };
            for member in group.members.values() {
                member.outbox.gap(&member.subscription, missed);
            }
        }
    }

    fn move_to(&self, position: FeedCursor) {
        self.audience().position = Some(position);
    }

    fn tell_commit(&self) {
        self.commits.send_modify(|commits| *commits = commits.wrapping_add(1));
    }

    fn audience(&self) -> MutexGuard<'_, Audience> {
        self.audience.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Channel {
    fn drop(&mut self) {
        self.stop.cancel();
        if let Some(hub) = self.hub.upgrade() {
            let mut channels = hub.channels.lock().unwrap_or_else(PoisonError::into_inner);
            // A new channel of the project may stand there already.
            if channels.get(&self.project).is_some_and(|channel| channel.strong_count() == 0) {
                channels.remove(&self.project);
            }
        }
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        let mut audience = self.channel.audience();
        if let Some(group) = audience.groups.get_mut(&self.filter) {
            group.members.remove(&self.number);
            if group.members.is_empty() {
                audience.groups.remove(&self.filter);
            }
        }
    }
}

/// The refusal while the feed's server is away.
pub(crate) fn feed_unavailable() -> Refusal {
    Refusal::new("feed_unavailable", "the live feed cannot be read now; try again in a few seconds").passing()
}

/// Reads a project's feed until its channel is gone, over any failure of the feed's server.
async fn read_feed(
    feed: Arc<dyn Feed>,
    project: Project,
    channel: Weak<Channel>,
    stop: CancellationToken,
    mut recent: RecentIds,
) {
    let mut pause = Duration::from_millis(100);
    loop {
        let Some(position) = channel.upgrade().map(|channel| channel.position()) else { return };
        let from = position.map_or(Resume::Now, Resume::After);
        let subscribed = tokio::select! {
            () = stop.cancelled() => return,
            subscribed = feed.subscribe(&project, from) => subscribed,
        };
        let error = match subscribed {
            Ok(subscription) => {
                let Some(held) = channel.upgrade() else { return };
                if position.is_none() {
                    held.move_to(subscription.position());
                } else {
                    info!(project = %project, "the live feed is read again");
                    held.tell_commit();
                }
                held.is_reading.send_replace(true);
                drop(held);
                pause = Duration::from_millis(100);
                match read_subscription(subscription, &channel, &stop, &mut recent).await {
                    Ok(()) => return,
                    Err(error) => error,
                }
            }
            Err(error) => error,
        };
        let Some(held) = channel.upgrade() else { return };
        held.is_reading.send_replace(false);
        drop(held);
        warn!(project = %project, error = &error as &dyn std::error::Error, "the live feed cannot be read; trying again");
        tokio::select! {
            () = stop.cancelled() => return,
            () = tokio::time::sleep(pause) => {}
        }
        pause = (pause * 2).min(LONGEST_PAUSE);
    }
}

/// Hands out what comes; ends with `Ok` when the channel is gone.
async fn read_subscription(
    mut subscription: Box<dyn FeedSubscription>,
    channel: &Weak<Channel>,
    stop: &CancellationToken,
    recent: &mut RecentIds,
) -> Result<(), analytics_messaging::FeedError> {
    loop {
        let item = tokio::select! {
            () = stop.cancelled() => return Ok(()),
            item = subscription.next() => item?,
        };
        let Some(channel) = channel.upgrade() else { return Ok(()) };
        match item {
            FeedItem::Messages(messages) => {
                for (index, message) in messages.iter().enumerate() {
                    channel.hand_out(message, recent.is_new(message.event.id));
                    // A thousand readers times a full item is a long piece of work: others get their turn in between.
                    if index % 16 == 15 {
                        tokio::task::yield_now().await;
                    }
                }
            }
            FeedItem::Missed(missed) => {
                channel.tell_gap(missed);
                channel.move_to(subscription.position());
            }
        }
        channel.tell_commit();
    }
}

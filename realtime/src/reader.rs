//! One connection's subscriptions, whatever it is connected by.

use std::collections::HashMap;
use std::sync::Arc;

use analytics_domain::Project;
use tokio::task::JoinHandle;

use crate::event_filter::EventFilter;
use crate::fanout::{Hub, Seat};
use crate::limits::Limits;
use crate::live_query::{LiveBoard, LiveSeat};
use crate::message::{Subscribe, Wish, id_in_use, too_many};
use crate::outbox::Outbox;
use crate::refusal::Refusal;
use crate::resume::Resuming;
use crate::subscription::Subscription;

/// What readers share.
#[derive(Clone)]
pub(crate) struct Sources {
    /// The projects' feeds.
    pub(crate) hub: Arc<Hub>,
    /// The live queries.
    pub(crate) board: Arc<LiveBoard>,
    /// The bounds.
    pub(crate) limits: Arc<Limits>,
}

/// A reader; dropping it ends its subscriptions.
pub(crate) struct Reader {
    project: Project,
    sources: Sources,
    outbox: Arc<Outbox>,
    subscriptions: HashMap<String, Running>,
}

struct Running {
    subscription: Arc<Subscription>,
    _source: Source,
}

#[expect(dead_code, reason = "a source is held for what it does when it is dropped")]
enum Source {
    Events(Seat),
    Resuming(Task),
    Live(LiveSeat),
}

/// A task that ends with its owner.
struct Task(JoinHandle<()>);

impl Drop for Task {
    fn drop(&mut self) {
        self.0.abort();
    }
}

impl Reader {
    /// A reader of a project's data that takes from `outbox`.
    pub(crate) fn new(project: Project, sources: Sources, outbox: Arc<Outbox>) -> Self {
        Self { project, sources, outbox, subscriptions: HashMap::new() }
    }

    /// Begins a subscription. When this returns, what is published from now on is shown.
    pub(crate) async fn subscribe(&mut self, wish: Subscribe) -> Result<(), Refusal> {
        self.subscriptions.retain(|_, running| !running.subscription.has_ended());
        if self.subscriptions.contains_key(&wish.id) {
            return Err(id_in_use(&wish.id));
        }
        if self.subscriptions.len() >= self.sources.limits.subscriptions {
            return Err(too_many(self.sources.limits.subscriptions));
        }
        let subscription = Subscription::new(&wish.id);
        let source = match wish.what {
            Wish::Query(question) => {
                // A snapshot holds everything that was missed: `since` has nothing to add.
                let board = &self.sources.board;
                Source::Live(board.subscribe(&self.project, question, &subscription, &self.outbox).await?)
            }
            Wish::Events(filters) => {
                let filter = Arc::new(EventFilter::read(&filters)?);
                let channel = self.sources.hub.channel(&self.project).await?;
                match wish.since {
                    None => Source::Events(channel.join(&filter, &subscription, &self.outbox)),
                    Some(since) => {
                        let resuming = Resuming {
                            hub: Arc::clone(&self.sources.hub),
                            channel,
                            project: self.project.clone(),
                            filter,
                            subscription: Arc::clone(&subscription),
                            outbox: Arc::clone(&self.outbox),
                            since,
                            recent_ids: self.sources.limits.recent_ids,
                        };
                        Source::Resuming(Task(tokio::spawn(async move {
                            // The seat lives as long as this task, which lives as long as the subscription.
                            let _seat = resuming.run().await;
                            std::future::pending::<()>().await;
                        })))
                    }
                }
            }
        };
        self.subscriptions.insert(wish.id, Running { subscription, _source: source });
        Ok(())
    }

    /// Ends a subscription; nothing of it is sent any more.
    pub(crate) fn unsubscribe(&mut self, id: &str) -> Result<(), Refusal> {
        let running = self.subscriptions.remove(id).ok_or_else(|| {
            Refusal::new("unknown_subscription", format!("this connection has no subscription {id:?}")).at("id")
        })?;
        running.subscription.end();
        self.outbox.forget(&running.subscription);
        Ok(())
    }
}

impl Drop for Reader {
    fn drop(&mut self) {
        for running in self.subscriptions.values() {
            running.subscription.end();
        }
    }
}

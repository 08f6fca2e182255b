//! One processor's side of a queue.

use std::collections::{HashMap, HashSet, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use analytics_domain::envelope::count_events;
use async_trait::async_trait;
use aws_sdk_sqs::config::Config;
use aws_sdk_sqs::types::{
    ChangeMessageVisibilityBatchRequestEntry, DeleteMessageBatchRequestEntry, Message, MessageSystemAttributeName,
};
use tokio::sync::oneshot;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, timeout_at};

use super::batch::{Answer, id, settle};
use super::body::unpack;
use super::fault::Fault;
use super::link::{Link, MOST_ENTRIES, REQUEST_TIME, timeouts};
use crate::queue::{Consumer, Delivery, QueueError, Receipt};

/// The longest that SQS holds back an answer, in seconds.
const LONGEST_POLL: u64 = 20;

/// How long full answers are followed by further requests, so that a backlog is worked off in large transactions.
const GATHER_TIME: Duration = Duration::from_millis(500);

/// Batch requests under way at once, at most.
const MOST_REQUESTS: usize = 8;

/// The longest visibility timeout that SQS takes, in seconds.
const LONGEST_VISIBILITY: u64 = 12 * 3_600;

/// A wait that lacks no more than this to a whole second is taken for one.
const ROUNDING: Duration = Duration::from_millis(50);

/// What a request for messages ends with: messages, and until when they are ours.
type Polled = Result<(Vec<Message>, Instant), Fault>;

/// A consumer; its name means nothing to SQS.
#[derive(Debug)]
pub(super) struct SqsConsumer {
    link: Arc<Link>,
    /// In whole seconds, as SQS counts it.
    visibility: Duration,
    /// A request under way, kept over dropped futures: its messages are ours.
    polling: Option<oneshot::Receiver<Polled>>,
    /// Received and not yet given out.
    ready: VecDeque<Delivery>,
    /// Until when receipts are ours. After that they may be another's, and a receipt of old would change its hold.
    held: HashMap<String, Instant>,
}

impl SqsConsumer {
    pub(super) fn new(link: Arc<Link>, visibility: Duration) -> Self {
        let seconds = visibility.as_secs() + u64::from(visibility.subsec_nanos() > 0);
        let visibility = Duration::from_secs(seconds.clamp(1, LONGEST_VISIBILITY));
        Self { link, visibility, polling: None, ready: VecDeque::new(), held: HashMap::new() }
    }

    /// Begins to ask for messages, which SQS holds back for up to `seconds` until there are any.
    fn poll(&mut self, most: usize, seconds: u64) {
        let (answer, answered) = oneshot::channel();
        let (link, visibility) = (Arc::clone(&self.link), self.visibility);
        tokio::spawn(async move {
            let received = receive(&link, most, seconds, visibility).await;
            // The consumer is gone: another one gets them at once.
            if let Err(Ok((messages, _))) = answer.send(received) {
                let receipts = messages.into_iter().filter_map(|message| message.receipt_handle).collect();
                let _ = change_visibility(link, receipts, Duration::ZERO).await;
            }
        });
        self.polling = Some(answered);
    }

    /// Waits for the request under way, until `until` at most; whether its answer was full, `None` where there is none yet.
    async fn take_polled(&mut self, until: Instant) -> Result<Option<bool>, Fault> {
        let Some(polling) = &mut self.polling else { return Ok(None) };
        let Ok(answered) = timeout_at(until, polling).await else { return Ok(None) };
        self.polling = None;
        let (messages, held_until) =
            answered.unwrap_or_else(|_| Err(Fault::Unanswered("the queue is shutting down".to_owned())))?;
        if held_until <= Instant::now() {
            return Ok(Some(false));
        }
        let full = messages.len() >= MOST_ENTRIES;
        for message in messages {
            let delivery = delivery(message);
            if let Some(events) = count_events(&delivery.payload) {
                self.link.mean.saw(events as u64);
            }
            self.held.insert(delivery.receipt.0.clone(), held_until);
            self.ready.push_back(delivery);
        }
        Ok(Some(full))
    }

    /// Waits for the first messages; whether there may be more at once.
    async fn first(&mut self, most: usize, wait: Duration) -> Result<bool, Fault> {
        let until = Instant::now() + wait;
        let mut full = false;
        // What a dropped future asked for comes first; it may take longer than this one waits.
        if self.polling.is_some() {
            full = self.take_polled(until).await?.unwrap_or(false);
        }
        let mut asked = false;
        while self.ready.is_empty() && self.polling.is_none() {
            let left = until.saturating_duration_since(Instant::now());
            if asked && left < Duration::from_secs(1) {
                // SQS holds back whole seconds only, and each request costs money.
                sleep(left).await;
                break;
            }
            self.poll(most, (left + ROUNDING).as_secs().min(LONGEST_POLL));
            asked = true;
            full = self.take_polled(until + REQUEST_TIME).await?.unwrap_or(false);
        }
        Ok(full)
    }

    /// Asks on while answers are full.
    async fn more(&mut self, most: usize) {
        let until = Instant::now() + GATHER_TIME;
        let mut full = true;
        while full && self.ready.len() < most && Instant::now() < until {
            self.poll(most - self.ready.len(), 0);
            // A fault is met again, and told then: what is there already is worked on first.
            full = matches!(self.take_polled(until + REQUEST_TIME).await, Ok(Some(true)));
        }
    }

    /// Those of the receipts whose entries are still held, each once.
    fn held_of(&self, receipts: &[Receipt]) -> Vec<String> {
        let now = Instant::now();
        let receipts: HashSet<&str> = receipts.iter().map(|receipt| receipt.0.as_str()).collect();
        let held = |receipt: &&str| self.held.get(*receipt).is_some_and(|until| *until > now);
        receipts.into_iter().filter(held).map(str::to_owned).collect()
    }
}

#[async_trait]
impl Consumer for SqsConsumer {
    async fn receive(&mut self, most: usize, wait: Duration) -> Result<Vec<Delivery>, QueueError> {
        if most == 0 {
            return Ok(Vec::new());
        }
        let now = Instant::now();
        self.held.retain(|_, until| *until > now);
        // What waited too long for a caller has gone to another consumer by now.
        self.ready.retain(|delivery| self.held.contains_key(&delivery.receipt.0));
        let full = self.ready.is_empty() && {
            let first = self.first(most, wait).await;
            first.map_err(|fault| fault.while_it_should("hand out entries"))?
        };
        if full {
            self.more(most).await;
        }
        let count = self.ready.len().min(most);
        Ok(self.ready.drain(..count).collect())
    }

    async fn acknowledge(&mut self, receipts: &[Receipt]) -> Result<(), QueueError> {
        // Late ones too: their entries are stored, so they are to go, whoever holds them now.
        let all: HashSet<&str> = receipts.iter().map(|receipt| receipt.0.as_str()).collect();
        let all: Vec<String> = all.into_iter().filter(|receipt| !receipt.is_empty()).map(str::to_owned).collect();
        let link = &self.link;
        in_requests(all, |part| delete(Arc::clone(link), part))
            .await
            .map_err(|fault| fault.while_it_should("remove stored entries"))?;
        for receipt in receipts {
            self.held.remove(&receipt.0);
        }
        Ok(())
    }

    async fn extend(&mut self, receipts: &[Receipt]) -> Result<(), QueueError> {
        let held = self.held_of(receipts);
        let (link, visibility) = (&self.link, self.visibility);
        let until = Instant::now() + visibility;
        in_requests(held.clone(), |part| change_visibility(Arc::clone(link), part, visibility))
            .await
            .map_err(|fault| fault.while_it_should("extend leases"))?;
        self.held.extend(held.into_iter().map(|receipt| (receipt, until)));
        Ok(())
    }

    async fn release(&mut self, receipts: &[Receipt]) -> Result<(), QueueError> {
        let held = self.held_of(receipts);
        let link = &self.link;
        in_requests(held, |part| change_visibility(Arc::clone(link), part, Duration::ZERO))
            .await
            .map_err(|fault| fault.while_it_should("give entries back"))?;
        for receipt in receipts {
            self.held.remove(&receipt.0);
        }
        Ok(())
    }
}

/// Asks for messages once.
async fn receive(link: &Link, most: usize, seconds: u64, visibility: Duration) -> Polled {
    let wait = Duration::from_secs(seconds);
    let asked = link
        .client
        .receive_message()
        .queue_url(&link.queue_url)
        .max_number_of_messages(i32::try_from(most.min(MOST_ENTRIES)).unwrap_or(1))
        .wait_time_seconds(whole_seconds(wait))
        .visibility_timeout(whole_seconds(visibility))
        .message_system_attribute_names(MessageSystemAttributeName::ApproximateReceiveCount);
    let patient = Config::builder().timeout_config(timeouts(wait));
    let told = asked.customize().config_override(patient).send().await.map_err(|error| Fault::of(&error))?;
    Ok((told.messages.unwrap_or_default(), Instant::now() + visibility))
}

fn whole_seconds(duration: Duration) -> i32 {
    i32::try_from(duration.as_secs()).unwrap_or(i32::MAX)
}

fn delivery(message: Message) -> Delivery {
    let attempts =
        message.attributes.and_then(|mut told| told.remove(&MessageSystemAttributeName::ApproximateReceiveCount));
    Delivery {
        receipt: Receipt(message.receipt_handle.unwrap_or_default()),
        payload: unpack(message.body.as_deref().unwrap_or_default()),
        attempt: attempts.and_then(|attempts| attempts.parse().ok()).unwrap_or(1),
    }
}

/// Does something with receipts in requests of ten, some of them at once; the fault of one that failed.
async fn in_requests<F>(receipts: Vec<String>, request: impl Fn(Vec<String>) -> F) -> Result<(), Fault>
where
    F: Future<Output = Result<(), Fault>> + Send + 'static,
{
    let mut result = Ok(());
    for some in receipts.chunks(MOST_ENTRIES * MOST_REQUESTS) {
        let mut requests: JoinSet<_> = some.chunks(MOST_ENTRIES).map(|part| request(part.to_vec())).collect();
        while let Some(ended) = requests.join_next().await {
            let lost = || Fault::Unanswered("the request was dropped".to_owned());
            result = result.and(ended.unwrap_or_else(|_| Err(lost())));
        }
    }
    result
}

/// Removes up to ten entries.
async fn delete(link: Arc<Link>, receipts: Vec<String>) -> Result<(), Fault> {
    let request = |open: Vec<usize>| {
        let entry = |index: usize| {
            let entry = DeleteMessageBatchRequestEntry::builder().id(id(index)).receipt_handle(&receipts[index]);
            entry.build().unwrap_or_else(|error| unreachable!("id and receipt are given: {error}"))
        };
        let entries = open.into_iter().map(entry).collect();
        let sent = link.client.delete_message_batch().queue_url(&link.queue_url).set_entries(Some(entries)).send();
        async move {
            let told = sent.await.map_err(|error| Fault::of(&error))?;
            Ok(Answer { done: told.successful.into_iter().map(|done| done.id).collect(), failed: told.failed })
        }
    };
    settle_receipts(receipts.len(), request).await
}

/// Starts the visibility timeout of up to ten entries anew.
async fn change_visibility(link: Arc<Link>, receipts: Vec<String>, visibility: Duration) -> Result<(), Fault> {
    let request = |open: Vec<usize>| {
        let entry = |index: usize| {
            ChangeMessageVisibilityBatchRequestEntry::builder()
                .id(id(index))
                .receipt_handle(&receipts[index])
                .visibility_timeout(whole_seconds(visibility))
                .build()
                .unwrap_or_else(|error| unreachable!("id and receipt are given: {error}"))
        };
        let entries = open.into_iter().map(entry).collect();
        let changed = link.client.change_message_visibility_batch().queue_url(&link.queue_url);
        let sent = changed.set_entries(Some(entries)).send();
        async move {
            let told = sent.await.map_err(|error| Fault::of(&error))?;
            Ok(Answer { done: told.successful.into_iter().map(|done| done.id).collect(), failed: told.failed })
        }
    };
    settle_receipts(receipts.len(), request).await
}

/// Settles a request about receipts. One that SQS no longer takes names an entry that is gone, or another's: no harm.
async fn settle_receipts<F>(count: usize, request: impl FnMut(Vec<usize>) -> F) -> Result<(), Fault>
where
    F: Future<Output = Result<Answer, Fault>>,
{
    if count == 0 {
        return Ok(());
    }
    let mut unanswered = Ok(());
    let settled = settle(count, Instant::now() + REQUEST_TIME, request, |_, outcome| match outcome {
        Err(fault) if fault.is_void_receipt() => tracing::debug!(error = %fault, "a receipt is no longer valid"),
        outcome => unanswered = std::mem::replace(&mut unanswered, Ok(())).and(outcome),
    });
    settled.await.and(unanswered)
}

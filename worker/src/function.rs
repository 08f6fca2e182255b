//! The processor as a function: messages in, the ids of those that must come again out.

use std::time::{Duration, Instant};

use analytics_host::failure::causes as cause;
use analytics_host::lambda::{Message, MessageEvent};
use analytics_messaging::sqs::unpack;
use analytics_messaging::{Delivery, Receipt};
use tracing::{info, warn};

use crate::work::Work;
use crate::{columns, replay, upkeep};

/// What is left of a tick's time when no further dead letters are taken up.
const TO_END: Duration = Duration::from_secs(5);

/// Bytes of unpacked entries from which on a transaction takes no more: a function has little memory, and a message of a few
/// kilobytes can hold a batch of many megabytes.
const GROUP_BYTES: usize = 16 << 20;

/// Does what a function is invoked for within `time`; gives back the ids of messages that must come again.
pub async fn invoke(work: &Work, event: MessageEvent, time: Duration) -> Vec<String> {
    match event {
        MessageEvent::Messages(messages) => store_messages(work, messages).await,
        MessageEvent::Tick => {
            tend(work, time).await;
            Vec::new()
        }
    }
}

/// Stores messages, in transactions of a bounded size. What is wrong with a message itself makes a dead letter of it and is no
/// reason for it to come again; where the store is away, all that is not stored yet has to: a part of it may be stored all the
/// same, which the next try finds.
async fn store_messages(work: &Work, messages: Vec<Message>) -> Vec<String> {
    upkeep::follow_retention(work).await;
    let mut waiting = messages.into_iter();
    loop {
        let group = next_group(&mut waiting);
        if group.is_empty() {
            return Vec::new();
        }
        match work.store(&group).await {
            Ok(processed) => work.publish(&processed).await,
            Err(error) => {
                let again: Vec<String> = group
                    .into_iter()
                    .map(|delivery| delivery.receipt.0)
                    .chain(waiting.map(|message| message.id))
                    .collect();
                warn!(
                    error = %error, cause = cause(&error), messages = again.len(),
                    "events could not be stored; their messages come again"
                );
                return again;
            }
        }
    }
}

/// The next messages, unpacked, for one transaction; none where none are left.
fn next_group(waiting: &mut impl Iterator<Item = Message>) -> Vec<Delivery> {
    let (mut group, mut bytes) = (Vec::new(), 0);
    while bytes < GROUP_BYTES
        && let Some(message) = waiting.next()
    {
        let payload = unpack(&message.body);
        bytes += payload.len();
        group.push(Delivery { receipt: Receipt(message.id), payload, attempt: message.attempt });
    }
    group
}

/// What the drain loop does now and then: upkeep, columns, asked-for dead letters, figures.
async fn tend(work: &Work, time: Duration) {
    let began = Instant::now();
    upkeep::follow_retention(work).await;
    upkeep::tend_store(work).await;
    while columns::refresh(work).await && began.elapsed() + TO_END < time {}
    let mut tried = 0;
    while began.elapsed() + TO_END < time {
        match replay::replay(work).await {
            Ok(0) => break,
            Ok(some) => tried += some,
            Err(error) => {
                warn!(error = %error, cause = cause(&error), "dead letters could not be tried again; they stay asked for");
                break;
            }
        }
    }
    if tried > 0 {
        info!(tried, "dead letters were tried again");
    }
    if let Ok(count) = work.store.dead_letter_count().await {
        work.meters.dead_letters(count);
    }
}

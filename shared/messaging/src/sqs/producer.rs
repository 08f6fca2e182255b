//! Messages that wait together go to SQS together.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use aws_sdk_sqs::Client;
use aws_sdk_sqs::types::SendMessageBatchRequestEntry;
use tokio::sync::oneshot;
use tokio::time::Instant;

use super::client::told;
use crate::queue::EnqueueError;

/// Messages of one request at most, as SQS says.
const GROUP_MESSAGES: usize = 10;

/// Requests under way at a time: one takes about ten milliseconds.
const FLIGHTS: usize = 8;

/// Bytes of messages that may wait in this process.
const WAITING_BYTES: usize = 64 << 20;

/// How long messages that SQS failed for a fault of its own are sent again, and the pauses between.
const PATIENCE: Duration = Duration::from_secs(3);
const FIRST_PAUSE: Duration = Duration::from_millis(50);

/// A message and where its answer goes; an error is what SQS said.
type Offered = (String, oneshot::Sender<Result<(), String>>);

#[derive(Debug, Default)]
struct Waiting {
    offered: VecDeque<Offered>,
    /// Waiting or under way.
    bytes: usize,
    flights: usize,
}

/// The producers' side of a queue.
#[derive(Debug)]
pub(super) struct Producer {
    client: Client,
    url: String,
    /// Most bytes of a message, and of all messages of a request.
    limit: usize,
    waiting: Mutex<Waiting>,
}

impl Producer {
    pub(super) fn new(client: Client, url: String, limit: usize) -> Self {
        Self { client, url, limit, waiting: Mutex::default() }
    }

    /// Most bytes of a message.
    pub(super) const fn limit(&self) -> usize {
        self.limit
    }

    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Hands messages over; each gives an answer of its own.
    ///
    /// # Errors
    /// [`EnqueueError::Full`] where too much waits already; none of them is sent then.
    pub(super) fn send(
        self: &Arc<Self>,
        bodies: Vec<String>,
    ) -> Result<Vec<oneshot::Receiver<Result<(), String>>>, EnqueueError> {
        let mut answers = Vec::with_capacity(bodies.len());
        let mut waiting = self.lock();
        if waiting.bytes >= WAITING_BYTES {
            let reason = format!("{} bytes wait for SQS, the limit is {WAITING_BYTES}", waiting.bytes);
            return Err(EnqueueError::Full { reason });
        }
        for body in bodies {
            let (answer, answered) = oneshot::channel();
            waiting.bytes += body.len();
            waiting.offered.push_back((body, answer));
            answers.push(answered);
        }
        if waiting.flights < FLIGHTS {
            waiting.flights += 1;
            // A task of its own: the caller that happens to start it may go away, the others' messages may not. It ends with
            // the last answer, so that nothing runs on in a process that is frozen then.
            tokio::spawn(Arc::clone(self).fly());
        }
        Ok(answers)
    }

    /// Sends group after group until nothing waits.
    async fn fly(self: Arc<Self>) {
        loop {
            // Let every caller that is ready to add do so first: they share this request.
            tokio::task::yield_now().await;
            let Some(group) = self.next_group() else { return };
            let (bodies, answers): (Vec<String>, Vec<_>) = group.into_iter().unzip();
            let bytes: usize = bodies.iter().map(String::len).sum();
            let outcomes = self.send_group(bodies).await;
            self.lock().bytes -= bytes;
            for (answer, outcome) in answers.into_iter().zip(outcomes) {
                let _ = answer.send(outcome);
            }
        }
    }

    fn next_group(&self) -> Option<Vec<Offered>> {
        let mut waiting = self.lock();
        let (mut group, mut bytes) = (Vec::new(), 0);
        while group.len() < GROUP_MESSAGES
            && let Some((body, _)) = waiting.offered.front()
            && (group.is_empty() || bytes + body.len() <= self.limit)
            && let Some(offered) = waiting.offered.pop_front()
        {
            bytes += offered.0.len();
            group.push(offered);
        }
        if group.is_empty() {
            waiting.flights -= 1;
            return None;
        }
        Some(group)
    }

    /// Sends a group; those that SQS fails for a fault of its own again, for a while. One outcome a message.
    async fn send_group(&self, bodies: Vec<String>) -> Vec<Result<(), String>> {
        let mut outcomes: Vec<Result<(), String>> = vec![Ok(()); bodies.len()];
        let mut open: Vec<usize> = (0..bodies.len()).collect();
        let (began, mut pause) = (Instant::now(), FIRST_PAUSE);
        loop {
            let mut again = Vec::new();
            match self.request(&bodies, &open).await {
                Ok(failures) => {
                    for Failure { index, reason, may_pass } in failures {
                        outcomes[index] = Err(reason);
                        if may_pass {
                            again.push(index);
                        }
                    }
                }
                // The SDK has tried the request as a whole again already.
                Err(reason) => open.iter().for_each(|index| outcomes[*index] = Err(reason.clone())),
            }
            if again.is_empty() || began.elapsed() + pause > PATIENCE {
                return outcomes;
            }
            tokio::time::sleep(pause).await;
            pause *= 2;
            again.iter().for_each(|index| outcomes[*index] = Ok(()));
            open = again;
        }
    }

    /// One request with those messages of `bodies` that `open` names; those that failed.
    async fn request(&self, bodies: &[String], open: &[usize]) -> Result<Vec<Failure>, String> {
        let entry = |index: &usize| {
            SendMessageBatchRequestEntry::builder().id(index.to_string()).message_body(&bodies[*index]).build()
        };
        let entries = open.iter().map(entry).collect::<Result<Vec<_>, _>>().map_err(|error| error.to_string())?;
        let request = self.client.send_message_batch().queue_url(&self.url).set_entries(Some(entries));
        let answer = request.send().await.map_err(|error| told(&error))?;
        let mut failures = Vec::new();
        for index in open {
            let id = index.to_string();
            if answer.successful.iter().any(|done| done.id == id) {
                continue;
            }
            // One that the answer does not name may be there or not; sent again it counts once, by its events' ids.
            let failed = answer.failed.iter().find(|failed| failed.id == id);
            let reason = failed.map_or_else(
                || "SQS did not say what became of a message".to_owned(),
                |failed| format!("{}: {}", failed.code, failed.message.as_deref().unwrap_or("no reason was given")),
            );
            failures.push(Failure {
                index: *index,
                reason,
                may_pass: failed.is_none_or(|failed| !failed.sender_fault),
            });
        }
        Ok(failures)
    }
}

/// A message that SQS did not take.
struct Failure {
    index: usize,
    reason: String,
    may_pass: bool,
}

//! The event source between a queue and a function.

use std::collections::HashSet;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use rand::SeedableRng as _;
use rand::rngs::StdRng;
use rand::seq::SliceRandom as _;
use serde_json::{Value, json};

use super::emulator::{LambdaEmulator, invoke};
use crate::sqs::SqsServer;

/// Messages that it takes at once, as SQS allows.
const BATCH: usize = 10;

/// How often the schedule's function is invoked.
const TICK: Duration = Duration::from_millis(500);

/// What the poller does to those who trust in order and in once.
#[derive(Debug, Clone, Copy, Default)]
pub struct PollerOptions {
    /// Every so manieth batch invokes the function twice; 0: none.
    pub doubled: usize,
    /// Whether the messages of a batch are shuffled.
    pub shuffled: bool,
    /// Every so manieth message that the function has done with is not deleted the first time, as where a deletion fails;
    /// 0: none.
    pub kept: usize,
}

/// Takes messages from a queue, invokes the function `processor` with them, and deletes those that it does not report; where
/// the invocation fails, none. Beside it the function `maintenance` is invoked as by a schedule. Ends when dropped.
#[derive(Debug)]
pub struct Poller {
    ended: Arc<AtomicBool>,
    doubled: Arc<AtomicUsize>,
    threads: Vec<JoinHandle<()>>,
}

impl Poller {
    /// Starts one.
    #[must_use]
    pub fn start(sqs: &Arc<SqsServer>, queue_url: &str, emulator: &LambdaEmulator, options: PollerOptions) -> Self {
        let ended = Arc::<AtomicBool>::default();
        let doubled = Arc::<AtomicUsize>::default();
        let emulator = emulator.address();
        let polling = {
            let (over, counted) = (Arc::clone(&ended), Arc::clone(&doubled));
            let (sqs, queue_url) = (Arc::clone(sqs), queue_url.to_owned());
            std::thread::spawn(move || {
                let mut random = StdRng::seed_from_u64(7);
                let mut batch = 0_usize;
                while !over.load(Ordering::Relaxed) {
                    let mut messages = receive(&sqs, &queue_url);
                    if messages.is_empty() {
                        std::thread::sleep(Duration::from_millis(20));
                        continue;
                    }
                    batch += 1;
                    if options.shuffled {
                        messages.shuffle(&mut random);
                    }
                    if options.doubled > 0 && batch.is_multiple_of(options.doubled) {
                        let _ = invoke(emulator, "processor", &event(&messages));
                        counted.fetch_add(messages.len(), Ordering::Relaxed);
                    }
                    work_off(&sqs, &queue_url, emulator, &messages, options.kept);
                }
            })
        };
        let ticking = {
            let over = Arc::clone(&ended);
            std::thread::spawn(move || {
                let tick =
                    json!({ "source": "aws.events", "detail-type": "Scheduled Event", "detail": {} }).to_string();
                while !over.load(Ordering::Relaxed) {
                    let began = Instant::now();
                    let _ = invoke(emulator, "maintenance", &tick);
                    while began.elapsed() < TICK && !over.load(Ordering::Relaxed) {
                        std::thread::sleep(Duration::from_millis(20));
                    }
                }
            })
        };
        Self { ended, doubled, threads: vec![polling, ticking] }
    }

    /// How many messages the function was given a second time without being asked for again.
    #[must_use]
    pub fn doubled(&self) -> usize {
        self.doubled.load(Ordering::Relaxed)
    }
}

impl Drop for Poller {
    fn drop(&mut self) {
        self.ended.store(true, Ordering::Relaxed);
        // One that waits for a dead function's answer is not waited for.
        self.threads.retain(|thread| !thread.is_finished());
    }
}

fn receive(sqs: &SqsServer, queue_url: &str) -> Vec<Value> {
    let request = json!({ "QueueUrl": queue_url, "MaxNumberOfMessages": BATCH, "AttributeNames": ["All"] });
    let answer = sqs.call("ReceiveMessage", &request).unwrap_or_default();
    answer["Messages"].as_array().cloned().unwrap_or_default()
}

fn work_off(sqs: &SqsServer, queue_url: &str, emulator: SocketAddr, messages: &[Value], kept: usize) {
    let Ok(answer) = invoke(emulator, "processor", &event(messages)) else { return };
    let Ok(answer) = serde_json::from_slice::<Value>(&answer) else { return };
    // An answer without the list is a defect of the function: as Amazon's does, all messages come again.
    let Some(failures) = answer["batchItemFailures"].as_array() else { return };
    let again: HashSet<&str> = failures.iter().filter_map(|failure| failure["itemIdentifier"].as_str()).collect();
    let done = messages.iter().filter(|message| !again.contains(message["MessageId"].as_str().unwrap_or_default()));
    for (index, message) in done.enumerate() {
        let first = message["Attributes"]["ApproximateReceiveCount"] == "1";
        if first && kept > 0 && (index + 1).is_multiple_of(kept) {
            continue;
        }
        let _ = sqs.call("DeleteMessage", &json!({ "QueueUrl": queue_url, "ReceiptHandle": message["ReceiptHandle"] }));
    }
}

/// The event of a batch.
fn event(messages: &[Value]) -> String {
    let record = |message: &Value| {
        json!({
            "messageId": message["MessageId"], "receiptHandle": message["ReceiptHandle"], "body": message["Body"],
            "attributes": message["Attributes"], "messageAttributes": {}, "md5OfBody": message["MD5OfBody"],
            "eventSource": "aws:sqs", "eventSourceARN": "arn:aws:sqs:us-east-1:123456789012:events", "awsRegion": "us-east-1"
        })
    };
    json!({ "Records": messages.iter().map(record).collect::<Vec<_>>() }).to_string()
}

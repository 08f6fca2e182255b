//! The clients: they send, send again what got no answer, and write everything down.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant, SystemTime};

use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use reqwest::{Client, StatusCode};
use serde_json::{Value, json};
use tokio::task::JoinSet;

use crate::book::{Answer, Book};
use crate::deployment::WRITE_KEY;
use crate::event::Event;

/// Clients that send side by side.
const CLIENTS: u64 = 8;

/// Most new events of a batch.
const MOST_EVENTS: usize = 40;

/// Longer than a collector waits for its queue.
const PATIENCE: Duration = Duration::from_secs(8);

/// Part of the batches that is sent twice although the first time was answered.
const TWICE: f64 = 0.2;

/// Part of the tries without an answer after which a client gives up, which leaves its events open.
const GIVEN_UP: f64 = 0.15;

/// What all clients share.
#[derive(Debug)]
pub struct Load {
    url: String,
    client: Client,
    book: Mutex<Book>,
    began: Instant,
    over: AtomicBool,
}

impl Load {
    /// A load on the collector at `url`.
    ///
    /// # Errors
    /// Where the HTTP client cannot be made.
    pub fn new(url: &str) -> reqwest::Result<Self> {
        let client = Client::builder().timeout(PATIENCE).connect_timeout(Duration::from_secs(2)).no_proxy().build()?;
        let url = format!("{url}/collect");
        Ok(Self { url, client, book: Mutex::default(), began: Instant::now(), over: AtomicBool::new(false) })
    }

    /// What is written down.
    pub fn book(&self) -> MutexGuard<'_, Book> {
        // A client that panicked while it wrote ends the run by itself.
        self.book.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// When the first request was sent.
    #[must_use]
    pub fn began(&self) -> Instant {
        self.began
    }

    /// Lets every client finish the request that it is at, and end.
    pub fn stop(&self) {
        self.over.store(true, Ordering::Relaxed);
    }

    fn is_over(&self) -> bool {
        self.over.load(Ordering::Relaxed)
    }

    /// Starts the clients of a seed.
    #[must_use]
    pub fn start(self: &Arc<Self>, seed: u64) -> JoinSet<()> {
        let mut clients = JoinSet::new();
        for number in 0..CLIENTS {
            let load = Arc::clone(self);
            // Clients of one seed, and of seeds side by side, send different events.
            let random = StdRng::seed_from_u64(seed.wrapping_mul(1_000_003).wrapping_add(number));
            clients.spawn(async move { load.run(random).await });
        }
        clients
    }

    async fn run(&self, mut random: StdRng) {
        let mut last = Vec::new();
        while !self.is_over() {
            let batch = draw(&mut random, &last);
            self.book().announce(&batch);
            match random.random_bool(TWICE).then(|| random.random_bool(0.5)) {
                // Both at once: two transactions may hold the same ids.
                Some(true) => drop(tokio::join!(self.send(&batch), self.send(&batch))),
                Some(false) => {
                    self.send_until_answered(&batch, &mut random).await;
                    self.send(&batch).await;
                }
                None => self.send_until_answered(&batch, &mut random).await,
            }
            last = batch;
            pause(&mut random, 40..140).await;
        }
    }

    /// Sends a batch with the same ids until it is acknowledged or the client gives up.
    async fn send_until_answered(&self, batch: &[Event], random: &mut StdRng) {
        while self.send(batch).await != Answer::Acknowledged {
            if self.is_over() || random.random_bool(GIVEN_UP) {
                return;
            }
            pause(random, 100..400).await;
        }
    }

    /// Sends a batch once and writes the answer down.
    pub async fn send(&self, batch: &[Event]) -> Answer {
        let events: Vec<Value> = batch.iter().map(Event::to_json).collect();
        let request = self.client.post(&self.url).bearer_auth(WRITE_KEY);
        let request = request.header("content-type", "application/json").body(json!({ "events": events }).to_string());
        let answer = match request.send().await {
            Ok(response) => {
                let status = response.status();
                match response.text().await {
                    Ok(text) => self.judge(batch, status, &text),
                    // 202 is said with the status line; what is lost is only the list of ids.
                    Err(_) if status == StatusCode::ACCEPTED => Answer::Acknowledged,
                    Err(_) => Answer::Unanswered,
                }
            }
            Err(error) if error.is_connect() => Answer::Unreached,
            Err(_) => Answer::Unanswered,
        };
        self.book().record(batch, answer, self.began.elapsed());
        answer
    }

    fn judge(&self, batch: &[Event], status: StatusCode, text: &str) -> Answer {
        match status {
            StatusCode::ACCEPTED => {
                let ids: Vec<String> = batch.iter().map(|event| event.id.to_string()).collect();
                let expected = json!({ "accepted": ids.len(), "ids": ids, "rejected": [] });
                if serde_json::from_str::<Value>(text).ok() != Some(expected) {
                    let shown: String = text.chars().take(300).collect();
                    self.book()
                        .complain(format!("a valid batch was answered 202 with other ids than its own: {shown}"));
                }
                Answer::Acknowledged
            }
            StatusCode::SERVICE_UNAVAILABLE | StatusCode::TOO_MANY_REQUESTS => Answer::Refused,
            // A gateway answers for a function that died with the request in its hands.
            StatusCode::BAD_GATEWAY => Answer::Unanswered,
            other => {
                let shown: String = text.chars().take(300).collect();
                self.book().complain(format!("a valid batch was answered {other}: {shown}"));
                Answer::Refused
            }
        }
    }
}

/// A batch of new events; some hold events of the batch before too, or an event of their own twice.
fn draw(random: &mut StdRng, last: &[Event]) -> Vec<Event> {
    let now = now_micros();
    let count = random.random_range(1..=MOST_EVENTS);
    let mut batch: Vec<Event> = (0..count).map(|_| Event::random(random, now)).collect();
    if random.random_bool(0.1) {
        batch.extend(last.iter().take(3).cloned());
    }
    if random.random_bool(0.05) {
        batch.push(batch[0].clone());
    }
    batch
}

async fn pause(random: &mut StdRng, millis: std::ops::Range<u64>) {
    tokio::time::sleep(Duration::from_millis(random.random_range(millis))).await;
}

/// Microseconds since 1970.
pub(crate) fn now_micros() -> i64 {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_micros()).unwrap_or(i64::MAX)
}

//! What was sent, and what was answered.

use std::collections::HashMap;
use std::time::Duration;

use uuid::Uuid;

use crate::event::Event;

/// How a request ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Answer {
    /// 202 for every event.
    Acknowledged,
    /// 503 or 429: not taken, as far as the collector knows.
    Refused,
    /// No connection could be made.
    Unreached,
    /// The connection broke or time ran out: it may have been taken.
    Unanswered,
}

/// An id and what is known of it.
#[derive(Debug, Clone, Copy)]
pub struct Sent {
    /// The event's checksum.
    pub checksum: u64,
    /// When it was first acknowledged, since the load began; none: open.
    pub acknowledged: Option<Duration>,
}

/// Counts of requests and of events in them, repeats included.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Tally {
    /// Requests answered 202.
    pub acknowledged: u64,
    /// Requests answered 503 or 429.
    pub refused: u64,
    /// Requests that found nobody.
    pub unreached: u64,
    /// Requests without an answer.
    pub unanswered: u64,
    /// Events in requests answered 202.
    pub events_acknowledged: u64,
    /// Events in all other requests.
    pub events_open: u64,
}

/// The clients' own record.
#[derive(Debug, Default)]
pub struct Book {
    sent: HashMap<Uuid, Sent>,
    tally: Tally,
    /// Answers that no valid batch may get.
    wrong: Vec<String>,
}

impl Book {
    /// Writes down events before they are sent for the first time.
    pub fn announce(&mut self, events: &[Event]) {
        for event in events {
            self.sent.entry(event.id).or_insert(Sent { checksum: event.checksum(), acknowledged: None });
        }
    }

    /// Writes down how a request with these events ended, so long after the load began.
    pub fn record(&mut self, events: &[Event], answer: Answer, at: Duration) {
        let count = events.len() as u64;
        let tally = &mut self.tally;
        let (requests, sendings) = match answer {
            Answer::Acknowledged => (&mut tally.acknowledged, &mut tally.events_acknowledged),
            Answer::Refused => (&mut tally.refused, &mut tally.events_open),
            Answer::Unreached => (&mut tally.unreached, &mut tally.events_open),
            Answer::Unanswered => (&mut tally.unanswered, &mut tally.events_open),
        };
        *requests += 1;
        *sendings += count;
        if answer == Answer::Acknowledged {
            for event in events {
                if let Some(sent) = self.sent.get_mut(&event.id) {
                    sent.acknowledged.get_or_insert(at);
                }
            }
        }
    }

    /// Writes down an answer that a valid batch must not get.
    pub fn complain(&mut self, sentence: String) {
        self.wrong.push(sentence);
    }

    /// Every id that was sent.
    #[must_use]
    pub fn sent(&self) -> &HashMap<Uuid, Sent> {
        &self.sent
    }

    /// The counts.
    #[must_use]
    pub fn tally(&self) -> Tally {
        self.tally
    }

    /// The wrong answers.
    #[must_use]
    pub fn wrong(&self) -> &[String] {
        &self.wrong
    }
}

//! Reading everything back, and the balance.

use std::collections::{HashMap, HashSet};
use std::time::{Duration, Instant};

use reqwest::Client;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::book::Book;
use crate::deployment::READ_KEY;
use crate::event::Event;

/// How long the queue may take to be empty after everything runs again.
pub const DRAIN_LIMIT: Duration = Duration::from_secs(180);

/// How many examples a sentence gives.
const EXAMPLES: usize = 5;

/// What the system says that it holds.
#[derive(Debug, Default)]
pub struct Holdings {
    /// Every stored event as it is shown, repeats included.
    pub stored: Vec<Value>,
    /// `GET /api/integrity`.
    pub integrity: Value,
    /// The `events` metric over everything, which is answered from rollups.
    pub counted: Option<u64>,
}

/// Sums over the days of `GET /api/integrity`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Account {
    /// Taken from the queue.
    pub accepted: u64,
    /// Stored for the first time.
    pub stored: u64,
    /// Known before.
    pub duplicate: u64,
    /// Too old by then.
    pub expired: u64,
    /// Put aside.
    pub dead_lettered: u64,
    /// Dropped as those of a person who was erased.
    pub erased: u64,
}

impl Holdings {
    /// The sums over all days of receipt.
    #[must_use]
    pub fn account(&self) -> Account {
        let days = self.integrity["received"].as_array().map_or(&[][..], Vec::as_slice);
        let sum = |name: &str| days.iter().filter_map(|day| day[name].as_u64()).sum();
        Account {
            accepted: sum("accepted"),
            stored: sum("stored"),
            duplicate: sum("duplicate"),
            expired: sum("expired"),
            dead_lettered: sum("dead_lettered"),
            erased: sum("erased"),
        }
    }
}

/// One who asks the api.
#[derive(Debug)]
pub struct Auditor {
    client: Client,
    api: String,
}

impl Auditor {
    /// An auditor of the api at this URL.
    ///
    /// # Errors
    /// Where the HTTP client cannot be made.
    pub fn new(api: &str) -> reqwest::Result<Self> {
        let client = Client::builder().timeout(Duration::from_secs(60)).no_proxy().build()?;
        Ok(Self { client, api: api.to_owned() })
    }

    async fn get(&self, path: &str, pairs: &[(&str, &str)]) -> Result<Value, String> {
        let request = self.client.get(format!("{}{path}", self.api)).query(pairs);
        self.ask(path, request).await
    }

    async fn ask(&self, path: &str, request: reqwest::RequestBuilder) -> Result<Value, String> {
        let asked = request.bearer_auth(READ_KEY).header("cache-control", "no-cache").send().await;
        let response = asked.map_err(|error| format!("{path} is not answered: {error:?}"))?;
        let status = response.status();
        let text = response.text().await.map_err(|error| format!("{path} breaks off: {error:?}"))?;
        let shown: String = text.chars().take(300).collect();
        if !status.is_success() {
            return Err(format!("{path} is answered {status}: {shown}"));
        }
        serde_json::from_str(&text).map_err(|error| format!("{path} answers no JSON ({error}): {shown}"))
    }

    /// Waits until nothing is in flight and what was received does not grow any more.
    ///
    /// # Errors
    /// A sentence, where it takes longer than [`DRAIN_LIMIT`].
    pub async fn wait_drained(&self) -> Result<Duration, String> {
        let began = Instant::now();
        let mut calm = 0;
        let mut before = Value::Null;
        loop {
            let seen = self.get("/api/integrity", &[]).await.unwrap_or_else(Value::String);
            let still = seen["in_flight"] == 0 && seen["received"] == before["received"];
            calm = if still { calm + 1 } else { 0 };
            if calm == 3 {
                return Ok(began.elapsed());
            }
            if began.elapsed() > DRAIN_LIMIT {
                let shown: String = seen.to_string().chars().take(300).collect();
                return Err(format!(
                    "the queue is not empty {} s after the last fault: {shown}",
                    DRAIN_LIMIT.as_secs()
                ));
            }
            before = seen;
            tokio::time::sleep(Duration::from_millis(300)).await;
        }
    }

    /// Reads everything.
    ///
    /// # Errors
    /// A sentence, where a question is not answered.
    pub async fn read(&self) -> Result<Holdings, String> {
        let integrity = self.get("/api/integrity", &[]).await?;
        let question = json!({ "metrics": ["events"], "date_range": "all" }).to_string();
        let request = self.client.post(format!("{}/api/query", self.api));
        let request = request.header("content-type", "application/json").body(question);
        let counted = self.ask("/api/query", request).await?["results"][0]["metrics"][0].as_u64();
        Ok(Holdings { stored: self.events(&[("limit", "5000")]).await?, integrity, counted })
    }

    async fn events(&self, pairs: &[(&str, &str)]) -> Result<Vec<Value>, String> {
        let mut events = Vec::new();
        let mut cursor: Option<String> = None;
        loop {
            let mut pairs = pairs.to_vec();
            pairs.extend(cursor.as_deref().map(|cursor| ("cursor", cursor)));
            let mut page = self.get("/api/events", &pairs).await?;
            let next = page["meta"]["next_cursor"].as_str().map(str::to_owned);
            match page["results"].take() {
                Value::Array(results) if !results.is_empty() || next.is_none() => events.extend(results),
                _ => return Err("/api/events gives a page without events and says that more follow".to_owned()),
            }
            if next.is_none() {
                return Ok(events);
            }
            cursor = next;
        }
    }

    /// Waits until an event of this type is shown, exactly once.
    ///
    /// # Errors
    /// A sentence, where it takes longer than 30 s.
    pub async fn wait_shown(&self, event: &Event) -> Result<(), String> {
        let began = Instant::now();
        loop {
            let shown = self.events(&[("event_type", Event::FRESH_KIND)]).await;
            if shown.as_ref().is_ok_and(|shown| shown.iter().filter_map(Event::from_json).eq([event.clone()])) {
                return Ok(());
            }
            if began.elapsed() > Duration::from_secs(30) {
                return Err(format!("a fresh event does not pass end to end within 30 s; shown is {shown:?}"));
            }
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
    }
}

/// What the comparison found.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Balance {
    /// Acknowledged and not stored.
    pub missing: usize,
    /// Stored more than once, each repeat counted.
    pub repeated: usize,
    /// Stored and never sent.
    pub invented: usize,
    /// Stored with another payload than was sent.
    pub changed: usize,
    /// Sent, never acknowledged, and stored.
    pub open_stored: usize,
    /// A sentence for each rule that is broken.
    pub violations: Vec<String>,
}

/// Balances what was sent against what is held.
#[must_use]
pub fn balance(book: &Book, holdings: &Holdings) -> Balance {
    let mut found = Balance { violations: book.wrong().iter().take(EXAMPLES).cloned().collect(), ..Balance::default() };
    compare_events(book, holdings, &mut found);
    compare_sums(book, holdings, &mut found);
    found
}

fn compare_events(book: &Book, holdings: &Holdings, found: &mut Balance) {
    let sent = book.sent();
    let mut times: HashMap<Uuid, usize> = HashMap::new();
    let (mut invented, mut changed) = (Vec::new(), Vec::new());
    for shown in &holdings.stored {
        let id = shown["id"].as_str().and_then(|id| id.parse::<Uuid>().ok());
        let Some((id, sent)) = id.and_then(|id| Some((id, sent.get(&id)?))) else {
            invented.push(shown.to_string());
            continue;
        };
        *times.entry(id).or_default() += 1;
        if Event::from_json(shown).is_none_or(|event| event.checksum() != sent.checksum) {
            changed.push(shown.to_string());
        }
    }
    let repeated: Vec<String> =
        times.iter().filter(|(_, times)| **times > 1).map(|(id, times)| format!("{id} {times} times")).collect();
    let mut missing: Vec<(Duration, Uuid)> = sent
        .iter()
        .filter(|(id, _)| !times.contains_key(id))
        .filter_map(|(id, sent)| Some((sent.acknowledged?, *id)))
        .collect();
    missing.sort();
    let open: HashSet<&Uuid> = sent.iter().filter(|(_, sent)| sent.acknowledged.is_none()).map(|(id, _)| id).collect();
    found.open_stored = open.iter().filter(|id| times.contains_key(**id)).count();
    found.missing = missing.len();
    found.repeated = times.values().map(|times| times - 1).sum();
    found.invented = invented.len();
    found.changed = changed.len();
    let missing: Vec<String> =
        missing.iter().map(|(at, id)| format!("{id} acknowledged at {:.3} s", at.as_secs_f64())).collect();
    for (what, examples) in [
        ("acknowledged and not stored", missing),
        ("stored more than once", repeated),
        ("stored and never sent", invented),
        ("stored with another payload than was sent", changed),
    ] {
        if !examples.is_empty() {
            let shown = examples.iter().take(EXAMPLES).map(String::as_str).collect::<Vec<_>>().join(", ");
            found.violations.push(format!("{} events {what}, such as {shown}", examples.len()));
        }
    }
}

fn compare_sums(book: &Book, holdings: &Holdings, found: &mut Balance) {
    let account = holdings.account();
    let rows = holdings.stored.len() as u64;
    let mut equal = |what: &str, left: Option<u64>, right: u64| {
        if left != Some(right) {
            let left = left.map_or_else(|| "unknown".to_owned(), |left| left.to_string());
            found.violations.push(format!("{what}: {left} and not {right}"));
        }
    };
    let raw =
        holdings.integrity["rollups"].as_array().map(|days| days.iter().filter_map(|day| day["raw"].as_u64()).sum());
    equal("the sum of raw rows in integrity is not the number of events shown", raw, rows);
    equal("the count of events, from rollups, is not the number of events shown", holdings.counted, rows);
    equal("rollups drift from raw rows", holdings.integrity["drift"].as_u64(), 0);
    equal("stored in the receipt account is not the number of events shown", Some(account.stored), rows);
    equal("events became dead letters though no event was bad", Some(account.dead_lettered), 0);
    equal("events expired though none was old", Some(account.expired), 0);
    equal("events were erased though nobody asked for it", Some(account.erased), 0);
    let sum = account.stored + account.duplicate + account.expired + account.dead_lettered + account.erased;
    equal(
        "accepted is not the sum of stored, duplicate, expired, dead-lettered and erased",
        Some(account.accepted),
        sum,
    );
    // Each acknowledged request is one entry of the queue; one without an answer is one or none.
    let tally = book.tally();
    let (least, most) = (tally.events_acknowledged, tally.events_acknowledged + tally.events_open);
    if !(least..=most).contains(&account.accepted) {
        let accepted = account.accepted;
        found.violations.push(format!("the receipt account took {accepted} events; clients know of {least} to {most}"));
    }
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng;
    use rand::rngs::StdRng;

    use super::*;
    use crate::book::Answer;

    /// Three acknowledged events, two open ones of which one is stored, and what an honest system says of them.
    fn honest() -> (Book, Holdings) {
        let mut random = StdRng::seed_from_u64(1);
        let events: Vec<Event> = (0..5).map(|_| Event::random(&mut random, 1_700_000_000_000_000)).collect();
        let mut book = Book::default();
        book.announce(&events);
        book.record(&events[..3], Answer::Acknowledged, Duration::from_secs(1));
        book.record(&events[..3], Answer::Acknowledged, Duration::from_secs(2));
        book.record(&events[3..], Answer::Unanswered, Duration::from_secs(3));
        let received = json!({ "accepted": 7, "stored": 4, "duplicate": 3, "expired": 0, "dead_lettered": 0 });
        let integrity = json!({
            "in_flight": 0, "drift": 0, "received": [received], "rollups": [{ "raw": 1, "rollup": 1 }, { "raw": 3, "rollup": 3 }],
        });
        let stored = events[..4].iter().map(Event::to_json).collect();
        (book, Holdings { stored, integrity, counted: Some(4) })
    }

    fn broken(change: impl FnOnce(&mut Book, &mut Holdings)) -> Balance {
        let (mut book, mut holdings) = honest();
        change(&mut book, &mut holdings);
        balance(&book, &holdings)
    }

    #[test]
    fn an_honest_system_balances() {
        assert_eq!(broken(|_, _| {}), Balance { open_stored: 1, ..Balance::default() });
    }

    #[test]
    fn each_kind_of_difference_is_found() {
        let lost = broken(|_, holdings| drop(holdings.stored.remove(0)));
        assert_eq!((lost.missing, lost.violations.is_empty()), (1, false));
        assert!(lost.violations[0].contains("acknowledged at 1.000 s"), "{lost:?}");
        let repeated = broken(|_, holdings| holdings.stored.push(holdings.stored[0].clone()));
        assert_eq!((repeated.repeated, repeated.violations.is_empty()), (1, false));
        let invented = broken(|_, holdings| holdings.stored[3]["id"] = Uuid::from_u128(7).to_string().into());
        assert_eq!((invented.invented, invented.missing, invented.violations.is_empty()), (1, 0, false));
        let changed = broken(|_, holdings| holdings.stored[0]["metadata"]["number"] = 1_000_001.into());
        assert_eq!((changed.changed, changed.missing, changed.violations.is_empty()), (1, 0, false));
    }

    #[test]
    fn an_open_event_may_be_there_or_not_but_never_twice() {
        let twice = broken(|_, holdings| holdings.stored.push(holdings.stored[3].clone()));
        assert_eq!(twice.repeated, 1);
        let absent = broken(|_, holdings| {
            holdings.stored.pop();
            holdings.counted = Some(3);
            holdings.integrity["rollups"][1]["raw"] = 2.into();
            holdings.integrity["received"][0]["stored"] = 3.into();
            holdings.integrity["received"][0]["accepted"] = 6.into();
        });
        assert_eq!(absent, Balance::default());
    }

    #[test]
    fn each_sum_is_compared() {
        let cases: [(&str, &str, Value); 7] = [
            ("/drift", "rollups drift", 1.into()),
            ("/drift", "unknown and not 0", Value::Null),
            ("/rollups/0/raw", "raw rows in integrity", 2.into()),
            ("/received/0/stored", "stored in the receipt account", 5.into()),
            ("/received/0/dead_lettered", "dead letters", 1.into()),
            ("/received/0/expired", "expired", 1.into()),
            ("/received/0/duplicate", "accepted is not the sum", 2.into()),
        ];
        for (place, sentence, value) in cases {
            let found = broken(|_, holdings| *holdings.integrity.pointer_mut(place).unwrap() = value);
            assert!(found.violations.iter().any(|violation| violation.contains(sentence)), "{place}: {found:?}");
        }
        let counted = broken(|_, holdings| holdings.counted = Some(5));
        assert_eq!(counted.violations.len(), 1, "{counted:?}");
        // Eight were sent; a receipt account of nine or of five holds more or less than clients can know of.
        for (accepted, duplicate) in [(9, 5), (5, 1)] {
            let found = broken(|_, holdings| {
                holdings.integrity["received"][0]["accepted"] = accepted.into();
                holdings.integrity["received"][0]["duplicate"] = duplicate.into();
            });
            assert!(found.violations.iter().any(|violation| violation.contains("clients know of 6 to 8")), "{found:?}");
        }
        let wrong = broken(|book, _| book.complain("a valid batch was answered 400".to_owned()));
        assert_eq!(wrong.violations, ["a valid batch was answered 400"]);
    }
}

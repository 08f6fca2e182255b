//! An event of the ledger, which carries a checksum of itself.

use analytics_domain::Timestamp;
use rand::Rng;
use rand::rngs::StdRng;
use serde_json::{Value, json};
use uuid::Uuid;

const KINDS: &[&str] = &["navigation", "commerce", "engagement", "error"];
const NOTES: &[&str] = &["plain", "größer", "日本", "with \"quotes\" and \\", "🦀", ""];

/// Days back over which events are spread, so that transactions touch several rollup days and partitions.
const DAYS: i64 = 3;

const DAY_MICROS: i64 = 86_400_000_000;

/// What a client sends and expects to find again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event {
    /// Its id, chosen by the client.
    pub id: Uuid,
    session: String,
    user: Option<String>,
    kind: String,
    action: String,
    number: u64,
    note: String,
    timestamp: String,
}

impl Event {
    /// A new event, in the days before `now` (microseconds since 1970).
    pub fn random(random: &mut StdRng, now: i64) -> Self {
        let session = random.random_range(0..200_u32);
        Self {
            id: Uuid::from_u128(random.random::<u128>()),
            session: format!("session-{session}"),
            user: (session % 3 > 0).then(|| format!("user-{}", session % 40)),
            kind: KINDS[random.random_range(0..KINDS.len())].to_owned(),
            action: format!("action-{}", random.random_range(0..20_u32)),
            number: random.random_range(0..1_000_000),
            note: NOTES[random.random_range(0..NOTES.len())].to_owned(),
            timestamp: Timestamp::from_micros(now - random.random_range(0..DAYS * DAY_MICROS)).to_string(),
        }
    }

    /// The type of [`Event::fresh`], which no other event has.
    pub const FRESH_KIND: &str = "fresh";

    /// An event of this moment, to be found by its type.
    pub fn fresh(random: &mut StdRng, now: i64) -> Self {
        let timestamp = Timestamp::from_micros(now).to_string();
        Self { kind: Self::FRESH_KIND.to_owned(), timestamp, ..Self::random(random, now) }
    }

    /// A number that differs where any field differs (FNV-1a over all of them).
    #[must_use]
    pub fn checksum(&self) -> u64 {
        let number = self.number.to_string();
        let user = self.user.as_ref().map_or_else(String::new, |user| format!("={user}"));
        let id = self.id.to_string();
        let fields = [&id, &self.session, &user, &self.kind, &self.action, &number, &self.note, &self.timestamp];
        let bytes = fields.into_iter().flat_map(|field| field.bytes().chain([0x1f]));
        bytes.fold(0xcbf2_9ce4_8422_2325, |sum, byte| (sum ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3))
    }

    /// As a body of `POST /collect` holds it; `metadata.checksum` is the checksum in hexadecimal.
    #[must_use]
    pub fn to_json(&self) -> Value {
        let mut event = json!({
            "id": self.id.to_string(),
            "session_id": self.session,
            "event_type": self.kind,
            "event_action": self.action,
            "metadata": { "number": self.number, "note": self.note, "checksum": format!("{:016x}", self.checksum()) },
            "timestamp": self.timestamp,
        });
        if let Some(user) = &self.user {
            event["user_id"] = user.as_str().into();
        }
        event
    }

    /// An event as `GET /api/events` shows it, where it is one of the ledger and its own checksum is right.
    #[must_use]
    pub fn from_json(shown: &Value) -> Option<Self> {
        let text = |value: &Value| value.as_str().map(str::to_owned);
        let metadata = shown["metadata"].as_object().filter(|metadata| metadata.len() == 3)?;
        let user = match &shown["user_id"] {
            Value::Null => None,
            user => Some(text(user)?),
        };
        let event = Self {
            id: shown["id"].as_str()?.parse().ok()?,
            session: text(&shown["session_id"])?,
            user,
            kind: text(&shown["event_type"])?,
            action: text(&shown["event_action"])?,
            number: metadata.get("number")?.as_u64()?,
            note: text(metadata.get("note")?)?,
            timestamp: text(&shown["timestamp"])?,
        };
        let carried = metadata.get("checksum")?.as_str()?;
        (carried == format!("{:016x}", event.checksum())).then_some(event)
    }
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng;

    use super::*;

    #[test]
    fn an_event_is_read_back_and_a_changed_one_is_not() {
        let mut random = StdRng::seed_from_u64(1);
        for _ in 0..50 {
            let event = Event::random(&mut random, 1_700_000_000_000_000);
            let shown = event.to_json();
            assert_eq!(Event::from_json(&shown), Some(event));
            for field in ["session_id", "event_type", "event_action", "user_id", "timestamp"] {
                let mut changed = shown.clone();
                changed[field] = "else".into();
                assert_eq!(Event::from_json(&changed), None, "{field}");
            }
            let mut changed = shown.clone();
            changed["metadata"]["note"] = "else".into();
            assert_eq!(Event::from_json(&changed), None);
            let mut without = shown;
            if let Some(fields) = without["metadata"].as_object_mut() {
                fields.remove("number");
            }
            assert_eq!(Event::from_json(&without), None);
        }
    }
}

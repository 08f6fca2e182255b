//! What the request of a browser tells of all its events: found once by the collector, put once into the queue entry, and added
//! to the metadata of each event where the entry is read.
//!
//! What an event tells of itself (its channel, its campaign) is found there too: reading every event's metadata is work that no
//! client has to wait for. The same entry always gives the same metadata, however often it is read.

mod campaign;
mod channel;

use std::borrow::Cow;

use serde::{Deserialize, Serialize};

use self::channel::Way;
use crate::Event;
use crate::metadata::{Addition, Metadata};

/// Most bytes of what every event of a batch gets: a few words. It bounds how much larger a batch becomes by being read.
pub const SHARED_MAX_BYTES: usize = 512;

/// The longest host of a page, in bytes: longer than any name that can be looked up.
pub const HOST_MAX_BYTES: usize = 255;

/// What the request of a browser tells of all its events. It holds neither address nor user agent.
///
/// The order and kinds of the fields are part of envelope version 2: a change here is a new envelope version.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Facts<'a> {
    /// The members that every event gets: an object in canonical form.
    #[serde(borrow)]
    shared: Cow<'a, str>,
    /// The host of the page, without its port.
    #[serde(borrow)]
    host: Option<Cow<'a, str>>,
    /// What is to be found in each event.
    derived: Derived,
}

/// What is to be found in each event by what it tells itself.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Derived {
    /// By what way somebody came.
    pub channel: bool,
    /// What the page's address says of a campaign.
    pub utm: bool,
}

impl Facts<'static> {
    /// The facts of a request: members for every event, the `Origin` of its page, and what is to be found in each event; `None`
    /// where that is nothing.
    #[must_use]
    pub fn new(told: &[Addition<'_>], origin: Option<&str>, derived: Derived) -> Option<Self> {
        let shared = Metadata::EMPTY.with(&Metadata::EMPTY, told).filter(|shared| shared.len() <= SHARED_MAX_BYTES);
        if shared.is_none() && derived == Derived::default() {
            return None;
        }
        // Nothing but the channel asks for it.
        let host = origin.filter(|_| derived.channel).and_then(channel::host_of);
        let host = host.filter(|host| host.len() <= HOST_MAX_BYTES);
        Some(Self {
            shared: shared.map_or(Cow::Borrowed("{}"), Cow::Owned),
            host: host.map(|host| Cow::Owned(host.to_owned())),
            derived,
        })
    }
}

impl Facts<'_> {
    /// Whether a collector can have written them.
    pub(crate) fn are_sound(&self) -> bool {
        self.shared.len() <= SHARED_MAX_BYTES
            && self.host.as_deref().is_none_or(|host| host.len() <= HOST_MAX_BYTES)
            && Metadata::read(&self.shared).is_some()
    }

    /// Adds to the metadata of each event what its client has not said.
    ///
    /// A key that is there keeps its value, and what does not fit is left out. Metadata in another form than that in which
    /// collectors queue it is left as it is.
    pub fn add(&self, events: &mut [Event<'_>]) {
        let Some(shared) = Metadata::read(&self.shared) else { return };
        for event in events {
            if let Some(more) = self.more(&shared, event) {
                event.metadata = Cow::Owned(more);
            }
        }
    }

    /// The metadata of an event with what is added; `None` where that is nothing.
    fn more(&self, shared: &Metadata<'_>, event: &Event<'_>) -> Option<String> {
        let metadata = Metadata::read(&event.metadata)?;
        // Of a link to elsewhere `url` is where it leads, and neither page nor campaign of its own.
        let own_url = || if event.event_type == "link" { None } else { metadata.text("url") };
        let mut found: Vec<Addition<'_>> = Vec::new();
        if self.derived.utm && !metadata.has_any(campaign::BEGINNING) {
            let addresses = [own_url(), metadata.text("path")];
            let campaigns = addresses.iter().flatten().map(|address| campaign::of(address));
            found.extend(campaigns.into_iter().find(|campaign| !campaign.is_empty()).unwrap_or_default());
        }
        if self.derived.channel && !metadata.has("channel") {
            let told = |key: &'static str| {
                let taken = || found.iter().find(|(name, _)| *name == key).map(|(_, value)| value.clone());
                metadata.text(key).or_else(taken)
            };
            let (medium, source, referrer) = (told("utm_medium"), told("utm_source"), metadata.text("referrer"));
            let (host, url) = (metadata.text("host"), own_url());
            let of_address = |address: Option<&'_ str>| address.and_then(channel::host_of).map(str::to_owned);
            let host = host.map(Cow::into_owned).or_else(|| of_address(url.as_deref()));
            let way = Way {
                medium: medium.as_deref(),
                source: source.as_deref(),
                referrer: referrer.as_deref(),
                host: host.as_deref().or(self.host.as_deref()),
            };
            found.extend(channel::of(&way).map(|channel| ("channel", channel.into())));
        }
        metadata.with(shared, &found)
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;
    use crate::Timestamp;
    use crate::event::METADATA_MAX_BYTES;

    const BOTH: Derived = Derived { channel: true, utm: true };

    fn event(event_type: &'static str, metadata: &str) -> Event<'static> {
        Event {
            id: Uuid::from_u128(1),
            client_id: false,
            session_id: "s".into(),
            user_id: None,
            event_type: event_type.into(),
            event_action: "a".into(),
            metadata: metadata.to_owned().into(),
            timestamp: Timestamp::from_micros(0),
        }
    }

    fn added(facts: &Facts<'_>, event_type: &'static str, metadata: &str) -> String {
        let mut events = [event(event_type, metadata)];
        facts.add(&mut events);
        let [event] = events;
        event.metadata.into_owned()
    }

    #[test]
    fn what_is_shared_and_what_is_found_stand_side_by_side() {
        let told = [("os", "Linux".into()), ("browser", "Firefox".into())];
        let facts = Facts::new(&told, Some("https://shop.example:8443"), BOTH).unwrap();
        assert_eq!(
            added(&facts, "page", r#"{"path":"/?utm_id=7","referrer":"https://shop.example/x"}"#),
            concat!(
                r#"{"browser":"Firefox","channel":"internal","os":"Linux","path":"/?utm_id=7","#,
                r#""referrer":"https://shop.example/x","utm_id":"7"}"#
            )
        );
        assert_eq!(
            added(&facts, "link", r#"{"os":null,"url":"https://elsewhere.example/?utm_source=shop"}"#),
            r#"{"browser":"Firefox","os":null,"url":"https://elsewhere.example/?utm_source=shop"}"#
        );
    }

    #[test]
    fn nothing_told_and_nothing_wanted_are_no_facts() {
        let nothing = Derived::default();
        assert_eq!(Facts::new(&[], Some("https://shop.example"), nothing), None);
        let only_told = Facts::new(&[("country", "PT".into())], Some("https://shop.example"), nothing).unwrap();
        assert_eq!((only_told.shared.as_ref(), only_told.host), (r#"{"country":"PT"}"#, None));
        let utm = Derived { utm: true, channel: false };
        assert_eq!(Facts::new(&[], Some("https://shop.example"), utm).unwrap().host, None);
        for origin in ["null", "", "file://", "https://"] {
            assert_eq!(Facts::new(&[], Some(origin), BOTH).unwrap().host, None, "{origin}");
        }
    }

    #[test]
    fn what_is_made_is_sound() {
        let long = "x".repeat(SHARED_MAX_BYTES);
        let host = format!("https://{}", "h".repeat(HOST_MAX_BYTES + 1));
        let facts = Facts::new(&[("browser", long.into())], Some(&host), BOTH).unwrap();
        assert_eq!((facts.shared.as_ref(), facts.host.as_deref()), ("{}", None));
        assert!(facts.are_sound());
    }

    #[test]
    fn what_has_no_room_or_another_form_stays_as_it_was_sent() {
        let facts = Facts::new(&[("os", "Linux".into())], None, BOTH).unwrap();
        let full = format!(r#"{{"n":"{}"}}"#, "x".repeat(METADATA_MAX_BYTES - 8));
        let larger = format!(r#"{{"n":"{}"}}"#, "x".repeat(METADATA_MAX_BYTES));
        let others = ["", "7", "[]", "{\"a\":1", r#"{"a": 1}"#, r#"{"b":1,"a":1}"#, "{}x"];
        for metadata in others.into_iter().chain([full.as_str(), &larger]) {
            assert_eq!(added(&facts, "page", metadata), metadata, "{} bytes", metadata.len());
        }
    }
}

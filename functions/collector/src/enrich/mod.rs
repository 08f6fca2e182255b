//! The verb enrich: what the request of a browser tells, and what the page said of itself, is added to the metadata of its
//! events, so that it can be asked by.
//!
//! What a client sent is never changed, and of the address nothing but a country is kept.

mod agent;
mod bots;
mod campaign;
mod channel;
mod country;
#[cfg(test)]
mod user_agents;

use std::borrow::Cow;
use std::sync::Arc;

use analytics_domain::metadata::Addition;
use analytics_domain::{Event, Metadata, Timestamp};
use analytics_host::client::ClientAddress;
use analytics_host::config::EnrichmentConfig;
use http::request::Parts;
use http::{HeaderMap, header};
use quick_cache::sync::Cache;

use self::agent::Agent;
use self::channel::Way;
use self::country::Country;
pub use self::country::{Countries, CountriesError};

/// User agents that are remembered. Most requests come from a few hundred.
const REMEMBERED: usize = 4_096;

/// Most bytes of a user agent that are read.
const USER_AGENT_BYTES: usize = 512;

/// What is added to the metadata of events that a browser sends; nothing by default.
#[derive(Default)]
pub struct Enrichment {
    /// Browser, system and kind of device.
    pub user_agent: bool,
    /// Who is no person.
    pub bots: bool,
    /// By what way somebody came.
    pub channel: bool,
    /// What the address says of a campaign.
    pub utm: bool,
    /// Where countries are known from, where they are wanted.
    pub countries: Option<Arc<Countries>>,
}

impl Enrichment {
    /// What the settings ask for; this reads the file of countries.
    ///
    /// # Errors
    /// [`CountriesError`] where that cannot be used.
    pub fn open(config: &EnrichmentConfig) -> Result<Self, CountriesError> {
        let EnrichmentConfig { user_agent, bots, channel, utm, ref countries } = *config;
        let countries = countries.as_deref().map(Countries::open).transpose()?.map(Arc::new);
        Ok(Self { user_agent, bots, channel, utm, countries })
    }
}

/// Adds what is wanted.
pub(crate) struct Enricher {
    wanted: Enrichment,
    known: Cache<String, Known>,
}

/// What is known of a user agent.
#[derive(Debug, Clone, Copy)]
struct Known {
    agent: Agent,
    bot: Option<&'static str>,
}

/// What the request of a browser tells of all its events.
#[derive(Debug, Default)]
pub(crate) struct Facts {
    agent: Option<Agent>,
    bot: Option<&'static str>,
    country: Option<Country>,
    /// The page's own address without its path.
    origin: Option<String>,
}

impl Enricher {
    pub(crate) fn new(wanted: Enrichment) -> Self {
        Self { wanted, known: Cache::new(REMEMBERED) }
    }

    /// What a request tells; `None` where no browser sent it, or nothing is wanted.
    pub(crate) fn facts(&self, parts: &Parts, now: impl FnOnce() -> Timestamp) -> Option<Facts> {
        let Enrichment { user_agent, bots, channel, utm, countries } = &self.wanted;
        let is_wanted = *user_agent || *bots || *channel || *utm || countries.is_some();
        if !is_wanted || !is_of_a_browser(&parts.headers) {
            return None;
        }
        let known = (*user_agent || *bots).then(|| self.known(&parts.headers));
        let address = parts.extensions.get::<ClientAddress>();
        Some(Facts {
            agent: known.filter(|_| *user_agent).map(|known| known.agent),
            bot: known.filter(|_| *bots).and_then(|known| known.bot),
            country: countries.as_ref().zip(address).and_then(|(countries, address)| {
                follow(countries, now());
                countries.of(address.0)
            }),
            origin: parts.headers.get(header::ORIGIN).filter(|_| *channel).and_then(text),
        })
    }

    fn known(&self, headers: &HeaderMap) -> Known {
        let sent = headers.get(header::USER_AGENT).map_or(&[][..], |value| value.as_bytes());
        let sent = sent.get(..USER_AGENT_BYTES).unwrap_or(sent);
        let user_agent = String::from_utf8_lossy(sent);
        if let Some(known) = self.known.get(user_agent.as_ref()) {
            return known;
        }
        let known = Known { agent: agent::read(&user_agent), bot: bots::reason(&user_agent) };
        self.known.insert(user_agent.into_owned(), known);
        known
    }

    /// Adds to the metadata of each event what its client has not said.
    pub(crate) fn add(&self, facts: &Facts, events: &mut [Event<'_>]) {
        for event in events {
            if let Some(more) = self.more(facts, event) {
                event.metadata = Cow::Owned(more);
            }
        }
    }

    /// The metadata of an event with what is added; `None` where that is nothing.
    fn more(&self, facts: &Facts, event: &Event<'_>) -> Option<String> {
        let metadata = Metadata::read(&event.metadata)?;
        // Of a link to elsewhere `url` is where it leads, and neither page nor campaign of its own.
        let own_url = || if event.event_type == "link" { None } else { metadata.text("url") };
        let mut additions: Vec<Addition<'_>> = Vec::with_capacity(12);
        if let Some(Agent { browser, os, device }) = facts.agent {
            additions.push(("device", device.into()));
            additions.extend(browser.map(|name| ("browser", name.into())));
            additions.extend(os.map(|name| ("os", name.into())));
        }
        additions.extend(facts.bot.map(|reason| ("bot", reason.into())));
        additions.extend(facts.country.as_ref().map(|country| ("country", country.letters().into())));
        let found = if self.wanted.utm && !metadata.has_any(campaign::BEGINNING) {
            [own_url(), metadata.text("path")]
                .iter()
                .flatten()
                .map(|address| campaign::of(address))
                .find(|found| !found.is_empty())
        } else {
            None
        };
        if self.wanted.channel && !metadata.has("channel") {
            let told = |key: &'static str| {
                let taken = || found.as_ref()?.iter().find(|(name, _)| *name == key).map(|(_, value)| value.clone());
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
                host: host.as_deref().or_else(|| facts.origin.as_deref().and_then(channel::host_of)),
            };
            additions.extend(channel::of(&way).map(|channel| ("channel", channel.into())));
        }
        additions.extend(found.into_iter().flatten());
        metadata.with(&mut additions)
    }
}

/// Whether a browser sent this, and no server: its pages cannot take these headers away, and servers do not send them.
/// `Sec-Fetch-Mode` alone tells nothing: Node.js sends it too.
fn is_of_a_browser(headers: &HeaderMap) -> bool {
    headers.contains_key(header::ORIGIN) || headers.contains_key("sec-fetch-site")
}

fn text(value: &http::HeaderValue) -> Option<String> {
    value.to_str().ok().map(str::to_owned)
}

/// Looks now and then, beside the request, whether the file of countries was replaced.
fn follow(countries: &Arc<Countries>, now: Timestamp) {
    if countries.is_due(now) {
        let countries = Arc::clone(countries);
        tokio::task::spawn_blocking(move || countries.look());
    }
}

#[cfg(test)]
mod tests;

//! The verb enrich: what the request of a browser tells is found once, and goes to the queue beside its events, so that it can
//! be asked by.
//!
//! Who reads the entry adds it to the metadata of each event ([`Facts`]): of the events themselves nothing is read here. What a
//! client sent is never changed, and of the address nothing but a country is kept.

mod agent;
mod bots;
mod country;
#[cfg(test)]
mod user_agents;

use std::sync::Arc;

use analytics_domain::Timestamp;
use analytics_domain::facts::{Derived, Facts};
use analytics_domain::metadata::Addition;
use analytics_host::client::ClientAddress;
use analytics_host::config::EnrichmentConfig;
use http::request::Parts;
use http::{HeaderMap, header};
use quick_cache::sync::Cache;

use self::agent::Agent;
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

/// Finds what is wanted.
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

impl Enricher {
    pub(crate) fn new(wanted: Enrichment) -> Self {
        Self { wanted, known: Cache::new(REMEMBERED) }
    }

    /// What a request tells; `None` where no browser sent it, or nothing of it is wanted.
    pub(crate) fn facts(&self, parts: &Parts, now: impl FnOnce() -> Timestamp) -> Option<Facts<'static>> {
        let Enrichment { user_agent, bots, channel, utm, countries } = &self.wanted;
        let is_wanted = *user_agent || *bots || *channel || *utm || countries.is_some();
        if !is_wanted || !is_of_a_browser(&parts.headers) {
            return None;
        }
        let known = (*user_agent || *bots).then(|| self.known(&parts.headers));
        let address = parts.extensions.get::<ClientAddress>();
        let country = countries.as_ref().zip(address).and_then(|(countries, address)| {
            follow(countries, now());
            countries.of(address.0)
        });
        let mut told: Vec<Addition<'_>> = Vec::with_capacity(5);
        if let Some(Known { agent: Agent { browser, os, device }, .. }) = known.filter(|_| *user_agent) {
            told.extend(browser.map(|name| ("browser", name.into())));
            told.push(("device", device.into()));
            told.extend(os.map(|name| ("os", name.into())));
        }
        let bot = known.filter(|_| *bots).and_then(|known| known.bot);
        told.extend(bot.map(|reason| ("bot", reason.into())));
        told.extend(country.as_ref().map(|country| ("country", country.letters().into())));
        let origin = parts.headers.get(header::ORIGIN).and_then(|origin| origin.to_str().ok());
        Facts::new(&told, origin, Derived { channel: *channel, utm: *utm })
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
}

/// Whether a browser sent this, and no server: its pages cannot take these headers away, and servers do not send them.
/// `Sec-Fetch-Mode` alone tells nothing: Node.js sends it too.
fn is_of_a_browser(headers: &HeaderMap) -> bool {
    headers.contains_key(header::ORIGIN) || headers.contains_key("sec-fetch-site")
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

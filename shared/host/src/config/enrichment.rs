//! What a collector adds to the metadata of events that a browser sends: which parts of it are wanted.

use std::path::PathBuf;

use super::parts::Common;
use super::reading::Reader;

/// `ENRICH` and `GEOIP_FILE`: what is added; nothing by default.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct EnrichmentConfig {
    /// `user_agent`: browser, system and kind of device.
    pub user_agent: bool,
    /// `bots`: who is no person, with the reason.
    pub bots: bool,
    /// `channel`: by what way somebody came.
    pub channel: bool,
    /// `utm`: what an address says of a campaign.
    pub utm: bool,
    /// `country`: the file that knows it, where it is wanted.
    pub countries: Option<PathBuf>,
}

/// The words of `ENRICH`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Part {
    UserAgent,
    Bots,
    Channel,
    Utm,
    Country,
}

/// Most characters of a word that a fault repeats.
const SHOWN: usize = 40;

/// What holds where `ENRICH` is not set; a country needs its file.
const BY_DEFAULT: [Part; 5] = [Part::UserAgent, Part::Bots, Part::Channel, Part::Utm, Part::Country];

/// Reads `ENRICH` and `GEOIP_FILE`.
pub(super) fn read(reader: &mut Reader<'_>, common: &mut Common) -> EnrichmentConfig {
    let path = |text: &str| (!text.chars().any(char::is_control)).then(|| PathBuf::from(text));
    let is_named = reader.text("GEOIP_FILE").is_some();
    let file = reader.read("GEOIP_FILE", path, "the path of a file, as /var/lib/GeoIP/GeoLite2-Country.mmdb");
    let said = reader.try_read("ENRICH", parts);
    let has = |part: Part| said.as_deref().unwrap_or(&BY_DEFAULT).contains(&part);
    let asks_by_name = said.is_some() && has(Part::Country);
    if asks_by_name && !is_named {
        let why = "ENRICH names country, which is read there: the path of a file in MaxMind's format, as \
                   /var/lib/GeoIP/GeoLite2-Country.mmdb; or leave country out of ENRICH";
        reader.missing("GEOIP_FILE", why);
    }
    if is_named && !has(Part::Country) {
        let sentence = "GEOIP_FILE is set and ENRICH leaves country out: no event gets one; name country in ENRICH, or unset one \
                        of them";
        common.warnings.push(sentence.to_owned());
    }
    EnrichmentConfig {
        user_agent: has(Part::UserAgent),
        bots: has(Part::Bots),
        channel: has(Part::Channel),
        utm: has(Part::Utm),
        countries: file.filter(|_| has(Part::Country)),
    }
}

/// The parts that a list names; an error says what would be right.
fn parts(text: &str) -> Result<Vec<Part>, String> {
    if text == "none" {
        return Ok(Vec::new());
    }
    let part = |word: &str| match word {
        "user_agent" => Ok(Part::UserAgent),
        "bots" => Ok(Part::Bots),
        "channel" => Ok(Part::Channel),
        "utm" => Ok(Part::Utm),
        "country" => Ok(Part::Country),
        _ => {
            let word: String = word.chars().take(SHOWN).collect();
            Err(format!(
                "{word:?} is none of user_agent, bots, channel, utm, country; write some of them, or none alone"
            ))
        }
    };
    text.split(',').map(|word| part(word.trim())).collect()
}

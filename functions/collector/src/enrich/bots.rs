//! Who is no person, by what the user agent says of itself: crawlers, models, previews, monitors, automated browsers, clients.
//!
//! Only those are found who say so. The reason is one of a fixed few, so that there is no end of values to ask by.

use super::agent::words;

/// The reason where a browser's request names no user agent at all.
pub(crate) const UNNAMED: &str = "no user agent";

/// Words that bots say anywhere, in lower case, and the reason that is given.
const ANYWHERE: &[(&str, &str)] = &[
    // Search engines and those who look at pages for them.
    ("googlebot", "crawler: Googlebot"),
    ("googlebot-image", "crawler: Googlebot"),
    ("googlebot-video", "crawler: Googlebot"),
    ("googlebot-news", "crawler: Googlebot"),
    ("storebot-google", "crawler: Googlebot"),
    ("google-inspectiontool", "crawler: Googlebot"),
    ("googleother", "crawler: Googlebot"),
    ("adsbot-google", "crawler: AdsBot-Google"),
    ("adsbot-google-mobile", "crawler: AdsBot-Google"),
    ("mediapartners-google", "crawler: AdsBot-Google"),
    ("bingbot", "crawler: Bingbot"),
    ("bingpreview", "crawler: Bingbot"),
    ("adidxbot", "crawler: Bingbot"),
    ("slurp", "crawler: Yahoo Slurp"),
    ("duckduckbot", "crawler: DuckDuckBot"),
    ("baiduspider", "crawler: Baiduspider"),
    ("yandexbot", "crawler: YandexBot"),
    ("yandexrenderresourcesbot", "crawler: YandexBot"),
    ("yandexmetrika", "crawler: YandexBot"),
    ("applebot", "crawler: Applebot"),
    ("petalbot", "crawler: PetalBot"),
    ("seznambot", "crawler: SeznamBot"),
    ("yeti", "crawler: Yeti"),
    ("ahrefsbot", "crawler: AhrefsBot"),
    ("ahrefssiteaudit", "crawler: AhrefsBot"),
    ("semrushbot", "crawler: SemrushBot"),
    ("mj12bot", "crawler: MJ12bot"),
    ("dotbot", "crawler: DotBot"),
    ("ia_archiver", "crawler: Internet Archive"),
    ("archive.org_bot", "crawler: Internet Archive"),
    // Models, and those who read for them.
    ("gptbot", "ai: GPTBot"),
    ("oai-searchbot", "ai: OAI-SearchBot"),
    ("chatgpt-user", "ai: ChatGPT-User"),
    ("claudebot", "ai: ClaudeBot"),
    ("claude-user", "ai: Claude-User"),
    ("claude-searchbot", "ai: Claude-SearchBot"),
    ("claude-web", "ai: ClaudeBot"),
    ("anthropic-ai", "ai: ClaudeBot"),
    ("perplexitybot", "ai: PerplexityBot"),
    ("perplexity-user", "ai: Perplexity-User"),
    ("mistralai-user", "ai: MistralAI-User"),
    ("bytespider", "ai: Bytespider"),
    ("amazonbot", "ai: Amazonbot"),
    ("meta-externalagent", "ai: Meta-ExternalAgent"),
    ("meta-externalfetcher", "ai: Meta-ExternalAgent"),
    ("ccbot", "ai: CCBot"),
    ("diffbot", "ai: Diffbot"),
    ("duckassistbot", "ai: DuckAssistBot"),
    // Previews of links in messages and posts.
    ("facebookexternalhit", "preview: Facebook"),
    ("facebookcatalog", "preview: Facebook"),
    ("facebot", "preview: Facebook"),
    ("twitterbot", "preview: Twitterbot"),
    ("linkedinbot", "preview: LinkedInBot"),
    ("slackbot", "preview: Slackbot"),
    ("slackbot-linkexpanding", "preview: Slackbot"),
    ("discordbot", "preview: Discordbot"),
    ("telegrambot", "preview: TelegramBot"),
    ("skypeuripreview", "preview: Skype"),
    ("pinterestbot", "preview: Pinterestbot"),
    ("redditbot", "preview: Redditbot"),
    ("embedly", "preview: Embedly"),
    // Those who look whether a page is there, and how quick it is.
    ("uptimerobot", "monitor: UptimeRobot"),
    ("pingdom.com_bot", "monitor: Pingdom"),
    ("pingdompagespeed", "monitor: Pingdom"),
    ("pingdomtms", "monitor: Pingdom"),
    ("statuscake", "monitor: StatusCake"),
    ("site24x7", "monitor: Site24x7"),
    ("datadogsynthetics", "monitor: Datadog"),
    ("checkly", "monitor: Checkly"),
    ("uptime-kuma", "monitor: Uptime Kuma"),
    ("gtmetrix", "monitor: GTmetrix"),
    ("chrome-lighthouse", "monitor: Lighthouse"),
    ("ptst", "monitor: WebPageTest"),
    ("googlestackdrivermonitoring-uptimechecks", "monitor: Google Cloud"),
    // Browsers that nobody sits before.
    ("headlesschrome", "automation: Headless Chrome"),
    ("headlessshell", "automation: Headless Chrome"),
    ("phantomjs", "automation: PhantomJS"),
    ("slimerjs", "automation: SlimerJS"),
    ("puppeteer", "automation: Puppeteer"),
    ("playwright", "automation: Playwright"),
    ("selenium", "automation: Selenium"),
    ("cypress", "automation: Cypress"),
    ("jsdom", "automation: jsdom"),
];

/// Words that programs begin with, in lower case, and the reason that is given. Applications for people are not among them,
/// though they use libraries too (`okhttp`, `Dart`, `CFNetwork`).
const FIRST: &[(&str, &str)] = &[
    ("curl", "client: curl"),
    ("wget", "client: Wget"),
    ("httpie", "client: HTTPie"),
    ("python", "client: Python"),
    ("python-requests", "client: Python"),
    ("python-urllib", "client: Python"),
    ("python-httpx", "client: Python"),
    ("go-http-client", "client: Go"),
    ("java", "client: Java"),
    ("apache-httpclient", "client: Java"),
    ("libwww-perl", "client: Perl"),
    ("node", "client: Node.js"),
    ("node-fetch", "client: Node.js"),
    ("undici", "client: Node.js"),
    ("axios", "client: Node.js"),
    ("got", "client: Node.js"),
    ("deno", "client: Deno"),
    ("bun", "client: Bun"),
    ("ruby", "client: Ruby"),
    ("guzzlehttp", "client: PHP"),
    ("php", "client: PHP"),
    ("postmanruntime", "client: Postman"),
    ("insomnia", "client: Insomnia"),
    ("scrapy", "client: Scrapy"),
    ("whatsapp", "preview: WhatsApp"),
];

/// The reason of all others that call themselves one.
const OTHER: &str = "crawler: other";

/// Why a user agent is a bot's; `None` where it says nothing of the kind.
pub(crate) fn reason(user_agent: &str) -> Option<&'static str> {
    let lower = user_agent.to_ascii_lowercase();
    let find = |list: &[(&str, &'static str)], word: &str| {
        list.iter().find(|(known, _)| *known == word).map(|(_, reason)| *reason)
    };
    let Some(first) = words(&lower).next() else { return Some(UNNAMED) };
    find(FIRST, first)
        .or_else(|| words(&lower).find_map(|word| find(ANYWHERE, word)))
        .or_else(|| words(&lower).any(is_named_so).then_some(OTHER))
}

/// Whether a word in lower case is the name of a bot that is in no list: `examplebot`, `seo-crawler`, `newsspider`.
///
/// The phones of a maker called Cubot are none.
fn is_named_so(word: &str) -> bool {
    let ends_in_bot = |(place, name): (usize, &str)| {
        let after = word.as_bytes().get(place + name.len());
        !after.is_some_and(u8::is_ascii_alphabetic)
    };
    (word.match_indices("bot").any(ends_in_bot) && !word.starts_with("cubot"))
        || ["crawler", "spider", "scraper", "headless"].iter().any(|part| word.contains(part))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::enrich::user_agents;

    #[test]
    fn names_those_who_say_so_and_leaves_people_alone() {
        for line in user_agents::lines() {
            assert_eq!(reason(line.user_agent), line.bot, "{}", line.user_agent);
        }
        for nothing in ["", " ", "(;)"] {
            assert_eq!(reason(nothing), Some(UNNAMED), "{nothing:?}");
        }
    }

    #[test]
    fn every_word_can_be_met() {
        for (word, reason) in ANYWHERE {
            assert_eq!(self::reason(&format!("Mozilla/5.0 (x; {word}/1.0)")), Some(*reason), "{word}");
        }
        for (word, reason) in FIRST {
            assert_eq!(self::reason(&format!("{word}/1.0")), Some(*reason), "{word}");
        }
    }
}

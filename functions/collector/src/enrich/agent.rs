//! What a user agent says of itself: browser, system and kind of device.
//!
//! Of names only, and of no versions: browsers write the same version of the system for everybody by now. What nobody told is
//! left out. A tablet that asks for the pages of desktops (an iPad does by default) cannot be told from one.

/// What a user agent says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Agent {
    /// The browser's name, where it is one that is known.
    pub(crate) browser: Option<&'static str>,
    /// The system's name, where it is one that is known.
    pub(crate) os: Option<&'static str>,
    /// `desktop`, `mobile`, `tablet`, `tv` or `other`.
    pub(crate) device: &'static str,
}

/// Words by which browsers are known. Many say the words of others too, so the first of this list that is there counts.
const BROWSERS: &[(&str, &str)] = &[
    // Applications that show pages inside of themselves.
    ("FBAN", "Facebook"),
    ("FBAV", "Facebook"),
    ("FB_IAB", "Facebook"),
    ("Instagram", "Instagram"),
    ("musical_ly", "TikTok"),
    ("BytedanceWebview", "TikTok"),
    ("TikTok", "TikTok"),
    ("Snapchat", "Snapchat"),
    ("Pinterest", "Pinterest"),
    ("LinkedInApp", "LinkedIn"),
    ("MicroMessenger", "WeChat"),
    ("Line", "LINE"),
    ("GSA", "Google app"),
    // Browsers, those that are built upon others first.
    ("SamsungBrowser", "Samsung Internet"),
    ("Edg", "Edge"),
    ("EdgA", "Edge"),
    ("EdgiOS", "Edge"),
    ("Edge", "Edge"),
    ("OPR", "Opera"),
    ("OPT", "Opera"),
    ("OPX", "Opera"),
    ("OPiOS", "Opera"),
    ("Opera", "Opera"),
    ("Vivaldi", "Vivaldi"),
    ("YaBrowser", "Yandex Browser"),
    ("Ddg", "DuckDuckGo"),
    ("DuckDuckGo", "DuckDuckGo"),
    ("Brave", "Brave"),
    ("UCBrowser", "UC Browser"),
    ("UBrowser", "UC Browser"),
    ("MiuiBrowser", "Mi Browser"),
    ("HuaweiBrowser", "Huawei Browser"),
    ("HeyTapBrowser", "HeyTap Browser"),
    ("VivoBrowser", "vivo Browser"),
    ("MQQBrowser", "QQ Browser"),
    ("QQBrowser", "QQ Browser"),
    ("Whale", "Whale"),
    ("Silk", "Silk"),
    ("Puffin", "Puffin"),
    ("OculusBrowser", "Meta Quest Browser"),
    ("PaleMoon", "Pale Moon"),
    ("SeaMonkey", "SeaMonkey"),
    ("Waterfox", "Waterfox"),
    ("FxiOS", "Firefox"),
    ("Focus", "Firefox"),
    ("Klar", "Firefox"),
    ("Firefox", "Firefox"),
    ("Epiphany", "GNOME Web"),
    ("CriOS", "Chrome"),
    ("Chromium", "Chromium"),
    ("Chrome", "Chrome"),
    ("HeadlessChrome", "Chrome"),
    ("MSIE", "Internet Explorer"),
    ("Trident", "Internet Explorer"),
];

/// Words by which systems are known; the first of this list that is there counts, since a phone says `Linux` or `Mac OS X` too.
const SYSTEMS: &[(&str, &str)] = &[
    ("Xbox", "Xbox"),
    ("PlayStation", "PlayStation"),
    ("Nintendo", "Nintendo"),
    ("iPhone", "iOS"),
    ("iPad", "iOS"),
    ("iPod", "iOS"),
    ("AppleTV", "tvOS"),
    ("KAIOS", "KaiOS"),
    ("Tizen", "Tizen"),
    ("Web0S", "webOS"),
    ("webOS", "webOS"),
    ("HarmonyOS", "HarmonyOS"),
    ("OpenHarmony", "HarmonyOS"),
    ("CrOS", "ChromeOS"),
    ("Android", "Android"),
    ("Windows", "Windows"),
    ("Macintosh", "macOS"),
    ("FreeBSD", "FreeBSD"),
    ("OpenBSD", "OpenBSD"),
    ("Linux", "Linux"),
    ("LINUX", "Linux"),
    ("X11", "Linux"),
];

/// Words that only televisions, and boxes at one, say. What begins with `AFT` is a Fire TV.
const TELEVISIONS: &[&str] = &[
    "SmartTV", "SMART-TV", "SmartHub", "GoogleTV", "HbbTV", "AppleTV", "TV", "BRAVIA", "Web0S", "NetCast", "CrKey",
    "Roku", "VIDAA", "Viera", "NetTV", "DTV",
];

/// Words that only tablets say.
const TABLETS: &[&str] = &["iPad", "Tablet", "Kindle", "PlayBook"];

/// Words that only phones say.
const PHONES: &[&str] = &["iPhone", "iPod", "Mobile", "Mobi", "KAIOS", "IEMobile", "Phone"];

/// Systems of machines that are none of the kinds.
const CONSOLES: &[&str] = &["Xbox", "PlayStation", "Nintendo"];

/// The words of a user agent: what stands between spaces, slashes, brackets and the like.
pub(crate) fn words(user_agent: &str) -> impl Iterator<Item = &str> {
    let is_part = |character: char| character.is_alphanumeric() || matches!(character, '_' | '-' | '.' | '!');
    user_agent.split(move |character| !is_part(character)).filter(|word| !word.is_empty())
}

/// Reads a user agent.
pub(crate) fn read(user_agent: &str) -> Agent {
    let (mut browser, mut system) = (usize::MAX, usize::MAX);
    let (mut tv, mut tablet, mut phone) = (false, false, false);
    let (mut webview, mut webkit, mut safari, mut version) = (false, false, false, false);
    for word in words(user_agent) {
        let place = |list: &[(&str, &str)]| list.iter().position(|(known, _)| *known == word).unwrap_or(usize::MAX);
        browser = browser.min(place(BROWSERS));
        system = system.min(place(SYSTEMS));
        tv |= TELEVISIONS.contains(&word) || is_fire_tv(word);
        tablet |= TABLETS.contains(&word);
        phone |= PHONES.contains(&word);
        webview |= word == "wv";
        webkit |= word == "AppleWebKit";
        safari |= word == "Safari";
        version |= word == "Version";
    }
    let os = SYSTEMS.get(system).map(|(_, name)| *name);
    let browser = match BROWSERS.get(browser).map(|(_, name)| *name) {
        Some("Chrome") if webview => Some("Android WebView"),
        Some(name) => Some(name),
        None if !webkit => None,
        None => match os {
            Some("macOS" | "iOS") if safari && version => Some("Safari"),
            Some("iOS") => Some("iOS WebView"),
            Some("Android") if version => Some("Android Browser"),
            _ => None,
        },
    };
    Agent { browser, os, device: device(os, tv, tablet, phone) }
}

fn device(os: Option<&str>, tv: bool, tablet: bool, phone: bool) -> &'static str {
    match os {
        _ if tv => "tv",
        Some(name) if CONSOLES.contains(&name) => "other",
        _ if tablet => "tablet",
        _ if phone => "mobile",
        // A phone says `Mobile`.
        Some("Android" | "HarmonyOS") => "tablet",
        Some("Windows" | "macOS" | "Linux" | "ChromeOS" | "FreeBSD" | "OpenBSD") => "desktop",
        _ => "other",
    }
}

/// `AFTS`, `AFTMM` and their like are the models of Fire TVs.
fn is_fire_tv(word: &str) -> bool {
    word.strip_prefix("AFT")
        .is_some_and(|model| !model.is_empty() && model.bytes().all(|byte| byte.is_ascii_uppercase()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::enrich::user_agents;

    #[test]
    fn knows_the_browsers_of_these_days() {
        for line in user_agents::lines() {
            let found = read(line.user_agent);
            assert_eq!(
                (found.browser, found.os, found.device),
                (line.browser, line.os, line.device),
                "{}",
                line.user_agent
            );
        }
        assert_eq!(read(""), Agent { browser: None, os: None, device: "other" });
    }

    #[test]
    fn no_word_stands_twice() {
        for list in [BROWSERS, SYSTEMS] {
            for (place, (word, _)) in list.iter().enumerate() {
                assert_eq!(list.iter().position(|(other, _)| other == word), Some(place), "{word}");
            }
        }
    }
}

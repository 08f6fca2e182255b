//! By what way somebody came: from the campaign that an address names, else from the page before.
//!
//! `paid`, `email`, `social`, `search`, `referral`, `internal`, `direct`. `direct` is said only where the client says that
//! there was no page before (an empty `referrer`): that a `referrer` is absent tells nothing of it.

/// What an event says of its way.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Way<'e> {
    /// `utm_medium`.
    pub(crate) medium: Option<&'e str>,
    /// `utm_source`.
    pub(crate) source: Option<&'e str>,
    /// `referrer`.
    pub(crate) referrer: Option<&'e str>,
    /// The page's own host, with or without a port.
    pub(crate) host: Option<&'e str>,
}

/// The channels.
const PAID: &str = "paid";
const EMAIL: &str = "email";
const SOCIAL: &str = "social";
const SEARCH: &str = "search";
const REFERRAL: &str = "referral";
const INTERNAL: &str = "internal";
const DIRECT: &str = "direct";

/// Media of campaigns. What begins with `paid` is paid too.
const MEDIA: &[(&str, &[&str])] = &[
    (PAID, &["cpc", "ppc", "cpm", "cpv", "cpa", "display", "banner", "retargeting", "ads", "ad", "sem"]),
    (EMAIL, &["email", "e-mail", "e_mail", "mail", "newsletter"]),
    (SOCIAL, &["social", "social-network", "social-media", "social_network", "social_media", "sm"]),
    (SEARCH, &["organic", "search"]),
    (REFERRAL, &["referral", "affiliate", "link"]),
];

/// Names that campaigns give as their source.
const SOURCES: &[(&str, &[&str])] = &[
    (EMAIL, &["email", "mail", "newsletter", "mailchimp", "brevo", "sendgrid", "klaviyo"]),
    (
        SOCIAL,
        &[
            "facebook",
            "fb",
            "instagram",
            "ig",
            "threads",
            "twitter",
            "x",
            "linkedin",
            "reddit",
            "youtube",
            "tiktok",
            "pinterest",
            "snapchat",
            "whatsapp",
            "telegram",
            "mastodon",
            "bluesky",
            "bsky",
            "vk",
            "weibo",
            "xing",
            "hackernews",
        ],
    ),
    (
        SEARCH,
        &["google", "bing", "duckduckgo", "yahoo", "yandex", "baidu", "ecosia", "qwant", "startpage", "brave", "naver"],
    ),
];

/// Hosts, each with all below it; the first that holds a host counts.
const HOSTS: &[(&str, &[&str])] = &[
    (
        EMAIL,
        &[
            "mail.google.com",
            "outlook.live.com",
            "outlook.office.com",
            "outlook.office365.com",
            "outlook.cloud.microsoft",
            "mail.yahoo.com",
            "mail.proton.me",
            "mail.aol.com",
            "mail.zoho.com",
            "mail.zoho.eu",
            "mail.yandex.ru",
            "mail.yandex.com",
            "e.mail.ru",
            "app.fastmail.com",
            "app.tuta.com",
            "navigator.gmx.net",
            "navigator.web.de",
            "com.google.android.gm",
        ],
    ),
    (
        SEARCH,
        &[
            "bing.com",
            "duckduckgo.com",
            "search.yahoo.com",
            "search.yahoo.co.jp",
            "ecosia.org",
            "qwant.com",
            "startpage.com",
            "search.brave.com",
            "kagi.com",
            "baidu.com",
            "sogou.com",
            "so.com",
            "search.naver.com",
            "search.daum.net",
            "search.seznam.cz",
            "ya.ru",
            "mojeek.com",
            "swisscows.com",
            "metager.de",
            "search.aol.com",
            "ask.com",
            "com.google.android.googlequicksearchbox",
        ],
    ),
    (
        SOCIAL,
        &[
            "facebook.com",
            "fb.com",
            "fb.me",
            "messenger.com",
            "instagram.com",
            "threads.net",
            "threads.com",
            "t.co",
            "twitter.com",
            "x.com",
            "linkedin.com",
            "lnkd.in",
            "reddit.com",
            "youtube.com",
            "youtu.be",
            "tiktok.com",
            "pin.it",
            "snapchat.com",
            "whatsapp.com",
            "wa.me",
            "telegram.org",
            "t.me",
            "discord.com",
            "bsky.app",
            "mastodon.social",
            "vk.com",
            "ok.ru",
            "weibo.com",
            "weibo.cn",
            "tumblr.com",
            "quora.com",
            "twitch.tv",
            "xing.com",
            "news.ycombinator.com",
            "lobste.rs",
            "com.facebook.katana",
            "com.instagram.android",
            "com.twitter.android",
            "com.linkedin.android",
            "com.reddit.frontpage",
            "org.telegram.messenger",
        ],
    ),
];

/// Names that stand before the ending of one country or another: `google.de`, `google.co.uk`. Only their front door counts:
/// `docs.google.com` is a page as any.
const EVERYWHERE: &[(&str, &str)] = &[("google", SEARCH), ("yandex", SEARCH), ("pinterest", SOCIAL)];

/// The channel of an event; `None` where it says nothing of its way.
pub(crate) fn of(way: &Way<'_>) -> Option<&'static str> {
    by_medium(way.medium).or_else(|| by_source(way.source)).or_else(|| by_referrer(way)).or_else(|| {
        // A campaign of a name that is in no list.
        let named = |text: Option<&str>| text.is_some_and(|text| !text.trim().is_empty());
        (named(way.medium) || named(way.source)).then_some(REFERRAL)
    })
}

fn by_medium(medium: Option<&str>) -> Option<&'static str> {
    let medium = medium?.trim().to_ascii_lowercase();
    if medium.starts_with("paid") {
        return Some(PAID);
    }
    among(MEDIA, |known| known == medium)
}

fn by_source(source: Option<&str>) -> Option<&'static str> {
    let source = source?.trim().to_ascii_lowercase();
    among(SOURCES, |known| known == source).or_else(|| by_host(&source))
}

fn by_referrer(way: &Way<'_>) -> Option<&'static str> {
    let referrer = way.referrer?.trim();
    if referrer.is_empty() {
        let has_campaign = way.medium.is_some() || way.source.is_some();
        return (!has_campaign).then_some(DIRECT);
    }
    let host = host_of(referrer)?.to_ascii_lowercase();
    let own = way.host.map(|own| bare(own).to_ascii_lowercase());
    if own.is_some_and(|own| without_www(&own) == without_www(&host)) {
        return Some(INTERNAL);
    }
    Some(by_host(&host).unwrap_or(REFERRAL))
}

/// The channel of a host in lower case, where it is in a list.
fn by_host(host: &str) -> Option<&'static str> {
    let holds = |known: &str| host.strip_suffix(known).is_some_and(|below| below.is_empty() || below.ends_with('.'));
    among(HOSTS, holds)
        .or_else(|| EVERYWHERE.iter().find(|(name, _)| is_front_door(host, name)).map(|(_, channel)| *channel))
}

/// `NAME.TLD`, `www.NAME.TLD` or `NAME.co.TLD`.
fn is_front_door(host: &str, name: &str) -> bool {
    let ending = without_www(host).strip_prefix(name).and_then(|rest| rest.strip_prefix('.'));
    ending.is_some_and(|ending| {
        let mut parts = ending.split('.');
        parts.clone().count() <= 2 && parts.all(|part| (2..=3).contains(&part.len()))
    })
}

fn among(lists: &[(&'static str, &[&str])], is_it: impl Fn(&str) -> bool) -> Option<&'static str> {
    lists.iter().find(|(_, known)| known.iter().any(|known| is_it(known))).map(|(channel, _)| *channel)
}

/// The host of an absolute address, without port and name of a user; `None` where it is none.
pub(crate) fn host_of(address: &str) -> Option<&str> {
    let (scheme, rest) = address.split_once("://")?;
    let known = ["http", "https", "android-app"].iter().any(|known| scheme.eq_ignore_ascii_case(known));
    let authority = rest.split(['/', '?', '#', '\\']).next()?;
    let host = bare(authority.rsplit('@').next()?);
    (known && !host.is_empty()).then_some(host)
}

/// A host without its port.
fn bare(authority: &str) -> &str {
    match authority.rsplit_once(':') {
        Some((host, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => host,
        _ => authority,
    }
}

fn without_www(host: &str) -> &str {
    host.strip_prefix("www.").unwrap_or(host)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn from(referrer: &str) -> Option<&'static str> {
        of(&Way { referrer: Some(referrer), host: Some("shop.example:8080"), ..Way::default() })
    }

    #[test]
    fn the_page_before_tells_the_way() {
        let table = [
            ("https://www.google.com/", Some(SEARCH)),
            ("https://www.google.co.uk/search?q=x", Some(SEARCH)),
            ("https://google.de", Some(SEARCH)),
            ("https://yandex.ru/", Some(SEARCH)),
            ("https://cn.bing.com/", Some(SEARCH)),
            ("https://r.search.yahoo.com/_ylt=x", Some(SEARCH)),
            ("android-app://com.google.android.googlequicksearchbox/", Some(SEARCH)),
            ("https://docs.google.com/document/d/1", Some(REFERRAL)),
            ("https://google.shop.example.net/", Some(REFERRAL)),
            ("https://mail.google.com/", Some(EMAIL)),
            ("android-app://com.google.android.gm", Some(EMAIL)),
            ("https://L.Facebook.com/l.php?u=x", Some(SOCIAL)),
            ("https://t.co/abc", Some(SOCIAL)),
            ("https://www.pinterest.co.uk/pin/1", Some(SOCIAL)),
            ("https://netflix.com/", Some(REFERRAL)),
            ("https://notx.com/", Some(REFERRAL)),
            ("https://news.example.org/article", Some(REFERRAL)),
            ("https://user@blog.example:443/x", Some(REFERRAL)),
            ("https://shop.example/basket", Some(INTERNAL)),
            ("https://WWW.shop.example:8080/", Some(INTERNAL)),
            ("https://other.shop.example/", Some(REFERRAL)),
            ("", Some(DIRECT)),
            ("google", None),
            ("javascript://x", None),
            ("https://", None),
            ("about:blank", None),
        ];
        for (referrer, channel) in table {
            assert_eq!(from(referrer), channel, "{referrer}");
        }
        assert_eq!(of(&Way::default()), None);
    }

    #[test]
    fn a_campaign_tells_it_before() {
        let campaign = |medium: &'static str, source: &'static str, referrer: Option<&'static str>| {
            let some = |text: &'static str| (!text.is_empty()).then_some(text);
            of(&Way { medium: some(medium), source: some(source), referrer, host: None })
        };
        assert_eq!(campaign("cpc", "google", Some("https://www.google.com/")), Some(PAID));
        assert_eq!(campaign("Paid_Social", "facebook", None), Some(PAID));
        assert_eq!(campaign("CPM", "", Some("")), Some(PAID));
        assert_eq!(campaign("email", "", None), Some(EMAIL));
        assert_eq!(campaign("", "newsletter", Some("https://www.google.com/")), Some(EMAIL));
        assert_eq!(campaign("social", "", None), Some(SOCIAL));
        assert_eq!(campaign("", "linkedin.com", None), Some(SOCIAL));
        assert_eq!(campaign("organic", "", None), Some(SEARCH));
        assert_eq!(campaign("", "bing", None), Some(SEARCH));
        assert_eq!(campaign("affiliate", "google", None), Some(REFERRAL));
        assert_eq!(campaign("qr", "poster", None), Some(REFERRAL));
        assert_eq!(campaign("qr", "poster", Some("")), Some(REFERRAL));
        assert_eq!(campaign("qr", "", Some("https://t.co/x")), Some(SOCIAL));
        assert_eq!(campaign(" ", "", None), None);
    }
}

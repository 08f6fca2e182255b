//! What production refuses, and what it is warned of.

use super::parts::{Common, HttpConfig, IntakeConfig};
use super::reading::Reader;
use super::redis_url;
use super::role::Role;
use crate::cors::Origins;

/// What stops a start in production, for the docs.
pub(super) const REFUSED: &[&str] = &[
    "`analytics` has no `API_KEYS`",
    "a key of `API_KEYS` or `WRITE_KEYS` can be guessed: fewer than 6 different characters, or a placeholder such as `change-me` or `example`",
    "the password of a URL is a placeholder such as `change-me`, which somebody has yet to replace",
    "`TRUSTED_PROXIES` holds everybody (`0.0.0.0/0`, `::/0`): any client could then choose its own address",
];

/// What is warned of in production, for the docs.
pub(super) const WARNED: &[&str] = &[
    "`WRITE_KEYS` is not set: anybody can send events to project `default`",
    "`CORS_ORIGINS` is `*`: any web page may call with a key that it knows",
    "`DURABILITY` is `fast`: a power cut may take about the last second of answered events",
    "`LOG_LEVEL` is `debug` or `trace`: the log grows fast",
    "the password of a URL is one that stands in guides, such as `password`",
];

/// Fewest different characters of a key that was drawn by chance and not typed.
const FEWEST_CHARACTERS: usize = 6;

/// Words of keys and passwords that somebody has yet to replace.
const PLACEHOLDERS: &[&str] =
    &["change-me", "change_me", "changeme", "example", "placeholder", "replace-me", "your-key", "your_key"];

/// Passwords of guides and sample files.
const SAMPLE_PASSWORDS: &[&str] = &["password", "postgres", "secret", "admin", "root", "redis", "analytics", "123456"];

/// The risks that every role shares.
pub(super) fn judge(reader: &mut Reader<'_>, role: Role, common: &mut Common, http: &HttpConfig) {
    if !common.production {
        return;
    }
    for name in ["API_KEYS", "WRITE_KEYS"] {
        let Some(list) = role_reads(role, name).then(|| reader.text(name)).flatten() else { continue };
        let keys = list.split(',').map(|entry| entry.trim().split(':').next().unwrap_or_default());
        for (index, _) in keys.enumerate().filter(|(_, key)| can_be_guessed(key)) {
            let place = index + 1;
            reader.fault(format!(
                "{name}: key {place} of the list can be guessed, which APP_ENV=production refuses; draw one by chance, as with \
                 openssl rand -hex 24"
            ));
        }
    }
    if http.trusted_proxies.trusts_everybody() {
        reader.fault(
            "TRUSTED_PROXIES holds everybody, which APP_ENV=production refuses: any client could choose its own address; name \
             the networks of your proxies",
        );
    }
    for name in ["REDIS_URL", "CACHE_REDIS_URL", "DATABASE_URL", "DATABASE_REPLICA_URL"] {
        let Some(text) = role_reads(role, name).then(|| reader.text(name)).flatten() else { continue };
        let password = url::Url::parse(&redis_url::with_one_host(text))
            .ok()
            .and_then(|url| url.password().map(str::to_ascii_lowercase));
        let Some(password) = password else { continue };
        if is_placeholder(&password) {
            reader.fault(format!(
                "{name}: its password is a placeholder, which APP_ENV=production refuses; draw one by chance, as with openssl \
                 rand -hex 24, and set it at the server too"
            ));
        } else if SAMPLE_PASSWORDS.contains(&password.as_str()) {
            common.warnings.push(format!("{name} has a password that stands in guides; set another one"));
        }
    }
    if matches!(common.log_level.as_str(), "debug" | "trace") {
        common
            .warnings
            .push(format!("LOG_LEVEL is {}: the log grows fast; info is meant for production", common.log_level));
    }
    if http.origins == Origins::Any && role != Role::Processor {
        let sentence = "CORS_ORIGINS is *: any web page may call with a key that it knows; name your own origins";
        common.warnings.push(sentence.to_owned());
    }
}

/// The risks of those who take events.
pub(super) fn judge_intake(common: &mut Common, intake: &IntakeConfig) {
    if !common.production {
        return;
    }
    if intake.write_keys.is_open() {
        let sentence = "WRITE_KEYS is not set: anybody who reaches the collector can send events to project default";
        common.warnings.push(sentence.to_owned());
    }
    if intake.durable == Some(false) {
        let sentence = "DURABILITY is fast: a power cut may take about the last second of answered events";
        common.warnings.push(sentence.to_owned());
    }
}

fn role_reads(role: Role, name: &str) -> bool {
    super::variables::VARIABLES.iter().any(|variable| variable.name == name && variable.roles.contains(&role))
}

fn can_be_guessed(key: &str) -> bool {
    let mut characters: Vec<u8> = key.to_ascii_lowercase().into_bytes();
    characters.sort_unstable();
    characters.dedup();
    characters.len() < FEWEST_CHARACTERS || is_placeholder(&key.to_ascii_lowercase())
}

fn is_placeholder(text: &str) -> bool {
    PLACEHOLDERS.iter().any(|placeholder| text.contains(placeholder))
}

//! What a server must be set up like to keep what it answered for.

use std::collections::HashMap;

use redis::aio::MultiplexedConnection;
use redis::{ErrorKind, InfoDict, RedisError, RedisResult};

use super::link::{Link, needs_new_connection};
use super::queue::unavailable;
use crate::queue::{Durability, QueueError};
use crate::reason::sentence;

/// The oldest version that the scripts run on.
const OLDEST_VERSION: (u32, u32) = (7, 0);

/// The settings that decide what an answer survives; `None` where the server does not let us ask.
async fn settings(mut connection: MultiplexedConnection) -> RedisResult<Option<HashMap<String, String>>> {
    let asked = redis::cmd("CONFIG")
        .arg(&["GET", "maxmemory-policy", "appendonly", "appendfsync"])
        .query_async::<HashMap<String, String>>(&mut connection)
        .await;
    match asked {
        Ok(settings) => Ok(Some(settings)),
        Err(error) if needs_new_connection(&error) => Err(error),
        // Managed servers rename or forbid CONFIG, each with words of its own.
        Err(error) => {
            tracing::debug!(error = %sentence(&error), "CONFIG is refused");
            Ok(None)
        }
    }
}

/// What an answered command survives by these settings.
fn durability(settings: &HashMap<String, String>) -> Durability {
    match settings.get("appendfsync").map(String::as_str) {
        Some("always") => Durability::Durable,
        Some(_) => Durability::Fast,
        None => Durability::Unknown,
    }
}

/// Asks anew what an answered command survives.
pub(super) async fn ask_durability(link: &Link) -> RedisResult<Durability> {
    let settings = link.run(settings).await?;
    Ok(settings.as_ref().map_or(Durability::Unknown, durability))
}

/// Refuses a server that would lose events, and tells what an answer of this one survives.
pub(super) async fn inspect(link: &Link, address: &str, durability_required: bool) -> Result<Durability, QueueError> {
    let doing = "look at the server's settings";
    let server: InfoDict = link
        .run(async |mut connection| redis::cmd("INFO").arg("server").query_async(&mut connection).await)
        .await
        .map_err(|error| {
            let known = misnamed(&error, address).or_else(|| locked(&error, address));
            known.unwrap_or_else(|| unavailable(doing)(error))
        })?;
    if server.get::<String>("redis_mode").as_deref() == Some("sentinel") {
        return Err(QueueError::Misconfigured {
            problem: format!("{address} is a sentinel and keeps no data"),
            mend: format!("write REDIS_URL as redis+sentinel://{address}/master-name"),
        });
    }
    check_version(&server.get::<String>("redis_version").unwrap_or_default(), address)?;
    let Some(settings) = link.run(settings).await.map_err(unavailable(doing))? else {
        tracing::warn!(
            address,
            "the Redis server does not let us read its settings: whether an accepted event survives a power cut is not \
             known; make sure of maxmemory-policy noeviction, appendonly yes and appendfsync always"
        );
        return Ok(Durability::Unknown);
    };
    judge(&settings, address, durability_required)
}

/// A server that is not spoken to without a password.
fn locked(error: &RedisError, address: &str) -> Option<QueueError> {
    (error.code() == Some("NOAUTH")).then(|| QueueError::Misconfigured {
        problem: format!("the Redis server {address} wants a password and REDIS_URL has none"),
        mend: "write it before the first host: redis://:password@host:6379".to_owned(),
    })
}

/// A URL that promises something else than what answers, which no waiting mends.
fn misnamed(error: &RedisError, address: &str) -> Option<QueueError> {
    let problem = || format!("{address} is not what REDIS_URL says: {}", error.detail().unwrap_or_default());
    let mend = match error.kind() {
        ErrorKind::InvalidClientConfig => {
            "a single server is written redis://host:6379, a cluster redis+cluster://host:6379, sentinels \
             redis+sentinel://host:26379/master-name"
        }
        ErrorKind::MasterNameNotFoundBySentinel => {
            "write the name behind `sentinel monitor` in their configuration: redis+sentinel://host:26379/master-name"
        }
        _ => return None,
    };
    Some(QueueError::Misconfigured { problem: problem(), mend: mend.to_owned() })
}

fn check_version(version: &str, address: &str) -> Result<(), QueueError> {
    let mut numbers = version.split('.').map(|part| part.parse().unwrap_or(0));
    let found: (u32, u32) = (numbers.next().unwrap_or(0), numbers.next().unwrap_or(0));
    // A server that does not tell its version may well be new enough; one that is not fails at the first script.
    if found == (0, 0) || found >= OLDEST_VERSION {
        return Ok(());
    }
    Err(QueueError::Misconfigured {
        problem: format!("the Redis server {address} has version {version}, the queue needs 7.0 or later"),
        mend: "upgrade it, or point REDIS_URL at a newer one".to_owned(),
    })
}

fn judge(
    settings: &HashMap<String, String>,
    address: &str,
    durability_required: bool,
) -> Result<Durability, QueueError> {
    let setting = |name: &str| settings.get(name).map_or("", String::as_str);
    let wrong = |name: &str, found: &str, consequence: &str, right: &str| QueueError::Misconfigured {
        problem: format!("the Redis server {address} has `{name} {found}`: {consequence}"),
        mend: format!("set `{name} {right}` in its redis.conf (at once: `CONFIG SET {name} {right}`)"),
    };
    match setting("maxmemory-policy") {
        "noeviction" | "" => {}
        found => {
            let consequence = "it would drop queued events to make room";
            return Err(wrong("maxmemory-policy", found, consequence, "noeviction"));
        }
    }
    if setting("appendonly") == "no" {
        return Err(wrong("appendonly", "no", "a restart would lose queued events", "yes"));
    }
    let durability = durability(settings);
    match setting("appendfsync") {
        "no" => {
            let consequence = "a power cut would lose an unbounded time of accepted events";
            Err(wrong("appendfsync", "no", consequence, if durability_required { "always" } else { "everysec" }))
        }
        found if durability_required && durability == Durability::Fast => Err(wrong(
            "appendfsync",
            found,
            "a power cut can lose the last second of accepted events, and DURABILITY=durable forbids that",
            "always",
        )),
        _ => Ok(durability),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judged(policy: &str, appendonly: &str, appendfsync: &str, required: bool) -> Result<Durability, String> {
        let settings = [("maxmemory-policy", policy), ("appendonly", appendonly), ("appendfsync", appendfsync)]
            .map(|(name, value)| (name.to_owned(), value.to_owned()));
        judge(&settings.into(), "host:6379", required).map_err(|error| error.to_string())
    }

    #[test]
    fn refuses_what_loses_events_and_says_the_mend() {
        assert_eq!(judged("noeviction", "yes", "always", true), Ok(Durability::Durable));
        assert_eq!(judged("noeviction", "yes", "everysec", false), Ok(Durability::Fast));
        for (policy, appendonly, appendfsync, required, mend) in [
            ("allkeys-lru", "yes", "always", false, "maxmemory-policy noeviction"),
            ("noeviction", "no", "always", false, "appendonly yes"),
            ("noeviction", "yes", "no", false, "appendfsync everysec"),
            ("noeviction", "yes", "everysec", true, "appendfsync always"),
        ] {
            let refusal = judged(policy, appendonly, appendfsync, required).unwrap_err();
            assert!(refusal.contains(&format!("CONFIG SET {mend}")), "{refusal}");
        }
    }

    #[test]
    fn reads_versions() {
        assert!(check_version("7.0.15", "h").is_ok());
        assert!(check_version("10.1.0", "h").is_ok());
        assert!(check_version("", "h").is_ok());
        assert!(check_version("6.2.14", "h").unwrap_err().to_string().contains("6.2.14"));
    }
}

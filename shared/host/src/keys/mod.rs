//! Who may send and who may ask: write keys and read keys.
//!
//! A key is kept as its SHA-256 and looked up by it, so that neither the time of a look-up nor a debug print tells of a key.

mod listing;
mod loopback;

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;

use analytics_domain::Project;
use axum::Router;
use axum::extract::Request;
use axum::middleware::{Next, from_fn};
use axum::response::IntoResponse as _;
use http::{HeaderMap, StatusCode, header};
use sha2::{Digest, Sha256};
use thiserror::Error;

use crate::problem::Problem;

pub use listing::{EnvironmentKey, hint};

use listing::Listed;

/// What a read key may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Scope {
    /// Ask.
    Read,
    /// Ask, and change what is kept.
    Admin,
}

/// What a request may do, by its key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Grant {
    /// The one project that every answer is about.
    pub project: Project,
    /// How far it goes.
    pub scope: Scope,
}

/// `API_KEYS` or `WRITE_KEYS` cannot be read; which of the keys is told by its place, never by its text.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("key {place} of the list {reason}")]
pub struct InvalidKeys {
    place: usize,
    reason: &'static str,
}

/// The SHA-256 of a key.
pub type KeyDigest = [u8; 32];

/// The digest that a key is filed under, here and in the store.
#[must_use]
pub fn digest(key: &str) -> KeyDigest {
    Sha256::digest(key.as_bytes()).into()
}

/// The length of a key, in characters.
const KEY_LENGTH: std::ops::RangeInclusive<usize> = 16..=128;

/// What is filed under a client's key; a text too long to be one is not digested.
fn look_up<'k, T>(keys: &'k HashMap<KeyDigest, Listed<T>>, key: &str) -> Option<&'k T> {
    KEY_LENGTH.contains(&key.len()).then(|| keys.get(&digest(key))).flatten().map(|listed| &listed.value)
}

/// Whether a text can be a key at all: 16 to 128 of `[A-Za-z0-9_-]`.
#[must_use]
pub fn is_a_key(text: &str) -> bool {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-';
    KEY_LENGTH.contains(&text.len()) && text.bytes().all(allowed)
}

/// Characters of a key that is made by the programs: 32 random bytes in the alphabet of URLs.
pub const MADE_LENGTH: usize = 43;

/// Whether a text has the form of a key that is made by the programs; no other one is looked for among those.
#[must_use]
pub fn has_made_form(text: &str) -> bool {
    text.len() == MADE_LENGTH && is_a_key(text)
}

/// What stands in `WRITE_KEYS` in the place of keys where one that was made is needed.
const REQUIRED: &str = "required";

const KEY_RULE: &str = "is not 16 to 128 of [A-Za-z0-9_-]";

/// Reads a comma-separated list; `part` gets the fields between colons behind the key.
fn parse_list<T>(
    text: &str,
    part: impl Fn(&[&str]) -> Result<T, &'static str>,
) -> Result<HashMap<KeyDigest, Listed<T>>, InvalidKeys> {
    let mut keys = HashMap::new();
    let items = text.split(',').map(str::trim).filter(|item| !item.is_empty());
    for (index, item) in items.enumerate() {
        let fail = |reason| InvalidKeys { place: index + 1, reason };
        let fields: Vec<&str> = item.split(':').collect();
        let key = fields[0];
        if !is_a_key(key) {
            return Err(fail(KEY_RULE));
        }
        let value = part(&fields[1..]).map_err(fail)?;
        if keys.insert(digest(key), Listed::new(value, index + 1, key)).is_some() {
            return Err(fail("stands twice"));
        }
    }
    Ok(keys)
}

/// The keys of `WRITE_KEYS`: which project an event's key opens.
#[derive(Clone, Default)]
pub struct WriteKeys(Option<Arc<HashMap<KeyDigest, Listed<Project>>>>);

impl WriteKeys {
    /// Reads `key:project, ...`; `required` alone: there are none here, and yet one is needed.
    ///
    /// # Errors
    /// [`InvalidKeys`].
    pub fn parse(text: &str) -> Result<Self, InvalidKeys> {
        if text.trim() == REQUIRED {
            return Ok(Self(Some(Arc::default())));
        }
        let keys = parse_list(text, |fields| match fields {
            [project] => Project::new(project).map_err(|_| "names a project that is not 1 to 64 of [A-Za-z0-9_-]"),
            _ => Err("is not written as key:project"),
        })?;
        Ok(Self((!keys.is_empty()).then(|| Arc::new(keys))))
    }

    /// No keys, and none needed: everything goes to the project `default`.
    #[must_use]
    pub fn none() -> Self {
        Self(None)
    }

    /// Whether no key is needed.
    #[must_use]
    pub fn is_open(&self) -> bool {
        self.0.is_none()
    }

    /// Whether a key is needed and none is here.
    #[must_use]
    pub fn is_required_only(&self) -> bool {
        self.0.as_ref().is_some_and(|keys| keys.is_empty())
    }

    /// The project that a key opens.
    #[must_use]
    pub fn known(&self, key: &str) -> Option<&Project> {
        look_up(self.0.as_deref()?, key)
    }
}

impl fmt::Debug for WriteKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "WriteKeys({})", self.0.as_ref().map_or(0, |keys| keys.len()))
    }
}

/// The keys of `API_KEYS`: who may ask about which project.
#[derive(Clone)]
pub struct ReadKeys {
    keys: Arc<HashMap<KeyDigest, Listed<Grant>>>,
    write_keys: WriteKeys,
    open_on_loopback: bool,
}

impl ReadKeys {
    /// Reads `key` (project `default`, scope `admin`) and `key:project:scope`, comma-separated.
    ///
    /// # Errors
    /// [`InvalidKeys`].
    pub fn parse(text: &str) -> Result<Self, InvalidKeys> {
        let keys = parse_list(text, |fields| {
            let (project, scope) = match fields {
                [] => return Ok(Grant { project: Project::default(), scope: Scope::Admin }),
                [project, "read"] => (project, Scope::Read),
                [project, "admin"] => (project, Scope::Admin),
                [_, _] => return Err("has a scope other than read or admin"),
                _ => return Err("is not written as key or key:project:scope"),
            };
            let project = Project::new(project).map_err(|_| "names a project that is not 1 to 64 of [A-Za-z0-9_-]")?;
            Ok(Grant { project, scope })
        })?;
        Ok(Self { keys: Arc::new(keys), write_keys: WriteKeys::none(), open_on_loopback: false })
    }

    /// No keys at all: whoever asks from this machine, without a proxy and not from a foreign web page, is the
    /// administrator of `default`.
    #[must_use]
    pub fn open_on_loopback() -> Self {
        Self { keys: Arc::default(), write_keys: WriteKeys::none(), open_on_loopback: true }
    }

    /// Knows write keys too, only to tell who uses one here that it is of the wrong kind.
    #[must_use]
    pub fn with_write_keys(mut self, write_keys: &WriteKeys) -> Self {
        self.write_keys = write_keys.clone();
        self
    }

    /// Whether there are no keys and only this machine may ask.
    #[must_use]
    pub fn is_open_on_loopback(&self) -> bool {
        self.open_on_loopback
    }

    /// What a request may do, by `Authorization: Bearer KEY` or `X-API-Key: KEY`.
    ///
    /// # Errors
    /// 401 `unknown_key`; 403 `forbidden_scope`; 403 `loopback_only` where there are no keys and the request did not come
    /// straight from this machine.
    pub fn grant(&self, headers: &HeaderMap, needed: Scope) -> Result<Grant, Problem> {
        self.grant_key(header_key(headers), headers, needed)
    }

    /// The same for a key that came another way.
    ///
    /// # Errors
    /// As [`ReadKeys::grant`].
    pub fn grant_key(&self, key: Option<&str>, headers: &HeaderMap, needed: Scope) -> Result<Grant, Problem> {
        if self.open_on_loopback {
            loopback::check(headers)?;
            self.refuse_write_key(key)?;
            return Ok(Grant { project: Project::default(), scope: Scope::Admin });
        }
        match key.and_then(|key| look_up(&self.keys, key)) {
            Some(grant) if grant.scope >= needed => Ok(grant.clone()),
            Some(_) => Err(reads_only()),
            None => {
                self.refuse_write_key(key)?;
                Err(unknown_key())
            }
        }
    }

    /// What a key of the environment may do, by its digest.
    #[must_use]
    pub fn known(&self, digest: &KeyDigest) -> Option<&Grant> {
        self.keys.get(digest).map(|listed| &listed.value)
    }

    /// Whether a request comes from where anybody may ask: this machine, where there are no keys, else anywhere.
    ///
    /// # Errors
    /// 403 `loopback_only`.
    pub fn check_place(&self, headers: &HeaderMap) -> Result<(), Problem> {
        if self.open_on_loopback { loopback::check(headers) } else { Ok(()) }
    }
}

impl ReadKeys {
    /// Holds every route of a role without keys to the rule of [`ReadKeys::open_on_loopback`], those too that ask for no
    /// grant: health, metrics, the dashboard's page. With keys, nothing changes. `/collect` is not to be among the routes.
    pub fn guard(&self, router: Router) -> Router {
        if !self.open_on_loopback {
            return router;
        }
        router.layer(from_fn(async |request: Request, next: Next| match loopback::check(request.headers()) {
            Ok(()) => next.run(request).await,
            Err(problem) => problem.into_response(),
        }))
    }

    /// Whether some key is in both lists.
    #[must_use]
    pub fn shares_a_key_with(&self, write_keys: &WriteKeys) -> bool {
        write_keys.0.as_ref().is_some_and(|write_keys| self.keys.keys().any(|key| write_keys.contains_key(key)))
    }

    fn refuse_write_key(&self, key: Option<&str>) -> Result<(), Problem> {
        let known =
            |write_keys: &HashMap<_, Listed<Project>>| key.is_some_and(|key| look_up(write_keys, key).is_some());
        if self.write_keys.0.as_deref().is_some_and(known) {
            return Err(writes_only());
        }
        Ok(())
    }
}

impl fmt::Debug for ReadKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ReadKeys({}, open_on_loopback: {})", self.keys.len(), self.open_on_loopback)
    }
}

/// The key of `Authorization: Bearer KEY`, else of `X-API-Key: KEY`.
#[must_use]
pub fn header_key(headers: &HeaderMap) -> Option<&str> {
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    let bearer = text(header::AUTHORIZATION.as_str()).and_then(|value| {
        let (scheme, key) = value.split_once(' ')?;
        scheme.eq_ignore_ascii_case("bearer").then(|| key.trim())
    });
    bearer.or_else(|| text("x-api-key").map(str::trim))
}

fn forbidden(detail: &str) -> Problem {
    Problem::new(StatusCode::FORBIDDEN, "forbidden_scope", detail)
}

/// 401 `unknown_key` of who sends.
#[must_use]
pub fn unknown_write_key() -> Problem {
    let detail = "send a write key as Authorization: Bearer KEY, X-Write-Key: KEY, or ?key=KEY";
    Problem::new(StatusCode::UNAUTHORIZED, "unknown_key", detail)
}

/// 401 `unknown_key`.
#[must_use]
pub fn unknown_key() -> Problem {
    let detail = "send an API key as Authorization: Bearer KEY or X-API-Key: KEY";
    Problem::new(StatusCode::UNAUTHORIZED, "unknown_key", detail)
}

/// 403 `forbidden_scope`: what a key of scope `read` may not.
#[must_use]
pub fn reads_only() -> Problem {
    forbidden("this key may only read; an admin key is needed here")
}

/// 403 `forbidden_scope`: a write key where somebody asks.
#[must_use]
pub fn writes_only() -> Problem {
    forbidden("this is a write key; it sends events and asks nothing")
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: &str = "abcdefghijklmnop";

    fn headers(pairs: &[(&'static str, &str)]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (name, value) in pairs {
            headers.append(*name, value.parse().unwrap());
        }
        headers
    }

    #[test]
    fn reads_the_lists_and_names_the_bad_key_by_its_place() {
        let code = |text: &str| ReadKeys::parse(text).err().map(|error| error.to_string());
        assert_eq!(code(&format!("{KEY}, {KEY}1:shop:read,{KEY}2:shop:admin")), None);
        assert!(code("short").unwrap().starts_with("key 1"));
        assert!(code(&format!("{KEY},{KEY}!")).unwrap().starts_with("key 2"));
        assert!(code(&format!("{KEY}:shop")).unwrap().contains("key:project:scope"));
        assert!(code(&format!("{KEY}:shop:write")).unwrap().contains("scope"));
        assert!(code(&format!("{KEY},{KEY}")).unwrap().contains("twice"));
        assert!(WriteKeys::parse(KEY).is_err());
        let write = |text: &str| WriteKeys::parse(text).map(|keys| (keys.is_open(), keys.is_required_only()));
        assert_eq!((write(" "), write(" required ")), (Ok((true, false)), Ok((false, true))));
        assert_eq!(write(&format!("{KEY}:p")), Ok((false, false)));
        // Beside keys it says nothing that they do not say, and a key it is not.
        assert!(write(&format!("required,{KEY}:p")).is_err() && write("required:p").is_err());
        let printed =
            format!("{:?} {:?}", ReadKeys::parse(KEY).unwrap(), WriteKeys::parse(&format!("{KEY}:p")).unwrap());
        assert!(!printed.contains(KEY));
    }

    #[test]
    fn grants_by_key_and_scope() {
        let write = WriteKeys::parse("write_key_0123456:shop").unwrap();
        let keys = ReadKeys::parse(&format!("{KEY},read_key_01234567:shop:read")).unwrap().with_write_keys(&write);
        let code = |pairs: &[(&'static str, &str)], scope| {
            keys.grant(&headers(pairs), scope).map(|grant| grant.project.to_string()).map_err(|problem| problem.code())
        };
        assert_eq!(code(&[("authorization", &format!("Bearer {KEY}"))], Scope::Admin), Ok("default".into()));
        assert_eq!(code(&[("x-api-key", "read_key_01234567")], Scope::Read), Ok("shop".into()));
        assert_eq!(code(&[("x-api-key", "read_key_01234567")], Scope::Admin), Err("forbidden_scope"));
        assert_eq!(code(&[("x-api-key", "write_key_0123456")], Scope::Read), Err("forbidden_scope"));
        assert_eq!(code(&[("x-api-key", "unknown_key_01234")], Scope::Read), Err("unknown_key"));
        assert_eq!(code(&[], Scope::Read), Err("unknown_key"));
        assert_eq!(write.known("write_key_0123456").unwrap().as_str(), "shop");
        assert_eq!(write.known("read_key_01234567"), None);
    }

    #[test]
    fn a_key_is_read_from_either_header_and_its_length_is_bounded() {
        let longest = "k".repeat(128);
        let keys = ReadKeys::parse(&format!("{KEY},{longest}")).unwrap();
        let code = |pairs: &[(&'static str, &str)]| {
            keys.grant(&headers(pairs), Scope::Read).err().map(|problem| problem.code())
        };
        for fine in [
            [("authorization", format!("Bearer {KEY}"))],
            [("authorization", format!("bEaReR  {KEY} "))],
            [("authorization", format!("Bearer {longest}"))],
            [("x-api-key", format!(" {KEY} "))],
        ] {
            assert_eq!(code(&[(fine[0].0, &fine[0].1)]), None, "{fine:?}");
        }
        for unknown in ["", "Bearer", "Bearer ", "Basic YWJj", KEY] {
            assert_eq!(code(&[("authorization", unknown)]), Some("unknown_key"), "{unknown}");
        }
        assert_eq!(
            code(&[("authorization", "Basic YWJj"), ("x-api-key", KEY)]),
            None,
            "a proxy's own login is passed over"
        );
        assert_eq!(code(&[("x-api-key", &"k".repeat(60_000))]), Some("unknown_key"));
        assert!(ReadKeys::parse(&"k".repeat(129)).is_err() && ReadKeys::parse(&"k".repeat(15)).is_err());
    }

    #[test]
    fn a_write_key_asks_nothing_even_where_no_key_is_needed() {
        let write = WriteKeys::parse("write_key_0123456:shop").unwrap();
        let keys = ReadKeys::open_on_loopback().with_write_keys(&write);
        let asks = |key: &str| keys.grant(&headers(&[("host", "localhost"), ("x-api-key", key)]), Scope::Read);
        assert_eq!(asks("write_key_0123456").unwrap_err().code(), "forbidden_scope");
        assert_eq!(asks("any_other_key_01234").unwrap().scope, Scope::Admin);
        assert!(ReadKeys::parse("write_key_0123456").unwrap().shares_a_key_with(&write));
        assert!(!ReadKeys::parse(KEY).unwrap().shares_a_key_with(&write));
    }
}

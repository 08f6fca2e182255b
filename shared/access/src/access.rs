//! The judgement: which project a request is about, and how far it may go.

use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use analytics_domain::Project;
use analytics_host::clock::SharedClock;
use analytics_host::failure::causes;
use analytics_host::keys::{Grant, KeyDigest, ReadKeys, Scope, header_key, reads_only, unknown_key, writes_only};
use analytics_host::problem::Problem;
use analytics_store::{EventStore, KeyScope, SessionEntry, StoreError, StoredKey};
use http::{HeaderMap, Method, StatusCode};
use tracing::error;

use crate::guesses::{Guesses, Strangers};
use crate::recent::{Known, Recent};
use crate::{cookie, secret, site};

/// After how many seconds a client should ask again while the store is away.
const STORE_RETRY_SECONDS: u64 = 2;

/// Knows who may ask; cheap to clone, and clones know the same.
#[derive(Clone)]
pub struct Access {
    pub(crate) inner: Arc<Inner>,
}

pub(crate) struct Inner {
    pub(crate) keys: ReadKeys,
    pub(crate) clock: SharedClock,
    pub(crate) guesses: Guesses,
    pub(crate) sessions: Recent<Vec<SessionEntry>>,
    has_store: bool,
    store: OnceLock<Arc<dyn EventStore>>,
    stored_keys: Recent<StoredKey>,
    strangers: Strangers,
}

/// Who asks.
#[derive(Debug, Clone, Copy)]
pub struct Asking<'r> {
    /// The request's headers.
    pub headers: &'r HeaderMap,
    /// The key that came with it, wherever that was.
    pub key: Option<&'r str>,
    /// Which of its session's projects is meant; the first where it does not say.
    pub project: Option<&'r str>,
}

impl<'r> Asking<'r> {
    /// A request whose headers say everything: the key, or `X-Project` beside the cookie.
    #[must_use]
    pub fn of(headers: &'r HeaderMap) -> Self {
        let project = headers.get("x-project").map(|value| value.to_str().unwrap_or_default());
        Self { headers, key: header_key(headers), project }
    }

    /// The token of its cookie, where it is the cookie that lets it in: a key wins.
    #[must_use]
    pub fn token(&self) -> Option<&'r str> {
        if self.key.is_some() { None } else { cookie::token(self.headers) }
    }
}

/// Who was let in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Admitted {
    /// What may be done.
    pub grant: Grant,
    /// What let it in.
    pub pass: Pass,
}

/// What let somebody in: whoever stays long is asked for it again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Pass {
    /// What holds as long as the process: a key of the environment, or no key where none is needed.
    Lasting,
    /// A key of the store.
    Key(KeyDigest),
    /// A session.
    Session(KeyDigest),
}

impl Access {
    /// By these keys alone, until [`Access::open`]; `has_store`: whether there will be a store to look into.
    #[must_use]
    pub fn new(keys: ReadKeys, clock: SharedClock, has_store: bool) -> Self {
        let inner = Inner {
            keys,
            clock,
            guesses: Guesses::default(),
            sessions: Recent::default(),
            has_store,
            store: OnceLock::new(),
            stored_keys: Recent::default(),
            strangers: Strangers::new(),
        };
        Self { inner: Arc::new(inner) }
    }

    /// Looks into this store from now on; a second one is not taken.
    pub fn open(&self, store: Arc<dyn EventStore>) {
        let _ = self.inner.store.set(store);
    }

    /// The keys of the environment.
    #[must_use]
    pub fn keys(&self) -> &ReadKeys {
        &self.inner.keys
    }

    /// What a request may do, by its key or by its session.
    ///
    /// # Errors
    /// 401 `unknown_key`; 403 `forbidden_scope`, `unknown_project`, or `loopback_only` where there are no keys; 429 `rate_limited`
    /// where too many unknown keys are tried; 503 `store_unavailable`.
    pub async fn grant(&self, headers: &HeaderMap, needed: Scope) -> Result<Grant, Problem> {
        self.admit(&Asking::of(headers), needed).await.map(|admitted| admitted.grant)
    }

    /// The same, with what it was that let the request in.
    ///
    /// # Errors
    /// As [`Access::grant`].
    pub async fn admit(&self, asking: &Asking<'_>, needed: Scope) -> Result<Admitted, Problem> {
        self.inner.keys.check_place(asking.headers)?;
        if let Some(key) = asking.key {
            if let Some((digest, stored)) = self.stored_key(key).await? {
                let grant = granted(&stored).ok_or_else(writes_only)?;
                return Ok(Admitted { grant: far_enough(grant, needed)?, pass: Pass::Key(digest) });
            }
        } else if let Some(token) = asking.token().filter(|_| !self.inner.keys.is_open_on_loopback()) {
            let digest = secret::digest(token);
            let grant = self.of_session(&digest, asking.project).await?;
            return Ok(Admitted { grant: far_enough(grant, needed)?, pass: Pass::Session(digest) });
        }
        let grant = self.inner.keys.grant_key(asking.key, asking.headers, needed)?;
        Ok(Admitted { grant, pass: Pass::Lasting })
    }

    /// What a request may do that names its project in its address, where a link can.
    ///
    /// # Errors
    /// As [`Access::grant`]; a key opens one project, and 403 `unknown_project` says so where another one is named.
    pub async fn grant_in(&self, headers: &HeaderMap, project: Option<&str>, needed: Scope) -> Result<Grant, Problem> {
        let asking = Asking::of(headers);
        let asking = Asking { project: project.or(asking.project), ..asking };
        let grant = self.admit(&asking, needed).await?.grant;
        match project {
            Some(name) if name != grant.project.as_str() => Err(unknown_project(
                "what lets this request in is of another project than the one that is named; ask with a key of that one",
            )),
            _ => Ok(grant),
        }
    }

    /// Whether what let somebody in to a project still does. A store that is away has nobody put out.
    pub async fn still_lets_in(&self, pass: &Pass, project: &Project) -> bool {
        let found = match pass {
            Pass::Lasting => return true,
            Pass::Key(digest) => self
                .look_up_key(digest)
                .await
                .map(|stored| stored.as_ref().and_then(granted).is_some_and(|grant| grant.project == *project)),
            Pass::Session(digest) => {
                self.grants(digest).await.map(|grants| grants.iter().any(|grant| grant.project == *project))
            }
        };
        found.unwrap_or(true)
    }

    /// Of a request that may change something: where its cookie lets it in, it has to come from a page of this server.
    ///
    /// # Errors
    /// 403 `cross_site`.
    pub fn check_site(&self, method: &Method, headers: &HeaderMap) -> Result<(), Problem> {
        let changes_nothing = matches!(*method, Method::GET | Method::HEAD | Method::OPTIONS);
        if changes_nothing || Asking::of(headers).token().is_none() || self.inner.keys.is_open_on_loopback() {
            return Ok(());
        }
        site::require_own_page(headers)
    }

    /// Has everything that was found in the store looked up anew: something was revoked.
    pub fn look_anew(&self) {
        self.inner.stored_keys.expire();
        self.inner.sessions.expire();
    }

    /// The store, once it is open.
    pub(crate) fn store(&self) -> Result<&Arc<dyn EventStore>, Problem> {
        self.inner.store.get().ok_or_else(unavailable)
    }

    /// A key that is none of the environment's, as the store has it.
    pub(crate) async fn stored_key(&self, key: &str) -> Result<Option<(KeyDigest, StoredKey)>, Problem> {
        if !self.inner.has_store || !secret::has_form(key) {
            return Ok(None);
        }
        let digest = secret::digest(key);
        if self.inner.keys.known(&digest).is_some() {
            return Ok(None);
        }
        Ok(self.look_up_key(&digest).await?.map(|stored| (digest, stored)))
    }

    async fn look_up_key(&self, digest: &KeyDigest) -> Result<Option<StoredKey>, Problem> {
        let asked = Instant::now();
        match self.inner.stored_keys.get(digest, asked) {
            Known::Fresh(found) => return Ok(found),
            Known::Stale => {}
            Known::Nothing => self.count_a_stranger(asked)?,
        }
        let found = self.store()?.key(digest).await.map_err(problem)?;
        self.inner.stored_keys.put(*digest, found.clone(), asked);
        Ok(found)
    }

    fn count_a_stranger(&self, now: Instant) -> Result<(), Problem> {
        self.inner.strangers.count(now).map_err(|wait| too_many("unknown keys are tried", wait))
    }

    async fn of_session(&self, digest: &KeyDigest, project: Option<&str>) -> Result<Grant, Problem> {
        let mut grants = self.grants(digest).await?;
        let Some(name) = project else { return grants.into_iter().next().ok_or_else(unknown_key) };
        let has = |grants: &[Grant]| grants.iter().position(|grant| grant.project.as_str() == name);
        let mut place = has(&grants);
        if place.is_none() && !grants.is_empty() {
            // Another process may just have added it.
            self.count_a_stranger(Instant::now())?;
            grants = self.grants_anew(digest).await?;
            place = has(&grants);
        }
        match place {
            Some(place) => Ok(grants.swap_remove(place)),
            None if grants.is_empty() => Err(unknown_key()),
            None => {
                let detail = "the session is not signed in to the project that is named; sign in with a key of it";
                Err(unknown_project(detail))
            }
        }
    }

    /// What a session may do, in each of its projects whose key still lets it in.
    pub(crate) async fn grants(&self, digest: &KeyDigest) -> Result<Vec<Grant>, Problem> {
        if !self.inner.has_store {
            return Ok(Vec::new());
        }
        let asked = Instant::now();
        match self.inner.sessions.get(digest, asked) {
            Known::Fresh(entries) => return Ok(self.alive(&entries.unwrap_or_default())),
            Known::Stale => {}
            Known::Nothing => self.count_a_stranger(asked)?,
        }
        self.grants_anew(digest).await
    }

    /// The same from the store.
    pub(crate) async fn grants_anew(&self, digest: &KeyDigest) -> Result<Vec<Grant>, Problem> {
        let entries = self.entries(digest).await?;
        Ok(self.alive(&entries))
    }

    /// A session's projects, from the store.
    pub(crate) async fn entries(&self, digest: &KeyDigest) -> Result<Vec<SessionEntry>, Problem> {
        let asked = Instant::now();
        let entries = self.store()?.page_session(digest, self.inner.clock.now()).await.map_err(problem)?;
        self.inner.sessions.put(*digest, (!entries.is_empty()).then(|| entries.clone()), asked);
        Ok(entries)
    }

    fn alive(&self, entries: &[SessionEntry]) -> Vec<Grant> {
        let now = self.inner.clock.now();
        entries.iter().filter(|entry| entry.expires_at > now).filter_map(|entry| self.of_entry(entry)).collect()
    }

    /// What the key that opened a session's project still may do there.
    pub(crate) fn of_entry(&self, entry: &SessionEntry) -> Option<Grant> {
        match entry.scope {
            Some(scope) => Some(Grant { project: entry.project.clone(), scope: reading_scope(scope)? }),
            None => self.inner.keys.known(&entry.key).filter(|grant| grant.project == entry.project).cloned(),
        }
    }
}

fn reading_scope(scope: KeyScope) -> Option<Scope> {
    match scope {
        KeyScope::Read => Some(Scope::Read),
        KeyScope::Admin => Some(Scope::Admin),
        KeyScope::Write => None,
    }
}

/// What a key of the store may ask; none where it only writes.
pub(crate) fn granted(stored: &StoredKey) -> Option<Grant> {
    Some(Grant { project: stored.project.clone(), scope: reading_scope(stored.scope)? })
}

fn far_enough(grant: Grant, needed: Scope) -> Result<Grant, Problem> {
    if grant.scope >= needed { Ok(grant) } else { Err(reads_only()) }
}

fn unknown_project(detail: &str) -> Problem {
    Problem::new(StatusCode::FORBIDDEN, "unknown_project", detail)
}

/// 429 `rate_limited`.
pub(crate) fn too_many(what: &str, wait: Duration) -> Problem {
    let seconds = wait.as_secs_f64().ceil().max(1.0) as u64;
    Problem::new(StatusCode::TOO_MANY_REQUESTS, "rate_limited", format!("too many {what}; try again in {seconds} s"))
        .retry_after(seconds)
}

/// 503 `store_unavailable`; what happened is in the log.
pub(crate) fn problem(failure: StoreError) -> Problem {
    error!(error = %failure, cause = causes(&failure), "a key could not be looked up");
    unavailable()
}

fn unavailable() -> Problem {
    let detail = "the store cannot be asked now; ask again in a moment";
    Problem::new(StatusCode::SERVICE_UNAVAILABLE, "store_unavailable", detail).retry_after(STORE_RETRY_SECONDS)
}

//! Signing in at the page and out of it.

use std::time::Instant;

use analytics_domain::Project;
use analytics_host::client::ClientAddress;
use analytics_host::keys::{Grant, Scope, is_a_key, unknown_key, writes_only};
use analytics_host::problem::Problem;
use analytics_store::SessionEntry;
use http::{HeaderMap, StatusCode};
use tracing::{error, info};

use crate::access::{Access, Asking, granted, problem, too_many};
use crate::{cookie, secret, site};

/// Projects of a session, at most.
const PROJECTS: u32 = 50;

/// A session as its page sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignedIn {
    /// What the browser is to send from now on; none where no key is needed.
    pub token: Option<String>,
    /// What may be done, in each project.
    pub grants: Vec<Grant>,
}

impl Access {
    /// What a request may do in each project that it may ask about.
    ///
    /// # Errors
    /// As [`Access::grant`].
    pub async fn projects(&self, headers: &HeaderMap) -> Result<Vec<Grant>, Problem> {
        let asking = Asking::of(headers);
        let Some(token) = asking.token().filter(|_| !self.keys().is_open_on_loopback()) else {
            return Ok(vec![self.admit(&asking, Scope::Read).await?.grant]);
        };
        let grants = self.grants(&secret::digest(token)).await?;
        if grants.is_empty() { Err(unknown_key()) } else { Ok(grants) }
    }

    /// Signs in with a key: a session with its project, and with those of the session that the request has already.
    ///
    /// The session gets a new token each time: one that somebody else put into the browser opens nothing afterwards.
    ///
    /// # Errors
    /// 401 `unknown_key`; 403 `forbidden_scope` for a write key; 409 `too_many_projects`; 429 `rate_limited` after too many wrong
    /// keys; 503 `store_unavailable`.
    pub async fn sign_in(
        &self,
        key: &str,
        headers: &HeaderMap,
        address: Option<ClientAddress>,
    ) -> Result<SignedIn, Problem> {
        self.keys().check_place(headers)?;
        if self.keys().is_open_on_loopback() {
            return Ok(SignedIn { token: None, grants: self.projects(headers).await? });
        }
        // What cannot be a key is none that somebody guesses.
        if !is_a_key(key) {
            return Err(not_known());
        }
        let now = Instant::now();
        self.inner.guesses.check(address, now).map_err(|wait| too_many("wrong keys came from this address", wait))?;
        let digest = secret::digest(key);
        let grant = match self.stored_key(key).await? {
            Some((_, stored)) => granted(&stored).ok_or_else(writes_only)?,
            None => match self.keys().grant_key(Some(key), headers, Scope::Read) {
                Ok(grant) => grant,
                Err(refused) if refused.status() == StatusCode::UNAUTHORIZED => {
                    self.inner.guesses.count(address, now);
                    return Err(not_known());
                }
                Err(refused) => return Err(refused),
            },
        };
        let token = secret::make().map_err(|failure| {
            error!(error = %failure, "the system gives no random bytes");
            let detail = "no session could be made; this is a defect, and it is in the log";
            Problem::new(StatusCode::INTERNAL_SERVER_ERROR, "internal_error", detail)
        })?;
        let grants = self.open_session(&token, digest, &grant, headers).await?;
        info!(project = %grant.project, "somebody signed in");
        Ok(SignedIn { token: Some(token), grants })
    }

    async fn open_session(
        &self,
        token: &str,
        key: [u8; 32],
        grant: &Grant,
        headers: &HeaderMap,
    ) -> Result<Vec<Grant>, Problem> {
        let (store, now) = (self.store()?, self.inner.clock.now());
        let before = cookie::token(headers).map(secret::digest);
        let mut entries = match &before {
            Some(digest) => self.entries(digest).await?,
            None => Vec::new(),
        };
        entries.retain(|entry| self.of_entry(entry).is_some());
        let lifetime = i64::try_from(cookie::LIFETIME.as_micros()).unwrap_or(i64::MAX);
        let expires_at = now.saturating_add_micros(lifetime);
        let opened = SessionEntry { project: grant.project.clone(), key, scope: None, expires_at };
        match entries.iter_mut().find(|entry| entry.project == grant.project) {
            Some(entry) => *entry = opened,
            None => entries.push(opened),
        }
        let digest = secret::digest(token);
        for (place, entry) in (0..).zip(&entries) {
            // A microsecond apart, which keeps their order.
            let at = now.saturating_add_micros(place);
            if !store.open_in_session(&digest, entry, at, PROJECTS).await.map_err(problem)? {
                store.end_session(&digest, None).await.map_err(problem)?;
                let detail = format!("a session has at most {PROJECTS} projects; sign out of one first");
                return Err(Problem::new(StatusCode::CONFLICT, "too_many_projects", detail));
            }
        }
        if let Some(before) = &before {
            store.end_session(before, None).await.map_err(problem)?;
            self.inner.sessions.put(*before, None, Instant::now());
        }
        self.grants_anew(&digest).await
    }

    /// Ends the session of a request's cookie, or its part of one project; whether nothing is left of it.
    ///
    /// # Errors
    /// 403 `cross_site`, whatever key came beside the cookie; 503 `store_unavailable`.
    pub async fn sign_out(&self, headers: &HeaderMap, project: Option<&Project>) -> Result<bool, Problem> {
        let Some(token) = cookie::token(headers).filter(|_| !self.keys().is_open_on_loopback()) else {
            return Ok(true);
        };
        site::require_own_page(headers)?;
        let digest = secret::digest(token);
        self.store()?.end_session(&digest, project).await.map_err(problem)?;
        Ok(self.grants_anew(&digest).await?.is_empty())
    }
}

fn not_known() -> Problem {
    let detail = "no such key is known here; a key with scope read or admin is needed, whole as it was shown";
    Problem::new(StatusCode::UNAUTHORIZED, "unknown_key", detail)
}

//! How a question becomes an answer: look into the cache, ask the store once, keep the answer for a moment.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use analytics_domain::Project;
use analytics_host::keys::Scope;
use analytics_host::problem::Problem;
use analytics_query::{
    Answer, Askable, EventsAnswer, Executable, FunnelAnswer, PathsAnswer, PropertiesAnswer, QueryError,
    RetentionAnswer, SessionAnswer, SessionsAnswer, UserAnswer,
};
use analytics_store::prepare;
use axum::http::{HeaderMap, HeaderValue, header};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use serde::Serialize;
use serde::de::DeserializeOwned;
use sha2::{Digest, Sha256};
use tokio::sync::Mutex as AsyncMutex;
use tracing::warn;

use crate::problems;
use crate::router::ApiDeps;

/// How old an answer from the cache may be.
const LIFETIME: Duration = Duration::from_secs(5);

/// An answer that tells how it came about.
pub trait Told: Serialize + DeserializeOwned + Send {
    /// Writes whether it came from the cache and how long it took.
    fn tell(&mut self, cached: bool, took_ms: u64);
}

/// Answers whose `meta` has a place for it.
macro_rules! told {
    ($($answer:ty),+ $(,)?) => {
        $(impl Told for $answer {
            fn tell(&mut self, cached: bool, took_ms: u64) {
                (self.meta.cached, self.meta.took_ms) = (cached, took_ms);
            }
        })+
    };
}

told!(
    Answer,
    EventsAnswer,
    FunnelAnswer,
    PathsAnswer,
    PropertiesAnswer,
    RetentionAnswer,
    SessionAnswer,
    SessionsAnswer,
    UserAnswer,
);

/// Questions being answered right now: who asks the same waits for the first and then finds it in the cache.
#[derive(Clone, Default)]
pub struct Flights(Arc<Mutex<HashMap<String, Arc<AsyncMutex<()>>>>>);

impl Flights {
    /// The turn of a question; whoever holds it asks the store.
    fn turn(&self, key: &str) -> Arc<AsyncMutex<()>> {
        let mut flights = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(flights.entry(key.to_owned()).or_default())
    }
}

/// Forgets a question that nobody waits for any more, also where its request was dropped.
struct Landing<'f> {
    flights: &'f Flights,
    key: &'f str,
    turn: Arc<AsyncMutex<()>>,
}

impl Drop for Landing<'_> {
    fn drop(&mut self) {
        let mut flights = self.flights.0.lock().unwrap_or_else(PoisonError::into_inner);
        // This landing and the map hold one each.
        if Arc::strong_count(&self.turn) <= 2 {
            flights.remove(self.key);
        }
    }
}

/// Checks the key, then answers a question of its project as JSON.
///
/// # Errors
/// 401 `unknown_key`, 403 `forbidden_scope`, 400 `invalid_query` or `invalid_cursor`, 422 `query_too_large`, 503
/// `store_unavailable`.
pub async fn answer<Q>(
    deps: &ApiDeps,
    headers: &HeaderMap,
    read: impl FnOnce() -> Result<Q, QueryError>,
) -> Result<Response, Problem>
where
    Q: Askable + Sync,
    Q::Plan: Sync,
    <Q::Plan as Executable>::Answer: Told,
{
    let began = Instant::now();
    let grant = deps.access.grant(headers, Scope::Read).await?;
    let question = read().map_err(problems::query)?;
    let store = deps.store.as_ref();
    let prepared = prepare(store, &question, &grant.project, deps.retention.get(), deps.clock.now()).await;
    let prepared = prepared.map_err(problems::answer)?;
    let key = cache_key(&grant.project, &prepared.cache_key());
    let landing = Landing { flights: &deps.flights, key: &key, turn: deps.flights.turn(&key) };
    let _turn = landing.turn.lock().await;
    if !wants_anew(headers)
        && let Some(kept) = look_up::<<Q::Plan as Executable>::Answer>(deps, &key).await
    {
        return Ok(finish(kept, true, began));
    }
    let answer = prepared.run(store).await.map_err(problems::answer)?;
    keep(deps, &key, &answer).await;
    Ok(finish(answer, false, began))
}

/// The key of an answer: project first, then a digest of the whole normalised question, so that no answer crosses.
fn cache_key(project: &Project, normalised: &str) -> String {
    let digest = Sha256::digest(normalised.as_bytes());
    let hex: String = digest.iter().map(|byte| format!("{byte:02x}")).collect();
    format!("1:{project}:{hex}")
}

fn wants_anew(headers: &HeaderMap) -> bool {
    let control = headers.get(header::CACHE_CONTROL).and_then(|value| value.to_str().ok()).unwrap_or_default();
    control.split(',').any(|directive| {
        let (name, value) = directive.split_once('=').unwrap_or((directive, ""));
        let named = |word: &str| name.trim().eq_ignore_ascii_case(word);
        named("no-cache") || named("no-store") || (named("max-age") && value.trim() == "0")
    })
}

async fn look_up<A: Told>(deps: &ApiDeps, key: &str) -> Option<A> {
    match deps.cache.get(key).await {
        Ok(kept) => kept.and_then(|bytes| serde_json::from_slice(&bytes).ok()),
        Err(error) => {
            warn!(error = %error, "the cache cannot be read; the answer is computed");
            None
        }
    }
}

async fn keep<A: Told>(deps: &ApiDeps, key: &str, answer: &A) {
    let Ok(bytes) = serde_json::to_vec(answer) else { return };
    if let Err(error) = deps.cache.put(key, bytes.into(), LIFETIME).await {
        warn!(error = %error, "an answer cannot be put into the cache");
    }
}

/// Tells how the answer came about and writes it.
fn finish<A: Told>(mut answer: A, cached: bool, began: Instant) -> Response {
    answer.tell(cached, u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX));
    let bytes = Bytes::from(serde_json::to_vec(&answer).unwrap_or_default());
    ([(header::CONTENT_TYPE, HeaderValue::from_static("application/json"))], bytes).into_response()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_client_asks_for_a_fresh_answer_in_any_spelling() {
        let anew = |value: &'static str| {
            wants_anew(&HeaderMap::from_iter([(header::CACHE_CONTROL, HeaderValue::from_static(value))]))
        };
        for value in ["no-cache", "No-Cache", "max-age=5, NO-STORE", "no-cache=\"x\"", "max-age=0"] {
            assert!(anew(value), "{value}");
        }
        for value in ["", "max-age=10", "public", "no-cached"] {
            assert!(!anew(value), "{value}");
        }
    }
}

//! How a question becomes an answer: look into the cache, ask the store once, keep the answer for a moment.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use analytics_domain::Project;
use analytics_host::problem::Problem;
use analytics_query::{Answer, Question};
use analytics_store::answer::prepare;
use axum::http::{HeaderMap, header};
use bytes::Bytes;
use sha2::{Digest, Sha256};
use tokio::sync::Mutex as AsyncMutex;
use tracing::warn;

use crate::problems;
use crate::router::ApiDeps;

/// How old an answer from the cache may be.
const LIFETIME: Duration = Duration::from_secs(5);

/// Questions being answered right now: who asks the same waits for the first and then finds it in the cache.
#[derive(Clone, Default)]
pub struct Flights(Arc<Mutex<HashMap<String, Arc<AsyncMutex<()>>>>>);

impl Flights {
    /// The turn of a question; whoever holds it asks the store.
    fn turn(&self, key: &str) -> Arc<AsyncMutex<()>> {
        let mut flights = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(flights.entry(key.to_owned()).or_default())
    }

    /// Forgets a question that nobody waits for any more.
    fn land(&self, key: &str) {
        let mut flights = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if flights.get(key).is_some_and(|turn| Arc::strong_count(turn) <= 2) {
            flights.remove(key);
        }
    }
}

/// Answers a question of a project as JSON.
///
/// # Errors
/// 400 `invalid_query` or `invalid_cursor`, 422 `query_too_large`, 503 `store_unavailable`.
pub async fn answer(deps: &ApiDeps, headers: &HeaderMap, project: &Project, question: &Question) -> Result<Bytes, Problem> {
    let began = Instant::now();
    let retention = (deps.retention)();
    let prepared = prepare(deps.store.as_ref(), question, project, retention, deps.clock.now()).await;
    let prepared = prepared.map_err(problems::answer)?;
    let key = cache_key(project, &prepared.cache_key());
    let anew = wants_anew(headers);
    let turn = deps.flights.turn(&key);
    let held = turn.lock().await;
    let answered = async {
        if !anew && let Some(kept) = look_up(deps, &key).await {
            return Ok(finish(kept, true, began));
        }
        let answer = prepared.run(deps.store.as_ref()).await.map_err(problems::answer)?;
        keep(deps, &key, &answer).await;
        Ok(finish(answer, false, began))
    }
    .await;
    drop(held);
    deps.flights.land(&key);
    answered
}

/// The key of an answer: project first, then a digest of the whole normalised question, so that no answer crosses.
fn cache_key(project: &Project, normalised: &str) -> String {
    let digest = Sha256::digest(normalised.as_bytes());
    let mut hex = String::with_capacity(64);
    for byte in digest {
        hex.push_str(&format!("{byte:02x}"));
    }
    format!("1:{project}:{hex}")
}

fn wants_anew(headers: &HeaderMap) -> bool {
    let control = headers.get(header::CACHE_CONTROL).and_then(|value| value.to_str().ok()).unwrap_or_default();
    control.split(',').any(|directive| matches!(directive.trim(), "no-cache" | "no-store"))
}

async fn look_up(deps: &ApiDeps, key: &str) -> Option<Answer> {
    match deps.cache.get(key).await {
        Ok(kept) => kept.and_then(|bytes| serde_json::from_slice(&bytes).ok()),
        Err(error) => {
            warn!(error = %error, "the cache cannot be read; the answer is computed");
            None
        }
    }
}

async fn keep(deps: &ApiDeps, key: &str, answer: &Answer) {
    let Ok(bytes) = serde_json::to_vec(answer) else { return };
    if let Err(error) = deps.cache.put(key, bytes.into(), LIFETIME).await {
        warn!(error = %error, "an answer cannot be put into the cache");
    }
}

/// Tells how the answer came about and writes it.
fn finish(mut answer: Answer, cached: bool, began: Instant) -> Bytes {
    answer.meta.cached = cached;
    answer.meta.took_ms = began.elapsed().as_millis() as u64;
    serde_json::to_vec(&answer).unwrap_or_default().into()
}

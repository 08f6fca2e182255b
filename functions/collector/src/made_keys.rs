//! Keys that were made at the api and send, as the processors tell them: the collector has no store to ask.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Instant;

use analytics_domain::Project;
use analytics_host::keys::{KeyDigest, digest, has_made_form};
use analytics_messaging::write_keys::{LOOK_EVERY, LOOKING_TIME};
use analytics_messaging::{Queue, WriteKey};
use tokio::time::MissedTickBehavior;
use tracing::{debug, info, warn};

/// The keys that were made and send, shared between who learns of them and who judges by them; clones know the same.
#[derive(Clone)]
pub struct MadeKeys(Option<Arc<RwLock<Told>>>);

/// What was told last.
struct Told {
    /// By digest, as those of the environment: neither the time of a look-up nor a debug print tells of a key.
    keys: HashMap<KeyDigest, Project>,
    /// When nobody vouches for it any more; none: nothing was told yet.
    until: Option<Instant>,
}

/// What is known of a text.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Found {
    /// A key that sends to a project.
    Opens(Project),
    /// It has the form of a key that was made, and there is none such: it may have been revoked.
    Revoked,
    /// It has the form, and what was told is too long ago, or nothing was: nobody can say what it is.
    Unsure,
    /// No key that was made.
    Foreign,
}

impl MadeKeys {
    /// Of a deployment whose queue carries no such keys.
    #[must_use]
    pub fn none() -> Self {
        Self(None)
    }

    /// Before anything was told.
    #[must_use]
    pub fn untold() -> Self {
        Self(Some(Arc::new(RwLock::new(Told { keys: HashMap::new(), until: None }))))
    }

    /// Knows these keys, and no others, until then.
    pub fn tell(&self, keys: impl IntoIterator<Item = WriteKey>, until: Instant) {
        let Some(told) = &self.0 else { return };
        let keys = keys.into_iter().map(|key| (key.digest, key.project)).collect();
        *told.write().unwrap_or_else(PoisonError::into_inner) = Told { keys, until: Some(until) };
    }

    /// What is known of a text at `now`.
    pub(crate) fn find(&self, text: &str, now: Instant) -> Found {
        let Some(told) = self.0.as_ref().filter(|_| has_made_form(text)) else { return Found::Foreign };
        let digest = digest(text);
        let told = told.read().unwrap_or_else(PoisonError::into_inner);
        match told.keys.get(&digest) {
            _ if told.until.is_none_or(|until| until <= now) => Found::Unsure,
            Some(project) => Found::Opens(project.clone()),
            None => Found::Revoked,
        }
    }

    /// Whether what was told holds at `now`.
    fn holds(&self, now: Instant) -> bool {
        let told = self.0.as_ref().map(|told| told.read().unwrap_or_else(PoisonError::into_inner));
        told.and_then(|told| told.until).is_some_and(|until| until > now)
    }
}

impl fmt::Debug for MadeKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let told = self.0.as_ref().map(|told| told.read().unwrap_or_else(PoisonError::into_inner).keys.len());
        write!(f, "MadeKeys({told:?})")
    }
}

/// Keeps `made` at what the queue was last told, for as long as it runs. What was told holds on while the queue is away.
pub async fn follow(queue: Arc<dyn Queue>, made: MadeKeys) {
    let mut turns = tokio::time::interval(LOOK_EVERY);
    turns.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut held = made.holds(Instant::now());
    loop {
        turns.tick().await;
        look(queue.as_ref(), &made).await;
        let holds = made.holds(Instant::now());
        if held && !holds {
            warn!(
                "no processor has told for too long which keys of the store send: until one does, events that come with such a \
                 key are answered 503, and those of WRITE_KEYS alone are taken"
            );
        } else if holds && !held {
            info!("the processors tell which keys of the store send");
        }
        held = holds;
    }
}

/// Looks once.
pub async fn look(queue: &dyn Queue, made: &MadeKeys) {
    // Counted from before the question, so that it never holds for longer than the queue says.
    let asked = Instant::now();
    match tokio::time::timeout(LOOKING_TIME, queue.told_write_keys()).await {
        Ok(Ok(Some(told))) => made.tell(told.keys, asked + told.holds),
        // An emptied server is told anew in a moment.
        Ok(Ok(None)) => {}
        // Each enqueue meets the same error and tells its client; here it would only repeat itself.
        Ok(Err(error)) => {
            debug!(error = analytics_host::failure::chain(&error), "the keys that send cannot be looked up");
        }
        Err(_) => debug!(seconds = LOOKING_TIME.as_secs(), "the keys that send could not be looked up in time"),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    const KEY: &str = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQ";
    const OTHER: &str = "bbcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQ";

    fn of(key: &str, project: &str) -> WriteKey {
        WriteKey { digest: digest(key), project: Project::new(project).unwrap() }
    }

    #[test]
    fn a_word_holds_for_its_time_and_takes_the_place_of_the_one_before() {
        let (made, now, second) = (MadeKeys::untold(), Instant::now(), Duration::from_secs(1));
        assert_eq!(made.find(KEY, now), Found::Unsure, "nothing was told");
        made.tell([of(KEY, "shop")], now + second);
        let opens = || Found::Opens(Project::new("shop").unwrap());
        assert_eq!((made.find(KEY, now), made.clone().find(OTHER, now)), (opens(), Found::Revoked));
        // Nobody vouches for either any more.
        assert_eq!((made.find(KEY, now + second), made.find(OTHER, now + second)), (Found::Unsure, Found::Unsure));
        made.tell([of(OTHER, "shop")], now + 2 * second);
        assert_eq!((made.find(KEY, now + second), made.find(OTHER, now + second)), (Found::Revoked, opens()));
        made.tell([], now + 2 * second);
        assert_eq!(made.find(OTHER, now), Found::Revoked, "the last one too");
    }

    #[test]
    fn what_has_not_the_form_is_none_of_these_keys() {
        let (made, now) = (MadeKeys::untold(), Instant::now());
        for text in ["", "shop-key-00000000", &KEY[1..], &format!("{KEY}x"), &KEY.replace('a', "."), &"é".repeat(43)] {
            assert_eq!(made.find(text, now), Found::Foreign, "{text}");
        }
        let none = MadeKeys::none();
        none.tell([of(KEY, "shop")], now + Duration::from_secs(1));
        assert_eq!(none.find(KEY, now), Found::Foreign);
    }

    #[test]
    fn a_print_tells_of_no_key() {
        let made = MadeKeys::untold();
        made.tell([of(KEY, "shop")], Instant::now());
        assert_eq!(format!("{made:?}"), "MadeKeys(Some(1))");
    }
}

//! What was found in the store a moment ago, by digest.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use analytics_host::keys::KeyDigest;

/// How long what was found holds. What another process revokes ends here after so long, and the time of a look-up.
pub(crate) const LIFETIME: Duration = Duration::from_secs(5);

/// How much longer it holds for others while somebody asks anew, so that many who ask with one key ask the store once.
const GRACE: Duration = Duration::from_secs(1);

/// Most digests that are remembered.
const MOST: usize = 10_000;

/// What is known of a digest.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Known<T> {
    /// What the store said a moment ago.
    Fresh(Option<T>),
    /// It was there when the store was last asked, which is too long ago: whoever is told so asks anew.
    Stale,
    /// Nothing.
    Nothing,
}

/// What the store said, and when; bounded.
#[derive(Debug)]
pub(crate) struct Recent<T> {
    found: Mutex<HashMap<KeyDigest, Said<T>>>,
}

/// What the store said of one digest.
#[derive(Debug)]
struct Said<T> {
    at: Instant,
    is_asked_anew: bool,
    found: Option<T>,
}

impl<T> Said<T> {
    fn is_younger_than(&self, age: Duration, now: Instant) -> bool {
        now.saturating_duration_since(self.at) < age
    }
}

impl<T> Default for Recent<T> {
    fn default() -> Self {
        Self { found: Mutex::default() }
    }
}

impl<T: Clone> Recent<T> {
    /// What is known of a digest.
    pub(crate) fn get(&self, digest: &KeyDigest, now: Instant) -> Known<T> {
        match self.found().get_mut(digest) {
            Some(said) if said.is_younger_than(LIFETIME, now) => Known::Fresh(said.found.clone()),
            Some(said) if said.found.is_none() => Known::Nothing,
            Some(said) if said.is_asked_anew && said.is_younger_than(LIFETIME + GRACE, now) => {
                Known::Fresh(said.found.clone())
            }
            Some(said) => {
                said.is_asked_anew = true;
                Known::Stale
            }
            None => Known::Nothing,
        }
    }

    /// Remembers what the store said when it was asked at `now`.
    pub(crate) fn put(&self, digest: KeyDigest, found: Option<T>, now: Instant) {
        let mut known = self.found();
        if known.len() >= MOST && !known.contains_key(&digest) {
            known.retain(|_, said| said.found.is_some() && said.is_younger_than(LIFETIME, now));
            if known.len() >= MOST {
                known.clear();
            }
        }
        known.insert(digest, Said { at: now, is_asked_anew: false, found });
    }

    /// Has everything asked for anew, what is there without being counted as unknown.
    pub(crate) fn expire(&self) {
        let Some(long_ago) = Instant::now().checked_sub(LIFETIME + GRACE) else {
            self.found().clear();
            return;
        };
        self.found().retain(|_, said| {
            said.at = long_ago;
            said.found.is_some()
        });
    }

    fn found(&self) -> MutexGuard<'_, HashMap<KeyDigest, Said<T>>> {
        self.found.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn digest(number: u32) -> KeyDigest {
        let mut digest = [0; 32];
        digest[..4].copy_from_slice(&number.to_be_bytes());
        digest
    }

    #[test]
    fn what_was_found_holds_for_a_moment() {
        let (recent, now) = (Recent::default(), Instant::now());
        assert_eq!(recent.get(&digest(1), now), Known::Nothing);
        recent.put(digest(1), Some("a"), now);
        recent.put(digest(2), None, now);
        assert_eq!(recent.get(&digest(1), now + LIFETIME / 2), Known::Fresh(Some("a")));
        assert_eq!(recent.get(&digest(2), now + LIFETIME / 2), Known::Fresh(None));
        assert_eq!(recent.get(&digest(1), now + LIFETIME), Known::Stale);
        assert_eq!(recent.get(&digest(1), now + LIFETIME), Known::Fresh(Some("a")), "one asks anew, others go on");
        assert_eq!(recent.get(&digest(1), now + LIFETIME + GRACE), Known::Stale, "but not for long");
        assert_eq!(recent.get(&digest(2), now + LIFETIME), Known::Nothing);
        recent.put(digest(1), None, now + LIFETIME);
        assert_eq!(recent.get(&digest(1), now + LIFETIME), Known::Fresh(None));
    }

    #[test]
    fn memory_is_bounded_and_strangers_push_nobody_out() {
        let (recent, now) = (Recent::default(), Instant::now());
        recent.put(digest(0), Some("a"), now);
        for number in 1..50_000 {
            recent.put(digest(number), None, now);
        }
        assert!(recent.found().len() <= MOST);
        assert_eq!(recent.get(&digest(0), now), Known::Fresh(Some("a")));
        recent.expire();
        let left = recent.found().len();
        assert_eq!((left, recent.get(&digest(0), Instant::now())), (1, Known::Stale));
    }
}

//! The keys and tokens that are made here: 32 random bytes, written as 43 characters of `[A-Za-z0-9_-]`.

use analytics_host::keys::{self, KeyDigest};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use rand::TryRngCore as _;
use rand::rand_core::OsError;
use rand::rngs::OsRng;

/// A new secret, from the system's source of randomness.
///
/// # Errors
/// Where that source fails.
pub fn make() -> Result<String, OsError> {
    let mut bytes = [0_u8; 32];
    OsRng.try_fill_bytes(&mut bytes)?;
    Ok(URL_SAFE_NO_PAD.encode(bytes))
}

/// Whether a text has the form of a secret that was made here; nothing else is looked up in the store.
#[must_use]
pub fn has_form(text: &str) -> bool {
    keys::has_made_form(text)
}

/// What the store keeps in a secret's place.
#[must_use]
pub fn digest(secret: &str) -> KeyDigest {
    keys::digest(secret)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_two_are_alike_and_each_can_be_a_key() {
        let (one, other) = (make().unwrap(), make().unwrap());
        assert_ne!(one, other);
        assert!(has_form(&one) && has_form(&other), "{one} {other}");
        for text in ["", &one[1..], &format!("{one}x"), &one.replace(one.chars().next().unwrap(), "=")] {
            assert!(!has_form(text), "{text}");
        }
    }
}

//! The keys that send, as the processors tell them to the collectors, which have no store to look them up in.
//!
//! Keys are told whole, every few seconds, and as digests: a word that was missed is made good by the next one, and nobody who
//! reads it can send. A word holds for [`HOLDS`]; after it nobody vouches for the keys any more.

use std::time::Duration;

use analytics_domain::Project;

/// Within which time a key that was made works everywhere, and one that was revoked works nowhere.
pub const KNOWN_WITHIN: Duration = Duration::from_secs(10);

/// From the beginning of one telling to that of the next.
pub const TELL_EVERY: Duration = Duration::from_secs(2);

/// How long a telling may take, the look into the store included.
pub const TELLING_TIME: Duration = Duration::from_secs(2);

/// From the beginning of one looking up to that of the next.
pub const LOOK_EVERY: Duration = Duration::from_secs(2);

/// How long a looking up may take.
pub const LOOKING_TIME: Duration = Duration::from_secs(2);

/// How long a word holds where no further one comes: with the processors or the queue's server away for a night, pages go on
/// sending; a key that is revoked meanwhile sends no longer than that.
pub const HOLDS: Duration = Duration::from_secs(24 * 3_600);

/// Most keys of a word.
pub const MOST_WRITE_KEYS: usize = 10_000;

/// A key that sends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WriteKey {
    /// The SHA-256 of the key, which is 32 random bytes.
    pub digest: [u8; 32],
    /// The project that it sends to.
    pub project: Project,
}

/// What was told last.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ToldWriteKeys {
    /// The keys, all of them.
    pub keys: Vec<WriteKey>,
    /// How much longer that holds.
    pub holds: Duration,
}

#[cfg(feature = "redis")]
pub(crate) mod word {
    //! A word as text: a line with the version, then a line a key, its digest in hex and its project.

    use std::fmt::Write as _;

    use super::{MOST_WRITE_KEYS, Project, WriteKey};

    /// The first line. Whoever tells something else tells it under another number.
    const VERSION: &str = "1";

    /// Why a word cannot be read.
    #[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
    pub(crate) enum Unreadable {
        #[error(
            "it is of version {0:?}, and this build reads version 1: bring the collectors up to the processors' version"
        )]
        Version(String),
        #[error("its line {0} is no key")]
        Line(usize),
        #[error("it has more than {MOST_WRITE_KEYS} keys")]
        TooMany,
    }

    pub(crate) fn write(keys: &[WriteKey]) -> String {
        let mut text = format!("{VERSION}\n");
        for WriteKey { digest, project } in keys {
            for byte in digest {
                let _ = write!(text, "{byte:02x}");
            }
            let _ = writeln!(text, " {project}");
        }
        text
    }

    pub(crate) fn read(text: &str) -> Result<Vec<WriteKey>, Unreadable> {
        let mut lines = text.lines();
        let version = lines.next().unwrap_or_default();
        if version != VERSION {
            return Err(Unreadable::Version(version.chars().take(20).collect()));
        }
        let mut keys = Vec::new();
        for (number, line) in lines.enumerate() {
            if keys.len() == MOST_WRITE_KEYS {
                return Err(Unreadable::TooMany);
            }
            keys.push(key(line).ok_or(Unreadable::Line(number + 2))?);
        }
        Ok(keys)
    }

    fn key(line: &str) -> Option<WriteKey> {
        let (hex, project) = line.split_once(' ')?;
        let mut digest = [0; 32];
        if hex.len() != 2 * digest.len() || !hex.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return None;
        }
        for (byte, pair) in digest.iter_mut().zip(hex.as_bytes().chunks(2)) {
            *byte = u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok()?;
        }
        Some(WriteKey { digest, project: Project::new(project).ok()? })
    }

    #[cfg(test)]
    mod tests {
        use super::*;

        fn written(number: u8, project: &str) -> WriteKey {
            WriteKey { digest: [number; 32], project: Project::new(project).unwrap() }
        }

        #[test]
        fn version_1_is_frozen() {
            let text = format!("1\n{} shop\n{} a-b_C\n", "07".repeat(32), "ff".repeat(32));
            let keys = [written(7, "shop"), written(255, "a-b_C")];
            assert_eq!(write(&keys), text);
            assert_eq!(read(&text).unwrap(), keys);
            assert_eq!(read("1\n").unwrap(), []);
        }

        #[test]
        fn what_somebody_else_wrote_is_no_word() {
            let hex = "07".repeat(32);
            for (text, line) in [
                (format!("1\n{hex} shop\n{hex}\n"), 3),
                (format!("1\n{hex} sh op\n"), 2),
                (format!("1\n{hex}  shop\n"), 2),
                (format!("1\n{hex}0 shop\n"), 2),
                (format!("1\n{}+7 shop\n", "07".repeat(31)), 2),
                (format!("1\n\n{hex} shop\n"), 2),
                (format!("1\n{}é shop\n", "07".repeat(31)), 2),
                (format!("1\n{hex} {}\n", "x".repeat(65)), 2),
            ] {
                assert_eq!(read(&text), Err(Unreadable::Line(line)), "{text}");
            }
            for text in ["", "2\n", "11\n", &format!("{hex} shop\n")] {
                assert!(matches!(read(text), Err(Unreadable::Version(_))), "{text}");
            }
        }

        #[test]
        fn a_word_is_bounded() {
            let most: Vec<_> = (0..MOST_WRITE_KEYS).map(|_| written(1, "shop")).collect();
            let text = write(&most);
            assert_eq!(read(&text).unwrap().len(), MOST_WRITE_KEYS);
            assert_eq!(read(&format!("{text}{} shop\n", "07".repeat(32))), Err(Unreadable::TooMany));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_together_keep_the_promise() {
        // A processor that had looked into the store just before may still tell what it saw until it begins anew; only what
        // every processor tells after that is sure to be new, and a collector that has just looked waits for its next turn.
        let surely_told = TELL_EVERY + TELLING_TIME;
        let surely_known = surely_told + LOOK_EVERY + LOOKING_TIME;
        assert!(surely_known < KNOWN_WITHIN, "{surely_known:?}");
        assert!(TELLING_TIME <= TELL_EVERY && LOOKING_TIME <= LOOK_EVERY, "a turn must end before the next begins");
        assert!(KNOWN_WITHIN < HOLDS);
    }
}

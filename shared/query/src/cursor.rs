//! The place in an answer where the next page begins.
//!
//! A cursor is opaque base64url: what the first page was resolved to (so that all pages are of one range, also past
//! midnight), a position, and a digest of these with the project and the question. It is good for that question alone.

use analytics_domain::timestamp::days_from_civil;
use analytics_domain::{Project, Timestamp};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sha2::{Digest as _, Sha256};
use uuid::Uuid;

use crate::{QueryError, Range};

const VERSION: u8 = 1;
const DIGEST: usize = 16;

/// What the first page was resolved to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Resolved {
    /// The instant that counted as now.
    pub(crate) now: Timestamp,
    /// The range.
    pub(crate) range: Range,
    /// The range compared with.
    pub(crate) compared: Option<Range>,
}

/// Where the page begins.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Position {
    /// Behind so many rows.
    Offset(u64),
    /// Behind the event of this time and id.
    After(Timestamp, Uuid),
    /// Behind the session of this start and id.
    AfterSession(Timestamp, String),
}

/// A cursor's content.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Cursor {
    pub(crate) resolved: Resolved,
    pub(crate) position: Position,
}

impl Cursor {
    /// The text of the cursor for the question that `asked` tells, of a project.
    pub(crate) fn write(&self, project: &Project, asked: &str) -> String {
        let mut bytes = vec![VERSION];
        let mut instant = |instant: Timestamp| bytes.extend(instant.as_micros().to_be_bytes());
        instant(self.resolved.now);
        instant(self.resolved.range.from);
        instant(self.resolved.range.to);
        // Without a comparison the second range is the first again.
        let compared = self.resolved.compared.unwrap_or(self.resolved.range);
        instant(compared.from);
        instant(compared.to);
        bytes.push(u8::from(self.resolved.compared.is_some()));
        match &self.position {
            Position::Offset(rows) => {
                bytes.push(0);
                bytes.extend(rows.to_be_bytes());
            }
            Position::After(timestamp, id) => {
                bytes.push(1);
                bytes.extend(timestamp.as_micros().to_be_bytes());
                bytes.extend(id.as_bytes());
            }
            Position::AfterSession(timestamp, id) => {
                bytes.push(2);
                bytes.extend(timestamp.as_micros().to_be_bytes());
                bytes.extend(id.as_bytes());
            }
        }
        bytes.extend(digest(&bytes, project, asked));
        URL_SAFE_NO_PAD.encode(bytes)
    }

    /// Reads a cursor of the question that `asked` tells, of a project.
    pub(crate) fn read(text: &str, project: &Project, asked: &str) -> Result<Self, QueryError> {
        let wrong = || QueryError::cursor("the text is no cursor of an answer");
        let bytes = URL_SAFE_NO_PAD.decode(text).map_err(|_| wrong())?;
        let (content, sum) = bytes.split_last_chunk::<DIGEST>().ok_or_else(wrong)?;
        let mut rest = content;
        if take::<1>(&mut rest) != Some([VERSION]) {
            return Err(wrong());
        }
        if digest(content, project, asked) != *sum {
            return Err(QueryError::cursor(
                "the cursor belongs to another question or project, or was changed; send it with the question that it came from",
            ));
        }
        Self::read_content(rest).ok_or_else(wrong)
    }

    fn read_content(mut rest: &[u8]) -> Option<Self> {
        let mut instant = || take::<8>(&mut rest).map(|bytes| Timestamp::from_micros(i64::from_be_bytes(bytes)));
        let now = instant()?;
        let range = Range { from: instant()?, to: instant()? };
        let compared = Range { from: instant()?, to: instant()? };
        let compared = (take::<1>(&mut rest)? == [1]).then_some(compared);
        let position = match take::<1>(&mut rest)? {
            [0] => Position::Offset(u64::from_be_bytes(take(&mut rest)?)),
            [1] => Position::After(take_instant(&mut rest)?, Uuid::from_bytes(take(&mut rest)?)),
            [2] => {
                let timestamp = take_instant(&mut rest)?;
                let id = String::from_utf8(std::mem::take(&mut rest).to_vec()).ok()?;
                if id.contains('\0') {
                    return None;
                }
                Position::AfterSession(timestamp, id)
            }
            _ => return None,
        };
        // The digest is no secret: what could be made up must still be something that a first page resolves to.
        let sound = |range: &Range| range.from <= range.to && is_in_calendar(range.from) && is_in_calendar(range.to);
        let all_sound = is_in_calendar(now) && sound(&range) && compared.as_ref().is_none_or(sound);
        (rest.is_empty() && all_sound).then_some(Self { resolved: Resolved { now, range, compared }, position })
    }
}

/// Whether an instant is one that stores can hold: of the years 0001 to 9999.
fn is_in_calendar(instant: Timestamp) -> bool {
    let first = days_from_civil(1, 1, 1);
    let end = days_from_civil(10_000, 1, 1);
    (first..end).contains(&instant.utc_day())
}

/// An instant that a store can hold.
fn take_instant(rest: &mut &[u8]) -> Option<Timestamp> {
    let instant = Timestamp::from_micros(i64::from_be_bytes(take(rest)?));
    is_in_calendar(instant).then_some(instant)
}

fn take<const N: usize>(rest: &mut &[u8]) -> Option<[u8; N]> {
    let (first, behind) = rest.split_first_chunk::<N>()?;
    *rest = behind;
    Some(*first)
}

fn digest(content: &[u8], project: &Project, asked: &str) -> [u8; DIGEST] {
    let mut hash = Sha256::new();
    // Every part with its length, so that no two splits of the same bytes are alike.
    for part in [b"analytics cursor".as_slice(), content, project.as_str().as_bytes(), asked.as_bytes()] {
        hash.update((part.len() as u64).to_be_bytes());
        hash.update(part);
    }
    let mut sum = [0; DIGEST];
    sum.copy_from_slice(&hash.finalize()[..DIGEST]);
    sum
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(now: i64, from: i64, to: i64, position: Position) -> Result<Cursor, QueryError> {
        let micros = Timestamp::from_micros;
        let resolved =
            Resolved { now: micros(now), range: Range { from: micros(from), to: micros(to) }, compared: None };
        let project = Project::default();
        Cursor::read(&Cursor { resolved, position }.write(&project, "asked"), &project, "asked")
    }

    #[test]
    fn what_no_first_page_resolves_to_is_refused_though_its_digest_is_right() {
        assert!(read(5, 1, 9, Position::Offset(3)).is_ok());
        let session = Position::AfterSession(Timestamp::from_micros(5), "日本%".to_owned());
        assert_eq!(read(5, 1, 9, session.clone()).unwrap().position, session);
        let after = |micros| Position::After(Timestamp::from_micros(micros), Uuid::nil());
        for (now, from, to, position) in [
            (5, 9, 1, Position::Offset(3)),
            (5, i64::MIN, 9, Position::Offset(3)),
            (5, 1, i64::MAX, Position::Offset(3)),
            (i64::MAX, 1, 9, Position::Offset(3)),
            (5, 1, 9, after(i64::MAX)),
            (5, 1, 9, Position::AfterSession(Timestamp::from_micros(i64::MAX), "s".to_owned())),
            (5, 1, 9, Position::AfterSession(Timestamp::from_micros(5), "a\0b".to_owned())),
        ] {
            assert!(read(now, from, to, position.clone()).is_err(), "{now} {from} {to} {position:?}");
        }
    }
}

//! The members of an event's metadata, and the adding of more of them: what a server knows of an event beside what its
//! client said.

use std::borrow::Cow;

use crate::event::{METADATA_MAX_BYTES, METADATA_MAX_DEPTH};
use crate::json::canonical::Member;
use crate::json::text::write_text;
use crate::json::{Scanner, Text};

/// A member that may be added: its key and its value, a text.
pub type Addition<'t> = (&'static str, Cow<'t, str>);

/// Metadata in canonical form, read down to its own members.
#[derive(Debug)]
pub struct Metadata<'m> {
    canonical: &'m str,
    /// Sorted by key, each key once: that is the canonical form.
    members: Vec<Member<'m>>,
}

impl<'m> Metadata<'m> {
    /// Reads the metadata of an accepted event; `None` where it is no object.
    #[must_use]
    pub fn read(canonical: &'m str) -> Option<Self> {
        let mut scanner = Scanner::new(canonical, METADATA_MAX_DEPTH);
        if scanner.peek() != b'{' {
            return None;
        }
        let mut members = Vec::with_capacity(16);
        scanner.members(0, METADATA_MAX_BYTES, &mut members).ok()?;
        Some(Self { canonical, members })
    }

    /// Whether there is such a member, whatever its value.
    #[must_use]
    pub fn has(&self, key: &str) -> bool {
        self.place(key).is_ok()
    }

    /// Whether there is a member whose key begins so.
    #[must_use]
    pub fn has_any(&self, beginning: &str) -> bool {
        let place = self.place(beginning).unwrap_or_else(|place| place);
        self.members.get(place).is_some_and(|member| member.key.decode().starts_with(beginning))
    }

    /// The text under a key; `None` where there is none, or something that is no text.
    #[must_use]
    pub fn text(&self, key: &str) -> Option<Cow<'m, str>> {
        let member = self.members.get(self.place(key).ok()?)?;
        let mut scanner = Scanner::new(member.value, METADATA_MAX_DEPTH);
        if scanner.peek() != b'"' {
            return None;
        }
        scanner.text().ok().map(|text| text.decode())
    }

    /// The same metadata with these members too, in canonical form; `None` where none of them is new and fits.
    ///
    /// A key that is there already keeps its value, and of additions with one key the first that can be added is. What does not fit into
    /// the size that metadata may have is left out, and so is a text with U+0000, which no store holds. Additions are sorted
    /// by key, and tried in that order.
    #[must_use]
    pub fn with(&self, additions: &mut [Addition<'_>]) -> Option<String> {
        // The sort is stable: of equal keys the first stays first.
        additions.sort_by_key(|(key, _)| *key);
        let mut room = METADATA_MAX_BYTES.saturating_sub(self.canonical.len());
        let bytes: usize = additions.iter().map(|(key, value)| key.len() + value.len() + 6).sum();
        let mut out = String::with_capacity(self.canonical.len() + bytes.min(room));
        out.push('{');
        let (mut written, mut added) = (0, None);
        for (key, value) in &*additions {
            let Err(place) = self.place(key) else { continue };
            if added == Some(*key) || value.contains('\0') {
                continue;
            }
            self.copy(written..place, &mut out);
            written = written.max(place);
            let start = out.len();
            separate(&mut out);
            write_text(&mut out, key);
            out.push(':');
            write_text(&mut out, value);
            let length = out.len() - start;
            if length > room {
                out.truncate(start);
            } else {
                room -= length;
                added = Some(*key);
            }
        }
        added?;
        self.copy(written..self.members.len(), &mut out);
        out.push('}');
        Some(out)
    }

    fn copy(&self, members: std::ops::Range<usize>, out: &mut String) {
        for member in self.members.get(members).unwrap_or_default() {
            separate(out);
            out.push('"');
            out.push_str(member.key.raw);
            out.push_str("\":");
            out.push_str(member.value);
        }
    }

    /// Where a key stands, or where it would.
    fn place(&self, key: &str) -> Result<usize, usize> {
        let wanted = Text { raw: key, escaped: false, canonical: true };
        self.members.binary_search_by(|member| member.key.compare(&wanted))
    }
}

/// A comma, unless the object has just begun.
fn separate(out: &mut String) {
    if out.len() > 1 {
        out.push(',');
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;
    use serde_json::Value;

    use super::*;

    fn with(canonical: &str, additions: &[(&'static str, &str)]) -> Option<String> {
        let mut additions: Vec<Addition<'_>> = additions.iter().map(|(key, value)| (*key, (*value).into())).collect();
        Metadata::read(canonical).unwrap().with(&mut additions)
    }

    #[test]
    fn adds_in_order_and_overwrites_nothing() {
        let added = [("os", "Linux"), ("browser", "Firefox"), ("zone", "\"\\\n")];
        assert_eq!(with("{}", &added).unwrap(), r#"{"browser":"Firefox","os":"Linux","zone":"\"\\\n"}"#);
        let told = r#"{"a":{"os":1},"browser":null,"path":"/x"}"#;
        assert_eq!(
            with(told, &added).unwrap(),
            r#"{"a":{"os":1},"browser":null,"os":"Linux","path":"/x","zone":"\"\\\n"}"#
        );
        assert_eq!(with(r#"{"os":0}"#, &[("os", "Linux")]), None);
        assert_eq!(with("{}", &[]), None);
        assert_eq!(with("{}", &[("os", "first"), ("os", "second")]).unwrap(), r#"{"os":"first"}"#);
        assert_eq!(with("{}", &[("bot", "a\0b"), ("os", "Linux")]).unwrap(), r#"{"os":"Linux"}"#);
    }

    #[test]
    fn leaves_out_what_does_not_fit() {
        // `{"n":"..."}` that leaves 20 bytes: room for `,"os":"Linux"` (13), not for the browser before it (29).
        let told = format!(r#"{{"n":"{}"}}"#, "x".repeat(METADATA_MAX_BYTES - 20 - 8));
        let more = with(&told, &[("browser", "Samsung Internet"), ("os", "Linux")]).unwrap();
        assert_eq!(more.len(), told.len() + 13);
        assert!(more.ends_with(r#","os":"Linux"}"#));
        let full = format!(r#"{{"n":"{}"}}"#, "x".repeat(METADATA_MAX_BYTES - 8));
        assert_eq!(with(&full, &[("os", "x")]), None);
    }

    #[test]
    fn reads_members() {
        let metadata = Metadata::read(r#"{"host":"a.example","n":1,"path":"\"é\"","utm_source":"x"}"#).unwrap();
        assert_eq!(metadata.text("host").as_deref(), Some("a.example"));
        assert_eq!(metadata.text("path").as_deref(), Some("\"é\""));
        assert_eq!((metadata.text("n"), metadata.text("none")), (None, None));
        assert!(metadata.has("n") && !metadata.has("m"));
        assert!(metadata.has_any("utm_") && metadata.has_any("n") && !metadata.has_any("utn"));
        assert!(!Metadata::read("{}").unwrap().has_any("utm_"));
        assert!(Metadata::read("7").is_none() && Metadata::read("").is_none());
    }

    proptest! {
        /// A JSON library is the oracle: what was there stays, what is new comes beside it, in the one form.
        #[test]
        fn keeps_what_was_there_and_the_one_form(
            told in prop::collection::btree_map("[a-dz\"\\\\é\n]{0,2}|bot|os", "[a-z\"\\\\\u{1}é😀]{0,6}", 0..8),
            added in prop::collection::vec(
                (prop::sample::select(vec!["a", "b", "bot", "os", "\"", "é", "z"]), "[a-z\"\\\\\n😀]{0,6}"), 0..6),
        ) {
            let canonical = serde_json::to_string(&told).unwrap();
            let mut expected: BTreeMap<String, String> = BTreeMap::new();
            for (key, value) in &added {
                expected.entry((*key).to_owned()).or_insert_with(|| value.clone());
            }
            expected.extend(told.clone());
            let borrowed: Vec<(&'static str, &str)> = added.iter().map(|(key, value)| (*key, value.as_str())).collect();
            let found = with(&canonical, &borrowed).unwrap_or_else(|| canonical.clone());
            prop_assert_eq!(&found, &serde_json::to_string(&expected).unwrap());
            prop_assert!(serde_json::from_str::<Value>(&found).unwrap().is_object());
        }
    }
}

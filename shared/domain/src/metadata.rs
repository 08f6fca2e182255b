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
    /// Metadata without members.
    pub const EMPTY: Metadata<'static> = Metadata { canonical: "{}", members: Vec::new() };

    /// Reads the metadata of an accepted event; `None` where it is no object in canonical form, or too large.
    #[must_use]
    pub fn read(canonical: &'m str) -> Option<Self> {
        let mut scanner = Scanner::new(canonical, METADATA_MAX_DEPTH);
        if canonical.len() > METADATA_MAX_BYTES || scanner.peek() != b'{' {
            return None;
        }
        let mut members = Vec::with_capacity(16);
        let scan = scanner.members(0, METADATA_MAX_BYTES, &mut members).ok()?;
        (scan.is_canonical() && scanner.at() == canonical.len()).then_some(Self { canonical, members })
    }

    /// Whether there is such a member, whatever its value.
    #[must_use]
    pub fn has(&self, key: &str) -> bool {
        self.place(&plain(key)).is_ok()
    }

    /// Whether there is a member whose key begins so.
    #[must_use]
    pub fn has_any(&self, beginning: &str) -> bool {
        let place = self.place(&plain(beginning)).unwrap_or_else(|place| place);
        self.members.get(place).is_some_and(|member| member.key.decode().starts_with(beginning))
    }

    /// The text under a key; `None` where there is none, or something that is no text.
    #[must_use]
    pub fn text(&self, key: &str) -> Option<Cow<'m, str>> {
        let member = self.members.get(self.place(&plain(key)).ok()?)?;
        let mut scanner = Scanner::new(member.value, METADATA_MAX_DEPTH);
        if scanner.peek() != b'"' {
            return None;
        }
        scanner.text().ok().map(|text| text.decode())
    }

    /// The same metadata with the members of `shared` and these additions too, in canonical form; `None` where none of them is
    /// new and fits.
    ///
    /// A key that is there already keeps its value, and of new ones with one key the first that can be added is, those of
    /// `shared` before the others. What does not fit into the size that metadata may have is left out, and so is an addition
    /// with U+0000, which no store holds. All are sorted by key, and tried in that order.
    #[must_use]
    pub fn with(&self, shared: &Metadata<'_>, additions: &[Addition<'_>]) -> Option<String> {
        let written = shared.members.iter().map(|member| (member.key, New::Written(member.value)));
        let texts = additions.iter().filter(|(_, value)| !value.contains('\0'));
        let texts = texts.map(|(key, value)| (plain(key), New::Text(value)));
        let mut new: Vec<(Text<'_>, New<'_>)> = written.chain(texts).collect();
        if new.is_empty() {
            return None;
        }
        // The sort is stable: of equal keys the first stays first.
        new.sort_by(|(a, _), (b, _)| a.compare(b));
        let mut room = METADATA_MAX_BYTES.saturating_sub(self.canonical.len());
        let bytes: usize = new.iter().map(|(key, value)| key.raw.len() + value.length() + 6).sum();
        let mut out = String::with_capacity(self.canonical.len() + bytes.min(room));
        out.push('{');
        let (mut copied, mut added) = (0, None);
        for (key, value) in new {
            let Err(place) = self.place(&key) else { continue };
            if added.is_some_and(|before: Text<'_>| before.compare(&key).is_eq()) {
                continue;
            }
            self.copy(copied..place, &mut out);
            copied = copied.max(place);
            let start = out.len();
            separate(&mut out);
            write_key(key, &mut out);
            match value {
                New::Written(value) => out.push_str(value),
                New::Text(value) => write_text(&mut out, value),
            }
            let length = out.len() - start;
            if length > room {
                out.truncate(start);
            } else {
                room -= length;
                added = Some(key);
            }
        }
        added?;
        self.copy(copied..self.members.len(), &mut out);
        out.push('}');
        Some(out)
    }

    fn copy(&self, members: std::ops::Range<usize>, out: &mut String) {
        for member in self.members.get(members).unwrap_or_default() {
            separate(out);
            write_key(member.key, out);
            out.push_str(member.value);
        }
    }

    /// Where a key stands, or where it would.
    fn place(&self, key: &Text<'_>) -> Result<usize, usize> {
        self.members.binary_search_by(|member| member.key.compare(key))
    }
}

/// The value of a member that may be added.
#[derive(Debug, Clone, Copy)]
enum New<'t> {
    /// As it stands in canonical metadata.
    Written(&'t str),
    /// A text that is not written yet.
    Text(&'t str),
}

impl New<'_> {
    const fn length(self) -> usize {
        match self {
            Self::Written(value) | Self::Text(value) => value.len(),
        }
    }
}

/// A key of this program's own words, none of which needs an escape.
const fn plain(key: &str) -> Text<'_> {
    Text { raw: key, escaped: false, canonical: true }
}

/// A key of canonical metadata, or a plain one, and its colon.
fn write_key(key: Text<'_>, out: &mut String) {
    out.push('"');
    out.push_str(key.raw);
    out.push_str("\":");
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
        let additions: Vec<Addition<'_>> = additions.iter().map(|(key, value)| (*key, (*value).into())).collect();
        Metadata::read(canonical).unwrap().with(&Metadata::EMPTY, &additions)
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
    }

    #[test]
    fn reads_nothing_but_the_one_form() {
        for other in
            ["7", "", "{", "{} ", " {}", "{}{}", r#"{"b":1,"a":1}"#, r#"{"a":1,"a":1}"#, r#"{"a":1.0}"#, r#"{"a": 1}"#]
        {
            assert!(Metadata::read(other).is_none(), "{other}");
        }
        let many: Vec<String> = (10_000..30_000).map(|key| format!("\"{key}\":1")).collect();
        assert!(Metadata::read(&format!("{{{}}}", many.join(","))).is_none());
    }

    #[test]
    fn adds_what_is_shared_as_it_stands() {
        let shared = r#"{"a":{"b":[1,"\n"]},"os":"Linux","\"":null}"#;
        assert!(Metadata::read(shared).is_none(), "keys are sorted");
        let shared = Metadata::read(r#"{"\"":null,"a":{"b":[1,"\n"]},"os":"Linux"}"#).unwrap();
        let with = |told: &'static str| {
            Metadata::read(told).unwrap().with(&shared, &[("os", "mine".into()), ("z", "é".into())])
        };
        assert_eq!(with("{}").unwrap(), r#"{"\"":null,"a":{"b":[1,"\n"]},"os":"Linux","z":"é"}"#);
        assert_eq!(with(r#"{"\"":1,"a":2,"os":3}"#).unwrap(), r#"{"\"":1,"a":2,"os":3,"z":"é"}"#);
        assert_eq!(with(r#"{"\"":1,"a":2,"os":3,"z":4}"#), None);
    }

    proptest! {
        /// A JSON library is the oracle: what was there stays, what is new comes beside it, in the one form.
        #[test]
        fn keeps_what_was_there_and_the_one_form(
            told in prop::collection::btree_map("[a-dz\"\\\\é\n]{0,2}|bot|os", "[a-z\"\\\\\u{1}é😀]{0,6}", 0..8),
            shared in prop::collection::btree_map("[a-dz\"\\\\é\n]{0,2}|bot|os", "[a-z\"\\\\\u{1}é😀]{0,6}", 0..6),
            added in prop::collection::vec(
                (prop::sample::select(vec!["a", "b", "bot", "os", "é", "z"]), "[a-z\"\\\\\n😀]{0,6}"), 0..6),
        ) {
            let [canonical, common] = [&told, &shared].map(|members| serde_json::to_string(members).unwrap());
            let mut expected: BTreeMap<String, String> = BTreeMap::new();
            for (key, value) in &added {
                expected.entry((*key).to_owned()).or_insert_with(|| value.clone());
            }
            expected.extend(shared.clone());
            expected.extend(told.clone());
            let additions: Vec<Addition<'_>> = added.iter().map(|(key, value)| (*key, value.as_str().into())).collect();
            let common = Metadata::read(&common).unwrap();
            let found = Metadata::read(&canonical).unwrap().with(&common, &additions).unwrap_or_else(|| canonical.clone());
            prop_assert_eq!(&found, &serde_json::to_string(&expected).unwrap());
            prop_assert!(serde_json::from_str::<Value>(&found).unwrap().is_object());
        }
    }
}

//! The one form in which an object is kept: compact, keys sorted by their UTF-8 bytes at every level, of equal keys the
//! last, numbers as doubles in plain decimals, and only those characters escaped that have to be.

use std::borrow::Cow;

use super::number::write_number;
use super::scanner::{Fault, Kind, Scanner};
use super::text::{Text, write_text};

/// A member of an object that was scanned.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Member<'a> {
    pub(crate) key: Text<'a>,
    /// As it stands in the body.
    pub(crate) value: &'a str,
    canonical: bool,
}

/// What a scan found out about an object; its members lie in the list that was given to the scan.
#[derive(Debug, Clone, Copy)]
pub(crate) struct ObjectScan<'a> {
    /// The object as it stands in the body.
    raw: &'a str,
    /// Whether `raw` is its canonical form.
    canonical: bool,
    /// Whether it has more different keys than fit into any size that is allowed.
    overfull: bool,
}

/// The canonical form would be longer than allowed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct TooLarge;

/// Why an object has no canonical form.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Unwritable {
    TooLarge,
    Fault(Fault),
}

impl From<TooLarge> for Unwritable {
    fn from(_: TooLarge) -> Self {
        Self::TooLarge
    }
}

impl From<Fault> for Unwritable {
    fn from(fault: Fault) -> Self {
        Self::Fault(fault)
    }
}

/// The list of members never grows beyond this: repeated keys are dropped before.
const MEMBERS_HELD: usize = 16_384;

/// The shortest member, with its comma: `"":1,`.
const MEMBER_BYTES: usize = 5;

impl<'a> Scanner<'a> {
    /// Reads an object that lies `depth` levels deep, at its bracket; `members` is emptied and filled.
    ///
    /// `limit` is the size in bytes of the largest canonical form that will be asked for: it bounds what is kept of an
    /// object with very many keys.
    pub(crate) fn members(
        &mut self,
        depth: usize,
        limit: usize,
        members: &mut Vec<Member<'a>>,
    ) -> Result<ObjectScan<'a>, Fault> {
        members.clear();
        let start = self.at;
        let depth = self.enter(depth)?;
        let mut canonical = !self.space();
        let mut overfull = false;
        if self.peek() == b'}' {
            self.at += 1;
            return Ok(ObjectScan { raw: &self.body[start..self.at], canonical, overfull });
        }
        loop {
            let (key, tight) = self.key()?;
            canonical &= tight && key.canonical && members.last().is_none_or(|last| last.key.compare(&key).is_lt());
            let value_start = self.at;
            // Most values are texts.
            let value_canonical = if self.peek() == b'"' { self.text()?.canonical } else { self.value(depth)? };
            if members.len() >= MEMBERS_HELD.max(2 * limit / MEMBER_BYTES) {
                sort(members);
                overfull |= members.len() > limit / MEMBER_BYTES;
                if overfull {
                    members.clear();
                }
            }
            if !overfull {
                members.push(Member { key, value: &self.body[value_start..self.at], canonical: value_canonical });
            }
            canonical &= value_canonical;
            canonical &= !self.space();
            match self.next_member(b'}')? {
                Some(space) => canonical &= !space,
                None => return Ok(ObjectScan { raw: &self.body[start..self.at], canonical, overfull }),
            }
        }
    }
}

impl<'a> ObjectScan<'a> {
    /// Whether what stands in the body is the canonical form.
    pub(crate) const fn is_canonical(&self) -> bool {
        self.canonical
    }

    /// The canonical form of the scanned object, of at most `limit` bytes; borrowed where it is what stands in the body.
    pub(crate) fn canonical(&self, limit: usize, members: &mut Vec<Member<'a>>) -> Result<Cow<'a, str>, TooLarge> {
        if self.canonical {
            return if self.raw.len() <= limit { Ok(Cow::Borrowed(self.raw)) } else { Err(TooLarge) };
        }
        if self.overfull {
            return Err(TooLarge);
        }
        let mut writer = Writer { out: String::with_capacity(self.raw.len().min(limit)), limit };
        match writer.object(members) {
            Ok(()) => Ok(Cow::Owned(writer.out)),
            // The scan has passed over every value: a fault cannot come, and would be an object nobody can write.
            Err(Unwritable::TooLarge | Unwritable::Fault(_)) => Err(TooLarge),
        }
    }
}

/// Sorts members by key and keeps the last of each.
fn sort(members: &mut Vec<Member<'_>>) {
    if members.is_sorted_by(|a, b| a.key.compare(&b.key).is_lt()) {
        return;
    }
    // The sort is stable: equal keys stay in the body's order, and the last is the one to keep.
    members.sort_by(|a, b| a.key.compare(&b.key));
    members.reverse();
    members.dedup_by(|later, kept| later.key.compare(&kept.key).is_eq());
    members.reverse();
}

struct Writer {
    out: String,
    limit: usize,
}

impl Writer {
    fn push(&mut self, text: &str) -> Result<(), TooLarge> {
        self.out.push_str(text);
        self.check()
    }

    const fn check(&self) -> Result<(), TooLarge> {
        if self.out.len() > self.limit { Err(TooLarge) } else { Ok(()) }
    }

    fn object(&mut self, members: &mut Vec<Member<'_>>) -> Result<(), Unwritable> {
        sort(members);
        self.out.push('{');
        for (index, member) in members.iter().enumerate() {
            if index > 0 {
                self.out.push(',');
            }
            if member.key.canonical {
                self.out.push('"');
                self.out.push_str(member.key.raw);
                self.out.push_str("\":");
            } else {
                write_text(&mut self.out, &member.key.decode());
                self.out.push(':');
            }
            self.check()?;
            self.value(member.value, member.canonical)?;
        }
        self.push("}")?;
        Ok(())
    }

    /// Writes a value that was scanned before.
    fn value(&mut self, raw: &str, canonical: bool) -> Result<(), Unwritable> {
        if canonical {
            return Ok(self.push(raw)?);
        }
        // Levels were counted when the body was scanned.
        let mut scanner = Scanner::new(raw, usize::MAX);
        match scanner.kind()? {
            Kind::Text => write_text(&mut self.out, &scanner.text()?.decode()),
            Kind::Number => write_number(&mut self.out, raw),
            Kind::Object => {
                let mut members = Vec::new();
                let scan = scanner.members(0, self.limit, &mut members)?;
                if scan.overfull {
                    return Err(Unwritable::TooLarge);
                }
                self.object(&mut members)?;
            }
            Kind::Array => self.array(&mut scanner)?,
            Kind::Boolean | Kind::Null => self.out.push_str(raw),
        }
        Ok(self.check()?)
    }

    fn array(&mut self, scanner: &mut Scanner<'_>) -> Result<(), Unwritable> {
        scanner.advance();
        scanner.space();
        self.out.push('[');
        let mut first = true;
        while scanner.peek() != b']' {
            if !first {
                self.out.push(',');
            }
            first = false;
            let start = scanner.at;
            let canonical = scanner.value(0)?;
            self.value(&scanner.body[start..scanner.at], canonical)?;
            scanner.space();
            if scanner.next_member(b']')?.is_none() {
                break;
            }
        }
        self.push("]")?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;
    use crate::json::FaultKind;

    const LIMIT: usize = 32 * 1024;

    fn canonical(body: &str) -> Result<Cow<'_, str>, Unwritable> {
        let mut members = Vec::new();
        let scan = Scanner::new(body, 16).members(0, LIMIT, &mut members)?;
        Ok(scan.canonical(LIMIT, &mut members)?)
    }

    /// A value in a form where the rules are plain to see, and the oracle of what is written.
    #[derive(Debug, Clone)]
    enum Model {
        Plain(&'static str),
        Number(String),
        Text(String),
        Array(Vec<Model>),
        Object(Vec<(String, Model)>),
    }

    impl Model {
        fn expected(&self) -> String {
            match self {
                Self::Plain(word) => (*word).to_owned(),
                Self::Number(raw) => {
                    let double: f64 = raw.parse().unwrap();
                    if double == 0.0 { "0".to_owned() } else { format!("{double}") }
                }
                Self::Text(text) => serde_json::to_string(text).unwrap(),
                Self::Array(values) => {
                    format!("[{}]", values.iter().map(Self::expected).collect::<Vec<_>>().join(","))
                }
                Self::Object(members) => {
                    let last: BTreeMap<&str, &Self> =
                        members.iter().map(|(key, value)| (key.as_str(), value)).collect();
                    let member = |(key, value): (&&str, &&Self)| {
                        format!("{}:{}", serde_json::to_string(key).unwrap(), value.expected())
                    };
                    format!("{{{}}}", last.iter().map(member).collect::<Vec<_>>().join(","))
                }
            }
        }

        /// The value as a careless client writes it; `noise` chooses white space and escapes.
        fn careless(&self, noise: &mut impl FnMut() -> u8) -> String {
            let space = |noise: &mut dyn FnMut() -> u8| ["", "", "", " ", "\n\t", "\r "][usize::from(noise()) % 6];
            let before = space(noise);
            let inside = match self {
                Self::Plain(word) => (*word).to_owned(),
                Self::Number(raw) => raw.clone(),
                Self::Text(text) => careless_text(text, noise),
                Self::Array(values) if values.is_empty() => format!("[{}]", space(noise)),
                Self::Array(values) => {
                    format!("[{}]", values.iter().map(|value| value.careless(noise)).collect::<Vec<_>>().join(","))
                }
                Self::Object(members) if members.is_empty() => format!("{{{}}}", space(noise)),
                Self::Object(members) => {
                    let mut all = Vec::new();
                    for (key, value) in members {
                        let key = careless_text(key, noise);
                        all.push(format!("{}{key}{}:{}", space(noise), space(noise), value.careless(noise)));
                    }
                    format!("{{{}}}", all.join(","))
                }
            };
            format!("{before}{inside}{}", space(noise))
        }
    }

    fn careless_text(text: &str, noise: &mut impl FnMut() -> u8) -> String {
        let mut out = String::from("\"");
        for character in text.chars() {
            if noise().is_multiple_of(8) {
                for unit in character.encode_utf16(&mut [0; 2]) {
                    out.push_str(&if noise().is_multiple_of(2) {
                        format!("\\u{unit:04x}")
                    } else {
                        format!("\\u{unit:04X}")
                    });
                }
            } else {
                let quoted = serde_json::to_string(&character.to_string()).unwrap();
                out.push_str(&quoted[1..quoted.len() - 1]);
            }
        }
        out + "\""
    }

    fn key() -> impl Strategy<Value = String> {
        prop_oneof!["[ab]{0,2}", "[a-zäß漢😀\"\\\\\u{1}\n\u{7f}/]{0,4}"]
    }

    fn model() -> impl Strategy<Value = Model> {
        let leaf = prop_oneof![
            prop::sample::select(vec!["true", "false", "null"]).prop_map(Model::Plain),
            "-?(0|[1-9][0-9]{0,17})(\\.[0-9]{1,18})?([eE][+-]?[0-9]{1,2})?".prop_map(Model::Number),
            key().prop_map(Model::Text),
        ];
        let value = leaf.prop_recursive(5, 40, 6, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..5).prop_map(Model::Array),
                prop::collection::vec((key(), inner), 0..6).prop_map(Model::Object),
            ]
        });
        prop::collection::vec((key(), value), 0..8).prop_map(Model::Object)
    }

    proptest! {
        #[test]
        fn writes_the_one_form(model in model(), seed in any::<u64>()) {
            let mut state = seed | 1;
            let mut noise = move || {
                state ^= state << 13;
                state ^= state >> 7;
                state ^= state << 17;
                (state >> 32) as u8
            };
            let careless = model.careless(&mut noise);
            let expected = model.expected();
            let written = canonical(careless.trim_start()).unwrap();
            prop_assert_eq!(written.as_ref(), expected.as_str());
            let again = canonical(&expected).unwrap();
            prop_assert!(matches!(again, Cow::Borrowed(_)), "{}", expected);
            prop_assert_eq!(again.as_ref(), expected.as_str());
        }
    }

    #[test]
    fn borrows_what_is_canonical_and_copies_what_is_not() {
        assert!(matches!(canonical(r#"{"a":1,"b":[1,{"c":"\n\u001f"}],"é":-0.5}"#), Ok(Cow::Borrowed(_))));
        for body in [
            r#"{"a": 1}"#,
            r#"{"b":1,"a":1}"#,
            r#"{"a":1,"a":1}"#,
            r#"{"a":"\/"}"#,
            r#"{"a":"\u001F"}"#,
            r#"{"a":1.0}"#,
        ] {
            assert!(matches!(canonical(body), Ok(Cow::Owned(_))), "{body}");
        }
    }

    #[test]
    fn counts_levels_from_the_object_itself() {
        let nested = |levels: usize| format!("{}1{}", "{\"a\":".repeat(levels), "}".repeat(levels));
        assert!(canonical(&nested(16)).is_ok());
        let too_deep = nested(17);
        let refused = canonical(&too_deep);
        assert!(matches!(refused, Err(Unwritable::Fault(Fault { kind: FaultKind::TooDeep, .. }))));
    }

    #[test]
    fn measures_the_form_and_not_the_body() {
        let object = |length: usize| format!("{{\"a\":\"{}\"}}", "x".repeat(length - 8));
        assert!(canonical(&object(LIMIT)).is_ok());
        assert_eq!(canonical(&object(LIMIT + 1)), Err(Unwritable::TooLarge));
        // White space, long escapes and repeated keys do not count; numbers that get longer do.
        assert!(canonical(&format!("{{\"a\":{}1}}", " ".repeat(LIMIT))).is_ok());
        assert!(canonical(&format!("{{\"a\":\"{}\"}}", "\\u0041".repeat(LIMIT - 8))).is_ok());
        assert!(canonical(&format!("{{{}\"a\":1}}", format!("\"a\":\"{}\",", "x".repeat(20_000)).repeat(3))).is_ok());
        assert!(canonical(&format!("{{{}\"b\":1}}", "\"a\":[1e300],".repeat(100_000))).is_ok());
        assert_eq!(canonical(&format!("{{\"a\":[{}1]}}", "1e300,".repeat(200))), Err(Unwritable::TooLarge));
        let many: String = (0..40_000).map(|key| format!("\"{key}\":1,")).collect();
        assert_eq!(canonical(&format!("{{{many}\"a\": 1}}")), Err(Unwritable::TooLarge));
        assert_eq!(canonical(&format!("{{\"n\":{{{many}\"a\": 1}}}}")), Err(Unwritable::TooLarge));
    }
}

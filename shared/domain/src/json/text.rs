//! Texts: where one ends, what its escapes mean, and the one way in which it is written.

use std::borrow::Cow;
use std::cmp::Ordering;

use super::scanner::{Fault, FaultKind};

/// A text as it stands in the body, without its quotes; its escapes were checked when it was scanned.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Text<'a> {
    /// What stands between the quotes.
    pub(crate) raw: &'a str,
    /// Whether `raw` holds an escape, so that the text is not `raw` itself.
    pub(crate) escaped: bool,
    /// Whether `raw` is what [`write_text`] would write.
    pub(crate) canonical: bool,
}

impl<'a> Text<'a> {
    /// The text itself; borrowed where it holds no escape.
    #[inline]
    pub(crate) fn decode(&self) -> Cow<'a, str> {
        if self.escaped { Cow::Owned(unescape(self.raw)) } else { Cow::Borrowed(self.raw) }
    }

    /// The order of the texts' UTF-8 bytes, escapes resolved.
    #[inline]
    pub(crate) fn compare(&self, other: &Text<'_>) -> Ordering {
        if self.escaped || other.escaped {
            self.decode().as_bytes().cmp(other.decode().as_bytes())
        } else {
            let (ours, theirs) = (self.raw.as_bytes(), other.raw.as_bytes());
            // Most keys differ in their first byte, which saves the call.
            match (ours.first(), theirs.first()) {
                (Some(a), Some(b)) if a != b => a.cmp(b),
                _ => ours.cmp(theirs),
            }
        }
    }
}

/// What an escape means, how long it is, and whether it is the way in which this character is written.
struct Escape {
    character: char,
    length: usize,
    canonical: bool,
}

const ONES: u64 = 0x0101_0101_0101_0101;
const HIGHS: u64 = 0x8080_8080_8080_8080;

/// How many bytes of `bytes` come before the first quote, backslash or control character.
///
/// Eight bytes are looked at together: a byte of the result has its high bit set where the byte is one of those. A borrow
/// can set bits of later bytes wrongly, never those before the first right one, and only the first is asked for.
#[inline(always)]
pub(super) fn plain_length(bytes: &[u8]) -> usize {
    let mut at = 0;
    while let Some(chunk) = bytes.get(at..).and_then(<[u8]>::first_chunk::<8>) {
        let word = u64::from_le_bytes(*chunk);
        let quote = word ^ (ONES * b'"' as u64);
        let backslash = word ^ (ONES * b'\\' as u64);
        let found = (quote.wrapping_sub(ONES) & !quote)
            | (backslash.wrapping_sub(ONES) & !backslash)
            | (word.wrapping_sub(ONES * 0x20) & !word);
        let found = found & HIGHS;
        if found != 0 {
            return at + (found.trailing_zeros() / 8) as usize;
        }
        at += 8;
    }
    let rest = bytes.get(at..).unwrap_or_default();
    at + rest.iter().position(|byte| matches!(byte, b'"' | b'\\' | 0..0x20)).unwrap_or(rest.len())
}

/// Scans the text that begins behind the quote before `start`; gives it and the offset behind its closing quote.
#[inline(always)]
pub(super) fn scan_text(body: &str, start: usize) -> Result<(Text<'_>, usize), Fault> {
    let bytes = body.as_bytes();
    let end = start + plain_length(bytes.get(start..).unwrap_or_default());
    if bytes.get(end) == Some(&b'"') {
        return Ok((Text { raw: &body[start..end], escaped: false, canonical: true }, end + 1));
    }
    scan_escaped_text(body, start, end)
}

/// The part of [`scan_text`] for texts with escapes or faults, from the first of them at `at`.
#[cold]
fn scan_escaped_text(body: &str, start: usize, mut at: usize) -> Result<(Text<'_>, usize), Fault> {
    let bytes = body.as_bytes();
    let (mut escaped, mut canonical) = (false, true);
    loop {
        match bytes.get(at) {
            Some(b'"') => return Ok((Text { raw: &body[start..at], escaped, canonical }, at + 1)),
            Some(b'\\') => {
                let escape = read_escape(&bytes[at..]).map_err(|kind| Fault { kind, at })?;
                escaped = true;
                canonical &= escape.canonical;
                at += escape.length;
            }
            Some(0..0x20) => {
                return Err(Fault { kind: FaultKind::BadText("a control character that is not escaped"), at });
            }
            Some(_) => {}
            None => return Err(Fault { kind: FaultKind::Syntax("the text is not closed"), at }),
        }
        at += plain_length(bytes.get(at..).unwrap_or_default());
    }
}

/// Reads the escape at the beginning of `bytes`.
fn read_escape(bytes: &[u8]) -> Result<Escape, FaultKind> {
    let short = |character, canonical| Ok(Escape { character, length: 2, canonical });
    match bytes.get(1) {
        Some(b'"') => short('"', true),
        Some(b'\\') => short('\\', true),
        Some(b'/') => short('/', false),
        Some(b'b') => short('\u{8}', true),
        Some(b'f') => short('\u{c}', true),
        Some(b'n') => short('\n', true),
        Some(b'r') => short('\r', true),
        Some(b't') => short('\t', true),
        Some(b'u') => read_unicode_escape(bytes),
        _ => Err(FaultKind::BadText("an escape that JSON does not know")),
    }
}

fn read_unicode_escape(bytes: &[u8]) -> Result<Escape, FaultKind> {
    let unit = |at: usize| -> Result<u32, FaultKind> {
        let digits = bytes.get(at..at + 4).ok_or(FaultKind::BadText("a \\u escape without four hexadecimal digits"))?;
        digits.iter().try_fold(0, |unit, digit| {
            let digit = char::from(*digit).to_digit(16);
            digit
                .map(|digit| unit * 16 + digit)
                .ok_or(FaultKind::BadText("a \\u escape without four hexadecimal digits"))
        })
    };
    let lone = FaultKind::BadText("a lone surrogate");
    let first = unit(2)?;
    match first {
        0 => Err(FaultKind::BadText("the character U+0000")),
        0xD800..=0xDBFF => {
            if bytes.get(6..8) != Some(b"\\u") {
                return Err(lone);
            }
            let second = unit(8)?;
            if !(0xDC00..=0xDFFF).contains(&second) {
                return Err(lone);
            }
            let scalar = 0x1_0000 + ((first - 0xD800) << 10) + (second - 0xDC00);
            let character = char::from_u32(scalar).ok_or(lone)?;
            Ok(Escape { character, length: 12, canonical: false })
        }
        _ => {
            let character = char::from_u32(first).ok_or(lone)?;
            let has_short_form = matches!(first, 0x08 | 0x09 | 0x0A | 0x0C | 0x0D);
            let lower = !bytes[2..6].iter().any(u8::is_ascii_uppercase);
            Ok(Escape { character, length: 6, canonical: first < 0x20 && !has_short_form && lower })
        }
    }
}

/// Resolves the escapes of a scanned text.
#[cold]
fn unescape(raw: &str) -> String {
    let mut text = String::with_capacity(raw.len());
    let mut rest = raw;
    while let Some(at) = memchr::memchr(b'\\', rest.as_bytes()) {
        text.push_str(&rest[..at]);
        match read_escape(&rest.as_bytes()[at..]) {
            Ok(escape) => {
                text.push(escape.character);
                rest = &rest[at + escape.length..];
            }
            // The scan has refused such a text before.
            Err(_) => break,
        }
    }
    text.push_str(rest);
    text
}

/// Writes a text with its quotes: only `"`, `\` and control characters are escaped, the latter in lower case and by their
/// short form where they have one.
pub(crate) fn write_text(out: &mut String, text: &str) {
    const HEX: [char; 16] = ['0', '1', '2', '3', '4', '5', '6', '7', '8', '9', 'a', 'b', 'c', 'd', 'e', 'f'];
    out.push('"');
    let mut rest = text;
    loop {
        let plain = plain_length(rest.as_bytes());
        out.push_str(&rest[..plain]);
        let Some(byte) = rest.as_bytes().get(plain).copied() else { break };
        match byte {
            b'"' => out.push_str("\\\""),
            b'\\' => out.push_str("\\\\"),
            0x08 => out.push_str("\\b"),
            0x09 => out.push_str("\\t"),
            0x0A => out.push_str("\\n"),
            0x0C => out.push_str("\\f"),
            0x0D => out.push_str("\\r"),
            _ => {
                out.push_str("\\u00");
                out.push(HEX[usize::from(byte >> 4)]);
                out.push(HEX[usize::from(byte & 15)]);
            }
        }
        rest = &rest[plain + 1..];
    }
    out.push('"');
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        /// A JSON library is the oracle: the same texts are written and read.
        #[test]
        fn agrees_with_a_json_library(text in any::<String>()) {
            let mut written = String::new();
            write_text(&mut written, &text);
            prop_assert_eq!(&written, &serde_json::to_string(&text).unwrap());
            let scanned = scan_text(&written, 1);
            if text.contains('\0') {
                let refused = matches!(scanned, Err(Fault { kind: FaultKind::BadText(_), .. }));
                prop_assert!(refused);
            } else {
                let (read, end) = scanned.unwrap();
                prop_assert!(read.canonical);
                prop_assert_eq!(end, written.len());
                prop_assert_eq!(read.decode().into_owned(), text);
            }
        }

        /// Every spelling of escapes means what the library says, or is refused where the library refuses it.
        #[test]
        fn reads_every_escape(pieces in prop::collection::vec(
            prop_oneof![
                "\\\\[\"/\\\\bfnrtuxa0]", "\\\\u[0-9a-fA-F]{4}", "\\\\uD[89AB][0-9A-F]{2}\\\\uD[C-F][0-9A-F]{2}",
                "\\\\u[0-9a-g]{0,4}", "[a-zé😀\u{1}\n ]{0,9}",
            ], 0..6)
        ) {
            let written = format!("\"{}\"", pieces.concat());
            let whole = serde_json::from_str::<String>(&written);
            match scan_text(&written, 1) {
                Ok((read, end)) if end == written.len() => prop_assert_eq!(read.decode().into_owned(), whole.unwrap()),
                Ok(_) => prop_assert!(whole.is_err()),
                Err(_) => prop_assert!(whole.is_err() || whole.unwrap().contains('\0')),
            }
        }

        #[test]
        fn finds_the_first_special_byte(bytes in prop::collection::vec(any::<u8>(), 0..40)) {
            let expected = bytes.iter().position(|byte| matches!(byte, b'"' | b'\\' | 0..0x20)).unwrap_or(bytes.len());
            prop_assert_eq!(plain_length(&bytes), expected);
        }
    }
}

//! Numbers: JSON's grammar of them, and the one form in which a double is written.

use std::fmt::Write as _;

use super::scanner::{Fault, FaultKind};

/// A number as it stands in the body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Number<'a> {
    /// Its digits, sign and exponent.
    pub(crate) raw: &'a str,
    /// Whether `raw` is what [`write_number`] would write.
    pub(crate) canonical: bool,
}

/// Decimals of up to so many significant digits and a double's range name one double each (`DBL_DIG` of IEEE 754), so
/// that such a decimal without needless zeros is the shortest one for its double.
const DIGITS_KEPT: usize = 15;

/// Longest decimal that is judged by its digits alone; far within a double's range.
const SHORT: usize = 40;

/// Scans the number that begins at `start`, at a digit or a minus; gives it and the offset behind it.
#[inline]
pub(super) fn scan_number(body: &str, start: usize) -> Result<(Number<'_>, usize), Fault> {
    let bytes = body.as_bytes();
    let bad = |at| Fault { kind: FaultKind::BadNumber, at };
    let byte = |at: usize| bytes.get(at).copied().unwrap_or(0);
    let digits_from = |mut at: usize| {
        while byte(at).is_ascii_digit() {
            at += 1;
        }
        at
    };
    let whole = if byte(start) == b'-' { start + 1 } else { start };
    let mut end = digits_from(whole);
    let whole_digits = end - whole;
    if whole_digits == 0 || (byte(whole) == b'0' && whole_digits > 1) {
        return Err(bad(start));
    }
    let mut fraction_digits = 0;
    if byte(end) == b'.' {
        let fraction = end + 1;
        end = digits_from(fraction);
        fraction_digits = end - fraction;
        if fraction_digits == 0 {
            return Err(bad(start));
        }
    }
    let mut has_exponent = false;
    if matches!(byte(end), b'e' | b'E') {
        has_exponent = true;
        let exponent = if matches!(byte(end + 1), b'+' | b'-') { end + 2 } else { end + 1 };
        end = digits_from(exponent);
        if end == exponent {
            return Err(bad(start));
        }
    }
    if !matches!(byte(end), b',' | b'}' | b']' | b' ' | b'\t' | b'\n' | b'\r') && end < bytes.len() {
        return Err(bad(start));
    }
    let raw = &body[start..end];
    let short = !has_exponent && whole_digits + fraction_digits <= DIGITS_KEPT;
    let canonical = if short && fraction_digits == 0 {
        raw != "-0"
    } else if short && byte(end - 1) != b'0' {
        // A fraction that does not end in a zero is not zero.
        true
    } else if short {
        false
    } else {
        is_canonical(raw).ok_or_else(|| bad(start))?
    };
    Ok((Number { raw, canonical }, end))
}

/// Whether a number of many digits or with an exponent is what would be written; `None` where no double is so large.
#[cold]
fn is_canonical(raw: &str) -> Option<bool> {
    let double: f64 = raw.parse().ok().filter(|double: &f64| double.is_finite())?;
    if raw.len() <= SHORT && raw.bytes().any(|byte| matches!(byte, b'e' | b'E')) {
        return Some(false);
    }
    let mut written = String::with_capacity(raw.len());
    write_double(&mut written, double);
    Some(written == raw)
}

/// Writes a scanned number as its double: the shortest decimal that reads back as the same one, never with an exponent,
/// and zero without a sign.
pub(crate) fn write_number(out: &mut String, raw: &str) {
    write_double(out, raw.parse().unwrap_or(0.0));
}

fn write_double(out: &mut String, double: f64) {
    // Writing to a string cannot fail.
    let _ = if double == 0.0 { out.write_char('0') } else { write!(out, "{double}") };
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn written(raw: &str) -> String {
        let mut out = String::new();
        write_number(&mut out, raw);
        out
    }

    #[test]
    fn refuses_what_json_forbids() {
        for text in [
            "-", "01", "-01", "1.", ".5", "1.e5", "1e", "1e+", "+1", "0x10", "1_000", "1a", "--1", "1.2.3", "1e400",
            "-1e400",
        ] {
            assert!(scan_number(text, 0).is_err(), "{text}");
        }
        assert!(scan_number(&"9".repeat(400), 0).is_err());
    }

    #[test]
    fn knows_the_one_form() {
        for (raw, form) in [
            ("0", "0"),
            ("-0", "0"),
            ("-0.0", "0"),
            ("0e5", "0"),
            ("1.0", "1"),
            ("1.50", "1.5"),
            ("19.99", "19.99"),
            ("1e3", "1000"),
            ("1E-7", "0.0000001"),
            ("12345678901234567890", "12345678901234567000"),
            ("0.1000000000000000055511151231257827", "0.1"),
            ("1e-400", "0"),
            ("9007199254740993", "9007199254740992"),
        ] {
            let (number, end) = scan_number(raw, 0).unwrap();
            assert_eq!(end, raw.len());
            assert_eq!(written(raw), form);
            assert_eq!(number.canonical, raw == form, "{raw}");
        }
    }

    proptest! {
        /// Accepted is what the library accepts; `canonical` says exactly whether writing would change anything.
        #[test]
        fn agrees_with_a_json_library(raw in prop_oneof![
            "-?(0|[1-9][0-9]{0,20})(\\.[0-9]{1,20})?([eE][+-]?[0-9]{1,3})?",
            "-?[0-9]{0,3}\\.?[0-9]{0,3}[eE]?[+-]?[0-9]{0,2}",
            any::<f64>().prop_map(|double| format!("{double}")),
            any::<f64>().prop_map(|double| format!("{double:?}")),
            any::<f32>().prop_map(|single| format!("{single}")),
        ]) {
            let library = serde_json::from_str::<serde_json::Number>(&raw).ok();
            match scan_number(&raw, 0) {
                Ok((number, _)) => {
                    prop_assert!(library.is_some(), "{}", raw);
                    let form = written(&raw);
                    prop_assert_eq!(number.canonical, form == raw, "{}", &raw);
                    prop_assert_eq!(form.parse::<f64>().unwrap(), raw.parse::<f64>().unwrap());
                    prop_assert!(scan_number(&form, 0).unwrap().0.canonical, "{} as {}", &raw, &form);
                }
                Err(_) => prop_assert!(library.is_none(), "{}", raw),
            }
        }
    }
}

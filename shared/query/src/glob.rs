//! Patterns over a whole value: `*` is any run of characters, `?` is one Unicode scalar value, all else is itself.

/// Whether the pattern covers the whole text.
///
/// Takes at most the product of both lengths: of the stars only the last one is ever tried again.
#[must_use]
pub fn covers(pattern: &str, text: &str) -> bool {
    let (mut pattern, mut text) = (pattern.chars(), text.chars());
    let mut retry: Option<(std::str::Chars<'_>, std::str::Chars<'_>)> = None;
    loop {
        let before = (pattern.clone(), text.clone());
        let fits = match (pattern.next(), text.next()) {
            (None, None) => return true,
            (Some('*'), _) => {
                // The star takes nothing for now; `retry` lets it take one more character.
                text = before.1;
                retry = Some((pattern.clone(), text.clone()));
                continue;
            }
            (Some('?'), Some(_)) => true,
            (Some(expected), Some(found)) => expected == found,
            (_, None) => return pattern_is_stars(before.0),
            (None, Some(_)) => false,
        };
        if !fits {
            let Some((after_star, mut skipped)) = retry.take() else { return false };
            skipped.next();
            pattern = after_star.clone();
            text = skipped.clone();
            retry = Some((after_star, skipped));
        }
    }
}

fn pattern_is_stars(mut rest: std::str::Chars<'_>) -> bool {
    rest.all(|c| c == '*')
}

/// The pattern for PostgreSQL's `LIKE` with its default escape, the backslash.
pub(crate) fn to_like(pattern: &str) -> String {
    translate(pattern, "%", "_", push_like)
}

/// The `LIKE` pattern that a text alone fits.
pub(crate) fn literal_like(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 8);
    text.chars().for_each(|c| push_like(c, &mut out));
    out
}

fn push_like(c: char, out: &mut String) {
    if matches!(c, '%' | '_' | '\\') {
        out.push('\\');
    }
    out.push(c);
}

/// The pattern for SQLite's `GLOB`, which also knows sets in brackets.
pub(crate) fn to_sqlite(pattern: &str) -> String {
    translate(pattern, "*", "?", |c, out| if c == '[' { out.push_str("[[]") } else { out.push(c) })
}

/// Stars in a row are one: it is the same pattern, and databases walk over it faster.
fn translate(pattern: &str, star: &str, one: &str, literal: impl Fn(char, &mut String)) -> String {
    let mut out = String::with_capacity(pattern.len() + 8);
    let mut after_star = false;
    for c in pattern.chars() {
        match c {
            '*' if after_star => {}
            '*' => out.push_str(star),
            '?' => out.push_str(one),
            _ => literal(c, &mut out),
        }
        after_star = c == '*';
    }
    out
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn naive(pattern: &[char], text: &[char]) -> bool {
        match (pattern, text) {
            ([], []) => true,
            (['*', rest @ ..], _) => (0..=text.len()).any(|skipped| naive(rest, &text[skipped..])),
            (['?', rest @ ..], [_, text @ ..]) => naive(rest, text),
            ([expected, rest @ ..], [found, text @ ..]) => expected == found && naive(rest, text),
            _ => false,
        }
    }

    proptest! {
        #[test]
        fn agrees_with_the_rule_itself(pattern in "[ab*?é]{0,8}", text in "[abé]{0,10}") {
            let expected = naive(&pattern.chars().collect::<Vec<_>>(), &text.chars().collect::<Vec<_>>());
            prop_assert_eq!(covers(&pattern, &text), expected);
        }
    }

    #[test]
    fn a_hostile_pattern_is_quick() {
        assert!(!covers(&"*a".repeat(500), &"a".repeat(499)));
        assert!(!covers(&format!("{}b", "*a".repeat(400)), &"a".repeat(1_000)));
    }

    #[test]
    fn what_databases_hold_special_is_itself() {
        assert_eq!(to_like("100%_*\\?"), "100\\%\\_%\\\\_");
        assert_eq!(to_sqlite("[a]**?%"), "[[]a]*?%");
        assert!(covers("[a]%_", "[a]%_") && !covers("[a]", "a"));
    }
}

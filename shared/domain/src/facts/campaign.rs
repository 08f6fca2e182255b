//! What an address says of a campaign: its `utm_...` parameters.

use std::borrow::Cow;

use percent_encoding::percent_decode;

use crate::metadata::Addition;

/// The parameters that are taken, which are all there are by convention.
pub(crate) const PARAMETERS: [&str; 6] =
    ["utm_campaign", "utm_content", "utm_id", "utm_medium", "utm_source", "utm_term"];

/// What all of them begin with.
pub(crate) const BEGINNING: &str = "utm_";

/// Most characters of a value: the tracker cuts at as many.
const LONGEST: usize = 1_000;

/// The campaign's parameters in the query of an address or path, of each name the first that says something.
pub(crate) fn of(address: &str) -> Vec<Addition<'static>> {
    let mut found: Vec<Addition<'static>> = Vec::new();
    // Most addresses have none.
    let Some((_, query)) = address.split_once('?').filter(|(_, query)| query.contains(BEGINNING)) else { return found };
    let query = query.split('#').next().unwrap_or_default();
    for pair in query.split('&') {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        let Some(name) = PARAMETERS.into_iter().find(|known| *known == name) else { continue };
        let value = decoded(value);
        if !value.is_empty() && !found.iter().any(|(known, _)| *known == name) {
            found.push((name, value));
        }
    }
    found
}

/// A value of a query as text, cut; bytes that are no text become U+FFFD.
fn decoded(value: &str) -> Cow<'static, str> {
    let spaced = value.replace('+', " ");
    percent_decode(spaced.as_bytes()).decode_utf8_lossy().chars().take(LONGEST).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn takes_the_parameters_of_the_convention() {
        let found = of(
            "https://shop.example/?a=1&utm_source=news+letter&utm_medium=e%2Dmail&utm_source=later&utm_x=1#utm_term=no",
        );
        assert_eq!(found, [("utm_source", "news letter".into()), ("utm_medium", "e-mail".into())]);
        assert_eq!(of("/path?utm_term=%C3%A4%FF&utm_id"), [("utm_term", "ä\u{fffd}".into())]);
        assert!(of("/path?x=utm_source").is_empty());
        assert!(of("/utm_source=x").is_empty());
        assert!(of("").is_empty());
        let long = format!("/?utm_content={}", "%C3%A4".repeat(1_500));
        assert_eq!(of(&long)[0].1.chars().count(), 1_000);
    }
}

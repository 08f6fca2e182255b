//! A page on questions, as far as pictures need it: the events stored, and the answers.

use serde_json::Value;

use crate::failure::Failure;

/// The fenced blocks of a page.
pub(super) struct Page {
    path: String,
    blocks: Vec<(String, String)>,
}

impl Page {
    /// Reads a page's text.
    pub(super) fn read(path: impl Into<String>, text: &str) -> Result<Self, Failure> {
        let path = path.into();
        let mut blocks: Vec<(String, String)> = Vec::new();
        let mut is_inside = false;
        for line in text.lines() {
            match (line.strip_prefix("```"), blocks.last_mut()) {
                (Some(kind), _) => {
                    is_inside = !is_inside;
                    if is_inside {
                        blocks.push((kind.to_owned(), String::new()));
                    }
                }
                (None, Some((_, block))) if is_inside => {
                    block.push_str(line);
                    block.push('\n');
                }
                _ => {}
            }
        }
        if is_inside {
            return Err(Failure::Unexpected(format!("{path}: the last block has no end")));
        }
        Ok(Self { path, blocks })
    }

    /// The text of the block of a kind at a place among its like, counted from 0.
    pub(super) fn block(&self, kind: &str, place: usize) -> Result<&str, Failure> {
        let mut found = self.blocks.iter().filter(|(own, _)| own == kind);
        let found = found.nth(place).map(|(_, text)| text.as_str());
        found.ok_or_else(|| self.unexpected(&format!("there is no {kind:?} at place {place}")))
    }

    fn json(&self, kind: &str, place: usize) -> Result<Value, Failure> {
        let text = self.block(kind, place)?;
        serde_json::from_str(text).map_err(|error| self.unexpected(&format!("{kind:?} at place {place}: {error}")))
    }

    /// An answer in JSON, counted from 0.
    pub(super) fn answer(&self, place: usize) -> Result<Value, Failure> {
        self.json("json answer", place)
    }

    /// The events that are stored.
    pub(super) fn events(&self) -> Result<Value, Failure> {
        self.json("json events", 0)
    }

    /// That the page is not what its picture is made for.
    pub(super) fn unexpected(&self, what: &str) -> Failure {
        Failure::Unexpected(format!("{}: {what}", self.path))
    }
}

/// The members of a list; none where it is no list.
pub(super) fn list(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}

/// A number, 0 where there is none.
pub(super) fn number(value: &Value) -> f64 {
    value.as_f64().unwrap_or(0.0)
}

/// A text, or `without` where there is none.
pub(super) fn text<'v>(value: &'v Value, without: &'v str) -> &'v str {
    value.as_str().unwrap_or(without)
}

/// A share in whole per cent.
pub(super) fn percent(share: f64) -> String {
    format!("{:.0} %", share * 100.0)
}

/// `2026-11-02T10:05:00...` as `2 Nov`.
pub(super) fn day(instant: &str) -> String {
    const MONTHS: [&str; 12] = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
    let part = |range: std::ops::Range<usize>| instant.get(range).and_then(|part| part.parse::<usize>().ok());
    match (part(5..7).and_then(|month| MONTHS.get(month.wrapping_sub(1))), part(8..10)) {
        (Some(month), Some(day)) => format!("{day} {month}"),
        _ => instant.to_owned(),
    }
}

/// `2026-11-02T10:05:00...` as `10:05`.
pub(super) fn clock(instant: &str) -> &str {
    instant.get(11..16).unwrap_or(instant)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_are_found_by_kind_and_place() {
        let page =
            Page::read("a page", "text\n```json answer\n{\"a\": 1}\n```\n```\nno\n```\n```json answer\n[]\n```\n")
                .unwrap();
        assert_eq!(page.answer(0).unwrap()["a"], 1);
        assert!(list(&page.answer(1).unwrap()).is_empty());
        assert!(page.answer(2).unwrap_err().to_string().contains("a page: there is no"));
        assert!(page.events().is_err());
        assert!(Page::read("a page", "```json\n").is_err());
    }

    #[test]
    fn times_are_short() {
        assert_eq!((day("2026-11-02T10:05:00Z").as_str(), clock("2026-11-02T10:05:00Z")), ("2 Nov", "10:05"));
        assert_eq!(day("2026-10-19"), "19 Oct");
        assert_eq!((day("soon").as_str(), clock("soon")), ("soon", "soon"));
        assert_eq!(percent(2.0 / 3.0), "67 %");
    }
}

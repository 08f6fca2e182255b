//! Comma-separated values after RFC 4180, and safe to be opened in a spreadsheet.
//!
//! A spreadsheet takes a field that begins with `=`, `+`, `-`, `@`, a tab or a carriage return for a formula, and events hold what
//! strangers have sent. Such a field gets a `'` before it; so does one that begins with `'`, so that whoever takes one leading `'`
//! off every field has again what was stored.

use analytics_query::EventRecord;
use bytes::Bytes;

/// The names of the columns.
const HEADER: &str = "id,session_id,user_id,event_type,event_action,metadata,timestamp,created_at\r\n";

/// Writes lines behind the one of names.
#[derive(Debug)]
pub(super) struct CsvWriter {
    waiting: String,
    taken: usize,
}

impl Default for CsvWriter {
    fn default() -> Self {
        Self { waiting: HEADER.to_owned(), taken: 0 }
    }
}

impl CsvWriter {
    pub(super) fn push(&mut self, event: &EventRecord) {
        let (id, timestamp, created_at) =
            (event.id.to_string(), event.timestamp.to_string(), event.created_at.to_string());
        let fields = [
            id.as_str(),
            &event.session_id,
            // An empty user is none: a user's name has at least one character.
            event.user_id.as_deref().unwrap_or_default(),
            &event.event_type,
            &event.event_action,
            event.metadata.get(),
            &timestamp,
            &created_at,
        ];
        for (index, field) in fields.into_iter().enumerate() {
            if index > 0 {
                self.waiting.push(',');
            }
            write_field(field, &mut self.waiting);
        }
        self.waiting.push_str("\r\n");
    }

    pub(super) const fn weight(&self) -> usize {
        self.taken + self.waiting.len()
    }

    pub(super) fn take(&mut self) -> Bytes {
        self.taken += self.waiting.len();
        std::mem::take(&mut self.waiting).into()
    }
}

fn write_field(field: &str, out: &mut String) {
    let guarded = field.starts_with(['=', '+', '-', '@', '\t', '\r', '\'']);
    let quoted = field.contains(['"', ',', '\r', '\n']);
    if quoted {
        out.push('"');
    }
    if guarded {
        out.push('\'');
    }
    for piece in field.split_inclusive('"') {
        out.push_str(piece);
        if piece.ends_with('"') {
            out.push('"');
        }
    }
    if quoted {
        out.push('"');
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_field_is_no_formula_and_comes_back() {
        let table = [
            ("plain", "plain"),
            ("", ""),
            ("a,b", "\"a,b\""),
            ("say \"hi\"", "\"say \"\"hi\"\"\""),
            ("\"", "\"\"\"\""),
            ("two\nlines", "\"two\nlines\""),
            ("=1+1", "'=1+1"),
            ("+1", "'+1"),
            ("-1", "'-1"),
            ("@SUM(A1)", "'@SUM(A1)"),
            ("\tx", "'\tx"),
            ("\rx", "\"'\rx\""),
            ("=HYPERLINK(\"x\",1)", "\"'=HYPERLINK(\"\"x\"\",1)\""),
            ("'quoted'", "''quoted'"),
            ("1-2", "1-2"),
            ("a=b", "a=b"),
        ];
        for (field, written) in table {
            let mut out = String::new();
            write_field(field, &mut out);
            assert_eq!(out, written);
        }
    }
}

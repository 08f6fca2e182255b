//! The records of comma-separated values (RFC 4180), found again after one that cannot be read.

use std::io;

use super::lines::{LONGEST, Lines};
use super::row::RowError;

/// A record: its fields as they are read, or what is wrong with it and its bytes.
#[derive(Debug)]
pub struct Record {
    /// The line that it begins on.
    pub line: u64,
    /// Its fields.
    pub fields: Result<Vec<String>, (RowError, Vec<u8>)>,
}

/// The next record, `None` at the end of the file.
///
/// A quote that nothing closes would swallow the rest of the file, or all up to the next stray quote, which shows by the
/// text after it: then only the line that it is on is refused, and reading goes on with the next one.
///
/// # Errors
/// Where the file cannot be read on.
pub fn next_record(lines: &mut Lines) -> io::Result<Option<Record>> {
    let Some(first) = lines.next_filled()? else { return Ok(None) };
    let refused = |error, bytes| Ok(Some(Record { line: first.number, fields: Err((error, bytes)) }));
    if first.is_too_long {
        return refused(RowError::TooLong, first.bytes);
    }
    let mut splitter = Splitter::default();
    let mut more = Vec::new();
    let mut length = first.bytes.len();
    let mut complete = splitter.take(&first.bytes);
    while !complete {
        let Some(line) = lines.next_line()? else { break };
        length += line.bytes.len();
        let fits = !line.is_too_long && length <= LONGEST;
        complete = fits && splitter.take(&line.bytes);
        more.push(line);
        if !fits {
            break;
        }
    }
    if !complete || (splitter.has_text_after_a_quote && !more.is_empty()) {
        lines.give_back(more);
        return refused(RowError::OpenQuote, first.bytes);
    }
    let mut fields = Vec::with_capacity(splitter.fields.len());
    for (index, field) in splitter.fields.into_iter().enumerate() {
        match String::from_utf8(field) {
            Ok(field) => fields.push(field),
            Err(_) => {
                let bytes = more.into_iter().fold(first.bytes, |all, line| [all, line.bytes].concat());
                return refused(RowError::CellNotUtf8 { place: index + 1 }, bytes);
            }
        }
    }
    Ok(Some(Record { line: first.number, fields: Ok(fields) }))
}

#[derive(Debug, Default)]
struct Splitter {
    fields: Vec<Vec<u8>>,
    field: Vec<u8>,
    place: Place,
    has_text_after_a_quote: bool,
}

/// Where in a field the splitter is.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
enum Place {
    #[default]
    Start,
    Bare,
    Quoted,
    /// After a quote within quotes: the end of the field, or the first half of a quote that is meant.
    Quote,
}

impl Splitter {
    /// Takes the next line, its end included; true where the record ends with it.
    fn take(&mut self, line: &[u8]) -> bool {
        let body = line.strip_suffix(b"\n").map_or(line, |body| body.strip_suffix(b"\r").unwrap_or(body));
        for &byte in body {
            self.place = match (self.place, byte) {
                (Place::Start, b'"') => Place::Quoted,
                (Place::Quoted, b'"') => Place::Quote,
                (Place::Start | Place::Bare | Place::Quote, b',') => {
                    self.fields.push(std::mem::take(&mut self.field));
                    Place::Start
                }
                (place, byte) => {
                    self.field.push(byte);
                    self.has_text_after_a_quote |= place == Place::Quote && byte != b'"';
                    if matches!(place, Place::Quoted) || (place, byte) == (Place::Quote, b'"') {
                        Place::Quoted
                    } else {
                        Place::Bare
                    }
                }
            };
        }
        if self.place == Place::Quoted {
            self.field.extend_from_slice(&line[body.len()..]);
            return false;
        }
        self.fields.push(std::mem::take(&mut self.field));
        true
    }
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use super::*;

    fn records(text: impl Into<Vec<u8>>) -> Vec<(u64, Result<Vec<String>, RowError>)> {
        let mut lines = Lines::new(Box::new(Cursor::new(text.into())));
        std::iter::from_fn(|| next_record(&mut lines).unwrap())
            .map(|record| (record.line, record.fields.map_err(|(error, _)| error)))
            .collect()
    }

    fn fields(text: &str) -> Vec<Vec<String>> {
        records(text).into_iter().map(|(_, fields)| fields.unwrap()).collect()
    }

    #[test]
    fn reads_what_rfc_4180_writes() {
        assert_eq!(fields("a,b\r\n1,\n"), [["a", "b"], ["1", ""]]);
        assert_eq!(fields("\"a,b\",\"say \"\"x\"\"\",\"\"\n"), [["a,b", "say \"x\"", ""]]);
        assert_eq!(fields("\"two\r\nlines\",b"), [["two\r\nlines", "b"]]);
        assert_eq!(fields("5\" disk,b\"\"c,\"d\"e"), [["5\" disk", "b\"\"c", "de"]]);
        assert_eq!(fields("a,\n,b\n,\n"), [["a", ""], ["", "b"], ["", ""]]);
    }

    #[test]
    fn lines_are_those_of_the_file() {
        let lines: Vec<u64> = records("a\n\n\"x\ny\"\n\r\nb\n").into_iter().map(|(line, _)| line).collect();
        assert_eq!(lines, [1, 3, 6]);
    }

    #[test]
    fn a_quote_that_nothing_closes_costs_its_own_line_only() {
        let read = records("a,b\n\"open,1\nc,d\ne,f\n");
        assert!(matches!(read[1], (2, Err(RowError::OpenQuote))), "{read:?}");
        let rest: Vec<_> = read.iter().filter_map(|(line, fields)| fields.as_ref().ok().map(|_| *line)).collect();
        assert_eq!(rest, [1, 3, 4]);

        let read = records("a,b\n1,\"open\nc,d\n2,\"open\ne,f\n");
        let good: Vec<_> = read.iter().filter(|(_, fields)| fields.is_ok()).map(|(line, _)| *line).collect();
        assert_eq!((read.len(), good), (5, vec![1, 3, 5]), "{read:?}");

        let far = format!("\"open\n{}\"\n", "c,d\n".repeat(LONGEST / 4));
        let read = records(far);
        assert!(matches!(read[0], (1, Err(RowError::OpenQuote))));
        assert_eq!(read.iter().filter(|(_, fields)| fields.is_ok()).count(), LONGEST / 4);
    }

    #[test]
    fn what_is_no_utf_8_is_refused_by_its_place() {
        let read = records(b"a,b\nc,\xff\nd,e\n".to_vec());
        assert!(matches!(read[1], (2, Err(RowError::CellNotUtf8 { place: 2 }))), "{read:?}");
        assert!(read[2].1.is_ok());
    }
}

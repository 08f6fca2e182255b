//! The lines of a file, with their numbers; a line may be given back and read again.

use std::collections::VecDeque;
use std::io::{self, BufRead, Read};

/// Longest line or record, in bytes: far beyond what an event may hold, and less than a request may.
pub const LONGEST: usize = 512 * 1024;

/// What some editors write at the beginning of UTF-8.
const MARK: &[u8] = b"\xef\xbb\xbf";

/// A line as it lies in the file, its end included.
#[derive(Debug)]
pub struct Line {
    /// Counted from 1.
    pub number: u64,
    /// Its bytes; of one that is too long the first [`LONGEST`].
    pub bytes: Vec<u8>,
    /// Whether there is more of it than is kept.
    pub is_too_long: bool,
}

impl Line {
    /// Whether nothing but white space is on it.
    pub fn is_blank(&self) -> bool {
        !self.is_too_long && self.bytes.trim_ascii().is_empty()
    }
}

/// Walks the lines of a file.
pub struct Lines {
    reader: Box<dyn BufRead>,
    read: u64,
    given_back: VecDeque<Line>,
}

impl Lines {
    /// Starts at the first line.
    pub fn new(reader: Box<dyn BufRead>) -> Self {
        Self { reader, read: 0, given_back: VecDeque::new() }
    }

    /// The next line, `None` at the end of the file.
    ///
    /// # Errors
    /// Where the file cannot be read on; what is left of a line before that is none.
    pub fn next_line(&mut self) -> io::Result<Option<Line>> {
        if let Some(line) = self.given_back.pop_front() {
            return Ok(Some(line));
        }
        let mut bytes = Vec::new();
        let most = LONGEST as u64 + 1;
        if self.reader.by_ref().take(most).read_until(b'\n', &mut bytes)? == 0 {
            return Ok(None);
        }
        let is_too_long = bytes.len() > LONGEST;
        if is_too_long {
            if bytes.last() != Some(&b'\n') {
                self.reader.skip_until(b'\n')?;
            }
            bytes.truncate(LONGEST);
        }
        self.read += 1;
        if self.read == 1 && bytes.starts_with(MARK) {
            bytes.drain(..MARK.len());
        }
        Ok(Some(Line { number: self.read, bytes, is_too_long }))
    }

    /// The next line that is not blank.
    ///
    /// # Errors
    /// As [`Lines::next_line`].
    pub fn next_filled(&mut self) -> io::Result<Option<Line>> {
        loop {
            match self.next_line()? {
                Some(line) if line.is_blank() => {}
                other => return Ok(other),
            }
        }
    }

    /// Takes lines back, in their order, to be read again.
    pub fn give_back(&mut self, lines: Vec<Line>) {
        lines.into_iter().rev().for_each(|line| self.given_back.push_front(line));
    }
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use super::*;

    fn lines(text: impl Into<Vec<u8>>) -> Lines {
        Lines::new(Box::new(Cursor::new(text.into())))
    }

    #[test]
    fn counts_every_line_and_steps_over_the_mark_and_what_is_blank() {
        let mut lines = lines("\u{feff}a\r\n\n \t\nb");
        let first = lines.next_filled().unwrap().unwrap();
        assert_eq!((first.number, first.bytes.as_slice()), (1, b"a\r\n".as_slice()));
        let second = lines.next_filled().unwrap().unwrap();
        assert_eq!((second.number, second.bytes.as_slice()), (4, b"b".as_slice()));
        assert!(lines.next_filled().unwrap().is_none());
        lines.give_back(vec![first, second]);
        let again: Vec<u64> = std::iter::from_fn(|| lines.next_line().unwrap()).map(|line: Line| line.number).collect();
        assert_eq!(again, [1, 4]);
    }

    #[test]
    fn a_line_that_is_too_long_ends_where_it_ends() {
        for length in [LONGEST, LONGEST + 1, 3 * LONGEST] {
            let mut lines = lines(format!("{}\nb\n", "x".repeat(length)));
            let long = lines.next_line().unwrap().unwrap();
            assert!(long.is_too_long && long.bytes.len() == LONGEST, "{length}");
            assert_eq!(lines.next_line().unwrap().unwrap().bytes, b"b\n");
        }
        assert!(!lines("x".repeat(LONGEST)).next_line().unwrap().unwrap().is_too_long);
    }
}

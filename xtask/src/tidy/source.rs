//! A file as the rules see it: its text, its code without comments and strings, and which lines are tests.

use std::ops::Range;
use std::path::{Path, PathBuf};

/// A text file of the project.
#[derive(Debug)]
pub(crate) struct SourceFile {
    path: PathBuf,
    text: String,
    /// The text with the insides of comments, strings and characters blanked; only for Rust, else empty.
    code: String,
    /// Byte ranges of `code` that only tests compile.
    tests: Vec<Range<usize>>,
}

impl SourceFile {
    /// A file at `path`, relative to the root.
    pub(crate) fn new(path: impl Into<PathBuf>, text: impl Into<String>) -> Self {
        let (path, text) = (path.into(), text.into());
        let code =
            if path.extension().is_some_and(|extension| extension == "rs") { blank(&text) } else { String::new() };
        let tests = test_items(&code);
        Self { path, text, code, tests }
    }

    /// Where it is, relative to the root.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// All of it.
    pub(crate) fn text(&self) -> &str {
        &self.text
    }

    /// Its Rust code without comments and strings; empty where it is not Rust. Offsets are those of the text.
    pub(crate) fn code(&self) -> &str {
        &self.code
    }

    /// Whether it lies in or is `place`: a folder (`shared/testkit/`) or a file (`worker/src/main.rs`).
    pub(crate) fn is_in(&self, place: &str) -> bool {
        let path = self.path.to_string_lossy();
        if place.ends_with('/') { path.starts_with(place) } else { path == place }
    }

    /// Whether the whole file is compiled for tests or examples only.
    pub(crate) fn is_test(&self) -> bool {
        let mut folders = self.path.parent().into_iter().flat_map(Path::components);
        let in_folder =
            folders.any(|folder| ["tests", "benches", "examples"].iter().any(|name| folder.as_os_str() == *name));
        in_folder || self.path.file_name().is_some_and(|name| name == "tests.rs")
    }

    /// The line, counted from 1, of a byte offset.
    pub(crate) fn line(&self, offset: usize) -> usize {
        self.text.as_bytes()[..offset].iter().filter(|byte| **byte == b'\n').count() + 1
    }

    /// Offsets at which `words` stands in the code, outside of tests, not as a part of a longer name.
    pub(crate) fn outside_tests<'a>(&'a self, words: &'a str) -> impl Iterator<Item = usize> + 'a {
        let is_name = |byte: Option<&u8>| byte.is_some_and(|byte| byte.is_ascii_alphanumeric() || *byte == b'_');
        let bytes = self.code.as_bytes();
        let whole = move |at: &usize| {
            let before = at.checked_sub(1).and_then(|before| bytes.get(before));
            !is_name(before) && !is_name(bytes.get(at + words.len()))
        };
        let found = self.code.match_indices(words).map(|(at, _)| at);
        found.filter(whole).filter(|at| !self.is_test() && !self.tests.iter().any(|range| range.contains(at)))
    }
}

/// The items behind `#[cfg(test)]`.
fn test_items(code: &str) -> Vec<Range<usize>> {
    let mut ranges: Vec<Range<usize>> = Vec::new();
    for (start, _) in code.match_indices("#[cfg(test)]") {
        if ranges.last().is_some_and(|range| range.contains(&start)) {
            continue;
        }
        let Some(opening) = code[start..].find(['{', ';']).map(|at| start + at) else { continue };
        let end = if code.as_bytes()[opening] == b';' { opening + 1 } else { closing(code, opening) };
        ranges.push(start..end);
    }
    ranges
}

/// The offset behind the bracket that closes the one at `opening`; the end where none does.
pub(crate) fn closing(code: &str, opening: usize) -> usize {
    let mut depth = 0_usize;
    for (offset, byte) in code.bytes().enumerate().skip(opening) {
        match byte {
            b'{' | b'(' | b'[' => depth += 1,
            b'}' | b')' | b']' => {
                depth = depth.saturating_sub(1);
                if depth == 0 {
                    return offset + 1;
                }
            }
            _ => {}
        }
    }
    code.len()
}

/// `text` with the insides of comments, strings and characters as spaces; line breaks and offsets stay.
fn blank(text: &str) -> String {
    let bytes = text.as_bytes();
    let mut code = bytes.to_vec();
    let mut at = 0;
    while at < bytes.len() {
        let end = token_end(bytes, at);
        if end > at + 1 && hides(bytes, at) {
            for byte in code.iter_mut().take(end).skip(at).filter(|byte| **byte != b'\n') {
                *byte = b' ';
            }
        }
        at = end;
    }
    // Only whole tokens were blanked, so what is left is whole characters.
    String::from_utf8_lossy(&code).into_owned()
}

/// Whether a token of more than one byte at `at` is a comment, a string or a character.
fn hides(bytes: &[u8], at: usize) -> bool {
    matches!(bytes[at], b'/' | b'"' | b'\'') || raw_string(bytes, at).is_some()
}

/// Where the comment, string, character or name at `at` ends; one byte further for everything else.
fn token_end(bytes: &[u8], at: usize) -> usize {
    let rest = &bytes[at..];
    match rest {
        [b'/', b'/', ..] => at + rest.iter().position(|byte| *byte == b'\n').unwrap_or(rest.len()),
        [b'/', b'*', ..] => block_comment_end(bytes, at),
        [b'"', ..] => quoted_end(bytes, at, b'"'),
        // A character, not a lifetime: escaped, or closed after one character.
        [b'\'', b'\\', ..] => quoted_end(bytes, at, b'\''),
        [b'\'', first, ..] => {
            let length = match first {
                0..=0x7f => 1,
                0x80..=0xdf => 2,
                0xe0..=0xef => 3,
                _ => 4,
            };
            if rest.get(1 + length) == Some(&b'\'') { at + length + 2 } else { at + 1 }
        }
        [first, ..] if first.is_ascii_alphabetic() || *first == b'_' => {
            if let Some(hashes) = raw_string(bytes, at) {
                return raw_string_end(bytes, at, hashes);
            }
            // `b"` and `c"`: the quote is a token of its own. A name's `r` at its end must not begin a raw string.
            let name = |byte: &u8| byte.is_ascii_alphanumeric() || *byte == b'_';
            at + rest.iter().position(|byte| !name(byte)).unwrap_or(rest.len())
        }
        _ => at + 1,
    }
}

/// How many `#` a raw string that begins at `at` has.
fn raw_string(bytes: &[u8], at: usize) -> Option<usize> {
    let prefix = [b"br".as_slice(), b"cr", b"r"].into_iter().find(|prefix| bytes[at..].starts_with(prefix))?;
    let rest = &bytes[at + prefix.len()..];
    let hashes = rest.iter().take_while(|byte| **byte == b'#').count();
    (rest.get(hashes) == Some(&b'"')).then_some(hashes)
}

fn raw_string_end(bytes: &[u8], at: usize, hashes: usize) -> usize {
    let end: Vec<u8> = std::iter::once(b'"').chain(std::iter::repeat_n(b'#', hashes)).collect();
    let opening = at + bytes[at..].iter().position(|byte| *byte == b'"').unwrap_or(0) + 1;
    let found = bytes[opening..].windows(end.len()).position(|window| window == end);
    found.map_or(bytes.len(), |found| opening + found + end.len())
}

fn quoted_end(bytes: &[u8], at: usize, quote: u8) -> usize {
    let mut end = at + 1;
    while end < bytes.len() {
        match bytes[end] {
            b'\\' => end += 2,
            byte if byte == quote => return end + 1,
            _ => end += 1,
        }
    }
    bytes.len()
}

fn block_comment_end(bytes: &[u8], at: usize) -> usize {
    let (mut end, mut depth) = (at, 0_usize);
    while end < bytes.len() {
        match &bytes[end..] {
            [b'/', b'*', ..] => {
                depth += 1;
                end += 2;
            }
            [b'*', b'/', ..] => {
                depth -= 1;
                end += 2;
                if depth == 0 {
                    return end;
                }
            }
            _ => end += 1,
        }
    }
    bytes.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn code(text: &str) -> String {
        let code = SourceFile::new("a.rs", text).code().to_owned();
        assert_eq!(code.len(), text.len());
        code.split_whitespace().collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn comments_and_strings_are_blank() {
        assert_eq!(code("a // b\nc /* d /* e */ f */ g"), "a c g");
        assert_eq!(code(r#"a("b \" c", 'd', '\'', 'ä', b"e") f"#), "a( , , , , b ) f");
        assert_eq!(code("fn f<'a>(x: &'a str) { 'x' }"), "fn f<'a>(x: &'a str) { }");
        assert_eq!(code("a r#\"b \" c\"# d br\"e\" f"), "a d f");
        assert_eq!(code("for x in 1 {}"), "for x in 1 {}");
    }

    #[test]
    fn test_items_are_known() {
        let file =
            SourceFile::new("src/a.rs", "fn a() { x() }\n#[cfg(test)]\nmod t { fn b() { x() } }\nfn c() { x() }\n");
        let lines: Vec<_> = file.outside_tests("x").map(|at| file.line(at)).collect();
        assert_eq!(lines, [1, 4]);
        assert_eq!(SourceFile::new("worker/tests/it/a.rs", "x()").outside_tests("x").count(), 0);
        assert_eq!(SourceFile::new("src/a.rs", "xx() y_x() x()").outside_tests("x").count(), 1);
    }
}

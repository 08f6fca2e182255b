//! Passing over a value whose inside breaks JSON's rules, so that its neighbours can still be read.

use super::scanner::{Fault, Scanner};

/// Which brackets are open, a bit each: a body of eight million of them takes a mebibyte.
#[derive(Debug, Default)]
struct Brackets {
    bits: Vec<u64>,
    depth: usize,
}

impl Brackets {
    fn open(&mut self, is_object: bool) {
        let (word, bit) = (self.depth / 64, self.depth % 64);
        if word == self.bits.len() {
            self.bits.push(0);
        }
        let mask = 1 << bit;
        self.bits[word] = if is_object { self.bits[word] | mask } else { self.bits[word] & !mask };
        self.depth += 1;
    }

    /// Whether the innermost open bracket is of this kind; it is closed.
    fn close(&mut self, is_object: bool) -> bool {
        let Some(depth) = self.depth.checked_sub(1) else { return false };
        self.depth = depth;
        (self.bits[depth / 64] >> (depth % 64) & 1 == 1) == is_object
    }
}

impl Scanner<'_> {
    /// Passes over the value at this place by its strings and brackets alone; whether it is an object of which a member,
    /// itself and not one further inside, is called `member`.
    ///
    /// It keeps no stack of calls: a million open brackets need a bit each.
    ///
    /// # Errors
    /// A fault where a string or a bracket is not closed, or a bracket is closed by another kind: then nobody can say
    /// where the next value begins.
    pub(crate) fn structure(&mut self, member: &str) -> Result<bool, Fault> {
        let mut brackets = Brackets::default();
        let mut found = false;
        loop {
            let byte = self.peek();
            match byte {
                b'"' => {
                    let start = self.at;
                    self.string()?;
                    if brackets.depth == 1 && !found {
                        found = self.is_key(start, member);
                    }
                }
                b'{' | b'[' => {
                    brackets.open(byte == b'{');
                    self.at += 1;
                }
                b'}' | b']' if brackets.depth == 0 => return Err(self.fault("a value is missing here")),
                b'}' | b']' => {
                    if !brackets.close(byte == b'}') {
                        return Err(self.fault("a bracket is closed by one of another kind"));
                    }
                    self.at += 1;
                }
                0 if self.is_at_end() => return Err(self.fault("the body ends before its brackets are closed")),
                _ if brackets.depth == 0 => self.word()?,
                _ => self.at += 1,
            }
            if brackets.depth == 0 {
                return Ok(found);
            }
        }
    }

    /// Passes over a string by its quotes alone.
    fn string(&mut self) -> Result<(), Fault> {
        let bytes = self.body.as_bytes();
        let mut at = self.at + 1;
        loop {
            match memchr::memchr2(b'"', b'\\', bytes.get(at..).unwrap_or_default()) {
                Some(length) if bytes[at + length] == b'"' => {
                    self.at = at + length + 1;
                    return Ok(());
                }
                Some(length) => at += length + 2,
                None => {
                    self.at = bytes.len();
                    return Err(self.fault("the body ends inside a string"));
                }
            }
        }
    }

    /// Passes over what stands where a value should and is no string and no bracket.
    fn word(&mut self) -> Result<(), Fault> {
        let start = self.at;
        while !matches!(self.peek(), b',' | b':' | b'"' | b'{' | b'}' | b'[' | b']' | 0..=b' ') {
            self.at += 1;
        }
        if self.at == start { Err(self.fault("there is no value")) } else { Ok(()) }
    }

    /// Whether the string from `start` to this place is a key and reads `name`.
    fn is_key(&self, start: usize, name: &str) -> bool {
        let mut ahead = self.clone();
        ahead.space();
        let mut key = self.clone();
        key.go_to(start);
        ahead.peek() == b':' && key.text().is_ok_and(|key| key.decode() == name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn passed(body: &str) -> Option<usize> {
        let mut scanner = Scanner::new(body, 16);
        scanner.structure("events").ok().map(|_| scanner.at())
    }

    #[test]
    fn passes_over_broken_values_whole() {
        for value in [r#"{"a":01,,'b':[}"#, r#"{"a":"]"#, "[{]}", "{", "]", "", ",", "\"abc", "\"abc\\", ":"] {
            assert_eq!(passed(value), None, "{value}");
        }
        for value in [r#"{"a":01,,'b':[nan]}"#, r#"{"a":"\"}]","b" "c"}"#, "[[[]]]", "undefined", "01", "\"\\x\n\""] {
            assert_eq!(passed(&format!("{value},{{}}")), Some(value.len()), "{value}");
        }
    }

    #[test]
    fn keeps_no_stack_of_calls() {
        let body = "[{".repeat(1_000_000) + &"}]".repeat(1_000_000);
        assert_eq!(passed(&body), Some(body.len()));
    }

    #[test]
    fn finds_a_member_by_name() {
        let names = |body: &str| Scanner::new(body, 16).structure("events").unwrap();
        assert!(names(r#"{"a":01,"events" :[]}"#));
        assert!(names(r#"{"ev\u0065nts":[]}"#));
        assert!(!names(r#"{"a":{"events":[]},"b":"events"}"#));
    }
}

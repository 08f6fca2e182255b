//! The strict reader: it moves over a body byte by byte and stops at the first fault.

use super::number::{Number, scan_number};
use super::text::{Text, scan_text};

/// Why a value cannot be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Fault {
    /// What is wrong.
    pub(crate) kind: FaultKind,
    /// Where: an offset into the body, in bytes.
    pub(crate) at: usize,
}

/// The kinds of faults.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum FaultKind {
    /// A text holds this.
    BadText(&'static str),
    /// A number breaks the grammar or no double is so large.
    BadNumber,
    /// Objects and arrays lie too deep in each other.
    TooDeep,
    /// Something else that JSON forbids, as a clause.
    Syntax(&'static str),
}

/// What a value is, as far as a rule about an event's field asks for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Text,
    Number,
    Object,
    Array,
    Boolean,
    Null,
}

impl Kind {
    /// The kind with its article, for messages.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Text => "a string",
            Self::Number => "a number",
            Self::Object => "an object",
            Self::Array => "an array",
            Self::Boolean => "a boolean",
            Self::Null => "null",
        }
    }
}

/// A place in a body.
#[derive(Debug, Clone)]
pub(crate) struct Scanner<'a> {
    pub(super) body: &'a str,
    pub(super) at: usize,
    deepest: usize,
}

impl<'a> Scanner<'a> {
    /// At the beginning of `body`; values may nest `deepest` levels.
    pub(crate) const fn new(body: &'a str, deepest: usize) -> Self {
        Self { body, at: 0, deepest }
    }

    /// The offset of the next byte.
    pub(crate) const fn at(&self) -> usize {
        self.at
    }

    /// Goes to an offset.
    pub(crate) const fn go_to(&mut self, at: usize) {
        self.at = at;
    }

    /// The next byte; 0 at the end, which no rule outside of texts knows.
    #[inline(always)]
    pub(crate) fn peek(&self) -> u8 {
        self.body.as_bytes().get(self.at).copied().unwrap_or(0)
    }

    /// Whether everything has been read.
    pub(crate) const fn is_at_end(&self) -> bool {
        self.at >= self.body.len()
    }

    /// Passes over one byte.
    #[inline(always)]
    pub(crate) const fn advance(&mut self) {
        self.at += 1;
    }

    /// Passes over `byte`, or faults.
    #[inline(always)]
    pub(crate) fn expect(&mut self, byte: u8, otherwise: &'static str) -> Result<(), Fault> {
        if self.peek() != byte {
            return Err(self.fault(otherwise));
        }
        self.at += 1;
        Ok(())
    }

    /// Passes over white space; whether there was any.
    #[inline(always)]
    pub(crate) fn space(&mut self) -> bool {
        if self.peek() > b' ' {
            return false;
        }
        let start = self.at;
        while matches!(self.peek(), b' ' | b'\n' | b'\r' | b'\t') {
            self.at += 1;
        }
        self.at > start
    }

    /// A fault at this place.
    #[cold]
    pub(crate) const fn fault(&self, what: &'static str) -> Fault {
        Fault { kind: FaultKind::Syntax(what), at: self.at }
    }

    /// What the next value is, by its first byte.
    #[inline(always)]
    pub(crate) fn kind(&self) -> Result<Kind, Fault> {
        match self.peek() {
            b'"' => Ok(Kind::Text),
            b'-' | b'0'..=b'9' => Ok(Kind::Number),
            b'{' => Ok(Kind::Object),
            b'[' => Ok(Kind::Array),
            b't' | b'f' => Ok(Kind::Boolean),
            b'n' => Ok(Kind::Null),
            // What other languages write where JSON has no number: NaN, Infinity, +1, .5.
            b'N' | b'I' | b'+' | b'.' => Err(Fault { kind: FaultKind::BadNumber, at: self.at }),
            _ => Err(self.fault("there is no value")),
        }
    }

    /// Reads a text, at its opening quote.
    #[inline(always)]
    pub(crate) fn text(&mut self) -> Result<Text<'a>, Fault> {
        let (text, end) = scan_text(self.body, self.at + 1)?;
        self.at = end;
        Ok(text)
    }

    /// Reads a number, at its first byte.
    #[inline]
    pub(crate) fn number(&mut self) -> Result<Number<'a>, Fault> {
        let (number, end) = scan_number(self.body, self.at)?;
        self.at = end;
        Ok(number)
    }

    /// Reads the key of an object's member and the colon behind it, with the white space around it; whether the member is
    /// written without any comes second.
    #[inline(always)]
    pub(crate) fn key(&mut self) -> Result<(Text<'a>, bool), Fault> {
        if self.peek() != b'"' {
            return Err(self.fault("a key has to stand in double quotes"));
        }
        let key = self.text()?;
        let before = self.space();
        self.expect(b':', "a key is not followed by a colon")?;
        let after = self.space();
        Ok((key, !(before || after)))
    }

    /// Passes over a value that lies `depth` levels deep; whether it stands in its canonical form.
    ///
    /// It calls itself for what lies inside, and never more often than there are levels allowed.
    #[inline]
    pub(crate) fn value(&mut self, depth: usize) -> Result<bool, Fault> {
        match self.kind()? {
            Kind::Text => Ok(self.text()?.canonical),
            Kind::Number => Ok(self.number()?.canonical),
            Kind::Object => self.object(depth),
            Kind::Array => self.array(depth),
            Kind::Boolean | Kind::Null => self.literal().map(|()| true),
        }
    }

    /// Goes one level deeper, past the opening bracket.
    #[inline]
    pub(super) const fn enter(&mut self, depth: usize) -> Result<usize, Fault> {
        if depth >= self.deepest {
            return Err(Fault { kind: FaultKind::TooDeep, at: self.at });
        }
        self.at += 1;
        Ok(depth + 1)
    }

    /// Passes over what stands between two members: `Some` with whether white space came with it, `None` behind `closing`.
    #[inline(always)]
    pub(crate) fn next_member(&mut self, closing: u8) -> Result<Option<bool>, Fault> {
        let byte = self.peek();
        if byte == b',' {
            self.at += 1;
            Ok(Some(self.space()))
        } else if byte == closing {
            self.at += 1;
            Ok(None)
        } else {
            Err(self.fault("a comma or a closing bracket is missing"))
        }
    }

    fn object(&mut self, depth: usize) -> Result<bool, Fault> {
        let depth = self.enter(depth)?;
        let mut canonical = !self.space();
        if self.peek() == b'}' {
            self.at += 1;
            return Ok(canonical);
        }
        let mut previous: Option<Text<'a>> = None;
        loop {
            let (key, tight) = self.key()?;
            canonical &= tight && key.canonical && previous.is_none_or(|previous| previous.compare(&key).is_lt());
            previous = Some(key);
            canonical &= self.value(depth)?;
            canonical &= !self.space();
            match self.next_member(b'}')? {
                Some(space) => canonical &= !space,
                None => return Ok(canonical),
            }
        }
    }

    fn array(&mut self, depth: usize) -> Result<bool, Fault> {
        let depth = self.enter(depth)?;
        let mut canonical = !self.space();
        if self.peek() == b']' {
            self.at += 1;
            return Ok(canonical);
        }
        loop {
            canonical &= self.value(depth)?;
            canonical &= !self.space();
            match self.next_member(b']')? {
                Some(space) => canonical &= !space,
                None => return Ok(canonical),
            }
        }
    }

    pub(crate) fn literal(&mut self) -> Result<(), Fault> {
        let rest = self.body.as_bytes().get(self.at..).unwrap_or_default();
        let length =
            [&b"true"[..], b"false", b"null"].into_iter().find(|word| rest.starts_with(word)).map_or(0, <[u8]>::len);
        let ends = !rest.get(length).is_some_and(|byte| byte.is_ascii_alphanumeric() || *byte == b'_');
        if length == 0 || !ends {
            // `nan` is how some languages write what JSON has no number for.
            let nan = rest.starts_with(b"nan");
            return Err(if nan {
                Fault { kind: FaultKind::BadNumber, at: self.at }
            } else {
                self.fault("a word is neither true, false nor null")
            });
        }
        self.at += length;
        Ok(())
    }
}

//! Numbers and texts as bytes.

use thiserror::Error;

/// Bytes that are no column of ours.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("the column cannot be read: {0}")]
pub struct Corrupt(pub(crate) &'static str);

/// Appends a number in groups of seven bits, the lowest first.
pub(crate) fn put_number(bytes: &mut Vec<u8>, mut number: u64) {
    while number >= 0x80 {
        bytes.push((number as u8) | 0x80);
        number >>= 7;
    }
    bytes.push(number as u8);
}

/// Appends a length and the text.
pub(crate) fn put_text(bytes: &mut Vec<u8>, text: &str) {
    put_number(bytes, text.len() as u64);
    bytes.extend_from_slice(text.as_bytes());
}

/// Reads what was put, in the same order.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Reader<'b> {
    bytes: &'b [u8],
}

impl<'b> Reader<'b> {
    /// Begins behind the version, which is the first byte of every column.
    pub(crate) fn new(bytes: &'b [u8], version: u8) -> Result<Self, Corrupt> {
        match bytes.split_first() {
            Some((first, bytes)) if *first == version => Ok(Self { bytes }),
            _ => Err(Corrupt("it is of another version")),
        }
    }

    /// Bytes within a column, which have no version of their own.
    pub(crate) const fn bare(bytes: &'b [u8]) -> Self {
        Self { bytes }
    }

    /// The next number.
    #[inline]
    pub(crate) fn number(&mut self) -> Result<u64, Corrupt> {
        // Most are small, and those of a column about as long as each other: a branch that is foreseen costs less than a loop.
        match self.bytes {
            [one @ ..0x80, rest @ ..] => {
                self.bytes = rest;
                Ok(u64::from(*one))
            }
            [one, two @ ..0x80, rest @ ..] => {
                self.bytes = rest;
                Ok(u64::from(*one & 0x7f) | u64::from(*two) << 7)
            }
            [one, two, three @ ..0x80, rest @ ..] => {
                self.bytes = rest;
                Ok(u64::from(*one & 0x7f) | u64::from(*two & 0x7f) << 7 | u64::from(*three) << 14)
            }
            _ => self.long_number(),
        }
    }

    /// A number of any length: out of the way of the short ones, which are read where they are asked for.
    #[cold]
    fn long_number(&mut self) -> Result<u64, Corrupt> {
        let mut number = 0_u64;
        for (index, byte) in self.bytes.iter().enumerate().take(10) {
            number |= u64::from(byte & 0x7f) << (7 * index);
            if byte & 0x80 == 0 {
                self.bytes = &self.bytes[index + 1..];
                return Ok(number);
            }
        }
        Err(Corrupt("a number has no end"))
    }

    /// A number of 32 bits.
    pub(crate) fn small(&mut self) -> Result<u32, Corrupt> {
        u32::try_from(self.number()?).map_err(|_| Corrupt("a number is too large"))
    }

    /// How many of something follow, each of at least a byte.
    pub(crate) fn count(&mut self) -> Result<usize, Corrupt> {
        let count = self.number()?;
        usize::try_from(count).ok().filter(|count| *count <= self.bytes.len()).ok_or(Corrupt("it is cut short"))
    }

    pub(crate) fn text(&mut self) -> Result<&'b str, Corrupt> {
        let length = self.count()?;
        std::str::from_utf8(self.take(length)?).map_err(|_| Corrupt("a text is not UTF-8"))
    }

    pub(crate) fn take(&mut self, length: usize) -> Result<&'b [u8], Corrupt> {
        let (taken, rest) = self.bytes.split_at_checked(length).ok_or(Corrupt("it is cut short"))?;
        self.bytes = rest;
        Ok(taken)
    }
}

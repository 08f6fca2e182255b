//! Texts, each kept once, and which of them each event has.

use std::collections::HashMap;

use crate::bytes::{Corrupt, Reader, put_number, put_text};
use crate::codes::{put_codes, read_codes};

const VERSION: u8 = 1;

/// A column of texts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Texts<'b> {
    /// The texts, each once.
    pub values: Vec<&'b str>,
    /// For each event its text, counted from 1; 0 where it has none.
    pub codes: Vec<u32>,
}

pub(crate) fn encode<'t>(texts: impl Iterator<Item = Option<&'t str>>) -> Vec<u8> {
    let mut known: HashMap<&str, u32> = HashMap::new();
    let mut values: Vec<&str> = Vec::new();
    let mut codes: Vec<u32> = Vec::new();
    for text in texts {
        codes.push(text.map_or(0, |text| {
            *known.entry(text).or_insert_with(|| {
                values.push(text);
                values.len() as u32
            })
        }));
    }
    let mut bytes = vec![VERSION];
    put_number(&mut bytes, values.len() as u64);
    values.iter().for_each(|value| put_text(&mut bytes, value));
    put_codes(&mut bytes, &codes);
    bytes
}

pub(crate) fn decode(bytes: &[u8]) -> Result<Texts<'_>, Corrupt> {
    let mut reader = Reader::new(bytes, VERSION)?;
    let count = reader.count()?;
    let values = (0..count).map(|_| reader.text()).collect::<Result<Vec<_>, _>>()?;
    let codes = read_codes(&mut reader, count + 1)?;
    Ok(Texts { values, codes })
}

//! Small numbers, one an event, in as few whole bytes as the largest needs.

use crate::bytes::{Corrupt, Reader, put_number};

/// Appends how many there are, their width and the codes.
pub(crate) fn put_codes(bytes: &mut Vec<u8>, codes: &[u32]) {
    put_number(bytes, codes.len() as u64);
    let largest = codes.iter().copied().max().unwrap_or(0);
    let width: u8 = match largest {
        0 => 0,
        1..=0xff => 1,
        0x100..=0xffff => 2,
        _ => 4,
    };
    bytes.push(width);
    match width {
        0 => {}
        1 => bytes.extend(codes.iter().map(|code| *code as u8)),
        2 => codes.iter().for_each(|code| bytes.extend_from_slice(&(*code as u16).to_le_bytes())),
        _ => codes.iter().for_each(|code| bytes.extend_from_slice(&code.to_le_bytes())),
    }
}

/// Reads codes, each below `bound`; there may be none at all for `0` codes.
pub(crate) fn read_codes(reader: &mut Reader<'_>, bound: usize) -> Result<Vec<u32>, Corrupt> {
    let count = usize::try_from(reader.number()?).map_err(|_| Corrupt("there are too many codes"))?;
    let codes: Vec<u32> = match reader.take(1)? {
        // Where all are the same nothing tells how many bytes would have to follow: no quarter holds more events than this.
        [0] if count <= 1 << 28 => vec![0; count],
        [1] => reader.take(count)?.iter().map(|byte| u32::from(*byte)).collect(),
        [2] => {
            let taken = reader.take(count.saturating_mul(2))?;
            taken.as_chunks::<2>().0.iter().map(|pair| u32::from(u16::from_le_bytes(*pair))).collect()
        }
        [4] => {
            let taken = reader.take(count.saturating_mul(4))?;
            taken.as_chunks::<4>().0.iter().map(|four| u32::from_le_bytes(*four)).collect()
        }
        _ => return Err(Corrupt("the codes have no width")),
    };
    let largest = codes.iter().copied().max().unwrap_or(0);
    if count > 0 && largest as usize >= bound { Err(Corrupt("a code stands for nothing")) } else { Ok(codes) }
}

//! `numeric` on the wire.

/// The nearest double of a binary `numeric`: a 16-bit number of digits, weight, sign and scale, then digits of base 10,000.
/// `None` where the bytes are no such value.
pub(super) fn to_double(bytes: &[u8]) -> Option<f64> {
    let word = |index: usize| Some(u16::from_be_bytes(bytes.get(index * 2..index * 2 + 2)?.try_into().ok()?));
    let digits = usize::from(word(0)?);
    let weight = i32::from(word(1)?.cast_signed());
    let negative = match word(2)? {
        0x0000 => false,
        0x4000 => true,
        0xC000 => return Some(f64::NAN),
        0xD000 => return Some(f64::INFINITY),
        0xF000 => return Some(f64::NEG_INFINITY),
        _ => return None,
    };
    // Through decimal text: the standard library rounds it right, a sum of powers would not.
    let mut text = String::with_capacity(digits * 4 + 8);
    text.push(if negative { '-' } else { '+' });
    text.push('0');
    for index in 0..digits {
        text.push_str(&format!("{:04}", word(4 + index)?));
    }
    let exponent = (weight + 1 - i32::try_from(digits).ok()?) * 4;
    text.push_str(&format!("e{exponent}"));
    text.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_the_servers_form() {
        let bytes = |words: &[u16]| words.iter().flat_map(|word| word.to_be_bytes()).collect::<Vec<u8>>();
        assert_eq!(to_double(&bytes(&[0, 0, 0, 0])), Some(0.0));
        assert_eq!(to_double(&bytes(&[2, 0, 0, 1, 1, 5_000])), Some(1.5));
        assert_eq!(to_double(&bytes(&[1, 1, 0x4000, 0, 12])), Some(-120_000.0));
        assert_eq!(to_double(&bytes(&[1, 0xFFFF, 0, 4, 1_000])), Some(0.1));
        assert!(to_double(&bytes(&[0, 0, 0xC000, 0])).is_some_and(f64::is_nan));
        assert_eq!(to_double(&bytes(&[2, 0, 0, 1, 1])), None);
        assert_eq!(to_double(&[1]), None);
    }
}

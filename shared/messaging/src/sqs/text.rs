//! A queue entry as the text of a message.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;

/// How hard an entry is compressed: the level above which zstd costs more time than it saves here.
const LEVEL: i32 = 3;

/// Most bytes of an inflated entry: a body has at most 8 MiB, and an entry holds little more.
const INFLATED_BYTES: usize = 16 << 20;

/// What every zstd frame begins with (RFC 8878, 3.1.1). No version of the envelope begins with its first byte.
const ZSTD_MAGIC: [u8; 4] = [0x28, 0xb5, 0x2f, 0xfd];

/// The text of an entry: base64, of zstd where that is smaller. `base64 -d | zstd -dc` reads it by hand.
#[must_use]
pub fn pack(entry: &[u8]) -> String {
    match zstd::bulk::compress(entry, LEVEL) {
        Ok(packed) if packed.len() < entry.len() => STANDARD.encode(packed),
        _ => STANDARD.encode(entry),
    }
}

/// The entry of a text. What is no text of ours is given back as far as it could be read, to be judged by who reads entries:
/// none of it can be taken for one.
#[must_use]
pub fn unpack(text: &str) -> Bytes {
    let Ok(bytes) = STANDARD.decode(text) else { return Bytes::copy_from_slice(text.as_bytes()) };
    if !bytes.starts_with(&ZSTD_MAGIC) {
        return bytes.into();
    }
    match inflate(&bytes) {
        Ok(entry) => entry.into(),
        Err(_) => bytes.into(),
    }
}

/// Inflates a frame, of any length that it does not tell itself, up to the bound.
fn inflate(frame: &[u8]) -> std::io::Result<Vec<u8>> {
    use std::io::Read as _;
    let mut entry = Vec::new();
    let bound = INFLATED_BYTES as u64 + 1;
    zstd::stream::read::Decoder::new(frame)?.take(bound).read_to_end(&mut entry)?;
    if entry.len() > INFLATED_BYTES {
        return Err(std::io::Error::other("the entry is larger than any of ours"));
    }
    Ok(entry)
}

#[cfg(test)]
mod tests {
    use analytics_domain::Batch;
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn comes_back_as_it_went_in(entry in prop::collection::vec(any::<u8>(), 0..2_000), times in 1_usize..40) {
            let mut entry = entry;
            // No entry of ours begins as a zstd frame does.
            entry.insert(0, 1);
            let entry = entry.repeat(times);
            let text = pack(&entry);
            prop_assert!(text.is_ascii());
            prop_assert_eq!(unpack(&text), entry);
        }

        #[test]
        fn junk_is_never_an_entry(text in ".{0,200}") {
            prop_assert!(Batch::decode(&unpack(&text)).is_err());
        }
    }

    #[test]
    fn compresses_where_that_helps() {
        assert!(pack(&vec![1; 100_000]).len() < 200);
        assert_eq!(pack(&[1, 2, 3]), STANDARD.encode([1, 2, 3]));
    }

    #[test]
    fn a_bomb_and_a_cut_frame_stay_what_they_are() {
        for bytes in [zstd::bulk::compress(&vec![1; INFLATED_BYTES + 1], 3).unwrap(), {
            let whole = zstd::bulk::compress(&[1; 1_000], 3).unwrap();
            whole[..whole.len() - 2].to_vec()
        }] {
            let read = unpack(&STANDARD.encode(&bytes));
            assert_eq!(read, bytes);
            assert!(Batch::decode(&read).is_err());
        }
    }
}

//! The text of a message: SQS carries Unicode text, an envelope is bytes.

use std::io::Read;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;

/// What a zstd frame begins with; the first byte of no envelope.
const ZSTD_MAGIC: [u8; 4] = [0x28, 0xB5, 0x2F, 0xFD];

/// Most bytes that a body is inflated to: twice what a collector takes. A frame that holds more was not written by us.
const INFLATED_MAX: usize = 16 << 20;

/// The window that a frame may ask for, as a power of two: memory that is taken before a byte is read.
const WINDOW_LOG_MAX: u32 = 24;

/// The level that the library holds for a good trade.
const LEVEL: i32 = zstd::DEFAULT_COMPRESSION_LEVEL;

/// The message body of an entry: its bytes in base64, compressed first where that makes them fewer.
///
/// By hand: `base64 -d | zstd -dc`, or without the second where the first gives no zstd.
#[must_use]
pub fn pack(payload: &[u8]) -> String {
    // SQS takes no empty body, and what begins like a frame would be taken for one.
    let must = payload.is_empty() || payload.starts_with(&ZSTD_MAGIC);
    let worth = |frame: &Vec<u8>| must || frame.len() < payload.len();
    let frame =
        if payload.len() <= INFLATED_MAX { zstd::bulk::compress(payload, LEVEL).ok().filter(worth) } else { None };
    STANDARD.encode(frame.as_deref().unwrap_or(payload))
}

/// The entry of a message body. Never fails: what is not base64 is taken as it stands, what does not inflate as it came, and
/// [`analytics_domain::Batch::decode`] finds that it is no batch.
#[must_use]
pub fn unpack(body: &str) -> Bytes {
    // Who puts an entry back by hand easily adds a line break.
    let Ok(bytes) = STANDARD.decode(body.trim_ascii()) else {
        return Bytes::copy_from_slice(body.as_bytes());
    };
    if bytes.starts_with(&ZSTD_MAGIC)
        && let Some(inflated) = inflate(&bytes)
    {
        return inflated.into();
    }
    bytes.into()
}

/// What frames hold; `None` where they are broken or hold too much.
fn inflate(frames: &[u8]) -> Option<Vec<u8>> {
    let mut decoder = zstd::stream::read::Decoder::with_buffer(frames).ok()?;
    decoder.window_log_max(WINDOW_LOG_MAX).ok()?;
    let mut inflated = Vec::with_capacity(frames.len() * 4);
    decoder.take(INFLATED_MAX as u64 + 1).read_to_end(&mut inflated).ok()?;
    (inflated.len() <= INFLATED_MAX).then_some(inflated)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn base64(bytes: &[u8]) -> String {
        STANDARD.encode(bytes)
    }

    #[test]
    fn repetitive_entries_are_compressed_and_small_ones_are_not() {
        let text = b"the same again and again, ".repeat(1_000);
        let body = pack(&text);
        assert!(body.len() < text.len() / 20, "{} bytes", body.len());
        assert_eq!(STANDARD.decode(&body).unwrap()[..4], ZSTD_MAGIC);
        assert_eq!(pack(&[1, 2, 3]), base64(&[1, 2, 3]));
    }

    #[test]
    fn a_line_break_of_a_hand_does_no_harm() {
        assert_eq!(unpack(&format!("{}\n", pack(&[1, 2, 3]))), &[1, 2, 3][..]);
    }

    #[test]
    fn what_is_not_ours_is_left_as_it_is() {
        for text in ["", "{\"events\":[]}", "größer", "====", "a"] {
            assert_eq!(unpack(text), text.as_bytes());
        }
        let frame = zstd::bulk::compress(&b"abc".repeat(500), LEVEL).unwrap();
        let mut broken = frame.clone();
        broken[6] ^= 0xFF;
        for bytes in [&frame[..frame.len() - 1], &frame[..4], &broken[..]] {
            assert_eq!(unpack(&base64(bytes)), bytes);
        }
    }

    #[test]
    fn a_bomb_is_not_inflated() {
        let most = vec![7; INFLATED_MAX];
        assert_eq!(unpack(&pack(&most)), most);
        let bomb = zstd::bulk::compress(&vec![7; INFLATED_MAX + 1], LEVEL).unwrap();
        assert_eq!(unpack(&base64(&bomb)), bomb);
        // Several frames are one to the decoder, and one bomb.
        let half = zstd::bulk::compress(&most, LEVEL).unwrap();
        let two = [&half[..], &half[..]].concat();
        assert_eq!(unpack(&base64(&two)), two);
        // Too much to inflate again is not compressed.
        let large = vec![7; INFLATED_MAX + 1];
        assert_eq!(unpack(&pack(&large)), large);
    }

    proptest! {
        #[test]
        fn what_was_packed_comes_out(
            mut payload in proptest::collection::vec(any::<u8>(), 0..400),
            times in 1..30_usize,
            magic in any::<bool>(),
        ) {
            payload = payload.repeat(times);
            if magic {
                payload.splice(0..0, ZSTD_MAGIC);
            }
            let body = pack(&payload);
            prop_assert!(!body.is_empty() && body.bytes().all(|byte| byte.is_ascii_graphic()));
            prop_assert!(magic || payload.is_empty() || body.len() <= payload.len().div_ceil(3) * 4);
            prop_assert_eq!(unpack(&body), payload);
        }

        #[test]
        fn any_text_can_be_unpacked(text in "\\PC*", tail in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = unpack(&text);
            let frame = [&ZSTD_MAGIC[..], &tail].concat();
            let _ = unpack(&base64(&frame));
        }
    }
}

//! The verb inflate: a compressed body becomes plain, counted while it grows.

use std::io::{self, Read};

use brotli_decompressor::{BrotliDecompressStream, BrotliResult, BrotliState, StandardAlloc};
use flate2::read::MultiGzDecoder;
use zstd::stream::raw::{Decoder as ZstdDecoder, InBuffer, Operation, OutBuffer};
use zstd::zstd_safe::DParameter;

use crate::accept::Encoding;

/// Inflated bytes come in steps of this size, and the limit is looked at after each.
const STEP: usize = 32 << 10;

/// zstd may look back so far, as a power of two: 8 MiB. Its format allows windows of gigabytes, to be reserved at once.
const ZSTD_WINDOW_LOG: u32 = 23;

/// Why a body could not be inflated.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum InflateError {
    /// It would be larger than the limit.
    TooLarge,
    /// It is not, or not wholly, what its encoding's name says; the clause says what is wrong.
    Broken(&'static str),
}

/// The plain bytes of `body`, at most `limit` of them.
pub(crate) fn inflate(body: &[u8], encoding: Encoding, limit: usize) -> Result<Vec<u8>, InflateError> {
    if body.is_empty() {
        return Err(InflateError::Broken("it is empty"));
    }
    let mut plain = Plain { bytes: Vec::with_capacity(limit.min(body.len().saturating_mul(4))), limit };
    match encoding {
        Encoding::Gzip => gzip(body, &mut plain)?,
        Encoding::Brotli => brotli(body, &mut plain)?,
        Encoding::Zstd => zstd(body, &mut plain)?,
    }
    Ok(plain.bytes)
}

/// What has been inflated so far.
struct Plain {
    bytes: Vec<u8>,
    limit: usize,
}

impl Plain {
    fn push(&mut self, step: &[u8]) -> Result<(), InflateError> {
        if self.bytes.len() + step.len() > self.limit {
            return Err(InflateError::TooLarge);
        }
        self.bytes.extend_from_slice(step);
        Ok(())
    }
}

/// One gzip member or several behind each other; anything else behind them is refused.
fn gzip(body: &[u8], plain: &mut Plain) -> Result<(), InflateError> {
    let mut decoder = MultiGzDecoder::new(body);
    let mut step = vec![0; STEP];
    loop {
        match decoder.read(&mut step) {
            Ok(0) => return Ok(()),
            Ok(length) => plain.push(&step[..length])?,
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Err(InflateError::Broken(CUT_SHORT)),
            Err(_) => return Err(InflateError::Broken(DAMAGED)),
        }
    }
}

const CUT_SHORT: &str = "it ends too early";
const DAMAGED: &str = "it is damaged, or something else than its name says";
const TRAILING: &str = "something stands behind its end";

fn brotli(body: &[u8], plain: &mut Plain) -> Result<(), InflateError> {
    let mut state = BrotliState::new(StandardAlloc::default(), StandardAlloc::default(), StandardAlloc::default());
    let mut step = vec![0; STEP];
    let (mut unread, mut read, mut total) = (body.len(), 0, 0);
    loop {
        let (mut free, mut filled) = (step.len(), 0);
        let result = BrotliDecompressStream(
            &mut unread,
            &mut read,
            body,
            &mut free,
            &mut filled,
            &mut step,
            &mut total,
            &mut state,
        );
        plain.push(&step[..filled])?;
        match result {
            BrotliResult::ResultSuccess if unread == 0 => return Ok(()),
            BrotliResult::ResultSuccess => return Err(InflateError::Broken(TRAILING)),
            BrotliResult::NeedsMoreOutput => {}
            BrotliResult::NeedsMoreInput => return Err(InflateError::Broken(CUT_SHORT)),
            BrotliResult::ResultFailure => return Err(InflateError::Broken(DAMAGED)),
        }
    }
}

/// One zstd frame or several behind each other.
fn zstd(body: &[u8], plain: &mut Plain) -> Result<(), InflateError> {
    let broken = |_| InflateError::Broken(DAMAGED);
    let mut decoder = ZstdDecoder::new().map_err(broken)?;
    decoder.set_parameter(DParameter::WindowLogMax(ZSTD_WINDOW_LOG)).map_err(broken)?;
    let mut input = InBuffer::around(body);
    let mut step = vec![0; STEP];
    loop {
        let before = input.pos();
        let mut output = OutBuffer::around(&mut step[..]);
        let hint = decoder.run(&mut input, &mut output).map_err(broken)?;
        let filled = output.pos();
        plain.push(&step[..filled])?;
        let all_read = input.pos() == body.len();
        if all_read && hint == 0 {
            return Ok(());
        }
        // Nothing was read and nothing came out: the frame waits for bytes that there are none of.
        if filled < STEP && (all_read || (input.pos() == before && filled == 0)) {
            return Err(InflateError::Broken(CUT_SHORT));
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use flate2::Compression;
    use flate2::write::GzEncoder;
    use proptest::prelude::*;

    use super::*;

    const ALL: [Encoding; 3] = [Encoding::Gzip, Encoding::Brotli, Encoding::Zstd];

    fn deflate(plain: &[u8], encoding: Encoding) -> Vec<u8> {
        match encoding {
            Encoding::Gzip => {
                let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
                encoder.write_all(plain).unwrap();
                encoder.finish().unwrap()
            }
            Encoding::Brotli => {
                let mut out = Vec::new();
                let parameters = brotli::enc::BrotliEncoderParams { quality: 3, ..Default::default() };
                brotli::BrotliCompress(&mut &plain[..], &mut out, &parameters).unwrap();
                out
            }
            Encoding::Zstd => zstd::encode_all(plain, 3).unwrap(),
        }
    }

    proptest! {
        // Compressing without optimisation is slow.
        #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

        #[test]
        fn gives_back_what_was_packed(plain in prop::collection::vec(0_u8..4, 0..100_000), cut in any::<prop::sample::Index>()) {
            for encoding in ALL {
                let packed = deflate(&plain, encoding);
                prop_assert_eq!(inflate(&packed, encoding, plain.len()), Ok(plain.clone()));
                if !plain.is_empty() {
                    prop_assert_eq!(inflate(&packed, encoding, plain.len() - 1), Err(InflateError::TooLarge));
                }
                let short = inflate(&packed[..cut.index(packed.len())], encoding, 1 << 20);
                prop_assert!(matches!(short, Err(InflateError::Broken(_))), "{:?} {:?}", encoding, short.map(|plain| plain.len()));
            }
        }

        #[test]
        fn never_panics(bytes in prop::collection::vec(any::<u8>(), 0..400), flip in any::<prop::sample::Index>(), bit in 0..8_u32) {
            for encoding in ALL {
                let _ = inflate(&bytes, encoding, 1 << 16);
                let mut packed = deflate(&bytes, encoding);
                let at = flip.index(packed.len());
                packed[at] ^= 1_u8 << bit;
                let _ = inflate(&packed, encoding, 1 << 16);
            }
        }
    }

    #[test]
    fn stops_a_bomb_at_the_limit() {
        let zeros = vec![0; 64 << 20];
        for encoding in ALL {
            let bomb = deflate(&zeros, encoding);
            assert!(bomb.len() < 1 << 20);
            assert_eq!(inflate(&bomb, encoding, 8 << 20), Err(InflateError::TooLarge), "{encoding:?}");
        }
    }

    #[test]
    fn takes_several_members_and_nothing_else_behind_them() {
        for encoding in ALL {
            let one = deflate(b"one", encoding);
            let two = [&one[..], &deflate(b"two", encoding)[..]].concat();
            let expected =
                if encoding == Encoding::Brotli { Err(InflateError::Broken(TRAILING)) } else { Ok(b"onetwo".to_vec()) };
            assert_eq!(inflate(&two, encoding, 100), expected);
            for behind in [&b"x"[..], b"\0\0\0\0\0\0\0\0\0\0\0\0", b"garbage garbage"] {
                let refused = inflate(&[&one[..], behind].concat(), encoding, 100);
                assert!(matches!(refused, Err(InflateError::Broken(_))), "{encoding:?} {refused:?}");
            }
            assert!(matches!(inflate(b"", encoding, 100), Err(InflateError::Broken(_))));
        }
    }

    #[test]
    fn refuses_a_window_beyond_its_bound() {
        let mut encoder = zstd::stream::Encoder::new(Vec::new(), 1).unwrap();
        encoder.window_log(27).unwrap();
        encoder.include_contentsize(false).unwrap();
        // More than the window's bound, so that the frame cannot be a single segment.
        encoder.write_all(&vec![7; 1 << 20]).unwrap();
        let frame = encoder.finish().unwrap();
        assert_eq!(inflate(&frame, Encoding::Zstd, 8 << 20), Err(InflateError::Broken(DAMAGED)));
    }
}

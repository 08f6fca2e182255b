//! The id of an event that has none.

use analytics_domain::Timestamp;
use sha2::{Digest, Sha256};
use uuid::Uuid;

/// What keeps the ids of one file apart from those of another.
///
/// That is the file's first row, whose content both a longer copy of the file and a packed one have, and by how many days
/// its times are moved: what is moved is something else than what is not.
#[derive(Debug, Clone)]
pub struct FileIdentity(Sha256);

impl FileIdentity {
    /// Of a file by the digest of its first row.
    #[must_use]
    pub fn new(first_row: &[u8; 32], shift_days: i64) -> Self {
        Self(
            Sha256::new()
                .chain_update(b"analytics import 2")
                .chain_update(first_row)
                .chain_update(shift_days.to_be_bytes()),
        )
    }

    /// The id of a row by its event's time, its number and the digest of its content: the same in every run.
    #[must_use]
    pub fn row_id(&self, time: Timestamp, row: u64, content: &[u8; 32]) -> Uuid {
        let hash = self.0.clone().chain_update(row.to_be_bytes()).chain_update(content).finalize();
        made_id(time, row, &hash.into())
    }
}

/// A UUIDv8 of a time, a number and a hash.
///
/// Layout: 48 bits of Unix milliseconds, as in a UUIDv7, so that ids rise with time; 32 bits of the number, so that rows of
/// one millisecond keep the file's order; 42 bits of the hash, which has to hold the whole number again.
#[must_use]
pub fn made_id(time: Timestamp, number: u64, hash: &[u8; 32]) -> Uuid {
    let millis = (time.as_millis().max(0) as u128) & 0xffff_ffff_ffff;
    let number = u128::from(number & 0xffff_ffff);
    let [a, b, c, d, e, f, g, h, ..] = *hash;
    let hash = u128::from(u64::from_be_bytes([a, b, c, d, e, f, g, h]) >> 22);
    let version_8 = 0x8_u128 << 76;
    let variant = 0b10_u128 << 62;
    Uuid::from_u128(millis << 80 | version_8 | (number >> 20) << 64 | variant | (number & 0xf_ffff) << 42 | hash)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keeps_the_order_of_the_file_and_is_a_uuid() {
        let time = Timestamp::from_micros(1_700_000_000_000_000);
        let file = FileIdentity::new(&[7; 32], 0);
        let mut last = Uuid::nil();
        for row in [0, 1, 2, (1 << 20) - 1, 1 << 20, (1 << 32) - 1] {
            let id = file.row_id(time, row, &[1; 32]);
            assert_eq!((id.get_version_num(), id.get_variant()), (8, uuid::Variant::RFC4122));
            assert!(id > last);
            last = id;
        }
        assert!(file.row_id(time.saturating_add_micros(1_000), 0, &[1; 32]) > last);
    }

    #[test]
    fn tells_apart_what_is_not_the_same_row() {
        let time = Timestamp::from_micros(1_700_000_000_000_000);
        let id = |first: u8, shift, row, content: u8| {
            FileIdentity::new(&[first; 32], shift).row_id(time, row, &[content; 32])
        };
        let one = id(1, 0, 5, 2);
        assert_eq!(one, id(1, 0, 5, 2));
        for other in [id(9, 0, 5, 2), id(1, 1, 5, 2), id(1, 0, 6, 2), id(1, 0, 5, 9), id(1, 0, 5 + (1 << 32), 2)] {
            assert_ne!(one, other);
        }
    }
}

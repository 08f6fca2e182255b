//! The id of a row that has none.

use analytics_domain::Timestamp;
use sha2::{Digest, Sha256};
use uuid::Uuid;

/// A UUIDv8 of the row's time, its number and the file's digest.
///
/// Layout: 48 bits of Unix milliseconds, as in a UUIDv7, so that ids rise with time; 42 bits of the row number, so that
/// rows of one millisecond keep the file's order and identical rows stay apart; 32 bits of a hash of the file's digest.
/// The same row of the same file has the same id in every run.
#[must_use]
pub fn row_id(time: Timestamp, row: u64, file_digest: &[u8; 32]) -> Uuid {
    let millis = (time.as_millis().max(0) as u128) & 0xffff_ffff_ffff;
    let row = u128::from(row) & 0x3ff_ffff_ffff;
    let hash = Sha256::new().chain_update(b"analytics import 1").chain_update(file_digest).finalize();
    let file = u128::from(u32::from_be_bytes([hash[0], hash[1], hash[2], hash[3]]));
    let version_8 = 0x8_u128 << 76;
    let variant = 0b10_u128 << 62;
    Uuid::from_u128(millis << 80 | version_8 | (row >> 30) << 64 | variant | (row & 0x3fff_ffff) << 32 | file)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keeps_the_order_of_the_file_and_is_a_uuid() {
        let time = Timestamp::from_micros(1_700_000_000_000_000);
        let digest = [7; 32];
        let mut last = Uuid::nil();
        for row in [0, 1, 2, (1 << 30) - 1, 1 << 30, (1 << 42) - 1] {
            let id = row_id(time, row, &digest);
            assert_eq!((id.get_version_num(), id.get_variant()), (8, uuid::Variant::RFC4122));
            assert!(id > last);
            last = id;
        }
        assert!(row_id(time.saturating_add_micros(1_000), 0, &digest) > last);
        assert_ne!(row_id(time, 0, &digest), row_id(time, 0, &[8; 32]));
    }
}

//! Instants on the wire.

use analytics_domain::Timestamp;
use sqlx::encode::IsNull;
use sqlx::error::BoxDynError;
use sqlx::postgres::types::Oid;
use sqlx::postgres::{PgArgumentBuffer, PgHasArrayType, PgTypeInfo, PgValueRef};
use sqlx::{Decode, Encode, Postgres, Type};

/// `timestamptz` and its array in `pg_type`: fixed numbers of every server.
const TIMESTAMPTZ: Oid = Oid(1184);
const TIMESTAMPTZ_ARRAY: Oid = Oid(1185);

/// 2000-01-01T00:00:00Z, from which PostgreSQL counts, in microseconds since 1970.
pub(super) const POSTGRES_EPOCH: i64 = 946_684_800_000_000;

/// A [`Timestamp`] as `timestamptz`: microseconds since 2000-01-01, big-endian.
#[derive(Debug, Clone, Copy)]
pub(super) struct Instant(pub(super) Timestamp);

impl Type<Postgres> for Instant {
    fn type_info() -> PgTypeInfo {
        PgTypeInfo::with_oid(TIMESTAMPTZ)
    }
}

impl PgHasArrayType for Instant {
    fn array_type_info() -> PgTypeInfo {
        PgTypeInfo::with_oid(TIMESTAMPTZ_ARRAY)
    }
}

impl Encode<'_, Postgres> for Instant {
    fn encode_by_ref(&self, buffer: &mut PgArgumentBuffer) -> Result<IsNull, BoxDynError> {
        buffer.extend_from_slice(&wire(self.0).to_be_bytes());
        Ok(IsNull::No)
    }
}

impl Decode<'_, Postgres> for Instant {
    fn decode(value: PgValueRef<'_>) -> Result<Self, BoxDynError> {
        let bytes: [u8; 8] = value.as_bytes()?.try_into()?;
        Ok(Self(from_wire(i64::from_be_bytes(bytes))))
    }
}

/// Microseconds since 2000-01-01. An instant beyond the range of `timestamptz` is refused by the server as data.
pub(super) fn wire(instant: Timestamp) -> i64 {
    instant.as_micros().saturating_sub(POSTGRES_EPOCH)
}

/// The inverse of [`wire`].
pub(super) fn from_wire(micros: i64) -> Timestamp {
    Timestamp::from_micros(micros.saturating_add(POSTGRES_EPOCH))
}

/// A UTC day as `DATE '1970-01-01' + n` takes it; a day out of range becomes one that the server refuses.
pub(super) fn date(day: i64) -> i32 {
    i32::try_from(day).unwrap_or(i32::MAX)
}

//! Quarters of an hour.

use analytics_domain::Timestamp;

const MICROS: i64 = 15 * 60 * 1_000_000;

/// A quarter of an hour, counted from 1970-01-01T00:00Z.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Quarter(pub i64);

impl Quarter {
    /// The quarter that holds an instant.
    #[must_use]
    pub const fn of(instant: Timestamp) -> Self {
        Self(instant.as_micros().div_euclid(MICROS))
    }

    /// Its first instant.
    #[must_use]
    pub const fn start(self) -> Timestamp {
        Timestamp::from_micros(self.0.saturating_mul(MICROS))
    }

    /// The first instant after it.
    #[must_use]
    pub const fn end(self) -> Timestamp {
        Self(self.0.saturating_add(1)).start()
    }

    /// The first quarter that begins at or after an instant.
    #[must_use]
    pub const fn from_or_after(instant: Timestamp) -> Self {
        Self(instant.as_micros().saturating_add(MICROS - 1).div_euclid(MICROS))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn instants_lie_in_their_quarter() {
        for micros in [0, 1, MICROS - 1, MICROS, -1, -MICROS, 1_793_613_600_000_000] {
            let instant = Timestamp::from_micros(micros);
            let quarter = Quarter::of(instant);
            assert!(quarter.start() <= instant && instant < quarter.end(), "{micros}");
        }
        assert_eq!(Quarter::from_or_after(Timestamp::from_micros(MICROS)), Quarter(1));
        assert_eq!(Quarter::from_or_after(Timestamp::from_micros(MICROS + 1)), Quarter(2));
    }
}

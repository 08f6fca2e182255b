//! When the events happened.

use analytics_domain::Timestamp;

use crate::bytes::{Corrupt, Reader, put_number};

const VERSION: u8 = 1;

/// The instants of events in their order, as steps in the largest unit that fits all of them.
pub(crate) fn encode(times: impl Iterator<Item = Timestamp> + Clone) -> Vec<u8> {
    let mut bytes = vec![VERSION];
    let Some(first) = times.clone().next() else {
        put_number(&mut bytes, 0);
        return bytes;
    };
    let steps = || {
        let next = times.clone().skip(1);
        times.clone().zip(next).map(|(from, to)| to.micros_since(from).unsigned_abs())
    };
    let unit = steps().fold(0, greatest_common_divisor).max(1);
    put_number(&mut bytes, times.clone().count() as u64);
    bytes.extend_from_slice(&first.as_micros().to_le_bytes());
    put_number(&mut bytes, unit);
    steps().for_each(|step| put_number(&mut bytes, step / unit));
    bytes
}

/// The instants, in order.
pub(crate) fn decode(bytes: &[u8]) -> Result<Vec<Timestamp>, Corrupt> {
    let mut reader = Reader::new(bytes, VERSION)?;
    let count = reader.count()?;
    if count == 0 {
        return Ok(Vec::new());
    }
    let first: [u8; 8] = reader.take(8)?.try_into().map_err(|_| Corrupt("it is cut short"))?;
    let unit = reader.number()?;
    let mut micros = i64::from_le_bytes(first);
    let mut times = Vec::with_capacity(count);
    times.push(Timestamp::from_micros(micros));
    for _ in 1..count {
        let step = reader.number()?.checked_mul(unit).and_then(|step| i64::try_from(step).ok());
        micros = step.and_then(|step| micros.checked_add(step)).ok_or(Corrupt("a step is too large"))?;
        times.push(Timestamp::from_micros(micros));
    }
    Ok(times)
}

fn greatest_common_divisor(mut a: u64, mut b: u64) -> u64 {
    while b != 0 {
        (a, b) = (b, a % b);
    }
    a
}

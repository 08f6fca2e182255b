//! A JSON object a line, as `GET /api/events` shows events.

use analytics_query::EventRecord;
use bytes::Bytes;

use super::Unwritten;

/// Writes lines.
#[derive(Debug, Default)]
pub(super) struct NdjsonWriter {
    waiting: Vec<u8>,
    taken: usize,
}

impl NdjsonWriter {
    pub(super) fn push(&mut self, event: &EventRecord) -> Result<(), Unwritten> {
        serde_json::to_writer(&mut self.waiting, event)?;
        self.waiting.push(b'\n');
        Ok(())
    }

    pub(super) const fn weight(&self) -> usize {
        self.taken + self.waiting.len()
    }

    pub(super) fn take(&mut self) -> Bytes {
        self.taken += self.waiting.len();
        std::mem::take(&mut self.waiting).into()
    }
}

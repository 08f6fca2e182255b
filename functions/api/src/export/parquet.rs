//! Parquet: columns in groups of rows, packed.
//!
//! A group is what is held in memory: it ends with [`GROUP_ROWS`] events or [`GROUP_BYTES`] of what they hold. Beside it grows the
//! file's index, about a kilobyte a group, which stands at the end of the file.

use std::io::{self, Write};
use std::mem;
use std::sync::{Arc, Mutex, PoisonError};

use analytics_query::EventRecord;
use bytes::Bytes;
use parquet::basic::Compression;
use parquet::data_type::{ByteArray, ByteArrayType, Int64Type};
use parquet::file::properties::{EnabledStatistics, WriterProperties};
use parquet::file::writer::{SerializedFileWriter, SerializedRowGroupWriter};
use parquet::schema::parser::parse_message_type;

use super::Unwritten;

/// Most events of a group.
const GROUP_ROWS: usize = 50_000;
/// About how many bytes end a group.
const GROUP_BYTES: usize = 8 << 20;
/// What an event weighs besides its texts: its id as text, its times.
const EVENT_BYTES: usize = 52;

const SCHEMA: &str = "
message event {
  REQUIRED BYTE_ARRAY id (STRING);
  REQUIRED BYTE_ARRAY session_id (STRING);
  OPTIONAL BYTE_ARRAY user_id (STRING);
  REQUIRED BYTE_ARRAY event_type (STRING);
  REQUIRED BYTE_ARRAY event_action (STRING);
  REQUIRED BYTE_ARRAY metadata (STRING);
  REQUIRED INT64 timestamp (TIMESTAMP(MICROS, true));
  REQUIRED INT64 created_at (TIMESTAMP(MICROS, true));
}";

/// Writes groups of rows.
pub(super) struct ParquetWriter {
    file: SerializedFileWriter<Sink>,
    sink: Sink,
    group: Group,
    /// What the events of all groups weigh unpacked.
    weight: usize,
}

/// The columns of the group that is being gathered.
#[derive(Default)]
struct Group {
    ids: Vec<ByteArray>,
    sessions: Vec<ByteArray>,
    /// Of those events that have one.
    users: Vec<ByteArray>,
    /// For each event 1 where it has a user, else 0.
    has_user: Vec<i16>,
    types: Vec<ByteArray>,
    actions: Vec<ByteArray>,
    metadata: Vec<ByteArray>,
    timestamps: Vec<i64>,
    created: Vec<i64>,
    bytes: usize,
}

impl ParquetWriter {
    pub(super) fn new() -> Result<Self, Unwritten> {
        let properties = WriterProperties::builder()
            .set_compression(Compression::SNAPPY)
            .set_statistics_enabled(EnabledStatistics::Chunk)
            // The index of pages would grow with the file.
            .set_offset_index_disabled(true)
            .build();
        let sink = Sink::default();
        let file =
            SerializedFileWriter::new(sink.clone(), Arc::new(parse_message_type(SCHEMA)?), Arc::new(properties))?;
        Ok(Self { file, sink, group: Group::default(), weight: 0 })
    }

    pub(super) fn push(&mut self, event: EventRecord) -> Result<(), Unwritten> {
        let before = self.group.bytes;
        self.group.push(event);
        self.weight += self.group.bytes - before;
        if self.group.ids.len() >= GROUP_ROWS || self.group.bytes >= GROUP_BYTES { self.end_group() } else { Ok(()) }
    }

    pub(super) const fn weight(&self) -> usize {
        self.weight
    }

    pub(super) fn take(&mut self) -> Bytes {
        self.sink.take()
    }

    pub(super) fn finish(mut self) -> Result<Bytes, Unwritten> {
        self.end_group()?;
        self.file.close()?;
        Ok(self.sink.take())
    }

    fn end_group(&mut self) -> Result<(), Unwritten> {
        if self.group.ids.is_empty() {
            return Ok(());
        }
        let group = mem::take(&mut self.group);
        let mut rows = self.file.next_row_group()?;
        texts(&mut rows, &group.ids, None)?;
        texts(&mut rows, &group.sessions, None)?;
        texts(&mut rows, &group.users, Some(&group.has_user))?;
        texts(&mut rows, &group.types, None)?;
        texts(&mut rows, &group.actions, None)?;
        texts(&mut rows, &group.metadata, None)?;
        instants(&mut rows, &group.timestamps)?;
        instants(&mut rows, &group.created)?;
        rows.close()?;
        Ok(self.file.flush()?)
    }
}

impl Group {
    fn push(&mut self, event: EventRecord) {
        let EventRecord { id, session_id, user_id, event_type, event_action, metadata, timestamp, created_at } = event;
        self.bytes += EVENT_BYTES + session_id.len() + user_id.as_ref().map_or(0, String::len);
        self.bytes += event_type.len() + event_action.len() + metadata.get().len();
        self.ids.push(text(id.to_string()));
        self.sessions.push(text(session_id));
        self.has_user.push(i16::from(user_id.is_some()));
        self.users.extend(user_id.map(text));
        self.types.push(text(event_type));
        self.actions.push(text(event_action));
        self.metadata.push(text(metadata.get().to_owned()));
        self.timestamps.push(timestamp.as_micros());
        self.created.push(created_at.as_micros());
    }
}

fn text(text: String) -> ByteArray {
    ByteArray::from(text.into_bytes())
}

/// Writes the next column, one of texts; `levels` says of an optional one which events have it.
fn texts(
    rows: &mut SerializedRowGroupWriter<'_, Sink>,
    values: &[ByteArray],
    levels: Option<&[i16]>,
) -> Result<(), Unwritten> {
    let mut column = rows.next_column()?.ok_or("the group has fewer columns than an event")?;
    column.typed::<ByteArrayType>().write_batch(values, levels, None)?;
    Ok(column.close()?)
}

/// Writes the next column, one of instants.
fn instants(rows: &mut SerializedRowGroupWriter<'_, Sink>, values: &[i64]) -> Result<(), Unwritten> {
    let mut column = rows.next_column()?.ok_or("the group has fewer columns than an event")?;
    column.typed::<Int64Type>().write_batch(values, None, None)?;
    Ok(column.close()?)
}

/// What the file writer has written and nobody has taken yet.
#[derive(Clone, Default)]
struct Sink(Arc<Mutex<Vec<u8>>>);

impl Sink {
    fn take(&self) -> Bytes {
        mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner)).into()
    }
}

impl Write for Sink {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

//! Rows as PostgreSQL's binary COPY takes them.
//!
//! The format is the one of the server's documentation (COPY, "Binary Format"): a header, per row the number of fields and per
//! field its length and bytes, big-endian, then a trailer.

use super::link::Link;
use super::values::wire;
use crate::settlement::{FreshRow, Key};

const KEYS: &str = "COPY event_ids (id, project) FROM STDIN (FORMAT binary)";
const ROWS: &str = "COPY raw_events (id, project, session_id, user_id, event_type, event_action, metadata, \
                         timestamp, created_at) FROM STDIN (FORMAT binary)";

/// Signature, flags, length of the header's extension.
const HEADER: &[u8] = b"PGCOPY\n\xff\r\n\0\0\0\0\0\0\0\0\0";
const TRAILER: [u8; 2] = (-1_i16).to_be_bytes();
const KEY_FIELDS: [u8; 2] = 2_i16.to_be_bytes();
const ROW_FIELDS: [u8; 2] = 9_i16.to_be_bytes();
const NULL: [u8; 4] = (-1_i32).to_be_bytes();

/// Bytes of one message: the server works on it while the next is encoded.
const PIECE: usize = 64 * 1024;

/// Sends keys into `event_ids`, in their order.
pub(super) async fn copy_keys(connection: &mut Link, keys: &[Key<'_>]) -> Result<(), sqlx::Error> {
    copy(connection, KEYS, keys, |piece, (id, project)| {
        piece.extend_from_slice(&KEY_FIELDS);
        field(piece, id.as_bytes());
        field(piece, project.as_bytes());
    })
    .await
}

/// Sends rows into `raw_events`.
pub(super) async fn copy_rows(connection: &mut Link, rows: &[FreshRow<'_>]) -> Result<(), sqlx::Error> {
    copy(connection, ROWS, rows, encode_row).await
}

async fn copy<R>(
    connection: &mut Link,
    statement: &'static str,
    rows: &[R],
    encode: impl Fn(&mut Vec<u8>, &R),
) -> Result<(), sqlx::Error> {
    let mut copy = connection.driver().copy_in_raw(statement).await?;
    let mut piece = Vec::with_capacity(PIECE + 4 * 1024);
    piece.extend_from_slice(HEADER);
    for row in rows {
        encode(&mut piece, row);
        if piece.len() >= PIECE {
            copy.send(piece.as_slice()).await?;
            piece.clear();
        }
    }
    piece.extend_from_slice(&TRAILER);
    copy.send(piece.as_slice()).await?;
    copy.finish().await.map(|_| ())
}

fn encode_row(piece: &mut Vec<u8>, row: &FreshRow<'_>) {
    let event = row.event;
    piece.extend_from_slice(&ROW_FIELDS);
    field(piece, event.id.as_bytes());
    field(piece, row.project.as_bytes());
    field(piece, event.session_id.as_bytes());
    match &event.user_id {
        Some(user) => field(piece, user.as_bytes()),
        None => piece.extend_from_slice(&NULL),
    }
    field(piece, event.event_type.as_bytes());
    field(piece, event.event_action.as_bytes());
    // Version 1 of binary `jsonb` is its text.
    length(piece, event.metadata.len() + 1);
    piece.push(1);
    piece.extend_from_slice(event.metadata.as_bytes());
    field(piece, &wire(event.timestamp).to_be_bytes());
    field(piece, &wire(row.created_at).to_be_bytes());
}

fn field(piece: &mut Vec<u8>, bytes: &[u8]) {
    length(piece, bytes.len());
    piece.extend_from_slice(bytes);
}

/// Lengths fit: a field is at most a batch, and a batch is at most some megabytes.
fn length(piece: &mut Vec<u8>, bytes: usize) {
    piece.extend_from_slice(&i32::try_from(bytes).unwrap_or(i32::MAX).to_be_bytes());
}

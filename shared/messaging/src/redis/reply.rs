//! Stream entries as the server answers them.

use bytes::Bytes;
use redis::{ErrorKind, RedisError, RedisResult, Value};

/// An entry of the queue's stream; a foreign one without our fields has an empty payload, which no processor can read.
#[derive(Debug)]
pub(super) struct QueueEntry {
    pub(super) id: String,
    pub(super) project: String,
    pub(super) events: String,
    pub(super) payload: Bytes,
}

/// An answer of another form than the command's.
pub(super) fn unexpected(what: &'static str) -> RedisError {
    RedisError::from((ErrorKind::UnexpectedReturnType, "the server's answer has an unexpected form", what.to_owned()))
}

/// The values of an array; none for nil.
pub(super) fn array(value: Value, what: &'static str) -> RedisResult<Vec<Value>> {
    match value {
        Value::Array(values) => Ok(values),
        Value::Nil => Ok(Vec::new()),
        _ => Err(unexpected(what)),
    }
}

/// A text.
pub(super) fn text(value: Value, what: &'static str) -> RedisResult<String> {
    redis::from_redis_value(value).map_err(|_| unexpected(what))
}

/// The bytes of a text, without a copy.
pub(super) fn bytes(value: Value) -> Bytes {
    match value {
        Value::BulkString(bytes) => bytes.into(),
        Value::SimpleString(text) => text.into(),
        _ => Bytes::new(),
    }
}

/// Id and fields of an entry; `None` for one that was deleted meanwhile.
pub(super) fn entry(value: Value) -> RedisResult<Option<(String, Vec<Value>)>> {
    const WHAT: &str = "a stream entry";
    if value == Value::Nil {
        return Ok(None);
    }
    let mut parts = array(value, WHAT)?.into_iter();
    let id = text(parts.next().ok_or_else(|| unexpected(WHAT))?, WHAT)?;
    match parts.next() {
        None | Some(Value::Nil) => Ok(None),
        Some(fields) => Ok(Some((id, array(fields, WHAT)?))),
    }
}

/// The entries of a `XREAD` or `XREADGROUP` answer with the stream that each belongs to.
pub(super) fn streams(value: Value) -> RedisResult<Vec<(String, Vec<Value>)>> {
    const WHAT: &str = "what was read of streams";
    let pairs: Vec<(Value, Value)> = match value {
        Value::Map(pairs) => pairs,
        other => array(other, WHAT)?
            .into_iter()
            .map(|stream| {
                let mut parts = array(stream, WHAT)?.into_iter();
                Ok((parts.next().ok_or_else(|| unexpected(WHAT))?, parts.next().ok_or_else(|| unexpected(WHAT))?))
            })
            .collect::<RedisResult<_>>()?,
    };
    pairs.into_iter().map(|(name, entries)| Ok((text(name, WHAT)?, array(entries, WHAT)?))).collect()
}

impl QueueEntry {
    /// An entry with its fields.
    pub(super) fn new(id: String, fields: Vec<Value>) -> Self {
        let mut entry = Self { id, project: String::new(), events: "0".to_owned(), payload: Bytes::new() };
        let mut fields = fields.into_iter();
        while let (Some(name), Some(value)) = (fields.next(), fields.next()) {
            let value = bytes(value);
            let as_text = |value: Bytes| String::from_utf8(value.into()).unwrap_or_default();
            match &bytes(name)[..] {
                b"p" => entry.project = as_text(value),
                b"n" => entry.events = as_text(value),
                b"d" => entry.payload = value,
                _ => {}
            }
        }
        entry
    }

    /// The entries of an array, deleted ones left out.
    pub(super) fn all(values: Vec<Value>) -> RedisResult<Vec<Self>> {
        values
            .into_iter()
            .filter_map(|value| entry(value).map(|found| found.map(|(id, fields)| Self::new(id, fields))).transpose())
            .collect()
    }
}

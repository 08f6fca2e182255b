//! Metadata: a column for each key at the top, as long as they are few, and one for the rest.

use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap};

use serde_json::value::RawValue;

use crate::segment::Column;
use crate::texts;

/// The column of what has no column of its own: JSON objects of the keys that are left.
pub const METADATA: &str = "metadata";

/// Most keys of a quarter that have a column: the most frequent ones.
const KEYS_MAX: usize = 64;

/// Longest key, in bytes, that has a column.
const KEY_BYTES: usize = 200;

type Members<'m> = BTreeMap<Cow<'m, str>, &'m RawValue>;

/// The name of a key's column; `None` where a key is too long to have one.
#[must_use]
pub fn metadata_column(key: &str) -> Option<String> {
    (key.len() <= KEY_BYTES).then(|| format!("{METADATA}.{key}"))
}

/// The columns of metadata, each a JSON object's text. What is no object has no keys.
pub(crate) fn encode<'m>(metadata: impl Iterator<Item = &'m str>) -> Vec<Column> {
    let mut members: Vec<Members<'m>> = metadata.map(read).collect();
    let mut counts: HashMap<&str, usize> = HashMap::new();
    for key in members.iter().flat_map(Members::keys) {
        *counts.entry(key).or_default() += 1;
    }
    let mut keys: Vec<(usize, &str)> = counts.into_iter().map(|(key, count)| (count, key)).collect();
    keys.sort_unstable_by(|(count, key), (other_count, other)| other_count.cmp(count).then_with(|| key.cmp(other)));
    keys.retain(|(_, key)| key.len() <= KEY_BYTES);
    keys.truncate(KEYS_MAX);
    let keys: Vec<String> = keys.into_iter().map(|(_, key)| key.to_owned()).collect();
    let mut columns = Vec::with_capacity(keys.len() + 1);
    for key in &keys {
        let Some(name) = metadata_column(key) else { continue };
        let values: Vec<Option<&RawValue>> = members.iter_mut().map(|members| members.remove(key.as_str())).collect();
        columns.push(Column { name, data: texts::encode(values.iter().map(|value| value.map(RawValue::get))) });
    }
    if members.iter().any(|members| !members.is_empty()) {
        let rest = |members: &Members<'_>| match members.is_empty() {
            true => None,
            false => serde_json::to_string(members).ok(),
        };
        let rest: Vec<Option<String>> = members.iter().map(rest).collect();
        columns.push(Column { name: METADATA.to_owned(), data: texts::encode(rest.iter().map(Option::as_deref)) });
    }
    columns
}

fn read(metadata: &str) -> Members<'_> {
    serde_json::from_str::<HashMap<KeyText<'_>, &RawValue>>(metadata)
        .map(|members| members.into_iter().map(|(key, value)| (key.0, value)).collect())
        .unwrap_or_default()
}

/// A key that borrows where it holds no escape.
#[derive(PartialEq, Eq, Hash, serde::Deserialize)]
#[serde(transparent)]
struct KeyText<'k>(#[serde(borrow)] Cow<'k, str>);

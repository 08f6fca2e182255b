//! The values of a field in a quarter: each once, and which of them each event has.

use std::borrow::Cow;
use std::collections::HashMap;
use std::rc::Rc;

use analytics_columns::{Actors, Corrupt, EVENT_ACTION, EVENT_TYPE, METADATA, Segment, Texts, metadata_column};

use crate::filter::{FieldUse, find, text_of_json};
use crate::{Field, Filter};

/// A value as it is stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum FieldValue<'s> {
    /// Nothing is there.
    Absent,
    /// The text of a field of the event itself.
    Plain(&'s str),
    /// The JSON text at a path of the metadata.
    Json(&'s str),
}

impl<'s> FieldValue<'s> {
    /// Its text, as filters and dimensions see it.
    pub(crate) fn text(self) -> Option<Cow<'s, str>> {
        match self {
            Self::Absent => None,
            Self::Plain(text) => Some(Cow::Borrowed(text)),
            Self::Json(json) => text_of_json(json),
        }
    }

    /// Its number, where it is a JSON number.
    pub(crate) fn number(self) -> Option<f64> {
        let Self::Json(json) = self else { return None };
        if json.starts_with(|c: char| c == '-' || c.is_ascii_digit()) { json.parse().ok() } else { None }
    }

    /// Whether it is there and not JSON null.
    pub(crate) fn exists(self) -> bool {
        match self {
            Self::Absent => false,
            Self::Plain(_) => true,
            Self::Json(json) => json != "null",
        }
    }
}

/// A field's values over a quarter.
#[derive(Debug, Clone)]
pub(crate) struct Values<'s> {
    /// The values; the first is [`FieldValue::Absent`].
    pub(crate) values: Vec<FieldValue<'s>>,
    /// The place of each event's value.
    pub(crate) codes: Vec<u32>,
}

/// Whether columns tell a field: names of sessions and users are not in them.
pub(crate) const fn can_be_read(field: &Field) -> bool {
    !matches!(field, Field::SessionId | Field::UserId)
}

/// The columns that a field is read from.
pub(crate) fn columns_of(field: &Field) -> Vec<String> {
    match field {
        Field::EventType => vec![EVENT_TYPE.to_owned()],
        Field::EventAction => vec![EVENT_ACTION.to_owned()],
        Field::SessionId | Field::UserId => Vec::new(),
        Field::Metadata(property) => {
            let own = property.keys().first().and_then(|key| metadata_column(key));
            own.into_iter().chain([METADATA.to_owned()]).collect()
        }
    }
}

/// The fields that a filter looks at.
pub(crate) fn fields_of(filter: &Filter) -> Vec<Field> {
    let mut used = Vec::new();
    filter.fields(&mut used);
    let field = |used: FieldUse<'_>| match used {
        FieldUse::Field(field) => Some(field.clone()),
        FieldUse::Number(property) => Some(Field::Metadata(property.clone())),
        FieldUse::Deed => None,
    };
    used.into_iter().filter_map(field).collect()
}

/// Whether columns tell all that filters look at: what people did elsewhere is not in them.
pub(crate) fn can_be_judged<'f>(filters: impl IntoIterator<Item = &'f Filter>) -> bool {
    let mut used = Vec::new();
    filters.into_iter().for_each(|filter| filter.fields(&mut used));
    used.into_iter().all(|used| match used {
        FieldUse::Field(field) => can_be_read(field),
        FieldUse::Number(_) => true,
        FieldUse::Deed => false,
    })
}

/// The fields of one quarter, each read once.
#[derive(Debug)]
pub(crate) struct Fields<'s> {
    segment: &'s Segment,
    actors: &'s Actors,
    read: HashMap<Field, Rc<Values<'s>>>,
}

impl<'s> Fields<'s> {
    pub(crate) fn new(segment: &'s Segment, actors: &'s Actors) -> Self {
        Self { segment, actors, read: HashMap::new() }
    }

    /// How many events the quarter has.
    pub(crate) const fn events(&self) -> usize {
        self.actors.events as usize
    }

    pub(crate) fn values(&mut self, field: &Field) -> Result<Rc<Values<'s>>, Corrupt> {
        if let Some(values) = self.read.get(field) {
            return Ok(Rc::clone(values));
        }
        let values = Rc::new(read(self.segment, self.actors, field)?);
        self.read.insert(field.clone(), Rc::clone(&values));
        Ok(values)
    }
}

fn read<'s>(segment: &'s Segment, actors: &Actors, field: &Field) -> Result<Values<'s>, Corrupt> {
    let found = match field {
        Field::EventType => segment.texts(actors, EVENT_TYPE)?.map(|texts| values(texts, plain)),
        Field::EventAction => segment.texts(actors, EVENT_ACTION)?.map(|texts| values(texts, plain)),
        Field::SessionId | Field::UserId => None,
        Field::Metadata(property) => {
            let (first, rest) =
                property.keys().split_first().map_or((None, [].as_slice()), |(key, rest)| (Some(key), rest));
            let own = match first.and_then(|key| metadata_column(key)) {
                Some(name) => segment.texts(actors, &name)?,
                None => None,
            };
            match own {
                Some(texts) => Some(values(texts, |json| at(rest, json))),
                None => segment.texts(actors, METADATA)?.map(|texts| values(texts, |json| at(property.keys(), json))),
            }
        }
    };
    Ok(found.unwrap_or_else(|| Values { values: vec![FieldValue::Absent], codes: vec![0; actors.events as usize] }))
}

fn values<'s>(texts: Texts<'s>, value: impl Fn(&'s str) -> FieldValue<'s>) -> Values<'s> {
    let Texts { values, codes } = texts;
    Values { values: std::iter::once(FieldValue::Absent).chain(values.into_iter().map(value)).collect(), codes }
}

fn plain(text: &str) -> FieldValue<'_> {
    FieldValue::Plain(text)
}

fn at<'s>(keys: &[String], json: &'s str) -> FieldValue<'s> {
    if keys.is_empty() {
        return FieldValue::Json(json);
    }
    find(keys, json).map_or(FieldValue::Absent, FieldValue::Json)
}

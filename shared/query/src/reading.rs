//! The members that questions of every kind share, read from JSON with the place of what is wrong.

use serde_json::{Map, Value};

use crate::{DateRange, Filter, QueryError, Zone};

/// Longest cursor that is looked at, in bytes; ours are far shorter.
const CURSOR_MAX: usize = 1_000;

/// The range of a question that names none.
pub(crate) const DATE_RANGE_DEFAULT: DateRange = DateRange::Days(7);

/// The JSON of a body.
pub(crate) fn json(body: &[u8]) -> Result<Value, QueryError> {
    serde_json::from_slice(body).map_err(|error| QueryError::invalid("", format!("expected JSON: {error}")))
}

/// The members of an object, all of them known.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Members<'v>(&'v Map<String, Value>);

/// The members of a question; an unknown one is refused by name.
pub(crate) fn members<'v>(value: &'v Value, path: &str, known: &[&str]) -> Result<Members<'v>, QueryError> {
    let Value::Object(members) = value else {
        return Err(QueryError::invalid(path, format!("expected an object with the members {}", known.join(", "))));
    };
    if let Some(unknown) = members.keys().find(|name| !known.contains(&name.as_str())) {
        let name: String = unknown.chars().take(100).collect();
        let name = if path.is_empty() { name } else { format!("{path}.{name}") };
        let message = format!("there is no such member; expected {}", known.join(", "));
        return Err(QueryError::invalid(name, message));
    }
    Ok(Members(members))
}

/// Reads the members that kinds of questions share.
pub(crate) trait Member<'v> {
    /// A member, `null` or not.
    fn get(&self, name: &str) -> Option<&'v Value>;

    /// A member that is there and not `null`.
    fn present(&self, name: &str) -> Option<&'v Value> {
        self.get(name).filter(|value| !value.is_null())
    }

    /// `date_range`.
    fn date_range(&self) -> Result<DateRange, QueryError> {
        self.get("date_range").map_or(Ok(DATE_RANGE_DEFAULT), |range| DateRange::parse(range, "date_range"))
    }

    /// `timezone`.
    fn timezone(&self) -> Result<Zone, QueryError> {
        match self.get("timezone") {
            None => Ok(Zone::utc()),
            Some(Value::String(name)) => Zone::parse(name, "timezone"),
            Some(_) => Zone::parse("", "timezone"),
        }
    }

    /// `filters`.
    fn filters(&self) -> Result<Vec<Filter>, QueryError> {
        self.get("filters").map_or(Ok(Vec::new()), |filters| Filter::parse_all(filters, "filters"))
    }

    /// `limit`.
    fn limit(&self, default: u32, most: u32) -> Result<u32, QueryError> {
        let Some(limit) = self.get("limit") else { return Ok(default) };
        let limit =
            limit.as_u64().and_then(|limit| u32::try_from(limit).ok()).filter(|limit| (1..=most).contains(limit));
        limit.ok_or_else(|| QueryError::invalid("limit", format!("expected a whole number from 1 to {most}")))
    }

    /// `cursor`.
    fn cursor(&self) -> Result<Option<String>, QueryError> {
        match self.present("cursor") {
            None => Ok(None),
            Some(Value::String(cursor)) if cursor.len() <= CURSOR_MAX => Ok(Some(cursor.clone())),
            Some(Value::String(_)) => Err(QueryError::cursor("the text is no cursor of an answer")),
            Some(_) => Err(QueryError::invalid("cursor", "expected the text next_cursor of an answer, or null")),
        }
    }
}

impl<'v> Member<'v> for Members<'v> {
    fn get(&self, name: &str) -> Option<&'v Value> {
        self.0.get(name)
    }
}

//! Filters: which events a question is about.
//!
//! A filter is true or false for one event, never unknown:
//! - text operators compare the field's text: strings as they are, JSON numbers and booleans as they are stored (`10`,
//!   `10.5`, `true`); bytes are compared, or, with `{"case_sensitive":false}`, bytes with `A`-`Z` taken as `a`-`z` (other
//!   letters keep their case, so that every store agrees);
//! - an absent value (no `user_id`, nothing at the path, JSON null), an object and an array have no text: `is`, `contains`,
//!   `starts_with` and `matches` do not hold there, `is_not` and `not_contains` do;
//! - `gt gte lt lte between` see JSON numbers in metadata only, as doubles; elsewhere they do not hold;
//! - `exists` holds for whatever is not absent, objects and arrays too;
//! - several values of one filter are alternatives: `is_not` and `not_contains` hold where none of them fits;
//! - `has_done` holds for every event of a person who has one event in the question's range (in what the retention leaves of
//!   it; where a question compares, each range for itself) for which all the filters in it hold; `has_not_done` for every
//!   event of all other persons. One event in memory does not tell what else a person did: see [`EventFilters`].

mod evaluation;
mod parsing;
mod sql;

use serde_json::{Value, json};

use crate::{Field, Property};

pub use evaluation::EventFilters;
pub(crate) use evaluation::{find, number_holds, text_holds, text_of_json};
pub use parsing::{DEEDS_MAX, DEPTH_MAX, FILTERS_MAX, TEXT_MAX, VALUES_MAX};
pub(crate) use parsing::{Limits, parse_list, text_value};
pub(crate) use sql::{Columns, Filtered};

/// A condition on one event.
#[derive(Debug, Clone, PartialEq)]
pub enum Filter {
    /// All of them hold.
    And(Vec<Filter>),
    /// One of them holds.
    Or(Vec<Filter>),
    /// It does not hold.
    Not(Box<Filter>),
    /// The field's text compares with one of the values; the negative operators: with none.
    Text {
        /// How.
        operator: TextOperator,
        /// What.
        field: Field,
        /// With what; at least one.
        values: Vec<String>,
        /// Whether `A` and `a` are two letters.
        case_sensitive: bool,
    },
    /// The number at the path compares with one of the values.
    Number {
        /// How.
        operator: NumberOperator,
        /// Where.
        property: Property,
        /// With what; at least one, and exactly two for `between`.
        values: Vec<f64>,
    },
    /// The field is there.
    Exists {
        /// Which.
        field: Field,
        /// `false` for `not_exists`.
        there: bool,
    },
    /// The event's person has one event in the question's range for which all of these hold.
    Deed {
        /// What holds for that event; at least one, and no deed among them.
        filters: Vec<Filter>,
        /// `false` for `has_not_done`.
        done: bool,
    },
}

/// How texts compare.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum TextOperator {
    /// The same text.
    Is,
    /// Another text, or none.
    IsNot,
    /// The value is part of the text.
    Contains,
    /// The value is not part of the text, or there is none.
    NotContains,
    /// The text begins with the value.
    StartsWith,
    /// The value is a pattern over the whole text, see [`crate::glob`].
    Matches,
}

/// How numbers compare.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum NumberOperator {
    /// Greater.
    Gt,
    /// Greater or equal.
    Gte,
    /// Less.
    Lt,
    /// Less or equal.
    Lte,
    /// From the first value to the second, both included.
    Between,
}

impl TextOperator {
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Is => "is",
            Self::IsNot => "is_not",
            Self::Contains => "contains",
            Self::NotContains => "not_contains",
            Self::StartsWith => "starts_with",
            Self::Matches => "matches",
        }
    }

    fn parse(name: &str) -> Option<Self> {
        let all = [Self::Is, Self::IsNot, Self::Contains, Self::NotContains, Self::StartsWith, Self::Matches];
        all.into_iter().find(|operator| operator.name() == name)
    }

    /// The operator without its negation, and whether it was negated.
    pub(crate) const fn positive(self) -> (Self, bool) {
        match self {
            Self::IsNot => (Self::Is, true),
            Self::NotContains => (Self::Contains, true),
            other => (other, false),
        }
    }
}

impl NumberOperator {
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Gt => "gt",
            Self::Gte => "gte",
            Self::Lt => "lt",
            Self::Lte => "lte",
            Self::Between => "between",
        }
    }

    fn parse(name: &str) -> Option<Self> {
        let all = [Self::Gt, Self::Gte, Self::Lt, Self::Lte, Self::Between];
        all.into_iter().find(|operator| operator.name() == name)
    }
}

impl Filter {
    /// The filter as it is written in questions, in one form: all values of text operators as texts.
    #[must_use]
    pub fn to_json(&self) -> Value {
        match self {
            Self::And(filters) => json!(["and", filters.iter().map(Self::to_json).collect::<Vec<_>>()]),
            Self::Or(filters) => json!(["or", filters.iter().map(Self::to_json).collect::<Vec<_>>()]),
            Self::Not(filter) => json!(["not", filter.to_json()]),
            Self::Text { operator, field, values, case_sensitive: true } => {
                json!([operator.name(), field.to_string(), values])
            }
            Self::Text { operator, field, values, case_sensitive: false } => {
                json!([operator.name(), field.to_string(), values, { "case_sensitive": false }])
            }
            Self::Number { operator, property, values } => json!([operator.name(), property.to_string(), values]),
            Self::Exists { field, there: true } => json!(["exists", field.to_string()]),
            Self::Exists { field, there: false } => json!(["not_exists", field.to_string()]),
            Self::Deed { filters, done } => {
                let name = if *done { "has_done" } else { "has_not_done" };
                json!([name, filters.iter().map(Self::to_json).collect::<Vec<_>>()])
            }
        }
    }

    /// Every field that the filter looks at.
    pub(crate) fn fields<'f>(&'f self, found: &mut Vec<FieldUse<'f>>) {
        match self {
            Self::And(filters) | Self::Or(filters) => filters.iter().for_each(|filter| filter.fields(found)),
            Self::Not(filter) => filter.fields(found),
            Self::Text { field, .. } | Self::Exists { field, .. } => found.push(FieldUse::Field(field)),
            Self::Number { property, .. } => found.push(FieldUse::Number(property)),
            Self::Deed { .. } => found.push(FieldUse::Deed),
        }
    }
}

/// A field that a filter looks at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum FieldUse<'f> {
    /// Its text, or whether it is there.
    Field(&'f Field),
    /// The number at a path.
    Number(&'f Property),
    /// What the person did.
    Deed,
}

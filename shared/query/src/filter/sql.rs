//! Filters as SQL: an expression that is true or false for every row, never NULL, so that `NOT` is its opposite.

use super::{Filter, NumberOperator, TextOperator};
use crate::sql::Sql;
use crate::{Dialect, Field, Param, glob};

/// What the fields of an event are called where a statement reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Columns {
    /// `raw_events e`.
    Raw,
    /// `daily_metrics e`, whose `dimension_value` is the one field that is asked about.
    Rollup,
}

/// Writes filters into a statement.
pub(crate) trait Filtered {
    /// The expression of one filter.
    fn filter(&mut self, filter: &Filter, columns: Columns) -> String;

    /// The text of a field, NULL where it has none.
    fn field(&mut self, field: &Field, columns: Columns) -> String;
}

impl Filtered for Sql {
    fn filter(&mut self, filter: &Filter, columns: Columns) -> String {
        match filter {
            Filter::And(filters) => self.joined(filters, " AND ", columns),
            Filter::Or(filters) => self.joined(filters, " OR ", columns),
            Filter::Not(filter) => format!("NOT {}", self.filter(filter, columns)),
            Filter::Text { operator, field, values, case_sensitive } => {
                let (operator, negated) = operator.positive();
                let text = self.field(field, columns);
                let holds = self.text_holds(operator, &text, values, *case_sensitive);
                let holds = match field {
                    Field::EventType | Field::EventAction | Field::SessionId => format!("({holds})"),
                    // An index on the column can still be used.
                    Field::UserId => format!("({text} IS NOT NULL AND ({holds}))"),
                    Field::Metadata(_) => format!("COALESCE({holds}, FALSE)"),
                };
                if negated { format!("NOT {holds}") } else { holds }
            }
            Filter::Number { operator, property, values } => {
                let number = self.property_number(property);
                let holds = self.number_holds(*operator, &number, values);
                format!("COALESCE({holds}, FALSE)")
            }
            Filter::Exists { field, there } => {
                let holds = match field {
                    Field::EventType | Field::EventAction | Field::SessionId => "TRUE".to_owned(),
                    Field::UserId => "(e.user_id IS NOT NULL)".to_owned(),
                    Field::Metadata(property) => self.property_exists(property),
                };
                if *there { holds } else { format!("NOT {holds}") }
            }
            Filter::Deed { filters, done } => {
                let holds = self.has_done(filters);
                if *done { holds } else { format!("NOT {holds}") }
            }
        }
    }

    fn field(&mut self, field: &Field, columns: Columns) -> String {
        match (field, columns) {
            (Field::Metadata(property), _) => self.property_text(property),
            (_, Columns::Rollup) => "e.dimension_value".to_owned(),
            (Field::EventType, Columns::Raw) => "e.event_type".to_owned(),
            (Field::EventAction, Columns::Raw) => "e.event_action".to_owned(),
            (Field::UserId, Columns::Raw) => "e.user_id".to_owned(),
            (Field::SessionId, Columns::Raw) => "e.session_id".to_owned(),
        }
    }
}

impl Sql {
    fn joined(&mut self, filters: &[Filter], joint: &str, columns: Columns) -> String {
        let all: Vec<String> = filters.iter().map(|filter| self.filter(filter, columns)).collect();
        format!("({})", all.join(joint))
    }

    fn text_holds(&mut self, operator: TextOperator, text: &str, values: &[String], case_sensitive: bool) -> String {
        let folded: Vec<String>;
        let (text, values) = if case_sensitive {
            (text.to_owned(), values)
        } else {
            folded = values.iter().map(|value| value.to_ascii_lowercase()).collect();
            // Of the letters, only A to Z: SQLite knows no others, and COLLATE "C" makes PostgreSQL agree.
            let lowered = match self.dialect() {
                Dialect::Postgres => format!("lower(({text}) COLLATE \"C\")"),
                Dialect::Sqlite => format!("lower({text})"),
            };
            (lowered, folded.as_slice())
        };
        if operator == TextOperator::Is {
            if let [value] = values {
                let value = self.text(value);
                return format!("{text} = {value}");
            }
            let values = self.bind(Param::Texts(values.to_vec()));
            return match self.dialect() {
                Dialect::Postgres => format!("{text} = ANY ({values})"),
                Dialect::Sqlite => format!("{text} IN (SELECT value FROM json_each({values}))"),
            };
        }
        if self.dialect() == Dialect::Postgres && values.len() > 1 {
            // One look at the text for all values: each look takes the metadata apart.
            let patterns = values.iter().map(|value| like_pattern(operator, value)).collect();
            let patterns = self.bind(Param::Texts(patterns));
            return format!("{text} LIKE ANY ({patterns})");
        }
        let all: Vec<String> = values.iter().map(|value| self.one_text_holds(operator, &text, value)).collect();
        all.join(" OR ")
    }

    fn one_text_holds(&mut self, operator: TextOperator, text: &str, value: &str) -> String {
        match (operator, self.dialect()) {
            (TextOperator::Is | TextOperator::IsNot, _) => {
                let value = self.text(value);
                format!("{text} = {value}")
            }
            (TextOperator::Contains | TextOperator::NotContains, Dialect::Postgres) => {
                let value = self.text(value);
                format!("strpos({text}, {value}) > 0")
            }
            (TextOperator::Contains | TextOperator::NotContains, Dialect::Sqlite) => {
                let value = self.text(value);
                format!("instr({text}, {value}) > 0")
            }
            (TextOperator::StartsWith, Dialect::Postgres) => {
                let value = self.text(value);
                format!("starts_with({text}, {value})")
            }
            (TextOperator::StartsWith, Dialect::Sqlite) => {
                let value = self.text(value);
                format!("substr({text}, 1, length({value})) = {value}")
            }
            (TextOperator::Matches, Dialect::Postgres) => {
                let pattern = self.text(&glob::to_like(value));
                format!("{text} LIKE {pattern}")
            }
            (TextOperator::Matches, Dialect::Sqlite) => {
                let pattern = self.text(&glob::to_sqlite(value));
                format!("{text} GLOB {pattern}")
            }
        }
    }

    fn number_holds(&mut self, operator: NumberOperator, number: &str, values: &[f64]) -> String {
        let sign = match operator {
            NumberOperator::Gt => ">",
            NumberOperator::Gte => ">=",
            NumberOperator::Lt => "<",
            NumberOperator::Lte => "<=",
            NumberOperator::Between => {
                let ends: Vec<String> = values.iter().map(|value| self.bind(Param::Float(*value))).collect();
                return format!("{number} BETWEEN {}", ends.join(" AND "));
            }
        };
        let all: Vec<String> = values
            .iter()
            .map(|value| self.bind(Param::Float(*value)))
            .map(|value| format!("{number} {sign} {value}"))
            .collect();
        all.join(" OR ")
    }
}

/// The pattern for PostgreSQL's `LIKE` of a value.
fn like_pattern(operator: TextOperator, value: &str) -> String {
    match operator {
        TextOperator::Matches => glob::to_like(value),
        TextOperator::Contains | TextOperator::NotContains => format!("%{}%", glob::literal_like(value)),
        TextOperator::StartsWith => format!("{}%", glob::literal_like(value)),
        TextOperator::Is | TextOperator::IsNot => glob::literal_like(value),
    }
}

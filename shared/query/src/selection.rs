//! One range of a question, ready to be selected: where from, in which buckets, and the statement.

use analytics_domain::timestamp::{MICROS_PER_DAY, civil_from_days};
use analytics_domain::{Project, Timestamp};

use crate::columns::{self, Counted, Counting};
use crate::filter::{Columns, FieldUse, Filtered as _};
use crate::plan::ROW_BUDGET;
use crate::sql::Sql;
use crate::tally::Tally;
use crate::{Buckets, Dialect, Dimension, Field, Interval, Param, Question, Range, Statement};

/// The `dimension_value` of `daily_metrics` under which a day counts the values that have no row of their own.
pub const OTHER_VALUE: &str = "__other__";

/// What a range is selected from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum From {
    /// `raw_events`.
    Raw,
    /// `daily_metrics`, by this dimension.
    Rollup(Option<Field>),
    /// `event_columns`, and raw rows where they have changed since.
    Columns(Vec<Counted>),
}

/// A range and its buckets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Selection {
    /// What is selected: within the retention, and not beyond where events can lie.
    pub(crate) range: Range,
    /// The buckets of the whole range, where there is a dimension of time.
    pub(crate) buckets: Option<Buckets>,
    /// From where.
    pub(crate) from: From,
}

impl Selection {
    pub(crate) fn new(
        question: &Question,
        tally: &Tally,
        range: Range,
        buckets: Option<Buckets>,
        has_columns: bool,
    ) -> Self {
        let from = match source(question, tally, range) {
            From::Raw if has_columns => from_columns(question, tally).map_or(From::Raw, From::Columns),
            other => other,
        };
        Self { range, buckets, from }
    }

    /// The same from raw rows, where this is from columns.
    pub(crate) fn without_columns(&self) -> Self {
        let from = match &self.from {
            From::Columns(_) => From::Raw,
            other => other.clone(),
        };
        Self { from, ..self.clone() }
    }

    /// The same where days were found to count some values together: of columns or, where they cannot be read, of raw rows.
    pub(crate) fn without_values_of_days(mut self, question: &Question, tally: &Tally, has_columns: bool) -> Self {
        if self.is_by_values_of_days() {
            let columns = if has_columns { from_columns(question, tally) } else { None };
            self.from = columns.map_or(From::Raw, From::Columns);
        }
        self
    }

    /// Whether the range is selected from what days count by value.
    pub(crate) const fn is_by_values_of_days(&self) -> bool {
        matches!(self.from, From::Rollup(Some(_)))
    }

    /// The statements: [`Selection::statement`] alone; behind [`Selection::values_counted_together`], where that is asked; or
    /// those of [`crate::columns`].
    pub(crate) fn statements(
        &self,
        question: &Question,
        tally: &Tally,
        project: &Project,
        dialect: Dialect,
    ) -> Vec<Statement> {
        if let Some(counting) = self.counting(question) {
            return columns::statements(project, self.range, &counting, dialect).into();
        }
        let statement = self.statement(question, tally, project, dialect);
        match &self.from {
            From::Rollup(Some(field)) => vec![self.values_counted_together(field, project, dialect), statement],
            _ => vec![statement],
        }
    }

    /// What is counted over columns, where they are read.
    pub(crate) fn counting(&self, question: &Question) -> Option<Counting> {
        let From::Columns(counted) = &self.from else { return None };
        let fields = question.dimensions.iter().filter_map(|dimension| match dimension {
            Dimension::Field(field) => Some(field.clone()),
            Dimension::Time(_) => None,
        });
        Some(Counting::new(self.range, self.buckets.clone(), fields.collect(), &question.filters, counted.clone()))
    }

    /// The statement. A row's cells: the bucket's index, where there are buckets; the text of each other dimension; the
    /// aggregates of the tally. Groups without an event have no row.
    pub(crate) fn statement(
        &self,
        question: &Question,
        tally: &Tally,
        project: &Project,
        dialect: Dialect,
    ) -> Statement {
        let mut sql = Sql::new(dialect, project, self.range);
        let (columns, time) = match (&self.from, dialect) {
            (From::Raw | From::Columns(_), _) => (Columns::Raw, "e.timestamp"),
            (From::Rollup(_), Dialect::Postgres) => (Columns::Rollup, "(e.date::timestamp AT TIME ZONE 'UTC')"),
            (From::Rollup(_), Dialect::Sqlite) => (Columns::Rollup, "(unixepoch(e.date) * 1000000)"),
        };
        let mut groups = Vec::new();
        if let Some(buckets) = &self.buckets {
            groups.push(sql.bucket(buckets, time));
        }
        for dimension in &question.dimensions {
            if let Dimension::Field(field) = dimension {
                groups.push(sql.field(field, columns));
            }
        }
        let numbers: Vec<String> = (1..=groups.len()).map(|number| number.to_string()).collect();
        let mut text = match &self.from {
            From::Raw | From::Columns(_) if tally.needs_ranks(dialect) => ranked(&mut sql, question, tally, groups),
            From::Raw | From::Columns(_) => {
                groups.extend(tally.columns(&mut sql));
                raw(&mut sql, question, &groups)
            }
            From::Rollup(field) => {
                groups.push("CAST(COALESCE(sum(e.value), 0) AS bigint)".to_owned());
                let mut conditions = self.of_days(&mut sql, project, field.as_ref());
                conditions.extend(question.filters.iter().map(|filter| sql.filter(filter, columns)));
                format!("SELECT {}\nFROM daily_metrics e\nWHERE {}", groups.join(", "), conditions.join("\n  AND "))
            }
        };
        if !numbers.is_empty() {
            text.push_str("\nGROUP BY ");
            text.push_str(&numbers.join(", "));
            if matches!(self.from, From::Rollup(_)) {
                // A day whose events were all erased has a row of zero.
                text.push_str("\nHAVING sum(e.value) > 0");
            }
            text.push_str(&format!("\nLIMIT {}", ROW_BUDGET + 1));
        }
        sql.finish(text)
    }

    /// A row where some day of the range counts values of the field together. Each day is looked up by its key, and `CROSS JOIN`
    /// keeps SQLite to that: the rows of a range are many.
    fn values_counted_together(&self, field: &Field, project: &Project, dialect: Dialect) -> Statement {
        let mut sql = Sql::new(dialect, project, self.range);
        let from = sql.bind(Param::Text(utc_date(self.range.from)));
        let to = sql.bind(Param::Text(utc_date(self.range.to)));
        let (days, date) = match dialect {
            Dialect::Postgres => (
                format!(
                    "SELECT generate_series({from}::date::timestamp, {to}::date - INTERVAL '1 day', INTERVAL '1 day')"
                ),
                "d.date::date",
            ),
            Dialect::Sqlite => (
                format!(
                    "SELECT {from} WHERE {from} < {to}\n  \
                     UNION ALL SELECT date(d.date, '1 day') FROM d WHERE date(d.date, '1 day') < {to}"
                ),
                "d.date",
            ),
        };
        let conditions = [
            format!("e.project = {}", sql.text(project.as_str())),
            format!("e.date = {date}"),
            format!("e.metric_name = {}", sql.text("events")),
            format!("e.dimension_key = {}", sql.text(&field.to_string())),
            format!("e.dimension_value = {}", sql.text(OTHER_VALUE)),
        ];
        sql.finish(format!(
            "WITH RECURSIVE d (date) AS (\n  {days}\n)\nSELECT 1\nFROM d CROSS JOIN daily_metrics e\nWHERE {}\nLIMIT 1",
            conditions.join("\n  AND ")
        ))
    }

    /// The conditions on `daily_metrics e`.
    fn of_days(&self, sql: &mut Sql, project: &Project, field: Option<&Field>) -> Vec<String> {
        let key = field.map(ToString::to_string).unwrap_or_default();
        let cast = if sql.dialect() == Dialect::Postgres { "::date" } else { "" };
        vec![
            format!("e.project = {}", sql.text(project.as_str())),
            format!("e.date >= {}{cast}", sql.bind(Param::Text(utc_date(self.range.from)))),
            format!("e.date < {}{cast}", sql.bind(Param::Text(utc_date(self.range.to)))),
            format!("e.metric_name = {}", sql.text("events")),
            format!("e.dimension_key = {}", sql.text(&key)),
        ]
    }
}

/// These columns of the events that pass.
fn raw(sql: &mut Sql, question: &Question, columns: &[String]) -> String {
    let mut conditions = sql.in_range();
    conditions.extend(question.filters.iter().map(|filter| sql.filter(filter, Columns::Raw)));
    format!("SELECT {}\nFROM {}\nWHERE {}", columns.join(", "), sql.events(), conditions.join("\n  AND "))
}

/// The same rows in steps: what is aggregated, then the rank of each number within its group, then the aggregates.
fn ranked(sql: &mut Sql, question: &Question, tally: &Tally, groups: Vec<String>) -> String {
    let steps = tally.steps(sql);
    let names: Vec<String> = (0..groups.len()).map(|number| format!("g{number}")).collect();
    let mut columns: Vec<String> =
        groups.iter().zip(&names).map(|(group, name)| format!("{group} AS {name}")).collect();
    columns.extend(steps.arguments);
    let events = raw(sql, question, &columns);
    let partition = if names.is_empty() { String::new() } else { format!("PARTITION BY {} ", names.join(", ")) };
    let (mut ranks, mut windows) = (Vec::new(), Vec::new());
    for number in 0..steps.ranked {
        ranks.push(format!("row_number() OVER w{number} AS r{number}, count(v{number}) OVER w{number} AS n{number}"));
        // What is no number comes behind the numbers. One frame for both makes it one pass.
        windows.push(format!(
            "w{number} AS ({partition}ORDER BY v{number} NULLS LAST \
             ROWS BETWEEN UNBOUNDED PRECEDING AND UNBOUNDED FOLLOWING)"
        ));
    }
    let selected: Vec<String> = names.into_iter().chain(steps.aggregates).collect();
    format!(
        "SELECT {}\nFROM (\nSELECT *, {}\nFROM (\n{events}\n)\nWINDOW {}\n)",
        selected.join(", "),
        ranks.join(", "),
        windows.join(", ")
    )
}

/// Whether the counts of whole UTC days answer the question over the range, and by which dimension.
fn source(question: &Question, tally: &Tally, range: Range) -> From {
    let whole_days = range.from.as_micros() % MICROS_PER_DAY == 0 && range.to.as_micros() % MICROS_PER_DAY == 0;
    if !tally.is_events_only() || !whole_days || !question.timezone.is_utc_between(range.from, range.to) {
        return From::Raw;
    }
    let mut fields: Vec<&Field> = Vec::new();
    for dimension in &question.dimensions {
        match dimension {
            Dimension::Time(Interval::Minute | Interval::Hour) => return From::Raw,
            Dimension::Time(_) => {}
            Dimension::Field(field) => fields.push(field),
        }
    }
    let mut used = Vec::new();
    question.filters.iter().for_each(|filter| filter.fields(&mut used));
    for used in used {
        match used {
            FieldUse::Field(field) => fields.push(field),
            FieldUse::Number(_) | FieldUse::Deed => return From::Raw,
        }
    }
    fields.dedup();
    match fields.as_slice() {
        [] => From::Rollup(None),
        [field @ (Field::EventType | Field::EventAction), rest @ ..] if rest.iter().all(|other| other == field) => {
            From::Rollup(Some((*field).clone()))
        }
        _ => From::Raw,
    }
}

/// The aggregates, where columns tell all that the question is about.
fn from_columns(question: &Question, tally: &Tally) -> Option<Vec<Counted>> {
    let readable = columns::can_be_judged(&question.filters)
        && question.dimensions.iter().all(|dimension| match dimension {
            Dimension::Field(field) => columns::can_be_read(field),
            Dimension::Time(_) => true,
        });
    readable.then(|| tally.counted())
}

/// The UTC date of an instant, `2026-11-02`.
fn utc_date(instant: Timestamp) -> String {
    let (year, month, day) = civil_from_days(instant.utc_day());
    format!("{year:04}-{month:02}-{day:02}")
}

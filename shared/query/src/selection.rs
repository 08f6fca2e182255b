//! One range of a question, ready to be selected: where from, in which buckets, and the statement.

use analytics_domain::timestamp::{MICROS_PER_DAY, civil_from_days};
use analytics_domain::{Project, Timestamp};

use crate::columns::{self, Counted, Counting};
use crate::filter::{Columns, FieldUse, Filtered as _};
use crate::plan::ROW_BUDGET;
use crate::sql::Sql;
use crate::tally::Tally;
use crate::{Actor, Buckets, Dialect, Dimension, Field, Interval, Param, Question, Range, Statement};

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

    /// The statements, one or more; see [`Selection::statement`] for the rows of one, [`crate::columns`] for those of several.
    pub(crate) fn statements(
        &self,
        question: &Question,
        tally: &Tally,
        project: &Project,
        dialect: Dialect,
    ) -> Vec<Statement> {
        match self.counting(question) {
            None => vec![self.statement(question, tally, project, dialect)],
            Some(counting) => columns::statements(project, self.range, &counting.columns(), dialect).into(),
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
        let mut sql = Sql::new(dialect);
        let (columns, time) = match (&self.from, dialect) {
            (From::Raw | From::Columns(_), _) => (Columns::Raw, "e.timestamp"),
            (From::Rollup(_), Dialect::Postgres) => (Columns::Rollup, "(e.date::timestamp AT TIME ZONE 'UTC')"),
            (From::Rollup(_), Dialect::Sqlite) => (Columns::Rollup, "unixepoch(e.date) * 1000000"),
        };
        let mut selected = Vec::new();
        if let Some(buckets) = &self.buckets {
            let time = if columns == Columns::Rollup && dialect == Dialect::Sqlite {
                format!("({time})")
            } else {
                time.to_owned()
            };
            selected.push(sql.bucket(buckets, &time));
        }
        for dimension in &question.dimensions {
            if let Dimension::Field(field) = dimension {
                selected.push(sql.field(field, columns));
            }
        }
        let groups = selected.len();
        let tables = match &self.from {
            From::Raw | From::Columns(_) => {
                selected.extend(tally.columns(&mut sql));
                if tally.needs_persons() { Actor::Person.tables() } else { Actor::Session.tables() }
            }
            From::Rollup(_) => {
                selected.push("CAST(COALESCE(sum(e.value), 0) AS bigint)".to_owned());
                "daily_metrics e".to_owned()
            }
        };
        let mut conditions = self.conditions(&mut sql, project);
        conditions.extend(question.filters.iter().map(|filter| sql.filter(filter, columns)));
        let mut text = format!("SELECT {}\nFROM {tables}\nWHERE {}", selected.join(", "), conditions.join("\n  AND "));
        if groups > 0 {
            let numbers: Vec<String> = (1..=groups).map(|number| number.to_string()).collect();
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

    fn conditions(&self, sql: &mut Sql, project: &Project) -> Vec<String> {
        let mut conditions = vec![format!("e.project = {}", sql.text(project.as_str()))];
        match &self.from {
            From::Raw | From::Columns(_) => {
                conditions.push(format!("e.timestamp >= {}", sql.instant(self.range.from)));
                conditions.push(format!("e.timestamp < {}", sql.instant(self.range.to)));
            }
            From::Rollup(field) => {
                let key = field.as_ref().map(ToString::to_string).unwrap_or_default();
                let cast = if sql.dialect() == Dialect::Postgres { "::date" } else { "" };
                conditions.push(format!("e.date >= {}{cast}", sql.bind(Param::Text(utc_date(self.range.from)))));
                conditions.push(format!("e.date < {}{cast}", sql.bind(Param::Text(utc_date(self.range.to)))));
                conditions.push(format!("e.metric_name = {}", sql.text("events")));
                conditions.push(format!("e.dimension_key = {}", sql.text(&key)));
            }
        }
        conditions
    }
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
            FieldUse::Number(_) => return From::Raw,
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
    let mut used = Vec::new();
    question.filters.iter().for_each(|filter| filter.fields(&mut used));
    let readable = used.iter().all(|used| match used {
        FieldUse::Field(field) => columns::can_be_read(field),
        FieldUse::Number(_) => true,
    }) && question.dimensions.iter().all(|dimension| match dimension {
        Dimension::Field(field) => columns::can_be_read(field),
        Dimension::Time(_) => true,
    });
    if readable { tally.counted() } else { None }
}

/// The UTC date of an instant, `2026-11-02`.
fn utc_date(instant: Timestamp) -> String {
    let (year, month, day) = civil_from_days(instant.utc_day());
    format!("{year:04}-{month:02}-{day:02}")
}

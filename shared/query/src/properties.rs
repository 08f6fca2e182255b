//! Which properties events have: `GET /api/properties`.
//!
//! Looks at the newest [`SAMPLE`] events of the range that pass the filters, so that it stays quick however much is stored.
//! Objects are walked into, arrays are not; JSON null counts as absent.

use std::collections::BTreeMap;

use analytics_domain::{Project, Timestamp};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::cursor::Resolved;
use crate::event_record::text;
use crate::filter::{Columns, Filtered as _, text_value};
use crate::intake::{Gathered, Gathering};
use crate::plan::{ROW_BUDGET, cache_key, kept, resolve, warn_of_cut, within};
use crate::question::{LIMIT_DEFAULT, LIMIT_MAX};
use crate::reading::{Member as _, members};
use crate::sql::Sql;
use crate::{
    Askable, Cell, Context, DateRange, Dialect, Executable, Filter, Property, QueryError, Range, Row, Statement,
    Warning, Zone,
};

/// How many events are looked at.
pub const SAMPLE: usize = 10_000;

/// Longest example, in characters; a longer value is cut.
const EXAMPLE_MAX: usize = 100;

const MEMBERS: [&str; 5] = ["date_range", "timezone", "filters", "search", "limit"];

/// Which properties are asked for.
///
/// As JSON: `date_range`, `timezone`, `filters`, `search` (a part of the name, `A`-`Z` taken as `a`-`z`) and `limit`.
#[derive(Debug, Clone, PartialEq)]
pub struct PropertiesQuestion {
    /// The range.
    pub date_range: DateRange,
    /// The zone whose days are meant.
    pub timezone: Zone,
    /// Which events are looked at: those for which all hold.
    pub filters: Vec<Filter>,
    /// What the property's name contains.
    pub search: Option<String>,
    /// How many properties at most.
    pub limit: u32,
}

impl PropertiesQuestion {
    /// Reads a question.
    ///
    /// # Errors
    /// [`QueryError`] with the place of what is wrong and what is allowed there.
    pub fn from_json(value: &Value) -> Result<Self, QueryError> {
        let members = members(value, "", &MEMBERS)?;
        let search = members.present("search").map(|search| text_value(search, "search"));
        Ok(Self {
            date_range: members.date_range()?,
            timezone: members.timezone()?,
            filters: members.filters()?,
            search: search.transpose()?,
            limit: members.limit(LIMIT_DEFAULT, LIMIT_MAX)?,
        })
    }
}

/// What properties there are.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PropertiesAnswer {
    /// The properties: those of most events first, of equal counts by name.
    pub results: Vec<PropertyRecord>,
    /// How the answer came about.
    pub meta: PropertiesMeta,
    /// The question, in one form and with absolute instants.
    pub query: PropertiesQuery,
}

/// A property.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PropertyRecord {
    /// Its path, as dimensions, filters and metrics take it: `metadata.a.b`.
    pub name: String,
    /// In how many of the events looked at it is there.
    pub count: u64,
    /// The same by the type of its value: `string`, `number`, `boolean`, `object`, `array`.
    pub types: BTreeMap<String, u64>,
    /// The least and the greatest of its texts, numbers and booleans, as texts of at most 100 characters.
    pub examples: Vec<String>,
}

/// How a list of properties came about.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PropertiesMeta {
    /// How many events were looked at: the newest of the range, at most [`SAMPLE`].
    pub events_read: u64,
    /// How many properties were found, the limit left out of account.
    pub total_rows: u64,
    /// When the newest stored event was received.
    pub fresh_as_of: Option<Timestamp>,
    /// Whether the answer was computed for an earlier question, at most 5 s ago.
    pub cached: bool,
    /// How long it took to answer, in milliseconds.
    pub took_ms: u64,
    /// What the reader should know.
    pub warnings: Vec<Warning>,
}

/// A [`PropertiesQuestion`] in its one form.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PropertiesQuery {
    /// The first instant of the range and its end, which is not part of it, with the zone's offset.
    pub date_range: [String; 2],
    /// The IANA name of the zone.
    pub timezone: String,
    /// The filters, all of which hold.
    pub filters: Vec<Value>,
    /// What the names contain.
    pub search: Option<String>,
    /// How many properties at most.
    pub limit: u32,
}

/// A planned [`PropertiesQuestion`].
#[derive(Debug, Clone, PartialEq)]
pub struct PropertiesPlan {
    question: PropertiesQuestion,
    project: Project,
    newest_receipt: Option<Timestamp>,
    resolved: Resolved,
    range: Range,
    query: PropertiesQuery,
    warnings: Vec<Warning>,
}

impl Askable for PropertiesQuestion {
    type Plan = PropertiesPlan;

    fn plan(&self, context: &Context) -> Result<PropertiesPlan, QueryError> {
        let zone = &self.timezone;
        let resolved = resolve(self.date_range, None, zone, context);
        let mut warnings = Vec::new();
        warn_of_cut(resolved.range, "the range", context, &mut warnings);
        let shown = kept(resolved.range, context);
        let query = PropertiesQuery {
            date_range: [zone.write(shown.from), zone.write(shown.to)],
            timezone: zone.name().to_owned(),
            filters: self.filters.iter().map(Filter::to_json).collect(),
            search: self.search.clone(),
            limit: self.limit,
        };
        Ok(PropertiesPlan {
            question: self.clone(),
            project: context.project.clone(),
            newest_receipt: context.newest_receipt,
            range: within(resolved.range, zone, resolved.now, context),
            resolved,
            query,
            warnings,
        })
    }
}

impl PropertiesPlan {
    /// The newest events of the range.
    fn sample(&self, sql: &mut Sql) -> String {
        let mut conditions = sql.in_range();
        conditions.extend(self.question.filters.iter().map(|filter| sql.filter(filter, Columns::Raw)));
        format!(
            "SELECT e.metadata FROM {}\nWHERE {}\nORDER BY e.timestamp DESC, e.id DESC\nLIMIT {SAMPLE}",
            sql.events(),
            conditions.join("\n  AND ")
        )
    }
}

impl Executable for PropertiesPlan {
    type Answer = PropertiesAnswer;
    type Intake = Gathering<Self>;

    /// The properties by type, and the number of events looked at.
    fn statements(&self, dialect: Dialect) -> Vec<Statement> {
        let mut walk = Sql::new(dialect, &self.project, self.range);
        let sample = self.sample(&mut walk);
        let body = match dialect {
            Dialect::Postgres => POSTGRES_WALK,
            Dialect::Sqlite => SQLITE_WALK,
        };
        let text = format!("WITH RECURSIVE sample AS (\n{sample}\n), {body}\nGROUP BY 1, 2\nLIMIT {}", ROW_BUDGET + 1);
        let mut count = Sql::new(dialect, &self.project, self.range);
        let sample = self.sample(&mut count);
        vec![walk.finish(text), count.finish(format!("SELECT count(*) FROM (\n{sample}\n) sample"))]
    }

    fn intake(&self) -> Gathering<Self> {
        Gathering::new(self)
    }

    fn cache_key(&self) -> String {
        let asked = json!([
            self.question.date_range.to_string(),
            self.question.timezone.name(),
            self.query.filters,
            self.query.search,
            self.query.limit
        ]);
        cache_key("properties", &self.project, &asked.to_string(), self.question.date_range, &self.resolved, &None)
    }
}

impl Gathered for PropertiesPlan {
    type Answer = PropertiesAnswer;

    fn answer(&self, rows: Vec<Vec<Row>>) -> Result<PropertiesAnswer, QueryError> {
        let mut rows = rows.into_iter();
        let found = rows.next().unwrap_or_default();
        if found.len() > ROW_BUDGET {
            let message = format!("there are more than {ROW_BUDGET} properties; narrow date_range or add a filter");
            return Err(QueryError::too_large("date_range", message));
        }
        let events_read = match rows.next().unwrap_or_default().first().and_then(|row| row.first()) {
            Some(Cell::Int(count)) => u64::try_from(*count).unwrap_or(0),
            _ => 0,
        };
        let mut records: BTreeMap<String, PropertyRecord> = BTreeMap::new();
        for row in found {
            collect(row, &mut records);
        }
        let search = self.question.search.as_deref().unwrap_or_default().to_ascii_lowercase();
        let mut results: Vec<PropertyRecord> =
            records.into_values().filter(|record| record.name.to_ascii_lowercase().contains(&search)).collect();
        results.sort_by(|a, b| b.count.cmp(&a.count).then_with(|| a.name.cmp(&b.name)));
        let total_rows = results.len() as u64;
        results.truncate(self.question.limit as usize);
        let meta = PropertiesMeta {
            events_read,
            total_rows,
            fresh_as_of: self.newest_receipt,
            cached: false,
            took_ms: 0,
            warnings: self.warnings.clone(),
        };
        Ok(PropertiesAnswer { results, meta, query: self.query.clone() })
    }
}

/// The cells: the keys as a JSON list, the type, how often, the least and greatest text, the least and greatest number.
const POSTGRES_WALK: &str = r#"walk(keys, value) AS (
SELECT jsonb_build_array(j.key), j.value
FROM sample CROSS JOIN LATERAL jsonb_each(sample.metadata) j
UNION ALL
SELECT walk.keys || to_jsonb(j.key), j.value
FROM walk CROSS JOIN LATERAL
  jsonb_each(CASE WHEN jsonb_typeof(walk.value) = 'object' THEN walk.value ELSE '{}'::jsonb END) j
), typed AS (
SELECT keys, jsonb_typeof(value) AS kind,
  CASE WHEN jsonb_typeof(value) IN ('string', 'boolean') THEN left(value #>> '{}', 100) COLLATE "C" END AS words,
  CASE WHEN jsonb_typeof(value) = 'number' THEN (value #>> '{}')::float8 END AS number
FROM walk
)
SELECT keys::text, kind, count(*), min(words), max(words), min(number), max(number)
FROM typed
WHERE kind <> 'null'"#;

const SQLITE_WALK: &str = r"walk(keys, kind, value) AS (
SELECT json_array(j.key), j.type, j.value
FROM sample, json_each(sample.metadata) j
UNION ALL
SELECT json_insert(walk.keys, '$[#]', j.key), j.type, j.value
FROM walk, json_each(CASE walk.kind WHEN 'object' THEN walk.value ELSE '{}' END) j
), typed AS (
SELECT keys,
  CASE kind WHEN 'text' THEN 'string' WHEN 'true' THEN 'boolean' WHEN 'false' THEN 'boolean'
    WHEN 'integer' THEN 'number' WHEN 'real' THEN 'number' ELSE kind END AS kind,
  CASE kind WHEN 'text' THEN substr(value, 1, 100) WHEN 'true' THEN 'true' WHEN 'false' THEN 'false' END AS words,
  CASE WHEN kind IN ('integer', 'real') THEN CAST(value AS REAL) END AS number
FROM walk
)
SELECT keys, kind, count(*), min(words), max(words), min(number), max(number)
FROM typed
WHERE kind <> 'null'";

fn collect(row: Row, records: &mut BTreeMap<String, PropertyRecord>) {
    let Ok([keys, kind, count, least_text, greatest_text, least, greatest]) = <[Cell; 7]>::try_from(row) else {
        return;
    };
    let keys = text(keys).and_then(|keys| serde_json::from_str::<Vec<String>>(&keys).ok());
    let (Some(property), Some(kind), Cell::Int(count)) = (keys.and_then(Property::from_keys), text(kind), count) else {
        return;
    };
    let name = property.to_string();
    let record = records.entry(name.clone()).or_insert_with(|| PropertyRecord {
        name,
        count: 0,
        types: BTreeMap::new(),
        examples: Vec::new(),
    });
    let count = u64::try_from(count).unwrap_or(0);
    record.count += count;
    *record.types.entry(kind).or_default() += count;
    let texts = [least_text, greatest_text].into_iter().filter_map(text);
    let numbers = [least, greatest].into_iter().filter_map(|number| match number {
        Cell::Float(number) => Some((number + 0.0).to_string()),
        _ => None,
    });
    for example in texts.chain(numbers) {
        let example: String = example.chars().take(EXAMPLE_MAX).collect();
        if !record.examples.contains(&example) {
            record.examples.push(example);
        }
    }
    // Rows come in no order of their own.
    record.examples.sort();
}

//! Statements as they grow: fixed pieces of text, and every value a parameter.

use std::fmt::Write as _;

use analytics_domain::{Project, Timestamp};

use crate::filter::{Columns, Filtered as _};
use crate::{Buckets, Dialect, Filter, Param, Property, Range, Statement};

/// The person behind an event of `raw_events e` with its `session_users s`. A letter before the name keeps one known by user
/// from one known by session.
const PERSON: &str = "COALESCE('u' || e.user_id, 'u' || s.user_id, 's' || e.session_id)";

/// Events with the first user of their session.
const EVENTS_AND_USERS: &str =
    "raw_events e LEFT JOIN session_users s ON s.session_id = e.session_id AND s.project = e.project";

/// A statement that is being written: its parameters, what it has to be selected from, and what differs between the dialects.
#[derive(Debug)]
pub(crate) struct Sql {
    dialect: Dialect,
    params: Vec<Param>,
    /// Whose events of which time the question is about; deeds are looked for there.
    project: Project,
    range: Range,
    /// Whether the person of an event has to be known.
    persons: bool,
    /// What persons are asked to have done, each with its set of persons.
    deeds: Vec<(Vec<Filter>, String)>,
}

impl Sql {
    /// A statement about a project's events; `range` is that of the question, also where more is selected.
    pub(crate) fn new(dialect: Dialect, project: &Project, range: Range) -> Self {
        Self { dialect, params: Vec::new(), project: project.clone(), range, persons: false, deeds: Vec::new() }
    }

    /// The person behind an event; [`Sql::events`] then joins what it takes.
    pub(crate) fn person(&mut self) -> &'static str {
        self.persons = true;
        PERSON
    }

    /// Whether the person behind an event has an event in the range for which all of `filters` hold; never NULL.
    ///
    /// The set of those persons is found once. PostgreSQL joins it, which it does well at any size and wherever the filter
    /// stands; [`Sql::events`] then names it. SQLite would go through it for every event, and looks into it where it is asked.
    pub(crate) fn has_done(&mut self, filters: &[Filter]) -> String {
        self.persons = true;
        let known = self.deeds.iter().position(|(known, _)| known == filters);
        let number = known.unwrap_or_else(|| {
            let mut conditions = self.in_range();
            // There are no deeds within deeds, so that the inner statement joins nothing else.
            conditions.extend(filters.iter().map(|filter| self.filter(filter, Columns::Raw)));
            let conditions = conditions.join("\n  AND ");
            let set = format!("SELECT DISTINCT {PERSON} AS person\nFROM {EVENTS_AND_USERS}\nWHERE {conditions}");
            self.deeds.push((filters.to_vec(), set));
            self.deeds.len() - 1
        });
        match (self.dialect, self.deeds.get(number)) {
            (Dialect::Sqlite, Some((_, set))) => format!("({PERSON} IN (\n{set}\n))"),
            _ => format!("(d{number}.person IS NOT NULL)"),
        }
    }

    /// What stands behind `FROM` for `raw_events e`, with all that was asked for so far: to be written last.
    pub(crate) fn events(&self) -> String {
        let mut tables = if self.persons { EVENTS_AND_USERS.to_owned() } else { "raw_events e".to_owned() };
        let joined = if self.dialect == Dialect::Postgres { self.deeds.as_slice() } else { &[] };
        for (number, (_, set)) in joined.iter().enumerate() {
            // Writing to a string cannot fail.
            let _ = write!(tables, "\nLEFT JOIN (\n{set}\n) d{number} ON d{number}.person = {PERSON}");
        }
        tables
    }

    /// The conditions that every select from `raw_events e` has.
    pub(crate) fn in_range(&mut self) -> Vec<String> {
        self.in_part(self.range)
    }

    /// The same where less than the range is selected, or what lies around it. There is one bound on either side: of two,
    /// SQLite lets an index begin at the wrong one.
    pub(crate) fn in_part(&mut self, part: Range) -> Vec<String> {
        vec![
            format!("e.project = {}", self.project()),
            format!("e.timestamp >= {}", self.instant(part.from)),
            format!("e.timestamp < {}", self.instant(part.to)),
        ]
    }

    /// What stands behind `FROM` for those events of a session in a part of the range, as `raw_events e`, for which the conditions
    /// hold: looked for from the first to the last quarter of an hour that the session's number tells of, and where columns are
    /// yet to be made.
    pub(crate) fn events_of_session(&mut self, session: &str, part: Range, conditions: &[String]) -> String {
        let numbers = self.number_of("s", session);
        self.events_in_quarters(&numbers, part, conditions)
    }

    /// The same of a user. A session whose user has changed may be theirs from now on, which the user's number does not tell yet.
    pub(crate) fn events_of_user(&mut self, user: &str, part: Range, conditions: &[String]) -> String {
        let numbers = self.number_of("u", user);
        let project = self.project();
        let numbers = format!(
            "{numbers}\n  UNION ALL SELECT i.first_quarter, i.last_quarter FROM identity_changes c\n  \
             JOIN identities i ON i.project = c.project AND i.kind = 's' AND i.name = c.session_id\n  \
             WHERE c.project = {project}"
        );
        self.events_in_quarters(&numbers, part, conditions)
    }

    /// The events of a part of the range within these quarters for which the conditions hold. The inner select is kept as it is
    /// (`OFFSET 0`): a store that does not know how many events a quarter has begins with it.
    pub(crate) fn events_of_quarters(&mut self, quarters: &[i64], part: Range, conditions: &[String]) -> String {
        self.events_of_each_quarter(quarters, "", part, conditions)
    }

    /// The same within these quarters and those without columns.
    pub(crate) fn events_of_quarters_and_marked(
        &mut self,
        quarters: &[i64],
        part: Range,
        conditions: &[String],
    ) -> String {
        let marked = format!(" UNION SELECT m.quarter FROM column_marks m WHERE m.project = {}", self.project());
        self.events_of_each_quarter(quarters, &marked, part, conditions)
    }

    fn events_of_each_quarter(&mut self, quarters: &[i64], others: &str, part: Range, conditions: &[String]) -> String {
        let (project, from, to) = (self.project(), self.instant(part.from), self.instant(part.to));
        let quarters = self.bind(Param::Ints(quarters.to_vec()));
        let conditions: String = conditions.iter().map(|condition| format!("\n  AND {condition}")).collect();
        match self.dialect {
            Dialect::Postgres => format!(
                "(SELECT o.* FROM (SELECT unnest({quarters}) AS quarter{others}) q\n\
                 CROSS JOIN LATERAL (SELECT e.* FROM raw_events e\nWHERE e.project = {project}\n  \
                 AND e.timestamp >= to_timestamp(q.quarter * 900)\n  AND e.timestamp < to_timestamp((q.quarter + 1) * 900)\n  \
                 AND e.timestamp >= {from}\n  AND e.timestamp < {to}{conditions}\nOFFSET 0) o) e"
            ),
            Dialect::Sqlite => format!(
                "(SELECT e.* FROM (SELECT value AS quarter FROM json_each({quarters}){others}) q\n\
                 CROSS JOIN raw_events e\nWHERE e.project = {project}\n  AND e.timestamp >= max({from}, q.quarter * 900000000)\n  \
                 AND e.timestamp < min({to}, (q.quarter + 1) * 900000000){conditions}) e"
            ),
        }
    }

    fn number_of(&mut self, kind: &'static str, name: &str) -> String {
        let (project, name) = (self.project(), self.text(name));
        format!(
            "SELECT i.first_quarter, i.last_quarter FROM identities i\n  \
             WHERE i.project = {project} AND i.kind = '{kind}' AND i.name = {name}"
        )
    }

    /// Events within the quarters that `numbers` selects the first and last of, and those within the marked ones, each once. Two
    /// selects and not one condition: whatever a store expects of values that it does not know, each is bound to its quarters.
    fn events_in_quarters(&mut self, numbers: &str, part: Range, conditions: &[String]) -> String {
        let (project, from, to) = (self.project(), self.instant(part.from), self.instant(part.to));
        let dialect = self.dialect;
        let start = |quarter: &str| match dialect {
            Dialect::Postgres => format!("to_timestamp(({quarter}) * 900)"),
            Dialect::Sqlite => format!("({quarter}) * 900000000"),
        };
        let numbered = |quarter: &str| format!("(SELECT {}\n  FROM ({numbers}) n)", start(quarter));
        let marked =
            |quarter: &str| format!("(SELECT {} FROM column_marks m WHERE m.project = {project})", start(quarter));
        // Where nothing is selected a bound is NULL, and no event within. Of two bounds SQLite lets an index begin at the wrong
        // one; PostgreSQL takes the closer one.
        let within = |first: &str, end: &str| match dialect {
            Dialect::Postgres => format!(
                "e.timestamp >= {from}\n  AND e.timestamp < {to}\n  AND e.timestamp >= {first}\n  AND e.timestamp < {end}"
            ),
            Dialect::Sqlite => format!("e.timestamp >= max({from}, {first})\n  AND e.timestamp < min({to}, {end})"),
        };
        let (first, end) = (numbered("min(n.first_quarter)"), numbered("max(n.last_quarter) + 1"));
        let of_number = within(&first, &end);
        let of_marks = within(&marked("min(m.quarter)"), &marked("max(m.quarter) + 1"));
        let conditions = conditions.join("\n  AND ");
        format!(
            "(SELECT e.* FROM raw_events e\nWHERE e.project = {project}\n  AND {of_number}\n  AND {conditions}\n\
             UNION ALL SELECT e.* FROM raw_events e\nWHERE e.project = {project}\n  AND {of_marks}\n  AND {conditions}\n  \
             AND NOT COALESCE(e.timestamp >= {first}\n  AND e.timestamp < {end}, false)) e"
        )
    }

    /// The project.
    pub(crate) fn project(&mut self) -> String {
        let project = self.project.clone();
        self.text(project.as_str())
    }

    /// The range of the question.
    pub(crate) const fn range(&self) -> Range {
        self.range
    }

    pub(crate) const fn dialect(&self) -> Dialect {
        self.dialect
    }

    /// Takes a value and gives what stands for it in the text; in PostgreSQL with its type, which no context has to guess.
    pub(crate) fn bind(&mut self, param: Param) -> String {
        let data_type = match &param {
            Param::Text(_) => "text",
            Param::Int(_) => "bigint",
            Param::Float(_) => "float8",
            Param::Timestamp(_) => "timestamptz",
            Param::Uuid(_) => "uuid",
            Param::Texts(_) => "text[]",
            Param::Ints(_) => "int8[]",
            Param::Timestamps(_) => "timestamptz[]",
        };
        self.params.push(param);
        let number = self.params.len();
        match self.dialect {
            Dialect::Postgres => format!("${number}::{data_type}"),
            Dialect::Sqlite => format!("?{number}"),
        }
    }

    pub(crate) fn text(&mut self, text: &str) -> String {
        // Texts come again and again (the path of a property in a filter, a dimension and a metric): one parameter each.
        let known = self.params.iter().position(|param| matches!(param, Param::Text(known) if known == text));
        match (known, self.dialect) {
            (Some(index), Dialect::Postgres) => format!("${}::text", index + 1),
            (Some(index), Dialect::Sqlite) => format!("?{}", index + 1),
            (None, _) => self.bind(Param::Text(text.to_owned())),
        }
    }

    pub(crate) fn instant(&mut self, instant: Timestamp) -> String {
        self.bind(Param::Timestamp(instant))
    }

    pub(crate) fn finish(self, sql: String) -> Statement {
        Statement { sql, params: self.params }
    }

    /// The text at a path, NULL where it is absent, an object or an array.
    ///
    /// Numbers come as they are stored: SQLite's `->` gives the JSON text, where `->>` would give a rounded number.
    pub(crate) fn property_text(&mut self, property: &Property) -> String {
        match self.dialect {
            Dialect::Postgres => {
                let json = self.postgres_json(property);
                format!(
                    "CASE WHEN jsonb_typeof({json}) IN ('string', 'number', 'boolean') THEN ({json}) #>> '{{}}' END"
                )
            }
            Dialect::Sqlite => {
                let path = self.text(&property.sqlite_path());
                format!(
                    "CASE json_type(e.metadata, {path}) WHEN 'text' THEN e.metadata ->> {path} WHEN 'true' THEN 'true' \
                     WHEN 'false' THEN 'false' WHEN 'integer' THEN e.metadata -> {path} \
                     WHEN 'real' THEN e.metadata -> {path} END"
                )
            }
        }
    }

    /// The double at a path, NULL where there is no JSON number.
    pub(crate) fn property_number(&mut self, property: &Property) -> String {
        let (condition, number) = self.number_parts(property);
        format!("CASE WHEN {condition} THEN {number} END")
    }

    /// The double at a path, held between `-largest` and `largest`; NULL where there is no JSON number.
    pub(crate) fn property_number_within(&mut self, property: &Property, largest: &'static str) -> String {
        let (condition, number) = self.number_parts(property);
        let (least, greatest) = match self.dialect {
            Dialect::Postgres => ("LEAST", "GREATEST"),
            Dialect::Sqlite => ("min", "max"),
        };
        // PostgreSQL's functions pass over NULL: the CASE around them keeps what is no number out.
        format!("CASE WHEN {condition} THEN {least}({greatest}({number}, -{largest}), {largest}) END")
    }

    /// Whether there is a JSON number at a path, and the number; the cast is only ever evaluated where there is one.
    fn number_parts(&mut self, property: &Property) -> (String, String) {
        match self.dialect {
            Dialect::Postgres => {
                let json = self.postgres_json(property);
                (format!("jsonb_typeof({json}) = 'number'"), format!("(({json}) #>> '{{}}')::float8"))
            }
            Dialect::Sqlite => {
                let path = self.text(&property.sqlite_path());
                let condition = format!("json_type(e.metadata, {path}) IN ('integer', 'real')");
                (condition, format!("CAST(e.metadata -> {path} AS REAL)"))
            }
        }
    }

    /// Whether there is something at a path that is not JSON null; never NULL.
    pub(crate) fn property_exists(&mut self, property: &Property) -> String {
        match self.dialect {
            Dialect::Postgres => {
                let json = self.postgres_json(property);
                format!("COALESCE(jsonb_typeof({json}) <> 'null', FALSE)")
            }
            Dialect::Sqlite => {
                let path = self.text(&property.sqlite_path());
                format!("COALESCE(json_type(e.metadata, {path}) <> 'null', FALSE)")
            }
        }
    }

    /// The value at a path; an operand of type text never counts into an array.
    fn postgres_json(&mut self, property: &Property) -> String {
        let mut json = String::from("e.metadata");
        for key in property.keys() {
            let key = self.text(key);
            // Writing to a string cannot fail.
            let _ = write!(json, " -> {key}");
        }
        json
    }

    /// The index, from 0, of the bucket that holds the instant `time`.
    pub(crate) fn bucket(&mut self, buckets: &Buckets, time: &str) -> String {
        match self.dialect {
            Dialect::Postgres => {
                let starts = self.bind(Param::Timestamps(buckets.starts().to_vec()));
                format!("width_bucket({time}, {starts}) - 1")
            }
            Dialect::Sqlite => {
                let runs = buckets.runs();
                if runs.is_empty() { "0".to_owned() } else { self.bucket_by_runs(&runs, time) }
            }
        }
    }

    /// Arithmetic within a run of buckets of one length; between the runs a binary search.
    fn bucket_by_runs(&mut self, runs: &[crate::bucket::Run], time: &str) -> String {
        let (left, right) = runs.split_at(runs.len() / 2);
        match (left, right) {
            ([], [run]) => {
                let start = self.instant(run.start);
                let length = self.bind(Param::Int(run.length.max(1)));
                let first = self.bind(Param::Int(i64::try_from(run.first).unwrap_or(i64::MAX)));
                format!("({time} - {start}) / {length} + {first}")
            }
            (_, [middle, ..]) => {
                let border = self.instant(middle.start);
                let below = self.bucket_by_runs(left, time);
                let above = self.bucket_by_runs(right, time);
                format!("CASE WHEN {time} < {border} THEN {below} ELSE {above} END")
            }
            (_, []) => "0".to_owned(),
        }
    }
}

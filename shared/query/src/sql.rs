//! Statements as they grow: fixed pieces of text, and every value a parameter.

use std::fmt::Write as _;

use analytics_domain::Timestamp;

use crate::{Buckets, Dialect, Param, Property, Statement};

/// The parameters of a statement that is being written, and what differs between the dialects.
#[derive(Debug)]
pub(crate) struct Sql {
    dialect: Dialect,
    params: Vec<Param>,
}

impl Sql {
    pub(crate) const fn new(dialect: Dialect) -> Self {
        Self { dialect, params: Vec::new() }
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

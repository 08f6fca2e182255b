//! The steps that bring a store's schema to what this build needs.

use analytics_domain::timestamp::MICROS_PER_DAY;

use crate::StoreError;

/// One step of the schema; steps are applied once, in the order of their numbers.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Migration {
    /// Its number, from 1 without gaps.
    pub(crate) number: i64,
    /// Its name, the same for every kind of store.
    pub(crate) name: &'static str,
    /// Its statements.
    pub(crate) sql: &'static str,
}

/// The SQLite steps, in order.
#[cfg(feature = "sqlite")]
pub(crate) const SQLITE: &[Migration] = &[
    Migration { number: 1, name: "events", sql: include_str!("../../../migrations/sqlite/0001_events.sql") },
    Migration { number: 2, name: "columns", sql: include_str!("../../../migrations/sqlite/0002_columns.sql") },
    Migration { number: 3, name: "erasures", sql: include_str!("../../../migrations/sqlite/0003_erasures.sql") },
    Migration { number: 4, name: "blocks", sql: include_str!("../../../migrations/sqlite/0004_blocks.sql") },
    Migration { number: 5, name: "partitions", sql: include_str!("../../../migrations/sqlite/0005_partitions.sql") },
    Migration { number: 6, name: "projects", sql: include_str!("../../../migrations/sqlite/0006_projects.sql") },
];

/// The PostgreSQL steps, in order.
#[cfg(feature = "postgres")]
pub(crate) const POSTGRES: &[Migration] = &[
    Migration { number: 1, name: "events", sql: include_str!("../../../migrations/timescale/0001_events.sql") },
    Migration { number: 2, name: "columns", sql: include_str!("../../../migrations/timescale/0002_columns.sql") },
    Migration { number: 3, name: "erasures", sql: include_str!("../../../migrations/timescale/0003_erasures.sql") },
    Migration { number: 4, name: "blocks", sql: include_str!("../../../migrations/timescale/0004_blocks.sql") },
    Migration { number: 5, name: "partitions", sql: include_str!("../../../migrations/timescale/0005_partitions.sql") },
    Migration { number: 6, name: "projects", sql: include_str!("../../../migrations/timescale/0006_projects.sql") },
];

/// What a store's schema lacks, told from the newest applied step.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum SchemaState {
    /// Nothing.
    Current,
    /// Steps are pending.
    Older,
    /// A later build has been here.
    Newer,
}

/// Compares the newest applied step (`None` where there is none) with what this build knows.
pub(crate) fn schema_state(steps: &[Migration], applied: Option<i64>) -> SchemaState {
    let newest = steps.last().map_or(0, |step| step.number);
    match applied.unwrap_or(0) {
        applied if applied == newest => SchemaState::Current,
        applied if applied < newest => SchemaState::Older,
        _ => SchemaState::Newer,
    }
}

/// The error of a schema that is not the one this build needs; `Ok` where it is.
pub(crate) fn require_current(steps: &[Migration], applied: Option<i64>) -> Result<(), StoreError> {
    let mend = match schema_state(steps, applied) {
        SchemaState::Current => return Ok(()),
        SchemaState::Older => "run `analytics migrate`, or start a processor with AUTO_MIGRATE=true",
        SchemaState::Newer => "a later version has changed it: start that version, or restore the backup from before",
    };
    let needed = steps.last().map_or_else(|| "none".to_owned(), label);
    let found = match applied {
        None => "has no schema yet".to_owned(),
        Some(number) => {
            let known = steps.iter().find(|step| step.number == number);
            format!("has the schema {}", known.map_or_else(|| format!("{number:04}"), label))
        }
    };
    Err(StoreError::Schema { found, needed, mend: mend.to_owned() })
}

/// `0001_events`: the name of the step's file.
fn label(step: &Migration) -> String {
    format!("{:04}_{}", step.number, step.name)
}

/// How long ids are added to one generation of `event_ids`: half of the remembrance, at least twelve hours. Three generations
/// are kept, so an id is remembered for one to one and a half times `dedupe_days`.
pub(crate) fn generation_micros(dedupe_days: u32) -> i64 {
    i64::from(dedupe_days.max(1)) * MICROS_PER_DAY / 2
}

#[cfg(all(test, feature = "sqlite", feature = "postgres"))]
mod tests {
    use super::*;

    #[test]
    fn both_kinds_of_store_have_the_same_steps() {
        let names = |steps: &[Migration]| steps.iter().map(label).collect::<Vec<_>>();
        assert_eq!(names(SQLITE), names(POSTGRES));
        for (index, step) in SQLITE.iter().enumerate() {
            assert_eq!(step.number, index as i64 + 1);
        }
    }

    #[test]
    fn an_older_and_a_newer_schema_are_told_apart() {
        assert_eq!(schema_state(SQLITE, Some(SQLITE.len() as i64)), SchemaState::Current);
        let older = require_current(SQLITE, None).unwrap_err().to_string();
        assert!(older.starts_with("the store has no schema yet, this build needs 0006_"), "{older}");
        assert!(older.contains("analytics migrate"), "{older}");
        let newer = require_current(SQLITE, Some(9_999)).unwrap_err().to_string();
        assert!(newer.starts_with("the store has the schema 9999, ") && newer.contains("later version"), "{newer}");
    }
}

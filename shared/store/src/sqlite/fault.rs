//! SQLite's errors in the port's words.

use std::time::Duration;

use crate::StoreError;

/// SQLite's primary result codes (<https://www.sqlite.org/rescode.html>) that a value of the data causes.
const DATA_CODES: [i32; 4] = [
    18, // SQLITE_TOOBIG
    19, // SQLITE_CONSTRAINT, with RAISE(ABORT) of a trigger
    20, // SQLITE_MISMATCH
    25, // SQLITE_RANGE
];

/// `SQLITE_INTERRUPT`: the progress handler ended the statement.
const INTERRUPT: i32 = 9;

/// The primary result code of a driver's error; its low byte, as the documentation of extended codes says.
fn primary_code(error: &sqlx::Error) -> Option<i32> {
    let sqlx::Error::Database(error) = error else { return None };
    error.code()?.parse::<i32>().ok().map(|code| code & 0xff)
}

/// The port's error of a failed write or upkeep statement.
pub(super) fn fault(doing: &'static str) -> impl Fn(sqlx::Error) -> StoreError + Copy {
    move |error| match (&error, primary_code(&error)) {
        (sqlx::Error::Database(database), Some(code)) if DATA_CODES.contains(&code) => StoreError::Data {
            sqlstate: format!("SQLITE_{}", database.code().unwrap_or_default()),
            message: database.message().to_owned(),
        },
        _ => StoreError::Unavailable { doing, source: Box::new(error) },
    }
}

/// The port's error of a failed question that had `timeout`.
pub(super) fn question_fault(timeout: Duration) -> impl Fn(sqlx::Error) -> StoreError + Copy {
    move |error| match primary_code(&error) {
        Some(INTERRUPT) => StoreError::TooSlow { seconds: timeout.as_secs() },
        _ => StoreError::Unavailable { doing: "answer a question", source: Box::new(error) },
    }
}

/// The port's error of an argument that the driver could not encode.
pub(super) fn unencodable(error: sqlx::error::BoxDynError) -> StoreError {
    StoreError::Unavailable { doing: "hand a value to SQLite", source: error }
}

//! PostgreSQL's errors in the port's words.

use std::time::Duration;

use crate::StoreError;

/// `query_canceled`: the statement timeout, or an operator.
const CANCELED: &str = "57014";

/// Whether an SQLSTATE says that a value of the data caused the error: data exceptions (22), integrity constraints (23),
/// two rows of one key in a statement (21), a value beyond a limit of the server (54), and `RAISE EXCEPTION` of a trigger.
fn is_data(sqlstate: &str) -> bool {
    ["21", "22", "23", "54"].iter().any(|class| sqlstate.starts_with(class)) || sqlstate == "P0001"
}

/// What an error came from, said once.
pub(super) type Cause = Box<dyn std::error::Error + Send + Sync>;

/// What the driver's error is about, without the driver's own words around it: they repeat it.
pub(super) fn cause(error: sqlx::Error) -> Cause {
    match error {
        sqlx::Error::Io(error) => error.into(),
        sqlx::Error::Tls(error) | sqlx::Error::Configuration(error) => error,
        sqlx::Error::Database(error) => error.message().into(),
        other => other.into(),
    }
}

/// The port's error of a failed statement that writes or reads for upkeep.
pub(super) fn fault(doing: &'static str) -> impl Fn(sqlx::Error) -> StoreError + Copy {
    move |error| match error.as_database_error().and_then(|database| Some((database.code()?, database.message()))) {
        Some((sqlstate, message)) if is_data(&sqlstate) => {
            StoreError::Data { sqlstate: sqlstate.into_owned(), message: message.to_owned() }
        }
        _ => StoreError::Unavailable { doing, source: cause(error) },
    }
}

/// The port's error of a failed question that had `timeout`.
pub(super) fn question_fault(timeout: Duration) -> impl Fn(sqlx::Error) -> StoreError + Copy {
    move |error| match error.as_database_error().and_then(|database| database.code()) {
        Some(sqlstate) if sqlstate == CANCELED => StoreError::TooSlow { seconds: timeout.as_secs() },
        _ => StoreError::Unavailable { doing: "answer a question", source: cause(error) },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_a_value_causes_is_data() {
        for sqlstate in ["22P05", "22001", "23514", "21000", "54001", "P0001"] {
            assert!(is_data(sqlstate), "{sqlstate}");
        }
        for sqlstate in ["08006", "57P01", "57014", "53300", "40001", "40P01", "55P03", "42P01", "XX000", "25006"] {
            assert!(!is_data(sqlstate), "{sqlstate}");
        }
    }
}

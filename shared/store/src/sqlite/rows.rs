//! Statements over many rows at once, in sizes that stay prepared.

use sqlx::query::Query;
use sqlx::sqlite::{SqliteArguments, SqliteConnection, SqliteRow};
use sqlx::{Arguments, AssertSqlSafe, Sqlite};

use super::fault::{fault, unencodable};
use crate::StoreError;

/// Most rows of one statement. Sizes are powers of two up to this, so that eight prepared texts serve every number of rows.
const MOST_ROWS: usize = 128;

/// A statement over `VALUES` rows.
#[derive(Debug)]
pub(super) struct RowStatement {
    /// What stands before the rows.
    pub(super) head: &'static str,
    /// One row: as many `?` as it has values.
    pub(super) row: &'static str,
    /// What stands after the rows.
    pub(super) tail: &'static str,
    /// What is being done, for errors.
    pub(super) doing: &'static str,
}

impl RowStatement {
    /// Runs it over all `items`, in their order.
    pub(super) async fn execute<T>(
        &self,
        connection: &mut SqliteConnection,
        items: &[T],
        bind: impl Fn(&mut RowArguments, &T) -> Result<(), sqlx::error::BoxDynError>,
    ) -> Result<u64, StoreError> {
        let mut changed = 0;
        for chunk in chunks(items) {
            let query = self.query(chunk, &bind)?;
            changed += query.execute(&mut *connection).await.map_err(fault(self.doing))?.rows_affected();
        }
        Ok(changed)
    }

    /// Runs it over all `items` and gives the rows that it answers.
    pub(super) async fn fetch<T>(
        &self,
        connection: &mut SqliteConnection,
        items: &[T],
        bind: impl Fn(&mut RowArguments, &T) -> Result<(), sqlx::error::BoxDynError>,
    ) -> Result<Vec<SqliteRow>, StoreError> {
        let mut rows = Vec::new();
        for chunk in chunks(items) {
            let query = self.query(chunk, &bind)?;
            rows.append(&mut query.fetch_all(&mut *connection).await.map_err(fault(self.doing))?);
        }
        Ok(rows)
    }

    fn query<'q, T>(
        &self,
        items: &[T],
        bind: &impl Fn(&mut RowArguments, &T) -> Result<(), sqlx::error::BoxDynError>,
    ) -> Result<Query<'q, Sqlite, SqliteArguments>, StoreError> {
        let mut sql = String::with_capacity(self.head.len() + self.tail.len() + items.len() * (self.row.len() + 1));
        sql.push_str(self.head);
        let mut arguments = RowArguments(SqliteArguments::default());
        for (index, item) in items.iter().enumerate() {
            if index > 0 {
                sql.push(',');
            }
            sql.push_str(self.row);
            bind(&mut arguments, item).map_err(unencodable)?;
        }
        sql.push_str(self.tail);
        // The text is put together from the fixed pieces of a `RowStatement` only.
        Ok(sqlx::query_with(AssertSqlSafe(sql), arguments.0))
    }
}

/// The values of a statement's rows.
pub(super) struct RowArguments(SqliteArguments);

impl RowArguments {
    /// Adds the next value.
    pub(super) fn add<'v, T>(&mut self, value: T) -> Result<(), sqlx::error::BoxDynError>
    where
        T: sqlx::Encode<'v, Sqlite> + sqlx::Type<Sqlite>,
    {
        Arguments::add(&mut self.0, value)
    }
}

/// Cuts `items` into slices whose lengths are powers of two, the longest [`MOST_ROWS`].
fn chunks<T>(mut items: &[T]) -> impl Iterator<Item = &[T]> {
    std::iter::from_fn(move || {
        if items.is_empty() {
            return None;
        }
        let length = if items.len() >= MOST_ROWS { MOST_ROWS } else { 1 << items.len().ilog2() };
        let (chunk, rest) = items.split_at(length);
        items = rest;
        Some(chunk)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slices_are_powers_of_two_and_hold_everything_in_order() {
        for length in 0..600 {
            let items: Vec<usize> = (0..length).collect();
            let cut: Vec<&[usize]> = chunks(&items).collect();
            assert!(cut.iter().all(|chunk| chunk.len().is_power_of_two() && chunk.len() <= MOST_ROWS));
            assert_eq!(cut.concat(), items);
        }
    }
}

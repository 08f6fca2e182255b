//! What a transaction adds to the counts of days.

use std::collections::{BTreeMap, HashSet};

use analytics_query::OTHER_VALUE;
use sqlx::Row as _;
use sqlx::sqlite::SqliteConnection;

use super::fault::fault;
use super::rows::RowStatement;
use crate::StoreError;
use crate::cardinality::{Cardinality, Held, Shelf, settle_values, shelves};
use crate::settlement::{Rollup, date_text};

const DOING: &str = "count events";

/// Which rollups have no row yet: their places.
const UNHELD: RowStatement = RowStatement {
    head: "WITH n (place, project, date, dimension_key, dimension_value) AS (VALUES ",
    row: "(?,?,?,?,?)",
    tail: ") SELECT n.place FROM n WHERE NOT EXISTS (
        SELECT 1 FROM daily_metrics AS k
        WHERE k.project = n.project AND k.date = n.date AND k.metric_name = 'events'
            AND k.dimension_key = n.dimension_key AND k.dimension_value = n.dimension_value)",
    doing: DOING,
};

/// Whether the others of a shelf have a row, and how many values of it have one, up to so many.
const HELD: &str = "
    SELECT EXISTS (
            SELECT 1 FROM daily_metrics WHERE project = ?1 AND date = ?2 AND metric_name = 'events' AND dimension_key = ?3
                AND dimension_value = ?4),
        (SELECT count(*) FROM (
            SELECT 1 FROM daily_metrics WHERE project = ?1 AND date = ?2 AND metric_name = 'events' AND dimension_key = ?3
            LIMIT ?5))";

const ADD: RowStatement = RowStatement {
    head: "INSERT INTO daily_metrics AS m (project, date, metric_name, dimension_key, dimension_value, value) VALUES ",
    row: "(?,?,'events',?,?,?)",
    tail: " ON CONFLICT (project, date, metric_name, dimension_key, dimension_value)
        DO UPDATE SET value = m.value + excluded.value",
    doing: DOING,
};

/// Adds rollups, those of values without a row where [`settle_values`] says.
pub(super) async fn add(
    connection: &mut SqliteConnection,
    rollups: &[Rollup<'_>],
    cardinality: Cardinality,
) -> Result<(), StoreError> {
    let unheld = unheld(connection, rollups).await?;
    if unheld.is_empty() {
        return write(connection, rollups).await;
    }
    let (mut new, mut held) = (Vec::new(), Vec::new());
    for (index, rollup) in rollups.iter().enumerate() {
        let is_new = unheld.contains(&index) && !rollup.dimension_key.is_empty();
        if is_new { &mut new } else { &mut held }.push(rollup.clone());
    }
    let mut shelves_held = BTreeMap::new();
    for shelf in shelves(&new) {
        shelves_held.insert(shelf, look(connection, shelf, cardinality).await?);
    }
    write(connection, &held).await?;
    write(connection, &settle_values(new, &shelves_held, cardinality)).await
}

async fn unheld(connection: &mut SqliteConnection, rollups: &[Rollup<'_>]) -> Result<HashSet<usize>, StoreError> {
    let placed: Vec<(i64, &Rollup<'_>)> = (0..).zip(rollups).collect();
    let rows = UNHELD
        .fetch(connection, &placed, |row, (place, rollup)| {
            row.add(*place)?;
            row.add(rollup.project)?;
            row.add(date_text(rollup.day))?;
            row.add(rollup.dimension_key)?;
            row.add(rollup.dimension_value)
        })
        .await?;
    rows.iter()
        .map(|row| row.try_get::<i64, _>(0).map(|place| usize::try_from(place).unwrap_or(usize::MAX)))
        .collect::<Result<_, _>>()
        .map_err(fault(DOING))
}

async fn look(
    connection: &mut SqliteConnection,
    (project, day, dimension_key): Shelf<'_>,
    cardinality: Cardinality,
) -> Result<Held, StoreError> {
    let row = sqlx::query(HELD)
        .bind(project)
        .bind(date_text(day))
        .bind(dimension_key)
        .bind(OTHER_VALUE)
        .bind(cardinality.of(dimension_key))
        .fetch_one(connection)
        .await
        .map_err(fault(DOING))?;
    let (others, values): (bool, u32) = (row.try_get(0).map_err(fault(DOING))?, row.try_get(1).map_err(fault(DOING))?);
    Ok(if others { Held::Others } else { Held::Values(values) })
}

async fn write(connection: &mut SqliteConnection, rollups: &[Rollup<'_>]) -> Result<(), StoreError> {
    ADD.execute(connection, rollups, |row, rollup| {
        row.add(rollup.project)?;
        row.add(date_text(rollup.day))?;
        row.add(rollup.dimension_key)?;
        row.add(rollup.dimension_value)?;
        row.add(rollup.count)
    })
    .await
    .map(|_| ())
}

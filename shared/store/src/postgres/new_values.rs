//! Values that no row of `daily_metrics` counts yet.

use std::collections::{BTreeMap, HashSet};

use analytics_query::OTHER_VALUE;
use sqlx::Row as _;

use super::insert::column;
use super::link::Link;
use super::values::date;
use crate::cardinality::{Cardinality, Held, settle_values, shelves};
use crate::settlement::Rollup;

/// Which of the values (`$1` to `$4`) have a row by now: their places, from 1. And what each shelf (`$5` to `$7`, `$8` the
/// most that matter) holds: its place below zero, and how many values have rows, -1 where the others have one.
const LOOK: &str = "
    SELECT n.place, 0::int8
    FROM unnest($1::text[], $2::int4[], $3::text[], $4::text[])
        WITH ORDINALITY AS n (project, day, dimension_key, dimension_value, place)
    WHERE coalesce((
        SELECT true FROM daily_metrics AS k
        WHERE k.project = n.project AND k.date = DATE '1970-01-01' + n.day AND k.metric_name = 'events'
            AND k.dimension_key = n.dimension_key AND k.dimension_value = n.dimension_value), false)
    UNION ALL
    SELECT -s.place, CASE
        WHEN coalesce((
            SELECT true FROM daily_metrics AS k
            WHERE k.project = s.project AND k.date = DATE '1970-01-01' + s.day AND k.metric_name = 'events'
                AND k.dimension_key = s.dimension_key AND k.dimension_value = $9), false)
        THEN -1
        ELSE (SELECT count(*) FROM (
            SELECT 1 FROM daily_metrics AS k
            WHERE k.project = s.project AND k.date = DATE '1970-01-01' + s.day AND k.metric_name = 'events'
                AND k.dimension_key = s.dimension_key
            LIMIT s.most) AS held)
        END
    FROM unnest($5::text[], $6::int4[], $7::text[], $8::int8[])
        WITH ORDINALITY AS s (project, day, dimension_key, most, place)";

/// Adds to rows, or makes them; in the order of the arrays.
const ADD: &str = "
    INSERT INTO daily_metrics AS m (project, date, metric_name, dimension_key, dimension_value, value)
    SELECT n.project, DATE '1970-01-01' + n.day, 'events', n.dimension_key, n.dimension_value, n.count
    FROM unnest($1::text[], $2::int4[], $3::text[], $4::text[], $5::int8[])
        AS n (project, day, dimension_key, dimension_value, count)
    ON CONFLICT (project, date, metric_name, dimension_key, dimension_value)
        DO UPDATE SET value = m.value + excluded.value";

/// Counts values of which no row was seen. The transaction holds the row without dimension of each of their days, so that no
/// other writer is between looking and adding there.
pub(super) async fn count(
    connection: &mut Link,
    unseen: Vec<Rollup<'_>>,
    cardinality: Cardinality,
) -> Result<(), sqlx::Error> {
    let asked = shelves(&unseen);
    let rows = sqlx::query(LOOK)
        .bind(column(&unseen, |rollup| rollup.project))
        .bind(column(&unseen, |rollup| date(rollup.day)))
        .bind(column(&unseen, |rollup| rollup.dimension_key))
        .bind(column(&unseen, |rollup| rollup.dimension_value))
        .bind(column(&asked, |(project, _, _)| *project))
        .bind(column(&asked, |(_, day, _)| date(*day)))
        .bind(column(&asked, |(_, _, key)| *key))
        .bind(column(&asked, |(_, _, key)| i64::from(cardinality.of(key))))
        .bind(OTHER_VALUE)
        .fetch_all(&mut *connection)
        .await?;
    let mut come = HashSet::new();
    let mut held = BTreeMap::new();
    for row in rows {
        let (place, values): (i64, i64) = (row.try_get(0)?, row.try_get(1)?);
        let index = usize::try_from(place.unsigned_abs()).unwrap_or(usize::MAX) - 1;
        match asked.get(index) {
            Some(shelf) if place < 0 => {
                held.insert(*shelf, u32::try_from(values).map_or(Held::Others, Held::Values));
            }
            _ => {
                come.insert(index);
            }
        }
    }
    let (mut rollups, mut unheld) = (Vec::new(), Vec::new());
    for (index, rollup) in unseen.into_iter().enumerate() {
        if come.contains(&index) { rollups.push(rollup) } else { unheld.push(rollup) }
    }
    rollups.append(&mut settle_values(unheld, &held, cardinality));
    merge(&mut rollups);
    sqlx::query(ADD)
        .bind(column(&rollups, |rollup| rollup.project))
        .bind(column(&rollups, |rollup| date(rollup.day)))
        .bind(column(&rollups, |rollup| rollup.dimension_key))
        .bind(column(&rollups, |rollup| rollup.dimension_value))
        .bind(column(&rollups, |rollup| rollup.count))
        .execute(connection)
        .await
        .map(|_| ())
}

/// Sorts, and adds up what is counted in one row: a client's own value `__other__` that has come, and others beside it.
fn merge(rollups: &mut Vec<Rollup<'_>>) {
    rollups.sort_unstable();
    rollups.dedup_by(|later, first| {
        let is_one = (later.project, later.day, later.dimension_key, later.dimension_value)
            == (first.project, first.day, first.dimension_key, first.dimension_value);
        if is_one {
            first.count += later.count;
        }
        is_one
    });
}

//! Blocks made of the columns of their quarters, in the transaction that makes these, and forgotten with them.

use analytics_columns::{BLOCK_SOURCES, Block};
use futures::TryStreamExt as _;
use sqlx::Row as _;

use super::link::Link;
use crate::refresh::{BLOCKS_AT_ONCE, QuartersOfBlock, blocks_of};

/// Forgets the blocks of quarters that are made anew or patched, until they are made themselves.
pub(super) async fn forget(
    connection: &mut Link,
    project: &str,
    quarters: impl IntoIterator<Item = i64>,
) -> Result<(), sqlx::Error> {
    let blocks = blocks_of(quarters);
    if blocks.is_empty() {
        return Ok(());
    }
    for statement in [
        "DELETE FROM block_counts WHERE project = $1 AND block = ANY($2)",
        "INSERT INTO block_marks (project, block) SELECT $1, b.block FROM unnest($2::int8[]) AS b (block) ON CONFLICT DO NOTHING",
    ] {
        sqlx::query(statement).bind(project).bind(&blocks).execute(&mut *connection).await?;
    }
    Ok(())
}

/// Makes a bounded number of a project's blocks, the newest first; how many. The newest block of all still changes: it waits for
/// a newer one.
pub(super) async fn make(connection: &mut Link, project: &str) -> Result<usize, sqlx::Error> {
    let blocks: Vec<i64> = sqlx::query_scalar(
        "SELECT b.block FROM block_marks b
         WHERE b.project = $1 AND b.block < (SELECT max(quarter) >> 4 FROM event_columns WHERE project = $1)
             AND NOT EXISTS (SELECT FROM column_marks m
                 WHERE m.project = $1 AND m.quarter >= b.block << 4 AND m.quarter < (b.block + 1) << 4)
         ORDER BY b.block DESC LIMIT $2",
    )
    .bind(project)
    .bind(BLOCKS_AT_ONCE)
    .fetch_all(&mut *connection)
    .await?;
    for block in blocks.iter().copied().map(Block) {
        make_block(connection, project, block).await?;
    }
    Ok(blocks.len())
}

async fn make_block(connection: &mut Link, project: &str, block: Block) -> Result<(), sqlx::Error> {
    let mut quarters = QuartersOfBlock::default();
    let mut rows = sqlx::query(
        "SELECT quarter, part, name, data FROM event_columns
         WHERE project = $1 AND quarter >= $2 AND quarter < $3 AND name = ANY($4) ORDER BY quarter, part",
    )
    .bind(project)
    .bind(block.first().0)
    .bind(block.after().0)
    .bind(BLOCK_SOURCES.as_slice())
    .fetch(&mut *connection);
    while let Some(row) = rows.try_next().await? {
        let taken = quarters.take(row.try_get(0)?, row.try_get(1)?, row.try_get(2)?, row.try_get(3)?);
        taken.map_err(|error| sqlx::Error::Decode(error.into()))?;
    }
    drop(rows);
    let columns = quarters.columns().map_err(|error| sqlx::Error::Decode(error.into()))?;
    let (names, data): (Vec<String>, Vec<Vec<u8>>) =
        columns.into_iter().flatten().map(|column| (column.name, column.data)).unzip();
    sqlx::query("DELETE FROM block_marks WHERE project = $1 AND block = $2")
        .bind(project)
        .bind(block.0)
        .execute(&mut *connection)
        .await?;
    sqlx::query(
        "INSERT INTO block_counts (project, block, name, data)
         SELECT $1, $2, c.name, c.data FROM unnest($3::text[], $4::bytea[]) AS c (name, data)
         ON CONFLICT (project, block, name) DO UPDATE SET data = excluded.data",
    )
    .bind(project)
    .bind(block.0)
    .bind(names)
    .bind(data)
    .execute(connection)
    .await
    .map(|_| ())
}

/// Drops every block that began before a quarter: of some the quarters behind it stay.
pub(super) async fn drop_old(connection: &mut Link, project: &str, first_kept: i64) -> Result<(), sqlx::Error> {
    for statement in [
        "DELETE FROM block_counts WHERE project = $1 AND block << 4 < $2",
        "DELETE FROM block_marks WHERE project = $1 AND block << 4 < $2",
    ] {
        sqlx::query(statement).bind(project).bind(first_kept).execute(&mut *connection).await?;
    }
    Ok(())
}

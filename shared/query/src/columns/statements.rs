//! What is read for an answer from columns, all of one state of the store.

use analytics_columns::{Block, Quarter};
use analytics_domain::Project;

use super::reader::Quarterly;
use crate::sql::Sql;
use crate::{Dialect, Param, Range, Statement};

/// How many statements there are.
pub(crate) const STATEMENTS: usize = 5;

/// What whole blocks have counted, where it is asked for and none of their quarters has changed since.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Blocks {
    /// Under which name it is kept.
    pub(crate) name: &'static str,
    /// The blocks, whose quarters are not read then.
    pub(crate) numbers: Vec<i64>,
}

/// The next numbers; the sessions whose user has changed; what blocks have counted; the columns of quarters in none of them; the
/// raw rows of quarters without columns.
///
/// Blocks and columns come by quarter, the rows by (timestamp, id).
pub(crate) fn statements(
    project: &Project,
    range: Range,
    taker: &impl Quarterly,
    dialect: Dialect,
) -> [Statement; STATEMENTS] {
    let blocks = taker.blocks();
    [
        counters(project, range, dialect),
        changes(project, range, dialect),
        counted(project, range, &blocks, dialect),
        kept(project, range, taker, &blocks, dialect),
        changed(project, range, dialect),
    ]
}

fn counters(project: &Project, range: Range, dialect: Dialect) -> Statement {
    let mut sql = Sql::new(dialect, project, range);
    let text =
        format!("SELECT c.kind, c.next FROM identity_counters c WHERE c.project = {}", sql.text(project.as_str()));
    sql.finish(text)
}

fn changes(project: &Project, range: Range, dialect: Dialect) -> Statement {
    let mut sql = Sql::new(dialect, project, range);
    let project = sql.text(project.as_str());
    let text = format!(
        "SELECT i.number, s.user_id, u.number FROM identity_changes c\n\
         JOIN identities i ON i.project = c.project AND i.kind = 's' AND i.name = c.session_id\n\
         LEFT JOIN session_users s ON s.session_id = c.session_id AND s.project = c.project\n\
         LEFT JOIN identities u ON u.project = c.project AND u.kind = 'u' AND u.name = s.user_id\n\
         WHERE c.project = {project}"
    );
    sql.finish(text)
}

/// What is kept of these blocks, without those that have a changed quarter: their numbers, and what they have counted.
fn unchanged(sql: &mut Sql, blocks: &Blocks, project: &str, dialect: Dialect) -> String {
    let name = sql.text(blocks.name);
    let numbers = sql.bind(Param::Ints(blocks.numbers.clone()));
    let among = match dialect {
        Dialect::Postgres => format!("b.block = ANY({numbers})"),
        Dialect::Sqlite => format!("b.block IN (SELECT value FROM json_each({numbers}))"),
    };
    let shift = Block::SHIFT;
    format!(
        "block_counts b WHERE b.project = {project} AND b.name = {name} AND {among}\n  \
         AND b.block NOT IN (SELECT m.quarter >> {shift} FROM column_marks m WHERE m.project = {project})"
    )
}

fn counted(project: &Project, range: Range, blocks: &Blocks, dialect: Dialect) -> Statement {
    let mut sql = Sql::new(dialect, project, range);
    let project = sql.text(project.as_str());
    let unchanged = unchanged(&mut sql, blocks, &project, dialect);
    let text = format!("SELECT b.block, b.data FROM {unchanged}\nORDER BY b.block");
    sql.finish(text)
}

fn kept(project: &Project, range: Range, taker: &impl Quarterly, blocks: &Blocks, dialect: Dialect) -> Statement {
    let mut sql = Sql::new(dialect, project, range);
    let project = sql.text(project.as_str());
    let (first, last) = bounds(&mut sql, range);
    let names = sql.bind(Param::Texts(taker.columns()));
    let among = match dialect {
        Dialect::Postgres => format!("c.name = ANY({names})"),
        Dialect::Sqlite => format!("c.name IN (SELECT value FROM json_each({names}))"),
    };
    let shift = Block::SHIFT;
    let elsewhere = if blocks.numbers.is_empty() {
        String::new()
    } else {
        let unchanged = unchanged(&mut sql, blocks, &project, dialect);
        format!("\n  AND c.quarter >> {shift} NOT IN (SELECT b.block FROM {unchanged})")
    };
    let text = format!(
        "SELECT c.quarter, c.part, c.name, c.data FROM event_columns c\n\
         WHERE c.project = {project} AND c.quarter >= {first} AND c.quarter < {last} AND {among}\n  \
         AND c.quarter NOT IN (SELECT m.quarter FROM column_marks m WHERE m.project = {project}){elsewhere}\n\
         ORDER BY c.quarter, c.part"
    );
    sql.finish(text)
}

fn changed(project: &Project, range: Range, dialect: Dialect) -> Statement {
    let mut sql = Sql::new(dialect, project, range);
    let project = sql.text(project.as_str());
    let (first, last) = bounds(&mut sql, range);
    let (starts, ends, metadata) = match dialect {
        Dialect::Postgres => {
            ("to_timestamp(m.quarter * 900)", "to_timestamp((m.quarter + 1) * 900)", "e.metadata::text")
        }
        Dialect::Sqlite => ("m.quarter * 900000000", "(m.quarter + 1) * 900000000", "e.metadata"),
    };
    let text = format!(
        "SELECT e.timestamp, e.session_id, e.user_id, e.event_type, e.event_action, {metadata}, i.number, u.number,\n  \
         s.user_id, k.number\n\
         FROM (SELECT DISTINCT quarter FROM column_marks\n  \
         WHERE project = {project} AND quarter >= {first} AND quarter < {last}) m\n\
         JOIN raw_events e ON e.project = {project} AND e.timestamp >= {starts} AND e.timestamp < {ends}\n\
         LEFT JOIN session_users s ON s.session_id = e.session_id AND s.project = e.project\n\
         LEFT JOIN identities i ON i.project = e.project AND i.kind = 's' AND i.name = e.session_id\n\
         LEFT JOIN identities u ON u.project = e.project AND u.kind = 'u' AND u.name = e.user_id\n\
         LEFT JOIN identities k ON k.project = e.project AND k.kind = 'u' AND k.name = s.user_id\n\
         ORDER BY e.timestamp, e.id"
    );
    sql.finish(text)
}

/// The first quarter of a range and the first after it.
fn bounds(sql: &mut Sql, range: Range) -> (String, String) {
    let first = sql.bind(Param::Int(Quarter::of(range.from).0));
    let last = sql.bind(Param::Int(Quarter::from_or_after(range.to).0));
    (first, last)
}

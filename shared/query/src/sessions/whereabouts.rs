//! In which quarters of an hour a person has events: what their columns tell, so that raw rows are read there only.
//!
//! A person's raw rows have no index of their own: it would be written with every event. The columns of a quarter name its pairs
//! of (session, user), some bytes each, and those of every quarter that the person may be in are read many times as fast as its
//! rows are.
//!
//! What is found may be more than there is, never less, of the state that was looked at: quarters whose columns are yet to be
//! made, and those of sessions whose user has changed since, are all among it. What is stored between looking and reading is
//! marked, and marked quarters are read in any case; only where its columns are made meanwhile as well it is left to the next
//! question.

use std::collections::BTreeSet;

use analytics_columns::{ACTORS, Actors, Quarter};
use analytics_domain::Project;

use crate::sql::Sql;
use crate::{Cell, Dialect, Param, Range, Statement};

/// With more quarters than these, the range is read as a whole.
const QUARTERS_MAX: usize = 2_000;

/// Looks for a person; the statements are read one after another, of one state of the store.
#[derive(Debug, Clone)]
pub(super) struct Whereabouts {
    project: Project,
    user: String,
    range: Range,
    number: Option<u32>,
    quarters: BTreeSet<i64>,
    is_everywhere: bool,
}

impl Whereabouts {
    pub(super) fn new(project: &Project, user: &str, range: Range) -> Self {
        Self {
            project: project.clone(),
            user: user.to_owned(),
            range,
            number: None,
            quarters: BTreeSet::new(),
            is_everywhere: false,
        }
    }

    /// The number that the person has in columns; quarters without columns; those of sessions whose user has changed; the pairs
    /// of each quarter from the first to the last that the number was seen in.
    pub(super) fn statements(&self, dialect: Dialect) -> Vec<Statement> {
        let statement = |write: &dyn Fn(&mut Sql) -> String| {
            let mut sql = Sql::new(dialect, &self.project, self.range);
            let text = write(&mut sql);
            sql.finish(text)
        };
        let person = |sql: &mut Sql| {
            let (project, user) = (sql.project(), sql.text(&self.user));
            format!("FROM identities i WHERE i.project = {project} AND i.kind = 'u' AND i.name = {user}")
        };
        vec![
            statement(&|sql| format!("SELECT i.number {}", person(sql))),
            statement(&|sql| {
                let project = sql.project();
                format!("SELECT DISTINCT m.quarter FROM column_marks m WHERE m.project = {project}")
            }),
            statement(&|sql| {
                let project = sql.project();
                format!(
                    "SELECT DISTINCT i.first_quarter, i.last_quarter FROM identity_changes c\n\
                     JOIN identities i ON i.project = c.project AND i.kind = 's' AND i.name = c.session_id\n\
                     WHERE c.project = {project}"
                )
            }),
            statement(&|sql| {
                let (project, name) = (sql.project(), sql.text(ACTORS));
                let (first, last) = self.bounds();
                let (first, last) = (sql.bind(Param::Int(first)), sql.bind(Param::Int(last)));
                let person = person(sql);
                format!(
                    "SELECT c.quarter, c.data FROM event_columns c\n\
                     WHERE c.project = {project} AND c.name = {name} AND c.quarter >= {first} AND c.quarter <= {last}\n  \
                     AND c.quarter >= (SELECT i.first_quarter {person})\n  \
                     AND c.quarter <= (SELECT i.last_quarter {person})"
                )
            }),
        ]
    }

    /// Takes a row of the statement at this place.
    pub(super) fn push(&mut self, statement: usize, row: &[Cell]) {
        match (statement, row) {
            (0, [Cell::Int(number)]) => self.number = u32::try_from(*number).ok(),
            (1, [Cell::Int(quarter)]) => self.add(*quarter..=*quarter),
            (2, [Cell::Int(first), Cell::Int(last)]) => self.add(*first..=*last),
            (3, [Cell::Int(quarter), data]) if self.is_in(data) => self.add(*quarter..=*quarter),
            _ => {}
        }
    }

    /// The quarters, ascending; `None` where they are so many that the range had better be read as a whole.
    pub(super) fn quarters(self) -> Option<Vec<i64>> {
        (!self.is_everywhere).then(|| self.quarters.into_iter().collect())
    }

    /// The first and the last quarter of the range.
    fn bounds(&self) -> (i64, i64) {
        (Quarter::of(self.range.from).0, Quarter::from_or_after(self.range.to).0 - 1)
    }

    fn add(&mut self, quarters: std::ops::RangeInclusive<i64>) {
        let (first, last) = self.bounds();
        for quarter in (*quarters.start()).max(first)..=(*quarters.end()).min(last) {
            if self.is_everywhere {
                return;
            }
            self.quarters.insert(quarter);
            self.is_everywhere = self.quarters.len() > QUARTERS_MAX;
        }
    }

    /// Whether the pairs of a quarter name the person. Pairs that cannot be read may: its rows can.
    fn is_in(&self, pairs: &Cell) -> bool {
        let Some(number) = self.number else { return true };
        let pairs = match pairs {
            Cell::Bytes(bytes) => Actors::decode(bytes),
            // SQLite's sixteen bytes.
            Cell::Uuid(id) => Actors::decode(id.as_bytes()),
            _ => return true,
        };
        pairs.map_or(true, |pairs| pairs.users.contains(&number) || pairs.known.contains(&number))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use analytics_domain::Timestamp;

    fn looking() -> Whereabouts {
        let range = Range { from: Quarter(100).start(), to: Quarter(5_000).start() };
        Whereabouts::new(&Project::new("shop").unwrap(), "ann", range)
    }

    fn pairs(users: [u32; 2], known: [u32; 2]) -> Cell {
        let actors = Actors { events: 2, sessions: vec![3, 9], users: users.to_vec(), known: known.to_vec() };
        Cell::Bytes(actors.encode())
    }

    #[test]
    fn a_person_is_where_a_pair_or_what_is_not_known_yet_says_so() {
        let mut looking = looking();
        looking.push(0, &[Cell::Int(7)]);
        looking.push(1, &[Cell::Int(120)]);
        looking.push(2, &[Cell::Int(130), Cell::Int(132)]);
        for (quarter, pairs) in [
            (140, pairs([7, 8], [0, 0])),
            (141, pairs([0, 8], [7, 0])),
            (142, pairs([0, 8], [9, 0])),
            (143, Cell::Bytes(vec![255])),
        ] {
            looking.push(3, &[Cell::Int(quarter), pairs]);
        }
        assert_eq!(looking.quarters(), Some(vec![120, 130, 131, 132, 140, 141, 143]));
    }

    #[test]
    fn nothing_is_looked_for_out_of_the_range_or_everywhere() {
        let mut outside = looking();
        outside.push(1, &[Cell::Int(99)]);
        outside.push(1, &[Cell::Int(5_000)]);
        outside.push(2, &[Cell::Int(0), Cell::Int(101)]);
        assert_eq!(outside.quarters(), Some(vec![100, 101]));
        let mut everywhere = looking();
        everywhere.push(2, &[Cell::Int(i64::MIN), Cell::Int(i64::MAX)]);
        assert_eq!(everywhere.quarters(), None);
        let part = Range { from: Timestamp::from_micros(1), to: Timestamp::from_micros(2) };
        let mut part = Whereabouts { range: part, ..looking() };
        part.push(1, &[Cell::Int(0)]);
        assert_eq!(part.quarters(), Some(vec![0]), "a range within a quarter");
    }
}

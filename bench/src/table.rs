//! The table that a run prints, as Markdown.

use std::fmt;

/// What was measured, row by row.
#[derive(Debug, Default)]
pub struct Table {
    rows: Vec<Row>,
}

#[derive(Debug)]
struct Row {
    what: String,
    ours: String,
    other: String,
    ratio: String,
    goal: String,
}

impl Table {
    /// A figure beside its counterpart, with the ratio and the least ratio wanted.
    pub fn ratio(&mut self, what: &str, ours: String, other: String, ratio: f64, goal: f64) {
        let met = if ratio >= goal { "met" } else { "missed" };
        let row = Row {
            what: what.into(),
            ours,
            other,
            ratio: format!("{ratio:.2}"),
            goal: format!("at least {goal:.2}: {met}"),
        };
        self.show(row);
    }

    /// A figure that should be at most `limit`.
    pub fn at_most(&mut self, what: &str, figure: f64, limit: f64, unit: &str) {
        let met = if figure <= limit { "met" } else { "missed" };
        let row = Row {
            what: what.into(),
            ours: format!("{figure:.1} {unit}"),
            other: String::new(),
            ratio: String::new(),
            goal: format!("at most {limit} {unit}: {met}"),
        };
        self.show(row);
    }

    /// A figure that should be at least `limit`.
    pub fn at_least(&mut self, what: &str, figure: f64, limit: f64, unit: &str) {
        let met = if figure >= limit { "met" } else { "missed" };
        let row = Row {
            what: what.into(),
            ours: format!("{figure:.0} {unit}"),
            other: String::new(),
            ratio: String::new(),
            goal: format!("at least {limit} {unit}: {met}"),
        };
        self.show(row);
    }

    /// A figure beside several counterparts, with whether each goal is met.
    pub fn beside(&mut self, what: &str, ours: String, other: String, ratio: String, goals: &[(String, bool)]) {
        let goal = |(goal, met): &(String, bool)| format!("{goal}: {}", if *met { "met" } else { "missed" });
        let goal = goals.iter().map(goal).collect::<Vec<_>>().join("; ");
        self.show(Row { what: what.into(), ours, other, ratio, goal });
    }

    /// A figure without a goal.
    pub fn note(&mut self, what: &str, figure: String) {
        let row =
            Row { what: what.into(), ours: figure, other: String::new(), ratio: String::new(), goal: String::new() };
        self.show(row);
    }

    /// Rows are shown as they come, since a whole run takes minutes.
    fn show(&mut self, row: Row) {
        eprintln!("{row}");
        self.rows.push(row);
    }
}

impl fmt::Display for Row {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "| {} | {} | {} | {} | {} |", self.what, self.ours, self.other, self.ratio, self.goal)
    }
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "| what | ours | counterpart | ratio | goal |")?;
        writeln!(f, "|---|---|---|---|---|")?;
        for row in &self.rows {
            writeln!(f, "{row}")?;
        }
        Ok(())
    }
}

/// The middle value; 0 of none.
pub fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(0.0)
}

//! What is answered to a question of paths.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::ScanMeta;

/// What is answered to a question of paths.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PathsAnswer {
    /// The names of each step: step by step, those of most actors first, of equal counts bytewise, null last; what is beyond
    /// the limit comes behind them as `other`.
    pub nodes: Vec<PathNode>,
    /// What follows what: step by step, those of most actors first, of equal counts in the order of the nodes.
    pub links: Vec<PathLink>,
    /// How the answer came about.
    pub meta: ScanMeta,
    /// The question, in one form and with absolute instants; asked again it gives the same figures.
    pub query: PathsQuery,
}

/// A name at a step.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PathNode {
    /// The step, from 0.
    pub step: usize,
    /// The name; `null` where the event has none.
    pub name: Option<String>,
    /// How many actors had it there.
    pub count: u64,
}

/// A name at a step and one at the next.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PathLink {
    /// The step of `from`; `to` is at the next.
    pub step: usize,
    /// The name at the step.
    pub from: Option<String>,
    /// The name at the next step.
    pub to: Option<String>,
    /// How many actors went this way.
    pub count: u64,
}

/// A question of paths in its one form: every member present, instants absolute.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PathsQuery {
    /// What a path begins with.
    pub from: Option<PathEnd>,
    /// What a path ends with.
    pub to: Option<PathEnd>,
    /// Most steps.
    pub depth: usize,
    /// Whose events belong together.
    pub by: String,
    /// The field whose text is the name of a step.
    pub name: String,
    /// How many names of a step are told by themselves.
    pub limit: u32,
    /// The first instant of the range and its end, which is not part of it, with the zone's offset.
    pub date_range: [String; 2],
    /// The IANA name of the zone.
    pub timezone: String,
}

/// An event that a path begins or ends with.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PathEnd {
    /// The filters, all of which hold.
    pub filters: Vec<Value>,
}

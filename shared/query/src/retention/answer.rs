//! Cohorts, as they are sent.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::ScanMeta;

/// What is answered to a [`super::RetentionQuestion`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RetentionAnswer {
    /// The cohorts, oldest first: one for each unit of the range up to now, also one that nobody is in.
    pub cohorts: Vec<Cohort>,
    /// How the answer came about.
    pub meta: ScanMeta,
    /// The question, in one form and with absolute instants.
    pub query: RetentionQuery,
}

/// Those who started in one unit.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cohort {
    /// The first date of the unit, `2026-11-02`; also where the range begins later in it.
    pub start: String,
    /// How many they are.
    pub size: u64,
    /// The unit itself and those after it.
    pub cells: Vec<RetentionCell>,
}

/// Those of a cohort who came back.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct RetentionCell {
    /// How many they are.
    pub count: u64,
    /// Of how many: the cohort's size.
    pub out_of: u64,
    /// Whether the cell's unit is not over, so that more may come.
    pub incomplete: bool,
}

/// A [`super::RetentionQuestion`] in its one form.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RetentionQuery {
    /// What a start event is.
    pub start: EventQuery,
    /// What a return event is.
    #[serde(rename = "return")]
    pub returned: EventQuery,
    /// `day`, `week` or `month`.
    pub unit: String,
    /// Cells of a cohort.
    pub periods: u32,
    /// `on` or `on_or_after`.
    pub mode: String,
    /// `in_range` or `ever`.
    pub first: String,
    /// `person` or `session`.
    pub by: String,
    /// The first instant of the range and its end, which is not part of it, with the zone's offset.
    pub date_range: [String; 2],
    /// The IANA name of the zone.
    pub timezone: String,
}

/// What an event has to be.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct EventQuery {
    /// The filters, all of which hold.
    pub filters: Vec<Value>,
}

//! What is answered to a funnel.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::ScanMeta;

/// What is answered to a funnel.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct FunnelAnswer {
    /// The steps, in the order asked.
    pub steps: Vec<ReachedStep>,
    /// The same for each value of the breakdown: those of most actors first, of equal counts bytewise, null last; behind the
    /// first [`super::BREAKDOWN_MAX`] the rest as `other`. Not present without a breakdown.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub breakdown: Option<Vec<BreakdownFunnel>>,
    /// How the answer came about.
    pub meta: ScanMeta,
    /// The question, in one form and with absolute instants; asked again it gives the same figures.
    pub query: FunnelQuery,
}

/// How many actors reached a step.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ReachedStep {
    /// What the step is called in the question.
    pub name: Option<String>,
    /// How many actors reached it.
    pub count: u64,
    /// The count by that of the step before, of the first step by its own; null where that is 0.
    pub ratio_previous: Option<f64>,
    /// The count by that of the first step; null where that is 0.
    pub ratio_first: Option<f64>,
    /// The median of the seconds since the step before; null for the first, and where nobody reached it.
    pub median_seconds: Option<f64>,
    /// The mean of the seconds since the step before; null for the first, and where nobody reached it.
    pub average_seconds: Option<f64>,
}

/// The funnel of those whose counted attempt began with a value.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct BreakdownFunnel {
    /// The value; `null` where it is absent.
    pub value: Option<String>,
    /// The steps, in the order asked.
    pub steps: Vec<ReachedStep>,
}

/// A funnel in its one form: every member present, instants absolute.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct FunnelQuery {
    /// The steps.
    pub steps: Vec<FunnelStep>,
    /// How long an attempt lasts.
    pub window: String,
    /// How the steps follow each other.
    pub order: String,
    /// Whose events belong together.
    pub by: String,
    /// What ends an attempt.
    pub exclude: Vec<FunnelExclusion>,
    /// What tells actors apart.
    pub breakdown: Option<String>,
    /// The first instant of the range and its end, which is not part of it, with the zone's offset.
    pub date_range: [String; 2],
    /// The IANA name of the zone.
    pub timezone: String,
    /// The filters, all of which hold.
    pub filters: Vec<Value>,
}

/// A step of a funnel in its one form.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct FunnelStep {
    /// What it is called.
    pub name: Option<String>,
    /// The filters, all of which hold.
    pub filters: Vec<Value>,
}

/// An exclusion in its one form.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct FunnelExclusion {
    /// The filters, all of which hold.
    pub filters: Vec<Value>,
    /// The step that it counts strictly later than.
    pub after: usize,
    /// The step before whose reaching it counts.
    pub before: usize,
}

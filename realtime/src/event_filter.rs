//! The filters of an event subscription: those of the query language that can be tried on one event in memory.

use std::sync::Arc;

use analytics_domain::Event;
use analytics_query::{EventFilters, Filter};
use serde_json::Value;

use crate::refusal::Refusal;

/// Filters that an event has to pass, all of them.
#[derive(Debug)]
pub(crate) struct EventFilter {
    filters: EventFilters,
    normal_form: Arc<str>,
}

impl EventFilter {
    /// Reads the list that stands in `events.filters`.
    pub(crate) fn read(filters: &Value) -> Result<Self, Refusal> {
        let filters = EventFilters::parse(filters, "events.filters")?;
        let normal_form = Value::Array(filters.all().iter().map(Filter::to_json).collect()).to_string().into();
        Ok(Self { filters, normal_form })
    }

    /// Equal for filters that let the same events pass for being the same filters.
    pub(crate) fn normal_form(&self) -> &Arc<str> {
        &self.normal_form
    }

    /// Whether every event passes.
    pub(crate) fn passes_all(&self) -> bool {
        self.filters.all().is_empty()
    }

    /// Whether the event passes.
    pub(crate) fn matches(&self, event: &Event<'_>) -> bool {
        self.filters.matches(event)
    }
}

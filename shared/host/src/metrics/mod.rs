//! What a process counts: every metric's name, kind, help and bounds in one registry, and `/metrics` for Prometheus.
//!
//! Parts of a role register their handles once (`metrics::counter!(names::EVENTS_QUEUED)`) and keep them; what can be
//! labelled with a client's text goes through [`BoundedLabels`].

#[cfg(feature = "lambda")]
mod embedded;
mod labels;
pub mod names;
mod process;
mod recorder;
mod reference;
mod registry;

pub use labels::{BoundedLabels, MOST_LABELS, OTHER};
pub use recorder::{install, render, router};
#[cfg(feature = "lambda")]
pub use recorder::{install_embedded, tell_embedded};
pub use reference::reference;
pub use registry::{Kind, Metric, REGISTRY};

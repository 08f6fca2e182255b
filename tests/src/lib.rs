//! The harness of the black-box suite: deployments, tenants of them, and the comparison of answers.
//!
//! A case knows a [`Tenant`] and nothing of the form behind it. Every case has a project of its own in a deployment that
//! all cases of the process share, so all run side by side. The programs are those of the last `cargo build`; the suite
//! links none of their code.

pub mod answer;
pub mod deployment;
pub mod mask;
pub mod socket;
pub mod tenant;

pub use answer::Answer;
pub use deployment::{Deployment, Form};
pub use tenant::Tenant;

//! What the four roles are run and watched with, over real roles: the nginx of `deploy/nginx` before them, the Prometheus of
//! `deploy/prometheus` beside them, and every panel of `deploy/grafana`, roles started as the pods of `deploy/k8s` are,
//! deployments that are saved and put back, and keys and passwords that are changed meanwhile.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test may panic")]

mod business;
mod databases;
mod door;
mod front;
mod kubernetes;
mod losses;
mod monitoring;
mod restoring;
mod rotation;
mod streams;

use std::path::PathBuf;

use serde_json::{Value, json};

/// The repository.
fn repository() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned()
}

/// An event with what it needs at least, received now.
fn event(session: &str, kind: &str, action: &str) -> Value {
    json!({ "session_id": session, "event_type": kind, "event_action": action })
}

//! What the system knows of this process, read when somebody looks.

use std::sync::OnceLock;

use metrics::gauge;

use super::names;
use crate::clock::{Clock, SystemClock};

/// When the process began, as seconds since the Unix epoch: the first call sets it.
pub(super) fn remember_start() -> f64 {
    static START: OnceLock<f64> = OnceLock::new();
    *START.get_or_init(|| SystemClock.now().as_micros() as f64 / 1e6)
}

/// Sets the gauges of the process; what the system does not tell is left out.
pub(super) fn measure() {
    gauge!(names::PROCESS_START).set(remember_start());
    if let Some(bytes) = resident_bytes() {
        gauge!(names::PROCESS_MEMORY).set(bytes);
    }
    if let Ok(files) = std::fs::read_dir("/proc/self/fd") {
        gauge!(names::PROCESS_OPEN_FDS).set(files.count() as f64);
    }
}

/// `VmRSS` of proc(5), which is in units of 1,024 bytes.
fn resident_bytes() -> Option<f64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    line.trim().strip_suffix("kB")?.trim().parse::<f64>().ok().map(|kib| kib * 1_024.0)
}

//! SIGTERM, sent to this very process.

use std::time::Duration;

use analytics_host::shutdown::{self, Shutdown};
use rustix::process::{Signal, getpid, kill_process};

#[tokio::test]
async fn sigterm_is_heard_by_everybody() {
    let shutdown = Shutdown::new();
    let listener = tokio::spawn(shutdown::listen_for_signals(shutdown.clone()));
    // The handler is in place once the task has run up to its first wait.
    tokio::time::sleep(Duration::from_millis(100)).await;
    assert!(!shutdown.is_stopping() && !listener.is_finished());
    kill_process(getpid(), Signal::TERM).unwrap();
    tokio::time::timeout(Duration::from_secs(5), shutdown.stopping()).await.unwrap();
    // A second signal would end the process, and the tests with it.
    listener.abort();
}

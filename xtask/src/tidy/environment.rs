//! Rules about what only a `main` may touch: the environment, the clock, ports and signals.

use super::source::SourceFile;
use super::{Finding, Findings};

/// Tools and tests, which are mains of their own.
const TOOLS: &[&str] = &["xtask/", "bench/", "ledger/", "shared/testkit/", "tests/"];

/// Who asks the system for the wall time: the clock itself, and the queue and the feed that stand in a process for a
/// server, which has a clock of its own.
const CLOCKS: &[&str] =
    &["shared/host/src/clock.rs", "shared/messaging/src/embedded/", "shared/messaging/src/process/"];

/// The one file that listens for signals.
const SIGNALS: &str = "shared/host/src/shutdown.rs";

const VARIABLES: &[&str] = &["env::var", "env::vars", "env::var_os", "env::vars_os", "env::set_var", "env::remove_var"];
const WALL_TIME: &[&str] =
    &["SystemTime::now", "UNIX_EPOCH.elapsed", "jiff::Timestamp::now", "Zoned::now", "Uuid::now_v7", "Uuid::now_v1"];
const STEADY_TIME: &[&str] = &["Instant::now"];
const LISTENERS: &[&str] = &["TcpListener::bind", "UnixListener::bind"];
const SIGNAL_CALLS: &[&str] = &["signal::ctrl_c", "unix::signal"];

/// `std::env` is read in mains and tools only.
pub(super) fn variables(file: &SourceFile) -> Findings {
    if is_tool(file) || is_main(file) {
        return Vec::new();
    }
    find(file, VARIABLES, "the environment is read in a `main` and handed down")
}

/// Wall time comes from the clock; pure crates have no time at all.
pub(super) fn clock(file: &SourceFile) -> Findings {
    let mut findings = Vec::new();
    if !is_tool(file) && !CLOCKS.iter().any(|place| file.is_in(place)) {
        findings.extend(find(file, WALL_TIME, "wall time comes from `host::clock`, as an argument or a `SharedClock`"));
    }
    if file.is_in("shared/domain/") || file.is_in("shared/query/") {
        findings.extend(find(file, STEADY_TIME, "a pure crate takes time as an argument"));
    }
    findings
}

/// Ports are bound in mains, signals caught in [`SIGNALS`] and mains.
pub(super) fn edge(file: &SourceFile) -> Findings {
    if is_tool(file) || is_main(file) {
        return Vec::new();
    }
    let mut findings = find(file, LISTENERS, "a port is bound in a `main`, and the listener handed down");
    if !file.is_in(SIGNALS) {
        findings.extend(find(file, SIGNAL_CALLS, "signals are caught by `host::shutdown` only"));
    }
    findings
}

fn is_tool(file: &SourceFile) -> bool {
    TOOLS.iter().any(|place| file.is_in(place))
}

/// `src/main.rs`, a build script, which cargo tells by variables what to do, or a program of its own in `src/bin`.
fn is_main(file: &SourceFile) -> bool {
    file.path().ends_with("src/main.rs")
        || file.path().ends_with("build.rs")
        || file.path().parent().is_some_and(|folder| folder.ends_with("src/bin"))
}

fn find(file: &SourceFile, words: &[&str], rule: &str) -> Findings {
    let spots = words.iter().flat_map(|word| {
        file.outside_tests(word).map(move |at| Finding::new(file.path(), file.line(at), format!("`{word}`: {rule}")))
    });
    spots.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(path: &str, text: &str) -> SourceFile {
        SourceFile::new(path, text)
    }

    #[test]
    fn reading_the_environment_below_main_is_found() {
        let bad = "fn f() {\n    let x = std::env::var(\"REDIS_URL\");\n}";
        assert_eq!(variables(&file("worker/src/drain.rs", bad))[0].line, 2);
        assert_eq!(variables(&file("worker/src/main.rs", bad)).len(), 0);
        assert_eq!(variables(&file("functions/api/build.rs", bad)).len(), 0);
        assert_eq!(variables(&file("functions/api/src/rebuild.rs", bad)).len(), 1);
        assert_eq!(variables(&file("shared/testkit/src/role.rs", bad)).len(), 0);
        assert_eq!(variables(&file("worker/src/drain.rs", "// std::env::var is for mains\n")).len(), 0);
        assert_eq!(variables(&file("worker/src/drain.rs", "const A: &str = env!(\"CARGO_PKG_VERSION\");")).len(), 0);
    }

    #[test]
    fn asking_for_the_time_is_found() {
        assert_eq!(clock(&file("worker/src/drain.rs", "let now = SystemTime::now();")).len(), 1);
        assert_eq!(clock(&file("worker/src/drain.rs", "let now = jiff::Timestamp::now();")).len(), 1);
        assert_eq!(clock(&file("shared/host/src/clock.rs", "let now = SystemTime::now();")).len(), 0);
        assert_eq!(clock(&file("shared/messaging/src/redis/queue.rs", "let now = SystemTime::now();")).len(), 1);
        assert_eq!(clock(&file("worker/src/drain.rs", "let began = Instant::now();")).len(), 0);
        assert_eq!(clock(&file("shared/domain/src/event.rs", "let began = Instant::now();")).len(), 1);
        let test = "#[cfg(test)]\nmod tests { fn f() { SystemTime::now(); } }";
        assert_eq!(clock(&file("worker/src/drain.rs", test)).len(), 0);
    }

    #[test]
    fn ports_and_signals_below_main_are_found() {
        assert_eq!(edge(&file("functions/api/src/router.rs", "TcpListener::bind(address)")).len(), 1);
        assert_eq!(edge(&file("functions/api/src/main.rs", "TcpListener::bind(address)")).len(), 0);
        assert_eq!(edge(&file("worker/src/drain.rs", "tokio::signal::ctrl_c()")).len(), 1);
        assert_eq!(edge(&file("shared/host/src/shutdown.rs", "tokio::signal::ctrl_c()")).len(), 0);
    }
}

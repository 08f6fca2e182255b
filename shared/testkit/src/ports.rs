//! Ports that no other test takes.

use std::collections::BTreeMap;
use std::fs::File;
use std::net::TcpListener;
use std::sync::Mutex;

use rand::Rng;

/// Below Linux's range for outgoing connections (32768 and up), so that no client's socket takes a port between its
/// choice and the server's bind.
const RANGE: std::ops::Range<u16> = 15_000..32_000;

/// Held until the process ends: the lock is what keeps a port ours across processes.
static HELD: Mutex<BTreeMap<u16, File>> = Mutex::new(BTreeMap::new());

/// A loopback port that is free now and that no other test process gets while this one lives.
///
/// # Panics
/// Where no port is left, which means that thousands of servers run.
#[must_use]
pub fn free() -> u16 {
    let folder = std::env::temp_dir().join(format!("analytics-testkit-ports-{}", crate::process::user_id()));
    let _ = std::fs::create_dir_all(&folder);
    let mut random = rand::rng();
    for _ in 0..10_000 {
        let port = random.random_range(RANGE);
        let mut held = match HELD.lock() {
            Ok(held) => held,
            Err(poisoned) => poisoned.into_inner(),
        };
        if held.contains_key(&port) {
            continue;
        }
        let Ok(lock) = File::create(folder.join(port.to_string())) else { continue };
        if lock.try_lock().is_err() || TcpListener::bind(("127.0.0.1", port)).is_err() {
            continue;
        }
        held.insert(port, lock);
        return port;
    }
    panic!("no free port in {RANGE:?}");
}

#[cfg(test)]
mod tests {
    #[test]
    fn ports_differ_and_can_be_bound() {
        let ports: std::collections::BTreeSet<u16> = (0..50).map(|_| super::free()).collect();
        assert_eq!(ports.len(), 50);
        let listeners: Vec<_> =
            ports.iter().map(|port| std::net::TcpListener::bind(("127.0.0.1", *port)).unwrap()).collect();
        assert_eq!(listeners.len(), 50);
    }
}

//! How a link finds the server that it connects to.

use std::fmt;
use std::future::Future;
use std::io;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use redis::aio::MultiplexedConnection;
use redis::{AsyncConnectionConfig, Client, ErrorKind, RedisError, RedisResult, ServerErrorKind, Value};

use super::address::{Address, Form};
use super::endpoint::open;
use super::reply::{array, text, unexpected};

/// How long a connection may take to be made.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(1);

/// How long a sentinel or a node may take to tell where the server is; then the next is asked.
const GUIDE_TIMEOUT: Duration = Duration::from_millis(400);

/// Where a connection goes.
#[derive(Debug)]
pub(super) enum Route {
    /// To one server, always the same.
    One(Box<Client>),
    /// To whichever server of several it is at that time.
    Search(Box<Search>),
}

/// A search for the server that has a slot, or that is the master.
pub(super) struct Search {
    address: Address,
    roots: Option<Vec<u8>>,
    /// Of a cluster: what its keys have in braces.
    tag: String,
    /// Nodes that others told of: those that the URL names may be gone one day.
    learnt: Mutex<Vec<String>>,
    /// Where a server said that the slot is.
    told: Mutex<Option<String>>,
    /// Which guide is asked first, so that a silent one does not cost each try its time.
    turn: AtomicUsize,
}

impl fmt::Debug for Search {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Search").field("address", &self.address).field("tag", &self.tag).finish_non_exhaustive()
    }
}

impl Route {
    /// A search for the server of keys that have `tag` in their braces.
    pub(super) fn search(address: Address, roots: Option<Vec<u8>>, tag: &str) -> Self {
        Self::Search(Box::new(Search {
            address,
            roots,
            tag: tag.to_owned(),
            learnt: Mutex::default(),
            told: Mutex::default(),
            turn: AtomicUsize::new(0),
        }))
    }

    /// Whether keys with different tags may lie on different servers.
    pub(super) fn is_cluster(&self) -> bool {
        matches!(self, Self::Search(search) if search.address.form == Form::Cluster)
    }

    /// Whether it may lead to another server after the one it leads to has died.
    pub(super) fn is_search(&self) -> bool {
        matches!(self, Self::Search(_))
    }

    /// A connection to the server as it is now, without any timeout on answers.
    pub(super) async fn connect(&self) -> RedisResult<MultiplexedConnection> {
        match self {
            Self::One(client) => {
                let at = || client.get_connection_info().addr().to_string();
                connect(client, CONNECT_TIMEOUT).await.map_err(|error| naming(error, &at()))
            }
            Self::Search(search) => search.connect().await,
        }
    }

    /// Notes where a server said that the slot is.
    pub(super) fn note(&self, error: &RedisError) {
        if let (Self::Search(search), ErrorKind::Server(ServerErrorKind::Moved)) = (self, error.kind()) {
            *held(&search.told) =
                error.redirect_node().map(|(node, _)| node.to_owned()).filter(|node| !node.starts_with(':'));
        }
    }
}

fn held<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

async fn connect(client: &Client, timeout: Duration) -> RedisResult<MultiplexedConnection> {
    // Answers are timed from outside: one limit over connecting and asking.
    let config = AsyncConnectionConfig::new().set_connection_timeout(Some(timeout)).set_response_timeout(None);
    client.get_multiplexed_async_connection_with_config(&config).await
}

/// The error with the server that it is about: the driver's own names none.
fn naming(error: RedisError, node: &str) -> RedisError {
    if error.kind() == ErrorKind::AuthenticationFailed {
        return RedisError::from((error.kind(), "no access", format!("{node} refuses user or password")));
    }
    if !error.is_io_error() {
        return error;
    }
    // One of a kind that makes a link connect anew, as the driver's is.
    io::Error::new(io::ErrorKind::NotConnected, format!("{node} cannot be reached: {error}")).into()
}

impl Search {
    async fn connect(&self) -> RedisResult<MultiplexedConnection> {
        let told = held(&self.told).take();
        let node = match told {
            Some(node) => node,
            None => self.find().await?,
        };
        let client = open(&self.address.server(&node), self.roots.as_deref())?;
        let mut connection = connect(&client, CONNECT_TIMEOUT).await.map_err(|error| naming(error, &node))?;
        if let Form::Sentinel { master } = &self.address.form {
            // Sentinels tell of the old master until they have agreed on the new one, which may not know yet that it is.
            let role: Vec<Value> = redis::cmd("ROLE").query_async(&mut connection).await?;
            if role.first().is_none_or(|role| !matches!(role, Value::BulkString(name) if name == b"master")) {
                let reason = format!("the sentinels name {node} as the master {master}, and it is none (yet)");
                return Err(io::Error::new(io::ErrorKind::NotConnected, reason).into());
            }
        }
        Ok(connection)
    }

    /// Asks one guide after the other where the server is.
    async fn find(&self) -> RedisResult<String> {
        let mut guides = self.address.named.clone();
        guides.extend(held(&self.learnt).iter().filter(|node| !self.address.named.contains(node)).cloned());
        let first = self.turn.fetch_add(1, Ordering::Relaxed);
        let mut failure = None;
        for step in 0..guides.len() {
            let guide = &guides[(first + step) % guides.len()];
            match within(GUIDE_TIMEOUT, self.ask(guide)).await {
                Ok(node) => return Ok(node),
                // What a guide says is worth more than that another is silent.
                Err(error) if failure.is_none() || !error.is_io_error() => failure = Some(naming(error, guide)),
                Err(_) => {}
            }
        }
        Err(failure.unwrap_or_else(|| RedisError::from((ErrorKind::InvalidClientConfig, "the URL names no server"))))
    }

    async fn ask(&self, guide: &str) -> RedisResult<String> {
        let client = open(&self.address.guide(guide), self.roots.as_deref())?;
        let mut connection = connect(&client, GUIDE_TIMEOUT).await?;
        match &self.address.form {
            Form::Cluster => {
                let mut both = redis::pipe();
                both.cmd("CLUSTER").arg("KEYSLOT").arg(&self.tag).cmd("CLUSTER").arg("SLOTS");
                let answer = both.query_async(&mut connection).await;
                let (slot, ranges): (u64, Value) =
                    answer.map_err(|error| no_guide(error, guide, "cluster support disabled", "is in no cluster"))?;
                let (node, others) = owner(slot, ranges, guide)?;
                *held(&self.learnt) = others;
                Ok(node)
            }
            Form::Sentinel { master } => {
                let mut command = redis::cmd("SENTINEL");
                let answer = command.arg("GET-MASTER-ADDR-BY-NAME").arg(master).query_async(&mut connection).await;
                let found: Option<(String, u16)> =
                    answer.map_err(|error| no_guide(error, guide, "unknown command", "is no sentinel"))?;
                let (host, port) = found.ok_or_else(|| {
                    let told = format!("the sentinel {guide} knows no master {master}");
                    RedisError::from((ErrorKind::MasterNameNotFoundBySentinel, "no such master", told))
                })?;
                Ok(node(&host, port))
            }
        }
    }
}

async fn within<T>(limit: Duration, asking: impl Future<Output = RedisResult<T>>) -> RedisResult<T> {
    match tokio::time::timeout(limit, asking).await {
        Ok(answer) => answer,
        Err(_) => Err(super::link::timed_out(limit)),
    }
}

/// A server that is not what the URL says it is; no waiting mends that.
fn no_guide(error: RedisError, guide: &str, sign: &str, what: &str) -> RedisError {
    if error.to_string().contains(sign) {
        return RedisError::from((ErrorKind::InvalidClientConfig, "not what the URL says", format!("{guide} {what}")));
    }
    error
}

fn node(host: &str, port: u16) -> String {
    if host.contains(':') { format!("[{host}]:{port}") } else { format!("{host}:{port}") }
}

/// The node that has a slot by the answer to `CLUSTER SLOTS`, and all nodes that it names.
fn owner(slot: u64, ranges: Value, guide: &str) -> RedisResult<(String, Vec<String>)> {
    const WHAT: &str = "the cluster's slots";
    let own_host = guide.rsplit_once(':').map_or(guide, |(host, _)| host);
    let (mut found, mut all) = (None, Vec::new());
    for range in array(ranges, WHAT)? {
        let mut parts = array(range, WHAT)?.into_iter();
        let (Some(Value::Int(from)), Some(Value::Int(to))) = (parts.next(), parts.next()) else {
            return Err(unexpected(WHAT));
        };
        // The first is the master, the others are its replicas.
        for (place, server) in parts.enumerate() {
            let mut fields = array(server, WHAT)?.into_iter();
            let (Some(host), Some(Value::Int(port))) = (fields.next(), fields.next()) else {
                return Err(unexpected(WHAT));
            };
            // A node that does not know its own name is where it was found.
            let host = if host == Value::Nil { String::new() } else { text(host, WHAT)? };
            let port = u16::try_from(port).map_err(|_| unexpected(WHAT))?;
            let name = match host.as_str() {
                "" => format!("{own_host}:{port}"),
                "?" => continue,
                host => node(host, port),
            };
            if place == 0 && (from..=to).contains(&i64::try_from(slot).unwrap_or(-1)) {
                found = Some(name.clone());
            }
            if !all.contains(&name) {
                all.push(name);
            }
        }
    }
    let nobody = || {
        let told = format!("no node of the cluster serves slot {slot}");
        RedisError::from((ErrorKind::ClusterConnectionNotFound, "the cluster is not whole", told))
    };
    Ok((found.ok_or_else(nobody)?, all))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn range(from: i64, to: i64, nodes: &[(Value, i64)]) -> Value {
        let node = |(host, port): &(Value, i64)| Value::Array(vec![host.clone(), Value::Int(*port)]);
        let mut parts = vec![Value::Int(from), Value::Int(to)];
        parts.extend(nodes.iter().map(node));
        Value::Array(parts)
    }

    fn named(host: &str) -> Value {
        Value::BulkString(host.as_bytes().to_vec())
    }

    #[test]
    fn a_slot_is_found_at_its_master() {
        let ranges = Value::Array(vec![
            range(0, 5_460, &[(named("10.0.0.1"), 7_000), (named("10.0.0.4"), 7_003)]),
            range(5_461, 10_922, &[(named("::2"), 7_001)]),
            range(10_923, 16_383, &[(Value::Nil, 7_002)]),
        ]);
        let found = |slot| owner(slot, ranges.clone(), "seed:7009").unwrap();
        assert_eq!(found(5_460).0, "10.0.0.1:7000");
        assert_eq!(found(5_461).0, "[::2]:7001");
        assert_eq!(found(16_383).0, "seed:7002");
        assert_eq!(found(0).1, ["10.0.0.1:7000", "10.0.0.4:7003", "[::2]:7001", "seed:7002"]);
        assert!(owner(0, Value::Array(vec![range(1, 2, &[(named("a"), 1)])]), "seed:1").is_err());
    }
}

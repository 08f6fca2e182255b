//! A Redis cluster of a test's own.

use std::time::{Duration, Instant};

use super::{AppendFsync, RedisOptions, RedisServer};
use crate::{Result, TestkitError, ports};

const SLOTS: usize = 16_384;

/// How long the nodes may take to know each other.
const JOIN_LIMIT: Duration = Duration::from_secs(30);

/// How long a node is silent before the others take it for dead.
const NODE_TIMEOUT: &str = "1500";

/// Running masters that share the slots, and their replicas; ended and cleaned up when dropped.
#[derive(Debug)]
pub struct RedisCluster {
    /// The masters in the order of their slots, then as many replicas of each as were asked for.
    pub nodes: Vec<RedisServer>,
    masters: usize,
}

impl RedisCluster {
    /// Starts so many masters with so many replicas each, flushed by `appendfsync`, and waits until they serve every slot.
    ///
    /// # Errors
    /// Where `redis-server` is not installed, or the nodes do not come together.
    pub fn start(masters: usize, replicas: usize, appendfsync: AppendFsync, settings: &[(&str, &str)]) -> Result<Self> {
        let mut nodes = Vec::new();
        let mut bus_ports = Vec::new();
        for _ in 0..masters * (1 + replicas) {
            let bus_port = ports::free();
            let cluster = [
                ("cluster-enabled", "yes"),
                ("cluster-port", &bus_port.to_string()),
                ("cluster-node-timeout", NODE_TIMEOUT),
                ("cluster-replica-validity-factor", "0"),
                ("repl-diskless-sync-delay", "0"),
            ];
            let settings = cluster.iter().chain(settings);
            let settings = settings.map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
            nodes.push(RedisServer::start(RedisOptions { appendfsync, settings, ..RedisOptions::default() })?);
            bus_ports.push(bus_port);
        }
        let cluster = Self { nodes, masters };
        cluster.join(&bus_ports)?;
        Ok(cluster)
    }

    fn join(&self, bus_ports: &[u16]) -> Result<()> {
        let seed = self.nodes[0].address().port().to_string();
        for (index, node) in self.nodes.iter().enumerate() {
            node.command(&["CLUSTER", "SET-CONFIG-EPOCH", &(index + 1).to_string()])?;
            if index < self.masters {
                let bound = |index: usize| SLOTS * index / self.masters;
                let (from, to) = (bound(index).to_string(), (bound(index + 1) - 1).to_string());
                node.command(&["CLUSTER", "ADDSLOTSRANGE", &from, &to])?;
            }
            if index > 0 {
                node.command(&["CLUSTER", "MEET", "127.0.0.1", &seed, &bus_ports[0].to_string()])?;
            }
        }
        self.wait(|node| {
            let info = node.command(&["CLUSTER", "INFO"])?;
            Ok(info.contains(&format!("cluster_known_nodes:{}", self.nodes.len())))
        })?;
        for (index, replica) in self.nodes.iter().enumerate().skip(self.masters) {
            let master = self.nodes[index % self.masters].command(&["CLUSTER", "MYID"])?;
            let started = Instant::now();
            // It may not have heard yet that the other is a master.
            while replica.command(&["CLUSTER", "REPLICATE", &master]).is_err() {
                if started.elapsed() > JOIN_LIMIT {
                    return Err(failed("a replica does not find its master"));
                }
                std::thread::sleep(Duration::from_millis(50));
            }
        }
        self.wait_whole()
    }

    /// Waits until every node says that all slots are served, and every replica follows its master.
    ///
    /// # Errors
    /// Where that takes too long.
    pub fn wait_whole(&self) -> Result<()> {
        self.wait(|node| {
            let info = node.command(&["INFO", "replication"])?;
            let follows = info.contains("role:master") || info.contains("master_link_status:up");
            Ok(follows && node.command(&["CLUSTER", "INFO"])?.contains("cluster_state:ok"))
        })
    }

    fn wait(&self, ready: impl Fn(&RedisServer) -> Result<bool>) -> Result<()> {
        let started = Instant::now();
        for node in &self.nodes {
            while !ready(node).unwrap_or(false) {
                if started.elapsed() > JOIN_LIMIT {
                    return Err(failed(&format!("its nodes are not ready; a log:\n{}", node.log())));
                }
                std::thread::sleep(Duration::from_millis(25));
            }
        }
        Ok(())
    }

    /// `redis+cluster://` with every node.
    #[must_use]
    pub fn url(&self) -> String {
        let nodes: Vec<String> = self.nodes.iter().map(|node| node.address().to_string()).collect();
        format!("redis+cluster://{}", nodes.join(","))
    }

    /// Which of the nodes has a key, by the word of a node that lives.
    ///
    /// # Errors
    /// Where nobody answers or nobody has it.
    pub fn owner(&self, key: &str) -> Result<usize> {
        let told = self.nodes.iter().find_map(|node| {
            let slot: usize = node.command(&["CLUSTER", "KEYSLOT", key]).ok()?.parse().ok()?;
            Some((slot, node.command(&["CLUSTER", "SLOTS"]).ok()?))
        });
        let (slot, answer) = told.ok_or_else(|| failed("no node answers"))?;
        // Of each range: from, to, then host, port, id of the master and of its replicas.
        let lines: Vec<&str> = answer.lines().collect();
        let ranges = lines.windows(4).filter(|lines| lines[2] == "127.0.0.1");
        let port = ranges
            .filter_map(|lines| Some((lines[0].parse::<usize>().ok()?, lines[1].parse::<usize>().ok()?, lines[3])))
            .find(|(from, to, _)| (*from..=*to).contains(&slot))
            .and_then(|(_, _, port)| port.parse::<u16>().ok());
        let place = self.nodes.iter().position(|node| Some(node.address().port()) == port);
        place.ok_or_else(|| failed(&format!("nobody has slot {slot}")))
    }

    /// Moves the slot of a key to another master, with its keys, as `redis-cli --cluster reshard` does, while both serve.
    ///
    /// # Errors
    /// Where a node refuses.
    pub fn move_slot(&self, key: &str, to: usize) -> Result<()> {
        let from = self.owner(key)?;
        let (source, target) = (&self.nodes[from], &self.nodes[to]);
        let slot = source.command(&["CLUSTER", "KEYSLOT", key])?;
        let (source_id, target_id) = (source.command(&["CLUSTER", "MYID"])?, target.command(&["CLUSTER", "MYID"])?);
        target.command(&["CLUSTER", "SETSLOT", &slot, "IMPORTING", &source_id])?;
        source.command(&["CLUSTER", "SETSLOT", &slot, "MIGRATING", &target_id])?;
        let port = target.address().port().to_string();
        loop {
            let keys = source.command(&["CLUSTER", "GETKEYSINSLOT", &slot, "1"])?;
            let Some(key) = keys.lines().next().filter(|key| !key.is_empty()) else { break };
            source.command(&["MIGRATE", "127.0.0.1", &port, key, "0", "10000"])?;
        }
        for node in [target, source].into_iter().chain(&self.nodes[..self.masters]) {
            node.command(&["CLUSTER", "SETSLOT", &slot, "NODE", &target_id])?;
        }
        Ok(())
    }
}

fn failed(what: &str) -> TestkitError {
    TestkitError::Failed { program: "the Redis cluster".to_owned(), detail: what.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slot_moves_with_its_keys() {
        let cluster = RedisCluster::start(3, 0, AppendFsync::default(), &[]).unwrap();
        let from = cluster.owner("{q}:a").unwrap();
        cluster.nodes[from].command(&["SET", "{q}:a", "1"]).unwrap();
        let to = (from + 1) % 3;
        cluster.move_slot("{q}:a", to).unwrap();
        assert_eq!(cluster.owner("{q}:a").unwrap(), to);
        assert_eq!(cluster.nodes[to].command(&["GET", "{q}:a"]).unwrap(), "1");
        assert!(cluster.nodes[from].command(&["GET", "{q}:a"]).is_err());
    }
}

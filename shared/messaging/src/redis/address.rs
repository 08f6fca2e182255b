//! A Redis URL that names several servers, taken apart.

use std::fmt;

/// The port of a server, and of a sentinel, where the URL names none.
const PORT: u16 = 6379;
const SENTINEL_PORT: u16 = 26379;

/// What the servers of a URL are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Form {
    /// `redis+cluster://`: nodes of a cluster, any of which tells where the others are.
    Cluster,
    /// `redis+sentinel://`: sentinels, any of which tells where the master of this name is.
    Sentinel { master: String },
}

/// The servers of a URL and how each is spoken to.
#[derive(Clone)]
pub(super) struct Address {
    pub(super) form: Form,
    /// `host:port` of each server that the URL names.
    pub(super) named: Vec<String>,
    pub(super) tls: bool,
    /// `user:password@` for the servers with data, as the URL had it, or nothing.
    credentials: String,
    /// The same for sentinels.
    sentinel_credentials: String,
    database: u32,
}

/// Says nothing of user and password.
impl fmt::Debug for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Address").field("form", &self.form).field("named", &self.named).finish_non_exhaustive()
    }
}

impl Address {
    /// Takes a URL apart; `None` for one of a single server. The error says what is wrong and repeats nothing of the URL.
    pub(super) fn parse(url: &str) -> Result<Option<Self>, String> {
        let Some((scheme, rest)) = url.split_once("://") else { return Ok(None) };
        let (tls, is_cluster) = match scheme {
            "redis+cluster" => (false, true),
            "rediss+cluster" => (true, true),
            "redis+sentinel" => (false, false),
            "rediss+sentinel" => (true, false),
            _ => return Ok(None),
        };
        let (rest, query) = rest.split_once('?').unwrap_or((rest, ""));
        let (authority, path) = rest.split_once('/').unwrap_or((rest, ""));
        let (credentials, hosts) = match authority.rsplit_once('@') {
            Some((credentials, hosts)) => (format!("{credentials}@"), hosts),
            None => (String::new(), authority),
        };
        let port = if is_cluster { PORT } else { SENTINEL_PORT };
        let named = hosts.split(',').map(|host| node(host.trim(), port)).collect::<Result<Vec<_>, _>>()?;
        let (form, database) = if is_cluster {
            if !matches!(path, "" | "0") {
                return Err("a cluster has database 0 only".to_owned());
            }
            (Form::Cluster, 0)
        } else {
            let (master, database) = path.split_once('/').unwrap_or((path, ""));
            if master.is_empty() {
                return Err("it does not name the master that the sentinels know".to_owned());
            }
            let number = if database.is_empty() { Ok(0) } else { database.parse() };
            let number = number.map_err(|_| "the database behind the master's name is no number".to_owned())?;
            (Form::Sentinel { master: master.to_owned() }, number)
        };
        let sentinel_credentials = sentinel_credentials(query, is_cluster)?;
        Ok(Some(Self { form, named, tls, credentials, sentinel_credentials, database }))
    }

    /// The URL of a server with data.
    pub(super) fn server(&self, node: &str) -> String {
        format!("{}://{}{node}/{}", self.scheme(), self.credentials, self.database)
    }

    /// The URL of a server that tells where the others are.
    pub(super) fn guide(&self, node: &str) -> String {
        match self.form {
            Form::Cluster => self.server(node),
            Form::Sentinel { .. } => format!("{}://{}{node}", self.scheme(), self.sentinel_credentials),
        }
    }

    fn scheme(&self) -> &'static str {
        if self.tls { "rediss" } else { "redis" }
    }
}

/// What is logged of it.
impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let named = self.named.join(",");
        match &self.form {
            Form::Cluster => write!(f, "the cluster of {named}"),
            Form::Sentinel { master } => write!(f, "{master} by the sentinels {named}"),
        }
    }
}

/// `host:port` of a host with or without a port.
fn node(host: &str, port: u16) -> Result<String, String> {
    const WRONG: &str = "one of its servers is no host:port";
    // Of an IPv6 address the colons within the brackets are no port's.
    let behind = host.rfind(']').map_or(0, |end| end + 1);
    let node = if host[behind..].contains(':') { host.to_owned() } else { format!("{host}:{port}") };
    let named = node.rsplit_once(':').is_some_and(|(host, port)| !host.is_empty() && port.parse::<u16>().is_ok());
    if named && redis::parse_redis_url(&format!("redis://{node}")).is_some() { Ok(node) } else { Err(WRONG.to_owned()) }
}

/// `sentinel_username` and `sentinel_password`, still encoded as in a URL.
fn sentinel_credentials(query: &str, is_cluster: bool) -> Result<String, String> {
    let (mut username, mut password) = ("", None);
    for pair in query.split('&').filter(|pair| !pair.is_empty()) {
        match pair.split_once('=') {
            Some(("sentinel_username", value)) if !is_cluster => username = value,
            Some(("sentinel_password", value)) if !is_cluster => password = Some(value),
            _ => {
                return Err("behind its ? stands something else than sentinel_username or sentinel_password".to_owned());
            }
        }
    }
    Ok(password.map_or_else(String::new, |password| format!("{username}:{password}@")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_of_several_servers_are_taken_apart() {
        let cluster = Address::parse("rediss+cluster://user:p%40w@a:7000,b,[::1]:7002,[::2]").unwrap().unwrap();
        assert_eq!((&cluster.form, cluster.tls), (&Form::Cluster, true));
        assert_eq!(cluster.named, ["a:7000", "b:6379", "[::1]:7002", "[::2]:6379"]);
        assert_eq!(cluster.guide("b:6379"), "rediss://user:p%40w@b:6379/0");
        let url = "redis+sentinel://:pw@s1,s2:26380/main/2?sentinel_password=x%3D";
        let sentinels = Address::parse(url).unwrap().unwrap();
        assert_eq!(sentinels.form, Form::Sentinel { master: "main".to_owned() });
        assert_eq!(sentinels.named, ["s1:26379", "s2:26380"]);
        assert_eq!(sentinels.guide("s1:26379"), "redis://:x%3D@s1:26379");
        assert_eq!(sentinels.server("m:6379"), "redis://:pw@m:6379/2");
        assert!(!format!("{sentinels:?} {sentinels}").contains("pw"));
        assert!(Address::parse("redis://a:1/2").unwrap().is_none());
    }

    #[test]
    fn what_is_wrong_is_said_and_nothing_repeated() {
        for (url, reason) in [
            ("redis+cluster://:hunter2@", "host:port"),
            ("redis+cluster://:hunter2@a,,b", "host:port"),
            ("redis+cluster://:hunter2@a:port", "host:port"),
            ("redis+cluster://:hunter2@a/1", "database 0"),
            ("redis+cluster://:hunter2@a?sentinel_password=hunter2", "?"),
            ("redis+sentinel://:hunter2@a", "master"),
            ("redis+sentinel://:hunter2@a/main/x", "number"),
            ("redis+sentinel://:hunter2@a/main?password=hunter2", "sentinel_password"),
        ] {
            let told = Address::parse(url).unwrap_err();
            assert!(told.contains(reason) && !told.contains("hunter2"), "{url}: {told}");
        }
    }
}

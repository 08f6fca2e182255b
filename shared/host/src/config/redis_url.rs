//! Where Redis is: one server, a cluster, or a master that sentinels watch.

use super::parts::url;
use super::reading::Reader;

const ONE: &[&str] = &["redis", "rediss"];
const CLUSTER: &[&str] = &["redis+cluster", "rediss+cluster"];
const SENTINEL: &[&str] = &["redis+sentinel", "rediss+sentinel"];

const CLUSTER_FORM: &str = "a cluster is written redis+cluster://host:6379,host:6379, with :password@ before the first host where \
                            it needs one";
const SENTINEL_FORM: &str = "a master that sentinels watch is written redis+sentinel://host:26379,host:26379/master-name, with \
                             :password@ before the first host where the master needs one";

/// A URL of Redis; its driver reads it in full.
pub(super) fn read(reader: &mut Reader<'_>, name: &str) -> Option<String> {
    let scheme = reader.text(name).and_then(|text| text.split_once("://")).map(|(scheme, _)| scheme);
    match scheme {
        Some(scheme) if CLUSTER.contains(&scheme) => reader.try_read(name, |text| several(text, CLUSTER_FORM, false)),
        Some(scheme) if SENTINEL.contains(&scheme) => reader.try_read(name, |text| several(text, SENTINEL_FORM, true)),
        _ => url(reader, name, ONE, true),
    }
}

/// A URL that names several hosts, with or without the name of a master behind them.
fn several(text: &str, form: &str, names_a_master: bool) -> Result<String, String> {
    let Some(list) = HostList::of(text) else { return Err(form.to_owned()) };
    for host in list.hosts.split(',') {
        match url::Url::parse(&format!("redis://{}{}", list.credentials, host.trim())) {
            Ok(url) if url.host_str().is_some_and(|host| !host.is_empty()) => {}
            Ok(_) => return Err(format!("a host of it is empty; {form}")),
            // The reason repeats nothing of the text.
            Err(reason) => {
                return Err(format!(
                    "a host of it cannot be read: {reason}; {form}; in a password / ? # @ are written as %2F %3F %23 %40"
                ));
            }
        }
    }
    let path = list.rest.split('?').next().unwrap_or_default().trim_start_matches('/');
    match names_a_master {
        true if path.is_empty() => Err(format!("it names no master; {form}")),
        false if !matches!(path, "" | "0") => Err(format!("a cluster has database 0 only; {form}")),
        _ => Ok(text.to_owned()),
    }
}

/// A URL's parts around its hosts, of which there may be several with commas between.
struct HostList<'t> {
    scheme: &'t str,
    /// With their `@`.
    credentials: &'t str,
    hosts: &'t str,
    rest: &'t str,
}

impl<'t> HostList<'t> {
    fn of(text: &'t str) -> Option<Self> {
        let (scheme, behind) = text.split_once("://")?;
        let (authority, rest) = behind.split_at(behind.find(['/', '?', '#']).unwrap_or(behind.len()));
        let (credentials, hosts) = authority.split_at(authority.rfind('@').map_or(0, |at| at + 1));
        Some(Self { scheme, credentials, hosts, rest })
    }
}

/// A URL with the first of its hosts alone, so that it can be read as any other; none but those of Redis name several.
pub(super) fn with_one_host(text: &str) -> String {
    match HostList::of(text) {
        Some(list) if CLUSTER.contains(&list.scheme) || SENTINEL.contains(&list.scheme) => {
            let first = list.hosts.split(',').next().unwrap_or_default();
            format!("{}://{}{first}{}", list.scheme, list.credentials, list.rest)
        }
        _ => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_host_is_left() {
        let url = "redis+sentinel://:a,b@one:1,two:2/main?x=y";
        assert_eq!(with_one_host(url), "redis+sentinel://:a,b@one:1/main?x=y");
        for url in ["redis://a,b", "postgres://u:p@h/d", "none"] {
            assert_eq!(with_one_host(url), url);
        }
    }
}

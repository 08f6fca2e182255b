//! The load generator: wrk, from the system's packages, one thread, as cheap on the CPU as they come.

use std::io::Write;
use std::process::Command;

use crate::Outcome;

/// What a turn of load came to.
#[derive(Debug, Clone, Copy)]
pub struct Load {
    /// Requests a second.
    pub requests_per_second: f64,
    /// The 99th percentile of the latency, in milliseconds.
    pub p99_ms: f64,
    /// Requests in all.
    pub requests: u64,
    /// Answers that were not 2xx, and broken connections.
    pub failures: u64,
}

/// Posts `bodies` in turn to `url` over `connections` for `seconds`.
pub fn post(url: &str, bodies: &[String], connections: u32, seconds: u32) -> Outcome<Load> {
    post_with(url, &[], bodies, connections, seconds)
}

/// As [`post`], with more headers.
pub fn post_with(
    url: &str,
    headers: &[(&str, &str)],
    bodies: &[String],
    connections: u32,
    seconds: u32,
) -> Outcome<Load> {
    let headers: String = headers.iter().map(|(name, value)| format!(", ['{name}'] = '{value}'")).collect();
    let mut script = tempfile::Builder::new().suffix(".lua").tempfile()?;
    writeln!(script, "local bodies = {{")?;
    for body in bodies {
        writeln!(script, "  [==[{body}]==],")?;
    }
    writeln!(
        script,
        "}}\nlocal turn = 0\nlocal made = {{}}\nfunction init()\n  for i, body in ipairs(bodies) do\n    \
         made[i] = wrk.format('POST', nil, {{['content-type'] = 'application/json'{headers}}}, body)\n  end\nend\n\
         function request()\n  turn = turn % #made + 1\n  return made[turn]\nend"
    )?;
    script.flush()?;
    let output = Command::new("wrk")
        .args(["--threads", "1", "--latency", "--timeout", "10s"])
        .args(["--connections", &connections.to_string(), "--duration", &format!("{seconds}s")])
        .arg("--script")
        .arg(script.path())
        .arg(url)
        .output()
        .map_err(|error| format!("wrk cannot be run ({error}); run cargo xtask setup"))?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    read(&text)
        .ok_or_else(|| format!("wrk printed no figures: {text}{}", String::from_utf8_lossy(&output.stderr)).into())
}

fn read(text: &str) -> Option<Load> {
    let after = |label: &str| text.lines().find_map(|line| line.trim().strip_prefix(label).map(str::trim));
    let requests = text.lines().find_map(|line| line.trim().split_once(" requests in ").map(|(count, _)| count))?;
    let mut failures = 0;
    if let Some(count) = after("Non-2xx or 3xx responses:") {
        failures += count.parse::<u64>().ok()?;
    }
    if let Some(errors) = after("Socket errors:") {
        failures += errors.split(|c: char| !c.is_ascii_digit()).filter_map(|n| n.parse::<u64>().ok()).sum::<u64>();
    }
    Some(Load {
        requests_per_second: after("Requests/sec:")?.parse().ok()?,
        p99_ms: milliseconds(after("99%")?)?,
        requests: requests.trim().parse().ok()?,
        failures,
    })
}

fn milliseconds(text: &str) -> Option<f64> {
    let split = text.find(|c: char| c.is_ascii_alphabetic())?;
    let (number, unit) = text.split_at(split);
    let factor = match unit {
        "us" => 0.001,
        "ms" => 1.0,
        "s" => 1_000.0,
        "m" => 60_000.0,
        _ => return None,
    };
    number.parse::<f64>().ok().map(|number| number * factor)
}

#[cfg(test)]
mod tests {
    use super::{milliseconds, read};

    #[test]
    fn reads_what_wrk_prints() {
        let text = "  Latency Distribution\n     50%  411.00us\n     99%    1.35ms\n  377401 requests in 5.10s, 52.55MB read\n  \
                    Socket errors: connect 0, read 1, write 0, timeout 2\n  Non-2xx or 3xx responses: 4\nRequests/sec:  74000.50\n";
        let load = read(text).unwrap();
        assert_eq!((load.requests, load.failures), (377_401, 7));
        assert!((load.p99_ms - 1.35).abs() < 1e-9 && (load.requests_per_second - 74_000.5).abs() < 1e-6);
        assert_eq!(milliseconds("2.00s"), Some(2_000.0));
    }
}

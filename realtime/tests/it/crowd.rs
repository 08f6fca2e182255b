//! A thousand sockets.

use std::time::{Duration, Instant};

use futures::future::join_all;

use crate::server::{Server, Setup, event};
use crate::socket::{Client, number};

const READERS: usize = 1_000;
const EVENTS: u128 = 20;

/// Bytes of this process that lie in memory.
fn resident() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    line.trim().trim_end_matches(" kB").trim().parse::<u64>().unwrap() * 1_024
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_thousand_sockets_see_every_event_within_bounds() {
    let limits = analytics_realtime::Limits { connects_per_second: 10_000, ..Default::default() };
    let server = Server::start(Setup { limits, ..Setup::default() }).await;
    let before = resident();
    let mut clients = Vec::with_capacity(READERS);
    while clients.len() < READERS {
        clients.extend(
            join_all((0..50).map(|_| async {
                let mut client = Client::connect(server.address).await;
                client.say(r#"{"type":"subscribe","id":"feed","events":{}}"#).await;
                client
            }))
            .await,
        );
    }
    let started = Instant::now();
    let reading: Vec<_> = clients
        .into_iter()
        .map(|mut client| {
            tokio::spawn(async move {
                for expected in 0..EVENTS {
                    assert_eq!(number(&client.next().await), expected);
                }
                client
            })
        })
        .collect();
    for number in 0..EVENTS {
        server.publish(&[event(number)]).await;
    }
    let clients: Vec<Client> = join_all(reading).await.into_iter().map(Result::unwrap).collect();
    let took = started.elapsed();
    // Both ends of every socket are in this process.
    let grown = resident().saturating_sub(before);
    eprintln!("{READERS} sockets: {} MiB more, {EVENTS} events to all in {took:?}", grown >> 20);
    assert!(grown < 128 << 20, "{READERS} sockets took {} MiB", grown >> 20);
    assert!(took < Duration::from_secs(20), "{took:?}");
    drop(clients);
}

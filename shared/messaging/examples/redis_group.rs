//! One group of entries to Redis: the script that counts in the same step, against the same commands in a pipeline.
//!
//! `cargo run --release -p analytics-messaging --example redis_group -- redis://127.0.0.1:6379`
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::print_stdout, reason = "a measurement talks and may panic")]

use std::time::{Duration, Instant};

use redis::aio::MultiplexedConnection;

const TIME: Duration = Duration::from_secs(2);
const KEYS: [&str; 2] = ["{group}:stream", "{group}:depth"];

async fn script(connection: &mut MultiplexedConnection, entries: usize, payload: &[u8]) {
    let script = redis::Script::new(include_str!("../src/redis/lua/enqueue.lua"));
    let mut call = redis::cmd("EVALSHA");
    call.arg(script.get_hash()).arg(2).arg(&KEYS).arg(u64::MAX >> 12);
    for _ in 0..entries {
        call.arg("default").arg(1).arg(payload);
    }
    call.query_async::<()>(connection).await.unwrap();
}

async fn pipeline(connection: &mut MultiplexedConnection, entries: usize, payload: &[u8]) {
    let mut pipe = redis::pipe();
    for _ in 0..entries {
        pipe.cmd("XADD").arg(KEYS[0]).arg(&["*", "p", "default", "n", "1", "d"]).arg(payload).ignore();
    }
    for field in ["", "default"] {
        pipe.cmd("HINCRBY").arg(KEYS[1]).arg(field).arg(entries).ignore();
    }
    pipe.query_async::<()>(connection).await.unwrap();
}

#[tokio::main]
async fn main() {
    let url = std::env::args().nth(1).expect("usage: redis_group redis://127.0.0.1:6379");
    let config = redis::AsyncConnectionConfig::new().set_response_timeout(None);
    let client = redis::Client::open(url).unwrap();
    let mut connection = client.get_multiplexed_async_connection_with_config(&config).await.unwrap();
    redis::Script::new(include_str!("../src/redis/lua/enqueue.lua")).load_async(&mut connection).await.unwrap();
    for (entries, bytes) in [(1, 220), (16, 220), (64, 220), (1, 22_000), (16, 22_000)] {
        let payload = vec![b'x'; bytes];
        for scripted in [true, false, true, false] {
            let (started, mut rounds) = (Instant::now(), 0_u32);
            while started.elapsed() < TIME {
                if scripted {
                    script(&mut connection, entries, &payload).await;
                } else {
                    pipeline(&mut connection, entries, &payload).await;
                }
                rounds += 1;
            }
            let seconds = started.elapsed().as_secs_f64();
            let name = if scripted { "script" } else { "pipeline" };
            println!(
                "{entries:>3} of {bytes:>6} bytes, {name:>8}: {:>8.0} entries/s",
                f64::from(rounds) * entries as f64 / seconds
            );
            redis::cmd("DEL").arg(&KEYS).query_async::<()>(&mut connection).await.unwrap();
        }
    }
}

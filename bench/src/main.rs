//! Load and ratio benchmarks: each figure stands beside a plain counterpart that was measured in the same run.
//!
//! `cargo xtask bench` builds the release binaries and runs this. Machines are noisy; what is compared is run in turns,
//! and the ratio printed is the median of the turns' ratios.
#![cfg_attr(test, allow(clippy::unwrap_used, reason = "a test may panic"))]
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "a benchmark prints its table")]

mod bodies;
mod collector;
mod drain;
mod fanout;
mod lambda;
mod program;
mod query;
mod questions;
mod quota;
mod single;
mod start;
mod table;
mod wrk;

use std::error::Error;
use std::net::SocketAddr;

use clap::{Parser, Subcommand};

use crate::table::Table;

/// Load and ratio benchmarks of the whole system, on loopback, bounded in time.
#[derive(Debug, Parser)]
struct Arguments {
    #[command(subcommand)]
    part: Option<Part>,
}

/// One part of the benchmark; all of them where none is named.
#[derive(Debug, Clone, Subcommand)]
enum Part {
    /// Collector requests/s with 1, 10 and 100 events against a bare axum route that reads the same body
    Collector,
    /// Requests/s of a collector that queues what a browser tells of its events, against one that does not
    Enrichment,
    /// A collector on half a processor: answer times at fixed rates, and the most that it holds; takes root; not in a run of all
    Quota,
    /// One processor's rows/s against `psql \copy` of the same rows
    Drain,
    /// The api: answers/s without a cache, and the memory of it
    Questions,
    /// The single process: accepted events/s, idle and peak memory
    Single,
    /// Messages/s to 1,000 sockets, and the memory of it
    Fanout,
    /// From start to the first answer, each binary
    Start,
    /// Functions as they are deployed: weight of the archive, start of an instance to its first answer; not in a run of all
    Lambda,
    /// Questions over generated events beside plain SQL and chDB, with the bytes on disk; not in a run of all
    Query {
        /// How many events; up to 1,000,000, SQLite is asked too
        #[arg(long, default_value_t = 1_000_000, value_parser = clap::value_parser!(u64).range(1_000..))]
        events: u64,
        /// Only questions whose names hold this text; may be given several times
        #[arg(long = "only", value_name = "TEXT")]
        words: Vec<String>,
        /// A database to ask and keep for the next time, migrated, and loaded where it holds no events [default: one of its own]
        #[arg(long, value_name = "URL")]
        database: Option<String>,
    },
    /// The bare axum route (used by the collector part)
    #[command(hide = true)]
    Bare {
        /// Where it listens
        address: SocketAddr,
    },
}

type Outcome<T> = Result<T, Box<dyn Error>>;

fn main() -> Outcome<()> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let part = Arguments::parse().part;
    if let Some(Part::Bare { address }) = part {
        return runtime.block_on(collector::serve_bare(address));
    }
    let mut table = Table::default();
    let parts = match part {
        Some(part) => vec![part],
        None => vec![
            Part::Start,
            Part::Collector,
            Part::Enrichment,
            Part::Drain,
            Part::Questions,
            Part::Single,
            Part::Fanout,
        ],
    };
    for part in parts {
        let measured = match part {
            Part::Collector => collector::measure(&mut table),
            Part::Enrichment => collector::measure_enrichment(&mut table),
            Part::Quota => runtime.block_on(quota::measure(&mut table)),
            Part::Drain => runtime.block_on(drain::measure(&mut table)),
            Part::Questions => runtime.block_on(questions::measure(&mut table)),
            Part::Single => single::measure(&mut table),
            Part::Fanout => runtime.block_on(fanout::measure(&mut table)),
            Part::Start => start::measure(&mut table),
            Part::Lambda => lambda::measure(&mut table),
            Part::Query { events, words, database } => {
                runtime.block_on(query::measure(&mut table, events, &words, database.as_deref()))
            }
            Part::Bare { .. } => Ok(()),
        };
        measured?;
    }
    println!("{table}");
    Ok(())
}

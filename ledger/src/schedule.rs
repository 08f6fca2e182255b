//! What is killed when, from a seed.

use std::fmt;
use std::time::Duration;

use rand::rngs::StdRng;
use rand::seq::SliceRandom;
use rand::{Rng, SeedableRng};

use crate::deployment::Form;

/// One fault for so many seconds of load, at most.
const SECONDS_A_FAULT: u64 = 3;

/// What can be killed; servers first, since that is the order in which they are started again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Victim {
    /// The Redis server.
    Redis,
    /// The PostgreSQL server with all of its processes.
    Postgres,
    /// The collector.
    Collector,
    /// The processor.
    Processor,
    /// The single process.
    Analytics,
}

impl Victim {
    /// Those of a form.
    #[must_use]
    pub const fn all(form: Form) -> &'static [Self] {
        match form {
            Form::Single => &[Self::Analytics],
            // SQS is a server of others, and its stand-in keeps everything in memory.
            Form::Functions => &[Self::Postgres, Self::Collector, Self::Processor],
            Form::Roles => &[Self::Redis, Self::Postgres, Self::Collector, Self::Processor],
        }
    }

    /// Its name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Redis => "redis",
            Self::Postgres => "postgres",
            Self::Collector => "collector",
            Self::Processor => "processor",
            Self::Analytics => "analytics",
        }
    }
}

impl fmt::Display for Victim {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// Kills, and what lies between them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// How long everything runs before.
    pub calm: Duration,
    /// Who is killed, in this order.
    pub victims: Vec<Victim>,
    /// How long between two of them.
    pub apart: Duration,
    /// How long they stay down.
    pub down: Duration,
}

/// The faults of a seed: each victim at least once; with several roles also PostgreSQL and then, while the processor tries
/// again with entries in its hands, the processor.
#[must_use]
pub fn faults(form: Form, seed: u64, seconds: u64) -> Vec<Fault> {
    let mut random = StdRng::seed_from_u64(seed ^ 0x6661_756c_7473);
    let all = Victim::all(form);
    let mut turns: Vec<Vec<Victim>> = all.iter().map(|victim| vec![*victim]).collect();
    if form != Form::Single {
        turns.push(vec![Victim::Postgres, Victim::Processor]);
    }
    while (turns.len() as u64) < seconds / SECONDS_A_FAULT {
        let mut victims = vec![all[random.random_range(0..all.len())]];
        let other = all[random.random_range(0..all.len())];
        if random.random_bool(0.3) && !victims.contains(&other) {
            victims.push(other);
        }
        turns.push(victims);
    }
    turns.shuffle(&mut random);
    let mut millis = |range: std::ops::Range<u64>| Duration::from_millis(random.random_range(range));
    let fault = |victims| Fault { calm: millis(400..2_000), victims, apart: millis(100..800), down: millis(0..1_500) };
    turns.into_iter().map(fault).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_is_a_schedule_and_nobody_is_spared() {
        for seed in 0..20 {
            for form in [Form::Single, Form::Roles, Form::Functions] {
                let faults = super::faults(form, seed, 30);
                assert_eq!(faults, super::faults(form, seed, 30));
                assert!(faults.len() >= 10);
                for victim in Victim::all(form) {
                    assert!(faults.iter().any(|fault| fault.victims.contains(victim)), "{seed} {victim}");
                }
            }
        }
        assert_ne!(faults(Form::Roles, 1, 30), faults(Form::Roles, 2, 30));
        assert!(faults(Form::Roles, 1, 1).iter().any(|fault| fault.victims == [Victim::Postgres, Victim::Processor]));
    }
}

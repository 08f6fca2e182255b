//! One run: start, load under faults, drain, audit.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use analytics_testkit::TestkitError;
use analytics_testkit::postgres::Edition;
use rand::SeedableRng;
use rand::rngs::StdRng;
use thiserror::Error;
use tokio::task::JoinError;

use crate::audit::{Auditor, Balance, Holdings, balance};
use crate::book::Answer;
use crate::deployment::{Deployment, Form, Programs};
use crate::event::Event;
use crate::load::{Load, now_micros};
use crate::report::{Kill, Report};
use crate::schedule::{Fault, faults};

/// What is run.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Faults and events are drawn from it.
    pub seed: u64,
    /// What is started.
    pub form: Form,
    /// The PostgreSQL of [`Form::Roles`] and [`Form::Functions`].
    pub edition: Edition,
    /// The streams of the queue of [`Form::Roles`].
    pub shards: u32,
    /// How long the load lasts at least; it always lasts until the last fault is over.
    pub seconds: u64,
    /// Where the programs are.
    pub programs: Programs,
    /// Where the logs of a red run are put; none: nowhere.
    pub logs: Option<PathBuf>,
}

/// Why a run could not be judged: nothing is said of the system then.
#[derive(Debug, Error)]
pub enum LedgerError {
    /// The system did not start, before anything was killed.
    #[error("the deployment does not start: {0}")]
    Start(#[source] TestkitError),
    /// The HTTP client could not be made.
    #[error("the HTTP client cannot be made")]
    Client(#[from] reqwest::Error),
    /// A part of the ledger itself failed.
    #[error("the ledger itself failed")]
    Broken(#[from] JoinError),
}

/// Runs one seed and balances it; a red report is no error.
///
/// # Errors
/// [`LedgerError`], where there is nothing to judge.
pub async fn run(settings: &Settings) -> Result<Report, LedgerError> {
    let (form, edition, programs) = (settings.form, settings.edition, settings.programs.clone());
    let shards = settings.shards;
    let start = move || Deployment::start(form, edition, shards, &programs);
    let deployment = tokio::task::spawn_blocking(start).await?.map_err(LedgerError::Start)?;
    let auditor = Auditor::new(&deployment.api())?;
    let load = Arc::new(Load::new(&deployment.collector())?);

    let mut clients = load.start(settings.seed);
    let plan = faults(form, settings.seed, settings.seconds);
    let began = load.began();
    let breaking = tokio::task::spawn_blocking(move || break_by(plan, deployment, began));
    let Broken { deployment, kills, failures } = breaking.await?;
    if failures.is_empty() {
        tokio::time::sleep(Duration::from_secs(settings.seconds).saturating_sub(began.elapsed())).await;
    }
    load.stop();
    while let Some(ended) = clients.join_next().await {
        ended?;
    }
    let lasted = began.elapsed();

    let mut violations = failures;
    let mut drained = Duration::ZERO;
    let mut holdings = Holdings::default();
    if violations.is_empty() {
        match auditor.wait_drained().await {
            Ok(after) => drained = after,
            Err(sentence) => violations.push(sentence),
        }
        match auditor.read().await {
            Ok(read) => holdings = read,
            Err(sentence) => violations.push(sentence),
        }
    }
    let mut found = if violations.is_empty() {
        balance(&load.book(), &holdings)
    } else {
        // What could not be read back cannot be missing either: only the reason is told.
        Balance { violations, ..Balance::default() }
    };
    let (sent, acknowledged, tally) = {
        let book = load.book();
        let acknowledged = book.sent().values().filter(|sent| sent.acknowledged.is_some()).count();
        (book.sent().len(), acknowledged, book.tally())
    };
    if tally.acknowledged == 0 {
        found.violations.push("not one batch was acknowledged".to_owned());
    }
    found.violations.extend(pass_a_fresh_event(&load, &auditor, settings.seed).await.err());
    found.violations.extend(panics(&deployment));
    let store = if form == Form::Single { "sqlite" } else { edition.name() };
    let stored = holdings.stored.len();
    let account = holdings.account();
    let (seed, load) = (settings.seed, lasted);
    let report =
        Report { seed, form, store, load, drained, sent, acknowledged, tally, kills, stored, account, balance: found };
    if !report.is_green() {
        keep_logs(settings, &deployment, &report);
    }
    // Servers take a moment to end, which must not hold up the runtime.
    tokio::task::spawn_blocking(move || drop(deployment)).await?;
    Ok(report)
}

/// What is left after the faults.
struct Broken {
    deployment: Deployment,
    kills: Vec<Kill>,
    /// A sentence for what did not come back.
    failures: Vec<String>,
}

fn break_by(plan: Vec<Fault>, mut deployment: Deployment, began: Instant) -> Broken {
    let mut kills = Vec::new();
    for Fault { calm, mut victims, apart, down } in plan {
        std::thread::sleep(calm);
        for (number, victim) in victims.iter().enumerate() {
            if number > 0 {
                std::thread::sleep(apart);
            }
            kills.push(Kill { victim: *victim, at: began.elapsed() });
            deployment.kill(*victim);
        }
        std::thread::sleep(down);
        // Servers first: a role is healthy only where its servers are.
        victims.sort();
        for victim in victims {
            if let Err(error) = deployment.revive(victim) {
                let failures = vec![format!("{victim} does not come back after a kill: {error}")];
                return Broken { deployment, kills, failures };
            }
        }
    }
    let failures =
        deployment.wait_healthy().err().map(|error| format!("not healthy 30 s after the last fault: {error}"));
    Broken { deployment, kills, failures: failures.into_iter().collect() }
}

async fn pass_a_fresh_event(load: &Load, auditor: &Auditor, seed: u64) -> Result<(), String> {
    let event = Event::fresh(&mut StdRng::seed_from_u64(!seed), now_micros());
    let answer = load.send(std::slice::from_ref(&event)).await;
    if answer != Answer::Acknowledged {
        return Err(format!("a fresh event after everything is up again is not acknowledged: {answer:?}"));
    }
    auditor.wait_shown(&event).await
}

fn panics(deployment: &Deployment) -> Option<String> {
    let logs = deployment.logs();
    logs.iter().find_map(|(name, log)| {
        let line = log.lines().find(|line| line.contains("panicked at"))?;
        Some(format!("{name} panicked: {line}"))
    })
}

/// Puts logs and report into the folder of the settings; what cannot be written is left out.
fn keep_logs(settings: &Settings, deployment: &Deployment, report: &Report) {
    let Some(folder) = &settings.logs else { return };
    let folder = folder.join(format!("{}-{}", settings.form.name(), settings.seed));
    let _ = std::fs::create_dir_all(&folder);
    for (name, log) in deployment.logs() {
        let _ = std::fs::write(folder.join(format!("{name}.log")), log);
    }
    let _ = std::fs::write(folder.join("report.txt"), report.to_string());
}

//! `analytics serve`: everything in one process, on one port.

use std::io::IsTerminal;
use std::process::ExitCode;

use analytics_host::config::{StandaloneConfig, Variables};
use analytics_host::edge::EdgeLimits;
use analytics_host::program::{self, Started};
use analytics_host::serve::{Site, serve};

use crate::command::Ended;
use crate::output::say;
use crate::stack::Stack;

/// Serves until told to stop.
pub async fn run(variables: &Variables) -> Ended {
    let Started { config, carrier, shutdown } = program::start::<StandaloneConfig>(variables)?;
    let listener = carrier.into_port()?;
    let address = listener.local_addr()?;
    let mut stack = Stack::new(&config, shutdown.clone())?;
    // A file is open in a moment, and clients wait in line for it; a server may be away for long, and they are told so.
    let is_file = config.database.is_none();
    if is_file {
        stack.open_store().await?;
    }
    let limits = EdgeLimits { trusted_proxies: config.http.trusted_proxies.clone(), ..EdgeLimits::default() };
    let site = Site { router: stack.router.clone(), limits, origins: config.http.origins.clone() };
    let serving = tokio::spawn(serve(listener, site, shutdown.clone()));
    let opened = tokio::select! {
        opened = async { if is_file { Ok(()) } else { stack.open_store().await } } => opened,
        () = shutdown.stopping() => Ok(()),
    };
    if opened.is_err() {
        shutdown.stop();
    } else if !shutdown.is_stopping() && std::io::stdout().is_terminal() {
        say(welcome(&format!("http://{address}"), config.keys.is_open_on_loopback()));
    }
    stack.run(async { serving.await? }).await?;
    opened?;
    Ok(ExitCode::SUCCESS)
}

/// What a newcomer can try next.
fn welcome(url: &str, open: bool) -> String {
    let key = if open { "" } else { " -H 'Authorization: Bearer YOUR_API_KEY'" };
    format!(
        "analytics serves on {url}. Try, in another terminal:

  send events
    curl {url}/collect -H 'Content-Type: application/json' \\
      -d '{{\"events\":[{{\"session_id\":\"s1\",\"event_type\":\"page\",\"event_action\":\"view\",\"metadata\":{{\"path\":\"/\"}}}}]}}'

  ask
    curl '{url}/api/trends?metric=events&interval=day&range=7d'{key}
    curl '{url}/api/breakdown?dimension=metadata.path&metric=events&range=7d'{key}

  have something to look at
    analytics demo                                          made-up visitors, then live ones
    analytics import events.csv --map event_action=event    your own log (analytics import --help)

  the routes: {url}/api/docs"
    )
}

//! How a command reaches the data: the running server, or the folder itself where none runs.

use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;
use std::time::Duration;

use analytics_host::config::{RoleConfig, StandaloneConfig, Variables};
use analytics_host::edge::EdgeLimits;
use analytics_host::program::Failure;
use analytics_host::serve;
use analytics_host::shutdown::Shutdown;
use analytics_messaging::Queue;
use tokio::task::JoinHandle;

use crate::healthcheck;
use crate::stack::Stack;

/// A server that answers: somebody else's, or one that lives as long as the command.
pub struct Reached {
    /// Where it is.
    pub url: String,
    own: Option<Own>,
}

struct Own {
    queue: Arc<dyn Queue>,
    shutdown: Shutdown,
    running: JoinHandle<std::io::Result<()>>,
}

impl Reached {
    /// The server at `url` where one answers there, else one on `DATA_DIR`, on a free port of this machine.
    pub async fn reach(url: &str, variables: &Variables) -> Result<Self, Failure> {
        let unreachable = match healthcheck::ask(url).await {
            Ok(_) => return Ok(Self { url: url.to_owned(), own: None }),
            Err(error) => error,
        };
        let config = StandaloneConfig::read(variables)?;
        let shutdown = Shutdown::new();
        let stack = Stack::open(&config, shutdown.clone()).await.map_err(|error| -> Failure {
            format!("{unreachable}, and the data cannot be opened here: {error}").into()
        })?;
        let loopback = IpAddr::V4(Ipv4Addr::LOCALHOST);
        let listener = serve::bind(loopback, 0, "PORT")?;
        let url = format!("http://{}", listener.local_addr()?);
        let queue = Arc::clone(&stack.queue);
        let serving = serve::serve(listener, stack.router.clone(), shutdown.clone(), EdgeLimits::default());
        let running = tokio::spawn(stack.run(serving));
        Ok(Self { url, own: Some(Own { queue, shutdown, running }) })
    }

    /// Waits until what was accepted is stored; a server of its own stores by itself.
    pub async fn settle(&self) -> Result<(), Failure> {
        let Some(own) = &self.own else { return Ok(()) };
        while own.queue.depth().await?.batches > 0 {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        Ok(())
    }

    /// Ends a server that lived for the command.
    pub async fn close(self) {
        if let Some(own) = self.own {
            own.shutdown.stop();
            let _ = own.running.await;
        }
    }
}

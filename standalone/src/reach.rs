//! How a command reaches the data: the running server, or the folder itself where none runs.

use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;
use std::time::Duration;

use analytics_host::config::{RoleConfig, StandaloneConfig, Variables};
use analytics_host::edge::EdgeLimits;
use analytics_host::failure::chain;
use analytics_host::program::Failure;
use analytics_host::serve::{self, Site};
use analytics_host::shutdown::Shutdown;
use analytics_messaging::Queue;
use thiserror::Error;
use tokio::task::JoinHandle;

use crate::healthcheck::{self, Unhealthy};
use crate::http::Address;
use crate::output::remark;
use crate::stack::Stack;

/// Where a server is looked for unless it is said.
pub const USUAL: &str = "http://127.0.0.1:4000";

/// A server that does not answer and stands for no folder of this machine.
#[derive(Debug, Error)]
#[error("no server answers at {address}; start it, mend --url, or leave --url out to work in DATA_DIR of this machine")]
struct Away {
    address: Address,
    #[source]
    source: Unhealthy,
}

/// A server that answers: somebody else's, or one that lives as long as the command.
pub struct Reached {
    /// Where it is.
    pub address: Address,
    own: Option<Own>,
}

struct Own {
    queue: Arc<dyn Queue>,
    shutdown: Shutdown,
    running: JoinHandle<std::io::Result<()>>,
}

impl Reached {
    /// The server at `url`, or at the usual place where none is said; where none answers, one on `DATA_DIR`, on a free port of
    /// this machine.
    ///
    /// The folder stands only for a server of this machine: whoever names another one means no folder here.
    ///
    /// # Errors
    /// Where `url` is no address, no server answers there and it names another machine, or the folder cannot be opened.
    pub async fn reach(url: Option<&str>, variables: &Variables) -> Result<Self, Failure> {
        let address = Address::parse(url.unwrap_or(USUAL))?;
        let unreachable = match healthcheck::of(&address).await {
            Ok(_) => return Ok(Self { address, own: None }),
            // Whatever answers at an address that was named is what was meant, well or not.
            Err(Unhealthy::Says { .. }) if url.is_some() => return Ok(Self { address, own: None }),
            Err(error) if url.is_some() && !address.is_plain_loopback() => {
                return Err(Away { address, source: error }.into());
            }
            Err(error) => error,
        };
        let config = StandaloneConfig::read(variables)?;
        let opened = Self::open(&config).await.map_err(|error| -> Failure {
            format!("{unreachable}, and the data cannot be opened here: {}", chain(error.as_ref())).into()
        })?;
        tell_that_it_works_in(&config, &address, &unreachable);
        Ok(opened)
    }

    /// A server of its own on the folder.
    async fn open(config: &StandaloneConfig) -> Result<Self, Failure> {
        let shutdown = Shutdown::new();
        let stack = Stack::open(config, shutdown.clone()).await?;
        let loopback = IpAddr::V4(Ipv4Addr::LOCALHOST);
        let listener = serve::bind(loopback, 0, "PORT")?;
        let address = Address::parse(&format!("http://{}", listener.local_addr()?))?;
        let queue = Arc::clone(&stack.queue);
        let origins = config.http.origins.clone();
        let site = Site { router: stack.router.clone(), limits: EdgeLimits::default(), origins };
        let serving = serve::serve(listener, site, shutdown.clone());
        let running = tokio::spawn(stack.run(serving));
        Ok(Self { address, own: Some(Own { queue, shutdown, running }) })
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

/// Beside the answer: who thinks of a server has to see that none was asked, whatever is piped on.
fn tell_that_it_works_in(config: &StandaloneConfig, address: &Address, unreachable: &Unhealthy) {
    let who = if matches!(unreachable, Unhealthy::Says { .. }) { "no analytics server" } else { "no server" };
    remark(format_args!("{who} answered at {address}; working in the folder {} itself", config.data_dir.display()));
}

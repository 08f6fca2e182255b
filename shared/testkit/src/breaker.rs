//! A TCP proxy that breaks the network on demand.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

/// What the network between a client and a server does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Network {
    /// Everything passes.
    Whole,
    /// Everything passes, this much later in each direction.
    Slow(Duration),
    /// Open connections stay open and nothing passes, as behind a firewall that drops packets; new connections are
    /// taken and hear nothing. What was held passes when the network is whole again.
    Silent,
    /// What the client sends arrives, the answers are held: the outcome of a request is unknown to the client.
    AnswersLost,
    /// Open connections are reset, new ones too as soon as they are made.
    Reset,
}

impl Network {
    fn holds(self, direction: Direction) -> bool {
        match self {
            Self::Silent => true,
            Self::AnswersLost => direction == Direction::ToClient,
            Self::Whole | Self::Slow(_) | Self::Reset => false,
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Direction {
    ToServer,
    ToClient,
}

/// A proxy on a loopback port in front of one server; ends when dropped.
///
/// It runs on a thread of its own, so a test may block while it works.
#[derive(Debug)]
pub struct TcpBreaker {
    address: SocketAddr,
    network: watch::Sender<Network>,
    open: Arc<AtomicUsize>,
}

impl TcpBreaker {
    /// Starts a proxy for `server`; the network is whole at first.
    ///
    /// # Errors
    /// Where no loopback port or thread is to be had.
    pub fn start(server: SocketAddr) -> io::Result<Self> {
        let listener = std::net::TcpListener::bind(("127.0.0.1", 0))?;
        listener.set_nonblocking(true)?;
        let address = listener.local_addr()?;
        let (network, watched) = watch::channel(Network::Whole);
        let open = Arc::new(AtomicUsize::new(0));
        let counter = Arc::clone(&open);
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        std::thread::Builder::new().name("tcp-breaker".into()).spawn(move || {
            runtime.block_on(async move {
                if let Ok(listener) = TcpListener::from_std(listener) {
                    accept(listener, server, watched, counter).await;
                }
            });
        })?;
        Ok(Self { address, network, open })
    }

    /// Where clients connect to.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// `url` with the server's address replaced by the proxy's: works for every URL that names `127.0.0.1:PORT`.
    #[must_use]
    pub fn through(&self, url: &str, server: SocketAddr) -> String {
        url.replace(&server.to_string(), &self.address.to_string())
    }

    /// Changes the network from now on, for open connections and new ones.
    pub fn set(&self, network: Network) {
        self.network.send_replace(network);
    }

    /// How many connections are open.
    #[must_use]
    pub fn connections(&self) -> usize {
        self.open.load(Ordering::Relaxed)
    }
}

async fn accept(
    listener: TcpListener,
    server: SocketAddr,
    mut network: watch::Receiver<Network>,
    open: Arc<AtomicUsize>,
) {
    loop {
        let client = tokio::select! {
            client = listener.accept() => client,
            // The breaker was dropped: the runtime ends with this task, and the connections with it.
            () = dropped(&mut network) => return,
        };
        let Ok((client, _)) = client else { continue };
        let (network, open) = (network.clone(), Arc::clone(&open));
        open.fetch_add(1, Ordering::Relaxed);
        tokio::spawn(async move {
            connection(client, server, network).await;
            open.fetch_sub(1, Ordering::Relaxed);
        });
    }
}

async fn dropped(network: &mut watch::Receiver<Network>) {
    while network.changed().await.is_ok() {}
}

async fn connection(mut client: TcpStream, server: SocketAddr, mut network: watch::Receiver<Network>) {
    // A silent network does not even let the server hear of a new connection.
    let silent_over = network.wait_for(|now| *now != Network::Silent).await.map(|now| *now);
    if silent_over.is_ok_and(|now| now == Network::Reset) {
        reset(&client);
        return;
    }
    let Ok(mut upstream) = TcpStream::connect(server).await else {
        reset(&client);
        return;
    };
    let (mut resets, to_server_network, to_client_network) = (network.clone(), network.clone(), network);
    let was_reset = {
        let (from_client, to_client) = client.split();
        let (from_server, to_server) = upstream.split();
        let both = async {
            tokio::join!(
                pump(from_client, to_server, Direction::ToServer, to_server_network),
                pump(from_server, to_client, Direction::ToClient, to_client_network),
            )
        };
        tokio::select! {
            _ = both => false,
            reset = resets.wait_for(|now| *now == Network::Reset) => reset.is_ok(),
        }
    };
    if was_reset {
        reset(&client);
        reset(&upstream);
    }
}

/// Makes the close that follows a reset instead of a farewell.
fn reset(stream: &TcpStream) {
    let _ = stream.set_zero_linger();
}

async fn pump(
    mut from: impl AsyncRead + Unpin,
    mut to: impl AsyncWrite + Unpin,
    direction: Direction,
    mut network: watch::Receiver<Network>,
) {
    let mut buffer = vec![0; 64 * 1024];
    loop {
        let read = from.read(&mut buffer).await;
        if network.wait_for(|now| !now.holds(direction)).await.is_err() {
            return;
        }
        let now = *network.borrow();
        if let Network::Slow(delay) = now {
            tokio::time::sleep(delay).await;
        }
        match read {
            Ok(0) | Err(_) => {
                let _ = to.shutdown().await;
                return;
            }
            Ok(length) => {
                if to.write_all(&buffer[..length]).await.is_err() {
                    return;
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};
    use std::net::{TcpListener, TcpStream};
    use std::time::Instant;

    use super::*;

    /// A server that sends back what it gets.
    fn echo() -> SocketAddr {
        let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
        let address = listener.local_addr().unwrap();
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                std::thread::spawn(move || {
                    let (mut from, mut to) = (stream.try_clone().unwrap(), stream);
                    let _ = std::io::copy(&mut from, &mut to);
                });
            }
        });
        address
    }

    fn ask(stream: &mut TcpStream) -> io::Result<[u8; 4]> {
        stream.set_read_timeout(Some(Duration::from_millis(300)))?;
        stream.write_all(b"ping")?;
        answer(stream)
    }

    fn answer(stream: &mut TcpStream) -> io::Result<[u8; 4]> {
        let mut answer = [0; 4];
        stream.read_exact(&mut answer)?;
        Ok(answer)
    }

    #[test]
    fn a_whole_network_passes_and_a_slow_one_takes_its_time() {
        let breaker = TcpBreaker::start(echo()).unwrap();
        let mut stream = TcpStream::connect(breaker.address()).unwrap();
        assert_eq!(&ask(&mut stream).unwrap(), b"ping");
        breaker.set(Network::Slow(Duration::from_millis(60)));
        let started = Instant::now();
        assert_eq!(&ask(&mut stream).unwrap(), b"ping");
        assert!(started.elapsed() >= Duration::from_millis(120), "{:?}", started.elapsed());
        assert_eq!(breaker.connections(), 1);
    }

    #[test]
    fn a_silent_network_holds_what_was_sent() {
        let breaker = TcpBreaker::start(echo()).unwrap();
        let mut stream = TcpStream::connect(breaker.address()).unwrap();
        assert_eq!(&ask(&mut stream).unwrap(), b"ping");
        for network in [Network::Silent, Network::AnswersLost] {
            breaker.set(network);
            assert_eq!(ask(&mut stream).unwrap_err().kind(), io::ErrorKind::WouldBlock);
            breaker.set(Network::Whole);
            assert_eq!(&answer(&mut stream).unwrap(), b"ping");
        }
    }

    #[test]
    fn a_reset_reaches_open_connections_and_new_ones() {
        let breaker = TcpBreaker::start(echo()).unwrap();
        let mut stream = TcpStream::connect(breaker.address()).unwrap();
        assert_eq!(&ask(&mut stream).unwrap(), b"ping");
        breaker.set(Network::Reset);
        assert_eq!(answer(&mut stream).unwrap_err().kind(), io::ErrorKind::ConnectionReset);
        let mut stream = TcpStream::connect(breaker.address()).unwrap();
        assert!(ask(&mut stream).is_err());
        breaker.set(Network::Whole);
        let mut stream = TcpStream::connect(breaker.address()).unwrap();
        assert_eq!(&ask(&mut stream).unwrap(), b"ping");
    }

    #[test]
    fn a_dropped_breaker_ends_its_connections() {
        let breaker = TcpBreaker::start(echo()).unwrap();
        let mut stream = TcpStream::connect(breaker.address()).unwrap();
        assert_eq!(&ask(&mut stream).unwrap(), b"ping");
        drop(breaker);
        assert!(matches!(answer(&mut stream), Err(error) if error.kind() != io::ErrorKind::WouldBlock));
    }
}

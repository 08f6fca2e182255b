//! Four roles with replicas behind nginx, found by name.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use analytics_blackbox::Tenant;
use analytics_testkit::names::NameServer;
use analytics_testkit::nginx::NginxServer;
use analytics_testkit::ports;
use analytics_testkit::postgres::{Database, Edition, database};
use analytics_testkit::redis::{RedisOptions, RedisServer};
use analytics_testkit::role::{Role, RoleOptions, program};
use reqwest::{Certificate, Client};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use tokio::net::TcpSocket;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use crate::repository;

/// Tenants, each with an address of its own: limits by address are nobody else's.
const TENANTS: u8 = 40;

/// Collectors, api and realtime on loopback addresses of their own, a processor, and nginx in front.
pub(crate) struct Front {
    nginx: NginxServer,
    names: NameServer,
    roles: Mutex<Vec<Role>>,
    options: RoleOptions,
    collector_port: u16,
    pub(crate) secure: SocketAddr,
    pub(crate) plain: SocketAddr,
    next: AtomicU8,
    // Last: servers end after those that use them.
    pub(crate) redis: Mutex<RedisServer>,
    _database: Database,
}

/// The first collectors.
pub(crate) const COLLECTORS: [Ipv4Addr; 2] = [Ipv4Addr::new(127, 0, 1, 1), Ipv4Addr::new(127, 0, 1, 2)];
const APIS: [Ipv4Addr; 2] = [Ipv4Addr::new(127, 0, 2, 1), Ipv4Addr::new(127, 0, 2, 2)];
const REALTIME: [Ipv4Addr; 2] = [Ipv4Addr::new(127, 0, 3, 1), Ipv4Addr::new(127, 0, 3, 2)];

fn write_key(number: u8) -> String {
    format!("write-key-of-{number:03}")
}

fn read_key(number: u8) -> String {
    format!("reading-key-of-{number:03}")
}

impl Front {
    /// Starts everything; two replicas of each role that clients reach.
    pub(crate) fn start() -> Self {
        let redis = RedisServer::start(RedisOptions::default()).unwrap();
        let database = database(Edition::Timescale17).unwrap();
        let names = NameServer::start().unwrap();
        let keys = |key: &dyn Fn(u8) -> String, ending: &str| {
            (0..TENANTS).map(|n| format!("{}:project-{n}{ending}", key(n))).collect::<Vec<_>>().join(",")
        };
        let options = RoleOptions::new()
            .variable("REDIS_URL", redis.url())
            .variable("DATABASE_URL", database.url())
            .variable("API_KEYS", keys(&read_key, ":read"))
            .variable("WRITE_KEYS", keys(&write_key, ""))
            .variable("TRUSTED_PROXIES", "127.0.0.1");
        let mut roles =
            vec![Role::spawn(&program("processor").unwrap(), options.clone().port_in("METRICS_PORT")).unwrap()];
        let mut ports = Vec::new();
        for (name, addresses) in [("collector", COLLECTORS), ("api", APIS), ("realtime", REALTIME)] {
            let port = ports::free();
            names.set(name, &addresses);
            for address in addresses {
                roles.push(Role::spawn(&program(name).unwrap(), options.clone().at(address, port)).unwrap());
            }
            ports.push(port);
        }
        roles.iter_mut().for_each(|role| role.wait_ready().unwrap());
        let [secure, plain] = [(); 2].map(|()| SocketAddr::from((Ipv4Addr::LOCALHOST, ports::free())));
        let mut changes = vec![
            ("listen 80 ".to_owned(), format!("listen {plain} ")),
            ("listen 443 ".to_owned(), format!("listen {secure} ")),
            ("127.0.0.11 valid=5s".to_owned(), format!("{} valid=1s", names.address())),
        ];
        for (role, port) in ["collector:4001", "api:4002", "realtime:4003"].iter().zip(&ports) {
            let name = role.split(':').next().unwrap();
            changes.push(((*role).to_owned(), format!("{name}:{port}")));
        }
        let nginx = NginxServer::start(&repository().join("deploy/nginx"), &changes, secure).unwrap();
        Self {
            nginx,
            names,
            roles: Mutex::new(roles),
            options,
            collector_port: ports[0],
            secure,
            plain,
            next: AtomicU8::new(0),
            redis: Mutex::new(redis),
            _database: database,
        }
    }

    /// `https://localhost:PORT`.
    pub(crate) fn url(&self) -> String {
        format!("https://localhost:{}", self.secure.port())
    }

    /// A client that trusts nginx, from a loopback address of its own.
    pub(crate) fn client(&self, from: Ipv4Addr) -> Client {
        let authority = Certificate::from_pem(self.nginx.authority()).unwrap();
        Client::builder()
            .tls_certs_only([authority])
            .resolve("localhost", self.secure)
            .local_address(IpAddr::V4(from))
            .redirect(reqwest::redirect::Policy::none())
            .timeout(Duration::from_secs(60))
            .no_proxy()
            .build()
            .unwrap()
    }

    /// A project of its own, all of whose URLs are nginx's.
    pub(crate) fn tenant(&self) -> Tenant {
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        assert!(number < TENANTS, "all tenants are given out");
        let keys = [write_key(number), read_key(number), String::new()];
        let urls = [self.url(), self.url(), self.url()];
        let mut tenant = Tenant::new(format!("project-{number}"), keys, urls);
        tenant.client = self.client(Self::address_of(number));
        tenant
    }

    /// The address that a tenant comes from.
    fn address_of(number: u8) -> Ipv4Addr {
        Ipv4Addr::new(127, 0, 9, number + 1)
    }

    /// A TLS connection to nginx, to write on as one likes.
    pub(crate) async fn connect(&self) -> TlsStream<tokio::net::TcpStream> {
        let mut trusted = rustls::RootCertStore::empty();
        trusted.add(CertificateDer::from_pem_slice(self.nginx.authority()).unwrap()).unwrap();
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let config = rustls::ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(trusted)
            .with_no_client_auth();
        let socket = TcpSocket::new_v4().unwrap();
        socket.bind((Ipv4Addr::new(127, 0, 10, 1), 0).into()).unwrap();
        let stream = socket.connect(self.secure).await.unwrap();
        let name = ServerName::try_from("localhost").unwrap();
        TlsConnector::from(Arc::new(config)).connect(name, stream).await.unwrap()
    }

    /// The roles, to break them: the processor, then two collectors, two apis, two realtimes.
    pub(crate) fn roles(&self) -> MutexGuard<'_, Vec<Role>> {
        self.roles.lock().unwrap()
    }

    /// Lets the name `collector` stand for these addresses.
    pub(crate) fn name_collectors(&self, addresses: &[Ipv4Addr]) {
        self.names.set("collector", addresses);
    }

    /// Starts a collector at an address where none was.
    pub(crate) fn start_collector(&self, address: Ipv4Addr) -> Role {
        Role::start(&program("collector").unwrap(), self.options.clone().at(address, self.collector_port)).unwrap()
    }

    /// What nginx has logged.
    pub(crate) fn log(&self) -> String {
        self.nginx.log()
    }
}

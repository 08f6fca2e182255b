//! A server behind TLS.

use std::net::SocketAddr;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;

use rustls::ServerConfig;
use rustls::crypto::aws_lc_rs;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;

use crate::running::{Bench, command, log, run};

fn openssl(folder: &Path, arguments: &str) {
    let output = Command::new("openssl").current_dir(folder).args(arguments.split(' ')).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

/// Makes `ca.pem`, `server.pem` and `server.key`.
fn certificates(folder: &Path) {
    std::fs::write(folder.join("names"), "subjectAltName=IP:127.0.0.1\nbasicConstraints=CA:FALSE\n").unwrap();
    let pair = "-newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes";
    openssl(folder, &format!("req -x509 -days 2 {pair} -subj /CN=ca -keyout ca.key -out ca.pem"));
    openssl(folder, &format!("req {pair} -subj /CN=server -keyout server.key -out server.csr"));
    openssl(
        folder,
        "x509 -req -days 2 -in server.csr -CA ca.pem -CAkey ca.key -CAcreateserial -extfile names -out server.pem",
    );
}

/// Takes TLS off in front of `server`, as a proxy does.
async fn proxy(folder: &Path, server: SocketAddr) -> SocketAddr {
    let chain = vec![CertificateDer::from_pem_file(folder.join("server.pem")).unwrap()];
    let key = PrivateKeyDer::from_pem_file(folder.join("server.key")).unwrap();
    let config = ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(chain, key)
        .unwrap();
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((client, _)) = listener.accept().await {
            let acceptor = acceptor.clone();
            tokio::spawn(async move {
                if let Ok(mut client) = acceptor.accept(client).await {
                    let mut server = TcpStream::connect(server).await.unwrap();
                    let _ = tokio::io::copy_bidirectional(&mut client, &mut server).await;
                }
            });
        }
    });
    address
}

#[tokio::test(flavor = "multi_thread")]
async fn https_is_spoken_to_whom_the_system_trusts_and_to_nobody_else() {
    let bench = Bench::start();
    certificates(bench.folder());
    let url = format!("https://{}", proxy(bench.folder(), bench.server.address()).await);
    bench.file("a.csv", log(0..50));
    let import = || command(bench.folder(), &["import", "a.csv", "--url", &url]);
    let trusting = |mut command: Command| {
        command.env("SSL_CERT_FILE", bench.folder().join("ca.pem"));
        command
    };
    let ran = run(trusting(import()), b"").expect_code(0);
    assert!(ran.out.starts_with("50 rows read, 50 events accepted") && ran.err.is_empty(), "{ran:?}");
    assert_eq!(bench.count().await, 50);
    run(trusting(command(bench.folder(), &["healthcheck", &url])), b"").expect_code(0);

    let ran = run(import(), b"").expect_code(1);
    assert!(ran.err.contains(&format!("no server answers at {url}")) && ran.err.contains("ertificate"), "{ran:?}");
    assert!(!bench.folder().join("data").exists());
}

#[test]
fn a_system_without_certificates_speaks_plainly_all_the_same() {
    let bench = Bench::start();
    bench.file("none.pem", "");
    let url = bench.server.url();
    let mut healthcheck = command(bench.folder(), &["healthcheck", &url]);
    healthcheck.env("SSL_CERT_FILE", bench.folder().join("none.pem")).env("SSL_CERT_DIR", "/nonexistent");
    run(healthcheck, b"").expect_code(0);
    let mut encrypted = command(bench.folder(), &["healthcheck", "https://127.0.0.1:1"]);
    encrypted.env("SSL_CERT_FILE", bench.folder().join("none.pem")).env("SSL_CERT_DIR", "/nonexistent");
    run(encrypted, b"").expect_code(1);
}

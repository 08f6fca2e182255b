//! The program `collector` as a Lambda function that cannot begin. What it answers is held by the black-box suite.

use std::io::{Read, Write};
use std::net::TcpListener;
use std::sync::mpsc;
use std::time::Duration;

use analytics_testkit::role::{Role, RoleOptions};

use crate::program::program;

/// Listens as the runtime's API and gives back the first request that comes.
fn runtime_api() -> (String, mpsc::Receiver<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let (tell, told) = mpsc::channel();
    std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
        let mut request = String::new();
        let mut buffer = [0; 4_096];
        // The end of the only JSON object in it.
        while !request.ends_with('}') {
            let count = stream.read(&mut buffer).unwrap();
            assert!(count > 0, "{request}");
            request.push_str(std::str::from_utf8(&buffer[..count]).unwrap());
        }
        stream.write_all(b"HTTP/1.1 202 Accepted\r\ncontent-length: 0\r\n\r\n").unwrap();
        tell.send(request).unwrap();
    });
    (address, told)
}

#[test]
fn a_missing_setting_fails_the_init_by_its_name() {
    let (address, told) = runtime_api();
    let options =
        RoleOptions::new().variable("AWS_LAMBDA_RUNTIME_API", address).variable("REDIS_URL", "redis://127.0.0.1:1");
    let mut role = Role::spawn(program(), options).unwrap();
    assert!(!role.wait(Duration::from_secs(10)).unwrap().success());
    assert!(role.log().contains("SQS_QUEUE_URL"), "{}", role.log());
    let request = told.recv_timeout(Duration::from_secs(5)).unwrap();
    assert!(request.starts_with("POST /2018-06-01/runtime/init/error "), "{request}");
    assert!(request.contains(r#""errorType":"Runtime.InitError""#) && request.contains("SQS_QUEUE_URL"), "{request}");
}

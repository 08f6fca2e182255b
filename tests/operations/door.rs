//! What nginx lets in, answers by itself, and tells nobody.

use std::net::Ipv4Addr;
use std::process::{Command, Stdio};
use std::time::Duration;

use analytics_blackbox::Tenant;
use analytics_blackbox::tenant::send;
use reqwest::Method;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use crate::event;
use crate::front::Front;

/// One deployment for all cases: each has a tenant and an address of its own.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_door() {
    let front = Front::start();
    answers_are_those_of_the_roles(&front).await;
    requests_have_names(&front).await;
    keys_never_see_each_others_answers(&front).await;
    a_body_has_its_limit(&front).await;
    metrics_are_for_nobody(&front).await;
    an_address_has_its_limit(&front).await;
    what_a_client_says_of_its_address_is_not_believed(&front).await;
    crate::streams::sockets_are_passed_on(&front).await;
    crate::streams::streams_are_not_held_back(&front).await;
    the_log_holds_no_key_and_no_person(&front).await;
}

async fn answers_are_those_of_the_roles(front: &Front) {
    let tenant = front.tenant();
    tenant.store(&[event("s", "navigation", "a"), event("s", "navigation", "b"), event("t", "commerce", "c")]).await;
    let answer = tenant.get("/api/breakdown?dimension=event_type&range=7d").await.expect_status(200);
    assert_eq!(answer.dimensions(), [json!(["navigation"]), json!(["commerce"])]);
    assert_eq!(answer.header("strict-transport-security"), "max-age=31536000");
    let exported = tenant.get("/api/export?format=ndjson&range=7d").await.expect_status(200);
    assert_eq!(exported.text.lines().count(), 3);
    let _ = tenant.get("/health").await.expect_status(200);
    // The page says what it may do, and comes as the role has packed it.
    let url = format!("{}/", tenant.api);
    let plain = send(tenant.client.get(&url)).await.expect_status(200);
    let packed = tenant.client.get(&url).header("accept-encoding", "br").send().await.unwrap();
    let is_packed = packed.headers().get("content-encoding").is_some_and(|encoding| encoding == "br");
    assert!(is_packed || plain.text.contains("npm run build"));
    for headers in [&plain.headers, packed.headers()] {
        assert!(headers["content-security-policy"].to_str().unwrap().starts_with("default-src 'self'"));
        assert!(headers["etag"].to_str().unwrap().starts_with('"'), "a strong tag stays one");
    }
    let _ = tenant.get("/api/nothing").await.expect_problem(404, "not_found");
    let wrong = tenant.collect_request().bearer_auth("no-key-of-this-server").body("[]");
    let _ = send(wrong).await.expect_problem(401, "unknown_key");

    // Without TLS there is only the way to it, and a POST stays one.
    let client = reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).no_proxy().build().unwrap();
    let answer = send(client.post(format!("http://{}/collect?a=b", front.plain))).await.expect_status(308);
    assert_eq!(answer.header("location"), "https://127.0.0.1/collect?a=b");

    let said = Command::new("openssl")
        .args(["s_client", "-connect", &front.secure.to_string(), "-alpn", "h2,http/1.1"])
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&said.stdout).into_owned();
    assert!(said.contains("ALPN protocol: h2") && said.contains("TLSv1.3"), "{said}");
    let old = Command::new("openssl")
        .args(["s_client", "-connect", &front.secure.to_string(), "-tls1_1", "-cipher", "ALL:@SECLEVEL=0"])
        .stdin(Stdio::null())
        .output()
        .unwrap();
    assert!(!old.status.success(), "TLS 1.1 is answered");
}

async fn requests_have_names(front: &Front) {
    let tenant = front.tenant();
    let named = |name: &'static str| send(tenant.api_request(Method::GET, "/api/trends").header("x-request-id", name));
    assert_eq!(named("order-4711_a.b").await.expect_status(200).header("x-request-id"), "order-4711_a.b");
    let made = named("two words").await.expect_status(200);
    assert!(made.header("x-request-id").len() == 32, "{:?}", made.headers);
    assert!(front.log().contains(r#""request_id":"order-4711_a.b""#));
}

async fn keys_never_see_each_others_answers(front: &Front) {
    let (one, two) = (front.tenant(), front.tenant());
    one.store(&[event("s", "t", "a")]).await;
    two.store(&vec![event("s", "t", "a"); 5]).await;
    // The same URL, in turns and together; kept answers are allowed.
    let path = "/api/breakdown?dimension=event_type&range=7d";
    let ask = |tenant: &Tenant| send(tenant.api_request(Method::GET, path));
    for _ in 0..20 {
        let (first, second) = tokio::join!(ask(&one), ask(&two));
        assert_eq!(first.expect_status(200).metrics(), [json!([1])]);
        assert_eq!(second.expect_status(200).metrics(), [json!([5])]);
    }
    let nobody = send(one.client.get(format!("{}{path}", front.url()))).await;
    let _ = nobody.expect_problem(401, "unknown_key");
}

async fn a_body_has_its_limit(front: &Front) {
    let tenant = front.tenant();
    let body = |bytes: usize| {
        let event = event("s", "t", "a").to_string();
        format!("{event}{}", " ".repeat(bytes - event.len()))
    };
    let _ = tenant.collect(body(1 << 20)).await.expect_status(202);
    let _ = tenant.collect(body((1 << 20) + 1)).await.expect_problem(413, "body_too_large");
    // In chunks, without a length that could be judged beforehand.
    let chunks = (0..20).map(|_| Ok::<_, std::io::Error>(vec![b' '; 64 << 10]));
    let chunked = reqwest::Body::wrap_stream(futures::stream::iter(chunks));
    let _ = tenant.collect(chunked).await.expect_problem(413, "body_too_large");
    let _ =
        tenant.get(&format!("/api/trends?filter={}", "x".repeat(20_000))).await.expect_problem(400, "head_too_large");
    for path in ["/api/users/%00", "/api/users/%2E%2E%2F%2E%2E%2F%2E%2E%2Fetc"] {
        let _ = tenant.get(path).await.expect_problem(400, "bad_request");
    }
}

async fn metrics_are_for_nobody(front: &Front) {
    for path in [
        "/metrics",
        "//metrics",
        "/./metrics",
        "/%6detrics",
        "/health/../metrics",
        "/metrics/",
        "/metrics?a=b",
        "/api/../metrics",
    ] {
        let mut stream = front.connect().await;
        let request = format!("GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut answer = String::new();
        let _ = stream.read_to_string(&mut answer).await;
        assert!(answer.starts_with("HTTP/1.1 404 ") && !answer.contains("analytics_"), "{path}: {answer}");
        assert!(answer.contains(r#""code":"not_found""#), "{path}: {answer}");
    }
}

async fn an_address_has_its_limit(front: &Front) {
    let client = front.client(Ipv4Addr::new(127, 0, 11, 1));
    let asked = (0..150).map(|_| send(client.get(format!("{}/realtime", front.url()))));
    let answers = futures::future::join_all(asked).await;
    let refused: Vec<_> = answers.into_iter().filter(|answer| answer.status == 429).collect();
    assert!(refused.len() > 50, "{} of 150 at once were refused", refused.len());
    let refused = refused.into_iter().next().unwrap().expect_problem(429, "rate_limited");
    assert_eq!(refused.header("retry-after"), "1");
    assert!(!refused.header("x-request-id").is_empty());
}

async fn what_a_client_says_of_its_address_is_not_believed(front: &Front) {
    // Whoever could choose an address would have a limit of each address.
    let client = front.client(Ipv4Addr::new(127, 0, 11, 2));
    let asked = (0..150).map(|n| {
        send(client.get(format!("{}/realtime", front.url())).header("x-forwarded-for", format!("203.0.113.{n}")))
    });
    let answers = futures::future::join_all(asked).await;
    assert!(answers.iter().any(|answer| answer.status == 429));
}

async fn the_log_holds_no_key_and_no_person(front: &Front) {
    let tenant = front.tenant();
    let key = tenant.write_key.clone();
    let by_query =
        tenant.client.post(format!("{}/collect?key={key}", front.url())).body(event("s", "t", "a").to_string());
    let _ = send(by_query).await.expect_status(202);
    let _ = tenant.get("/api/users/ann%40example.com").await.expect_problem(404, "user_not_found");
    // What cannot be reached is what nginx writes errors of.
    front.name_collectors(&[Ipv4Addr::new(127, 0, 1, 99)]);
    loop {
        let request = tenant.client.post(format!("{}/collect?key={key}", front.url()));
        let told = send(request.body(event("s", "t", "a").to_string())).await;
        if told.status != 202 {
            let told = told.expect_problem(502, "no_answer");
            assert_eq!(told.header("retry-after"), "1");
            break;
        }
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    // nginx writes a line when the answer is out, which the client may have read by then.
    let mut log = front.log();
    for _ in 0..100 {
        if log.contains(r#""status":502"#) {
            break;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
        log = front.log();
    }
    for private in [&key, "key=", "example.com", "127.0.9.", "reading-key"] {
        assert!(!log.contains(private), "{private} is in the log");
    }
    // A line that is no request's is an alarm of nginx itself: as of a limit that the machine does not let it raise.
    let requests = log.lines().filter(|line| !line.contains("[alert]"));
    let lines: Vec<Value> =
        requests.map(|line| serde_json::from_str(line).unwrap_or_else(|_| panic!("no JSON: {line}"))).collect();
    let of = |path: &str, status: u16| lines.iter().any(|line| line["path"] == path && line["status"] == status);
    assert!(of("/api/users/{id}", 404) && of("/collect", 502) && of("/collect", 202) && of("/realtime", 429), "{log}");
}

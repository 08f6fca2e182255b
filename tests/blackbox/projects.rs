//! What a project keeps beside its events: keys, sessions of the page, saved views and boards, settings.

mod boards;
mod keys;
mod live;
mod page;
mod replicas;
mod retention;
mod write_keys;

use analytics_blackbox::tenant::send;
use analytics_blackbox::{Answer, Tenant};
use reqwest::{Method, RequestBuilder};
use serde_json::{Value, json};

/// A request to the api with this key; `path` begins with `/api`.
fn with_key(tenant: &Tenant, key: &str, method: Method, path: &str) -> RequestBuilder {
    let request = tenant.client.request(method, format!("{}{path}", tenant.api));
    if key.is_empty() { request } else { request.bearer_auth(key) }
}

/// The answer to a request of the project's administrator.
async fn administrate(tenant: &Tenant, method: Method, path: &str, body: Option<Value>) -> Answer {
    let request = with_key(tenant, &tenant.admin_key, method, path);
    send(match body {
        Some(body) => request.header("content-type", "application/json").body(body.to_string()),
        None => request,
    })
    .await
}

/// Makes a key; the answer holds it.
async fn make_key(tenant: &Tenant, name: &str, scope: &str) -> Value {
    let wish = json!({ "name": name, "scope": scope });
    administrate(tenant, Method::POST, "/api/keys", Some(wish)).await.expect_status(201).body
}

/// A browser that is signed in: what it sends with each request.
#[derive(Debug, Clone)]
struct Browser {
    tenant: Tenant,
    cookie: String,
}

impl Browser {
    /// Signs in with a key.
    async fn sign_in(tenant: &Tenant, key: &str) -> Self {
        let (browser, _) = Self::try_sign_in(tenant, None, key).await.expect("the key signs in");
        browser
    }

    /// Signs in, with the cookie that there is already; the refusal where there is one.
    async fn try_sign_in(tenant: &Tenant, cookie: Option<&str>, key: &str) -> Result<(Self, Answer), Box<Answer>> {
        let mut request =
            tenant.client.post(format!("{}/api/session", tenant.api)).header("sec-fetch-site", "same-origin");
        if let Some(cookie) = cookie {
            request = request.header("cookie", cookie);
        }
        let answer = send(request.body(json!({ "key": key }).to_string())).await;
        if answer.status != 201 {
            return Err(Box::new(answer));
        }
        let cookie = answer.header("set-cookie").split(';').next().unwrap().to_owned();
        Ok((Self { tenant: tenant.clone(), cookie }, answer))
    }

    /// A request from a page of the server itself.
    fn request(&self, method: Method, path: &str) -> RequestBuilder {
        self.unproved(method, path).header("sec-fetch-site", "same-origin")
    }

    /// A request that nothing tells the origin of.
    fn unproved(&self, method: Method, path: &str) -> RequestBuilder {
        self.tenant.client.request(method, format!("{}{path}", self.tenant.api)).header("cookie", &self.cookie)
    }

    async fn get(&self, path: &str) -> Answer {
        send(self.request(Method::GET, path)).await
    }

    /// The projects that it is signed in to.
    async fn projects(&self) -> Vec<String> {
        let answer = self.get("/api/session").await.expect_status(200);
        let projects = answer.body["projects"].as_array().unwrap().iter();
        projects.map(|project| project["project"].as_str().unwrap().to_owned()).collect()
    }
}

/// Asks until it is refused with 401 by every process that answers, which has to be within 10 s. Functions have several.
async fn ends<F: Future<Output = Answer>>(ask: impl Fn() -> F) {
    let began = std::time::Instant::now();
    let mut refused = 0;
    loop {
        let answer = ask().await;
        if answer.status == 401 {
            refused += 1;
            if refused == 10 {
                return;
            }
            continue;
        }
        refused = 0;
        assert_eq!(answer.status, 200, "{}", answer.text);
        assert!(began.elapsed() < std::time::Duration::from_secs(10), "it still opens after {:?}", began.elapsed());
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    }
}

/// Asks until every process that answers says that a session is in these projects, which has to be within 10 s.
async fn is_in_projects(browser: &Browser, projects: &[&str]) {
    let began = std::time::Instant::now();
    let mut agreed = 0;
    while agreed < 10 {
        let said = browser.projects().await;
        agreed = if said == projects { agreed + 1 } else { 0 };
        assert!(agreed > 0 || began.elapsed() < std::time::Duration::from_secs(10), "it still says {said:?}");
        if agreed == 0 {
            tokio::time::sleep(std::time::Duration::from_millis(100)).await;
        }
    }
}

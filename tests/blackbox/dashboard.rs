//! `/` and `/assets/...`: contract, "The page".

use analytics_blackbox::Deployment;
use analytics_blackbox::tenant::send;
use reqwest::Method;

every_form! { everybody_may_have_the_page_and_nothing_else_of_it }

async fn everybody_may_have_the_page_and_nothing_else_of_it(deployment: &'static Deployment) {
    let tenant = deployment.tenant();
    let url = format!("{}/", tenant.api);
    let ask = |method: Method, path: &str| send(tenant.client.request(method, format!("{url}{path}")));
    // Without a key: nobody has one before the page is there.
    let page = ask(Method::GET, "").await.expect_status(200);
    assert_eq!(page.header("content-type"), "text/html; charset=utf-8");
    let policy = page.header("content-security-policy");
    for part in ["default-src 'self'", "frame-ancestors 'none'", "object-src 'none'"] {
        assert!(policy.split("; ").any(|one| one == part), "{policy}");
    }
    let tag = page.header("etag").to_owned();
    let again = send(tenant.client.get(&url).header("if-none-match", &tag)).await.expect_status(304);
    assert_eq!((again.header("etag"), &*again.text), (&*tag, ""));
    assert_eq!(ask(Method::HEAD, "").await.expect_status(200).text, "");
    let _ = ask(Method::POST, "").await.expect_problem(405, "method_not_allowed");

    // Its files lie beside it, whatever path it is served under.
    let named = page.text.split('"').filter_map(|word| word.strip_prefix("./"));
    let files: Vec<&str> = named.filter(|name| name.starts_with("assets/")).collect();
    assert!(files.len() >= 3 || page.text.contains("npm run build"), "{}", page.text);
    for file in files {
        let answer = ask(Method::GET, file).await.expect_status(200);
        assert_eq!(answer.header("cache-control"), "public, max-age=31536000, immutable", "{file}");
        assert_eq!(answer.header("x-content-type-options"), "nosniff", "{file}");
    }
    for unknown in ["assets/none.js", "assets/", "index.html", "anything"] {
        let _ = ask(Method::GET, unknown).await.expect_problem(404, "not_found");
    }
}

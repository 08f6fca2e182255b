//! `/tracker.js`: contract, "Collect".

use analytics_blackbox::Deployment;
use analytics_blackbox::tenant::send;

every_form! { every_page_may_have_the_script }

async fn every_page_may_have_the_script(deployment: &'static Deployment) {
    let tenant = deployment.tenant();
    let url = format!("{}/tracker.js", tenant.api);
    // Without a key, as the page of a stranger asks.
    let asked = || tenant.client.get(&url).header("origin", "https://shop.example");
    let answer = send(asked()).await.expect_status(200);
    assert_eq!(answer.header("content-type"), "text/javascript; charset=utf-8");
    assert_eq!(answer.header("access-control-allow-origin"), "*");
    assert!(answer.text.contains("analytics"), "{}", answer.text);
    let tag = answer.header("etag").to_owned();
    assert!(tag.starts_with('"') && tag.len() > 2, "{tag} is no strong tag");
    let again = send(asked().header("if-none-match", &tag)).await.expect_status(304);
    assert_eq!((again.header("etag"), &*again.text), (&*tag, ""));
    let _ = send(tenant.client.post(&url)).await.expect_problem(405, "method_not_allowed");
}

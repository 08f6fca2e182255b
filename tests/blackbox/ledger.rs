//! Nothing acknowledged is lost or counted twice, whatever is killed: one short seed a form; `cargo xtask ledger` runs more.

use analytics_ledger::{Form, Programs, Settings, run};
use analytics_testkit::postgres::Edition;
use analytics_testkit::role::program;

async fn balances(form: Form) {
    let programs = Programs::of(program("analytics").unwrap().parent().unwrap());
    let settings = Settings { seed: 1, form, edition: Edition::Plain15, shards: 1, seconds: 15, programs, logs: None };
    let report = run(&settings).await.unwrap();
    assert!(report.is_green(), "{report}");
    assert!(report.acknowledged > 0 && !report.kills.is_empty(), "{report}");
}

#[tokio::test(flavor = "multi_thread")]
async fn one_process_balances() {
    balances(Form::Single).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn four_roles_balance() {
    balances(Form::Roles).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn functions_balance() {
    balances(Form::Functions).await;
}

//! One suite over HTTP, run against every deployment form: `docs/contract.md`, sentence by sentence.
//!
//! A case is an async function over a deployment; `every_form!` makes a test of it for each form. Cases take a project of
//! their own and never look into a server's files or tables.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test may panic")]

/// Makes a test of each case for every deployment form.
macro_rules! every_form {
    ($($case:ident),* $(,)?) => {
        every_form_of_processes! { $($case),* }
        mod serverless {
            $(#[tokio::test] async fn $case() {
                super::$case(analytics_blackbox::Deployment::shared(analytics_blackbox::Form::Serverless)).await;
            })*
        }
        behind_a_door! { $($case),* }
    };
}

/// Makes a test of each case for what runs already behind a door; `cargo xtask compose-check` asks for these.
macro_rules! behind_a_door {
    ($($case:ident),* $(,)?) => {
        mod door {
            $(#[tokio::test]
            #[ignore = "asks what runs already: cargo xtask compose-check"]
            async fn $case() {
                super::$case(analytics_blackbox::Deployment::shared(analytics_blackbox::Form::Door)).await;
            })*
        }
    };
}

/// Makes a test of each case for the forms whose roles are processes that run on: what only those have.
macro_rules! every_form_of_processes {
    ($($case:ident),* $(,)?) => {
        mod single {
            $(#[tokio::test] async fn $case() {
                super::$case(analytics_blackbox::Deployment::shared(analytics_blackbox::Form::Single)).await;
            })*
        }
        mod four_roles {
            $(#[tokio::test] async fn $case() {
                super::$case(analytics_blackbox::Deployment::shared(analytics_blackbox::Form::FourRoles)).await;
            })*
        }
        mod four_roles_plain {
            $(#[tokio::test] async fn $case() {
                super::$case(analytics_blackbox::Deployment::shared(analytics_blackbox::Form::FourRolesPlain)).await;
            })*
        }
    };
}

/// Makes a test of each case for every form that has live sockets, behind a door too.
macro_rules! every_live_form {
    ($($case:ident),* $(,)?) => {
        every_form_of_processes! { $($case),* }
        behind_a_door! { $($case),* }
    };
}

mod agreement;
mod budgets;
mod collect;
mod corpus;
mod dashboard;
mod enrichment;
mod erasure;
mod functions;
mod health;
mod injection;
mod late;
mod ledger;
mod metrics;
mod projects;
mod query;
mod realtime;
mod settings;
mod tracker;

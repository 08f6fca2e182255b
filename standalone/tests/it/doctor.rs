//! `analytics doctor` looks and changes nothing.

use std::path::Path;
use std::sync::Arc;

use analytics_testkit::ports::free;
use analytics_testkit::postgres::{Database, Edition, Pooler, PostgresOptions, PostgresServer, database};

use crate::running::{Bench, Ran, command, run};

fn doctor(folder: &Path, data: &str) -> Ran {
    let mut doctor = command(folder, &["doctor"]);
    doctor.env("DATA_DIR", data);
    run(doctor, b"")
}

#[test]
fn a_folder_that_is_not_there_is_not_made() {
    let folder = tempfile::tempdir().unwrap();
    for data in ["./data", "data", "deep/down/data"] {
        let ran = doctor(folder.path(), data).expect_code(0);
        assert!(ran.out.contains(&format!("{data} is not there; it will be made at the first start")), "{ran:?}");
    }
    std::fs::create_dir(folder.path().join("empty")).unwrap();
    let ran = doctor(folder.path(), "empty").expect_code(0);
    assert!(ran.out.contains("empty can be written"), "{ran:?}");
    let there: Vec<_> = std::fs::read_dir(folder.path()).unwrap().collect();
    assert_eq!((there.len(), std::fs::read_dir(folder.path().join("empty")).unwrap().count()), (1, 0));
    std::fs::write(folder.path().join("file"), "").unwrap();
    for data in ["file", "file/data"] {
        let ran = doctor(folder.path(), data).expect_code(1);
        assert!(ran.out.contains(&format!("WRONG  folder: {data} cannot be used as DATA_DIR")), "{ran:?}");
    }
}

#[test]
fn a_folder_in_use_is_known_by_its_server() {
    let bench = Bench::start();
    let data = bench.server.folder().join("data").display().to_string();
    let mut held = command(bench.folder(), &["doctor"]);
    held.env("DATA_DIR", &data).env("PORT", bench.server.address().port().to_string());
    let ran = run(held, b"").expect_code(0);
    assert!(ran.out.contains("is held by the server that answers"), "{ran:?}");
    assert!(doctor(bench.folder(), &data).code != 0 || bench.server.address().port() == 4000);
}

/// What the doctor says of a database, as the lines behind those of the settings and the folder.
fn of_database(variables: &[(&str, &str)], arguments: &[&str]) -> Ran {
    let folder = tempfile::tempdir().unwrap();
    let mut doctor = command(folder.path(), &[&["doctor"], arguments].concat());
    for (name, value) in variables {
        doctor.env(name, value);
    }
    run(doctor, b"")
}

#[test]
fn a_database_is_told_by_its_edition_and_schema() {
    for (edition, expected) in [
        (Edition::Plain15, "note   database: PostgreSQL 15."),
        (Edition::Timescale17, "note   database: TimescaleDB 2."),
    ] {
        let database = database(edition).unwrap();
        let url = database.url();
        if edition == Edition::Timescale17 {
            database.psql("CREATE EXTENSION timescaledb").unwrap();
        }
        let ran = of_database(&[("DATABASE_URL", &url)], &[]).expect_code(1);
        assert!(ran.out.contains(expected), "{ran:?}");
        assert!(ran.out.contains("WRONG  schema of the database: the store has no schema yet"), "{ran:?}");
        assert!(ran.out.contains("run `analytics migrate`"), "{ran:?}");
        let folder = tempfile::tempdir().unwrap();
        let mut migrate = command(folder.path(), &["migrate"]);
        migrate.env("DATABASE_URL", &url);
        run(migrate, b"").expect_code(0);
        let ran = of_database(&[("DATABASE_URL", &url)], &[]).expect_code(0);
        assert!(ran.out.contains("ok     schema of the database: it is the one this build needs"), "{ran:?}");
        assert!(!ran.out.contains("pooler") && !ran.out.contains("replica"), "{ran:?}");
        database.psql("INSERT INTO schema_migrations (number, name) VALUES (9999, 'later')").unwrap();
        let ran = of_database(&[("DATABASE_URL", &url)], &[]).expect_code(1);
        assert!(ran.out.contains("a later version has changed it"), "{ran:?}");
    }
}

#[test]
fn a_database_that_cannot_be_used_is_told_with_its_mend() {
    let database = database(Edition::Plain15).unwrap();
    let gone = database.url() + "_gone";
    let bogus = database.url() + "?sslmode=bogus";
    let encrypted = database.url() + "?sslmode=require";
    for (url, what, mend) in [
        ("postgres://u:hunter2@127.0.0.1:1/db", "Connection refused", "see that the server runs"),
        (gone.as_str(), "does not exist", "analytics migrate --create-database"),
        (bogus.as_str(), "DATABASE_URL cannot be used", "sslmode is one of disable, allow, prefer"),
        (encrypted.as_str(), "TLS", "sslmode"),
    ] {
        let ran = of_database(&[("DATABASE_URL", url)], &[]).expect_code(1);
        let line =
            ran.out.lines().find(|line| line.starts_with("WRONG  database")).unwrap_or_else(|| panic!("{ran:?}"));
        assert!(line.contains(what) && line.contains(mend) && !line.contains("hunter2"), "{line}");
    }
}

#[test]
fn a_start_with_a_url_that_cannot_be_read_ends() {
    let folder = tempfile::tempdir().unwrap();
    let mut serve = command(folder.path(), &["serve"]);
    serve.env("DATABASE_URL", "postgres://u:hunter2@127.0.0.1/db?sslmode=bogus").env("PORT", free().to_string());
    let ran = run(serve, b"");
    assert!(ran.code != 0 && ran.err.contains("DATABASE_URL cannot be used"), "{ran:?}");
    assert!(ran.err.contains("bogus") && !ran.err.contains("hunter2"), "{ran:?}");
}

#[test]
fn a_replica_and_a_pooler_are_told() {
    let primary = Arc::new(PostgresServer::start(PostgresOptions::new(Edition::Plain15)).unwrap());
    let database = Database::create(&primary).unwrap();
    let standby = primary.standby(&[]).unwrap();
    let pooler = Pooler::start(&primary, 4, &[]).unwrap();
    let (url, replica) = (pooler.url(database.name()), standby.url(database.name()));
    let folder = tempfile::tempdir().unwrap();
    let mut migrate = command(folder.path(), &["migrate"]);
    migrate.env("DATABASE_URL", &url);
    run(migrate, b"").expect_code(0);
    let api = |replica: &str| {
        let variables = [
            ("DATABASE_URL", url.as_str()),
            ("DATABASE_REPLICA_URL", replica),
            ("DATABASE_REPLICA_MAX_LAG_SECONDS", "1"),
            ("API_KEYS", "reading-key-of-the-shop"),
        ];
        of_database(&variables, &["--role", "api"])
    };
    let ran = api(&replica).expect_code(0);
    assert!(ran.out.contains("ok     replica: it answers, 0 s behind"), "{ran:?}");
    assert!(ran.out.contains("note   database: statements do not stay prepared: a pooler"), "{ran:?}");
    let ran = api(&database.url()).expect_code(1);
    assert!(ran.out.contains("WRONG  replica: ") && ran.out.contains("it is no standby"), "{ran:?}");
    standby.pause_replay().unwrap();
    database.psql("CREATE TABLE later ()").unwrap();
    let ran = api(&replica).expect_code(1);
    assert!(ran.out.contains("s behind, allowed are 1 s"), "{ran:?}");
}

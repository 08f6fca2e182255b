//! The schema and the settings.

use std::sync::Arc;

use analytics_domain::Retention;
use analytics_store::StoreError;

use super::Fixture;

/// What an [`super::Operator`] runs to bring the store back to before its first migration.
pub(crate) const EMPTY: &str = "drop everything";

pub(crate) async fn processes_may_migrate_at_once(fixture: &Fixture) {
    assert_eq!(fixture.store.migrate().await.unwrap(), 0);
    fixture.operator.run(EMPTY);
    let error = fixture.store.check_schema().await.unwrap_err();
    assert!(matches!(&error, StoreError::Schema { found, .. } if found == "has no schema yet"), "{error}");
    let migrate = || {
        let store = Arc::clone(&fixture.store);
        tokio::spawn(async move { store.migrate().await })
    };
    let mut applied = Vec::new();
    for task in [migrate(), migrate(), migrate(), migrate()] {
        applied.push(task.await.unwrap().unwrap());
    }
    applied.sort_unstable();
    // One has done it all.
    assert_eq!(applied, [0, 0, 0, 6]);
    fixture.store.check_schema().await.unwrap();
    fixture.store.check().await.unwrap();
}

pub(crate) async fn a_newer_schema_is_refused(fixture: &Fixture) {
    fixture.store.check_schema().await.unwrap();
    fixture.operator.run("INSERT INTO schema_migrations (number, name) VALUES (9999, 'later')");
    for result in [fixture.store.check_schema().await, fixture.store.migrate().await.map(|_| ())] {
        let error = result.unwrap_err();
        assert!(matches!(&error, StoreError::Schema { found, .. } if found == "has the schema 9999"), "{error}");
    }
}

pub(crate) async fn settings_are_kept(fixture: &Fixture) {
    assert_eq!(fixture.store.retention().await.unwrap(), None);
    for days in [30, 0, 365] {
        fixture.store.set_retention(Retention { days }).await.unwrap();
        assert_eq!(fixture.store.retention().await.unwrap(), Some(Retention { days }));
    }
}

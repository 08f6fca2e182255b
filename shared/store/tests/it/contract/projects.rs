//! Keys, sessions, what is saved, and settings: each project has its own.

use std::sync::Arc;

use analytics_domain::{Project, Retention};
use analytics_store::retention::{forget, is_said, settle};
use analytics_store::{ItemKind, KeyScope, SavedItem, SecretDigest, SessionEntry, StoredKey};
use uuid::Uuid;

use super::{DAY, Fixture, NOW, SECOND, project};

fn digest(number: u8) -> SecretDigest {
    [number; 32]
}

fn key(project: &Project, number: u8) -> StoredKey {
    StoredKey {
        id: Uuid::from_u128(number.into()),
        project: project.clone(),
        name: format!("Zoë's \"key\" {number}'; --"),
        scope: [KeyScope::Read, KeyScope::Admin, KeyScope::Write][usize::from(number % 3)],
        hint: "abcd".to_owned(),
        created_at: NOW.saturating_add_micros(i64::from(number)),
    }
}

fn entry(project: &Project, key: u8, scope: Option<KeyScope>) -> SessionEntry {
    SessionEntry { project: project.clone(), key: digest(key), scope, expires_at: NOW.saturating_add_micros(30 * DAY) }
}

fn item(number: u128, name: &str) -> SavedItem {
    SavedItem {
        id: Uuid::from_u128(number),
        name: name.to_owned(),
        content: r#"{"b":"\u0000 '; DROP TABLE saved_items; --","a":[1.0,1e300]}"#.to_owned(),
        updated_at: NOW,
    }
}

pub(crate) async fn keys_are_found_by_digest_and_listed_by_project(fixture: &Fixture) {
    let (store, shop, other) = (&fixture.store, project("shop"), project("other"));
    assert_eq!(store.key(&digest(1)).await.unwrap(), None);
    for number in 1..=3 {
        assert!(store.add_key(&digest(number), &key(&shop, number), 3).await.unwrap());
    }
    assert!(!store.add_key(&digest(4), &key(&shop, 4), 3).await.unwrap(), "there is no room for a fourth");
    assert!(store.add_key(&digest(5), &key(&other, 5), 3).await.unwrap());
    assert_eq!(store.keys(&shop).await.unwrap(), [key(&shop, 1), key(&shop, 2), key(&shop, 3)]);
    assert_eq!(store.key(&digest(5)).await.unwrap(), Some(key(&other, 5)));
    assert_eq!(store.key(&digest(4)).await.unwrap(), None);

    assert!(!store.revoke_key(&other, Uuid::from_u128(2)).await.unwrap(), "it is another project's");
    assert!(store.revoke_key(&shop, Uuid::from_u128(2)).await.unwrap());
    assert!(!store.revoke_key(&shop, Uuid::from_u128(2)).await.unwrap());
    assert_eq!(store.key(&digest(2)).await.unwrap(), None);
    assert_eq!(store.keys(&shop).await.unwrap().len(), 2);
}

pub(crate) async fn keys_that_send_are_listed_of_all_projects(fixture: &Fixture) {
    let (store, shop, other) = (&fixture.store, project("shop"), project("other"));
    assert_eq!(store.write_keys().await.unwrap(), []);
    // Of scope read, admin, write, and so on.
    for number in 0..=5 {
        let owner = if number < 3 { &shop } else { &other };
        assert!(store.add_key(&digest(number), &key(owner, number), 9).await.unwrap());
    }
    assert_eq!(store.write_keys().await.unwrap(), [(digest(2), shop.clone()), (digest(5), other.clone())]);
    assert!(store.revoke_key(&shop, Uuid::from_u128(2)).await.unwrap());
    assert_eq!(store.write_keys().await.unwrap(), [(digest(5), other)]);
}

pub(crate) async fn who_add_keys_at_once_keep_the_bound(fixture: &Fixture) {
    let shop = project("shop");
    let add = |number: u8| {
        let (store, shop) = (Arc::clone(&fixture.store), shop.clone());
        tokio::spawn(async move { store.add_key(&digest(number), &key(&shop, number), 5).await })
    };
    let tasks: Vec<_> = (1..=20).map(add).collect();
    let mut added = 0;
    for task in tasks {
        added += u32::from(task.await.unwrap().unwrap());
    }
    assert_eq!((added, fixture.store.keys(&shop).await.unwrap().len()), (5, 5));
}

pub(crate) async fn a_session_ends_with_its_key_its_time_and_its_project(fixture: &Fixture) {
    let (store, shop, other) = (&fixture.store, project("shop"), project("other"));
    let (token, later) = (digest(100), |seconds: i64| NOW.saturating_add_micros(seconds * SECOND));
    assert!(store.add_key(&digest(1), &key(&shop, 1), 9).await.unwrap());
    // The key of the other project is one of the environment: the store does not know it.
    assert!(store.open_in_session(&token, &entry(&shop, 1, None), NOW, 2).await.unwrap());
    assert!(store.open_in_session(&token, &entry(&other, 2, None), later(1), 2).await.unwrap());
    let open = store.page_session(&token, later(2)).await.unwrap();
    assert_eq!(open, [entry(&shop, 1, Some(KeyScope::Admin)), entry(&other, 2, None)]);
    assert!(!store.open_in_session(&token, &entry(&project("third"), 2, None), later(2), 2).await.unwrap());
    // Again with another key, in the place that it had.
    assert!(store.open_in_session(&token, &entry(&shop, 3, None), later(3), 2).await.unwrap());
    assert_eq!(store.page_session(&token, later(3)).await.unwrap()[0], entry(&shop, 3, None));
    assert!(store.open_in_session(&token, &entry(&shop, 1, None), later(4), 2).await.unwrap());

    assert_eq!(store.page_session(&digest(101), NOW).await.unwrap(), []);
    assert_eq!(store.page_session(&token, later(30 * 86_400)).await.unwrap(), []);
    // A key of the same digest in another project opens nothing of this one.
    assert!(store.revoke_key(&shop, key(&shop, 1).id).await.unwrap());
    assert_eq!(store.page_session(&token, later(5)).await.unwrap(), [entry(&other, 2, None)]);

    assert!(store.open_in_session(&token, &entry(&shop, 2, None), later(6), 2).await.unwrap());
    store.end_session(&token, Some(&other)).await.unwrap();
    assert_eq!(store.page_session(&token, later(6)).await.unwrap(), [entry(&shop, 2, None)]);
    store.end_session(&token, None).await.unwrap();
    assert_eq!(store.page_session(&token, later(6)).await.unwrap(), []);
    // Those that have ended are forgotten when the next is opened.
    assert!(store.open_in_session(&token, &entry(&shop, 2, None), NOW, 2).await.unwrap());
    let month = 31 * 86_400;
    let next = SessionEntry { expires_at: later(2 * month), ..entry(&shop, 2, None) };
    assert!(store.open_in_session(&digest(102), &next, later(month), 2).await.unwrap());
    assert_eq!(fixture.count("page_sessions").await, 1);
}

pub(crate) async fn a_key_has_so_many_sessions_at_most(fixture: &Fixture) {
    let (store, shop) = (&fixture.store, project("shop"));
    let token = |number: u32| -> SecretDigest {
        let mut token = digest(7);
        token[..4].copy_from_slice(&number.to_be_bytes());
        token
    };
    for number in 0..1_003 {
        let now = NOW.saturating_add_micros(i64::from(number));
        assert!(store.open_in_session(&token(number), &entry(&shop, 1, None), now, 2).await.unwrap());
    }
    assert_eq!(fixture.count("page_sessions").await, 1_000);
    assert_eq!(store.page_session(&token(2), NOW).await.unwrap(), []);
    assert_eq!(store.page_session(&token(3), NOW).await.unwrap().len(), 1);
}

pub(crate) async fn what_is_saved_comes_back_as_it_was(fixture: &Fixture) {
    let (store, shop, other) = (&fixture.store, project("shop"), project("other"));
    let view = ItemKind::View;
    for (number, name) in [(1, "b"), (2, "a"), (3, "B")] {
        assert!(store.save(&shop, view, &item(number, name), 3).await.unwrap());
    }
    assert!(!store.save(&shop, view, &item(4, "d"), 3).await.unwrap(), "there is no room for a fourth");
    assert!(store.save(&shop, ItemKind::Board, &item(1, "board"), 3).await.unwrap());
    assert!(store.save(&other, view, &item(1, "theirs"), 3).await.unwrap());
    assert_eq!(store.saved(&shop, view).await.unwrap(), [item(3, "B"), item(2, "a"), item(1, "b")]);

    let changed = SavedItem { content: "{}".into(), ..item(1, "z") };
    assert!(store.save_again(&shop, view, &changed).await.unwrap());
    assert!(!store.save_again(&shop, view, &item(9, "none")).await.unwrap());
    assert!(!store.save_again(&other, view, &item(2, "not theirs")).await.unwrap());
    assert_eq!(store.saved(&shop, view).await.unwrap(), [item(3, "B"), item(2, "a"), changed]);
    assert_eq!(store.saved(&other, view).await.unwrap(), [item(1, "theirs")]);
    assert_eq!(store.saved(&shop, ItemKind::Board).await.unwrap(), [item(1, "board")]);

    assert!(!store.remove_saved(&other, view, Uuid::from_u128(2)).await.unwrap());
    assert!(store.remove_saved(&shop, view, Uuid::from_u128(2)).await.unwrap());
    assert!(!store.remove_saved(&shop, view, Uuid::from_u128(2)).await.unwrap());
    assert_eq!(store.saved(&shop, view).await.unwrap().len(), 2);
}

pub(crate) async fn a_project_has_settings_of_its_own(fixture: &Fixture) {
    let (store, shop, other) = (&fixture.store, project("shop"), project("other"));
    let set = |name: &'static str, value: Option<&str>| (name, value.map(str::to_owned));
    assert!(store.project_settings(&shop).await.unwrap().is_empty());
    store
        .set_project_settings(&shop, &[set("timezone", Some("UTC")), set("title", Some("'; Zoë")), set("x", None)])
        .await
        .unwrap();
    store.set_project_settings(&other, &[set("timezone", Some("Asia/Tokyo"))]).await.unwrap();
    store.set_project_settings(&shop, &[set("timezone", Some("Europe/Berlin")), set("title", None)]).await.unwrap();
    let kept: Vec<_> = store.project_settings(&shop).await.unwrap().into_iter().collect();
    assert_eq!(kept, [("timezone".to_owned(), "Europe/Berlin".to_owned())]);
    assert_eq!(store.project_settings(&other).await.unwrap()["timezone"], "Asia/Tokyo");
}

pub(crate) async fn it_is_known_who_said_the_retention(fixture: &Fixture) {
    let store = fixture.store.as_ref();
    assert!(!is_said(store).await.unwrap());
    assert_eq!(settle(store, Some(30)).await.unwrap(), Retention { days: 30 });
    assert!(is_said(store).await.unwrap());
    // The next start says nothing: what was said stays, and may be changed.
    assert_eq!(settle(store, None).await.unwrap(), Retention { days: 30 });
    assert!(!is_said(store).await.unwrap());
    forget(store).await.unwrap();
    assert_eq!(store.retention().await.unwrap(), None);
    assert_eq!(settle(store, None).await.unwrap(), Retention::default());
}

//! What is kept of a shadow's last versions.

use otaru_shadow::{Document, Rules, UpdateRequest};
use otaru_store::*;
use otaru_wire::{OrganisationId, ShadowId};

use super::Fixture;

on_both_engines! {
    the_last_versions_are_kept_whatever_each_commit_made_of_them
    another_organisation_sees_and_changes_no_history
    who_keeps_fewer_finds_the_newest
    a_thing_s_shadows_are_listed_by_name_and_counted
}

fn shadow() -> ShadowId {
    ShadowId::classic("clock-01".parse().unwrap())
}

fn change(version: u64) -> ShadowChangeRow {
    let change = match version % 3 {
        0 => ShadowChange::Deleted,
        _ => ShadowChange::Updated(format!(r#"{{"desired":{{"a":{version}}}}}"#)),
    };
    ShadowChangeRow { version, at: 5, writer: "token:ab".to_owned(), change }
}

fn raised(before: Option<&Document>) -> Document {
    let rules = Rules::default();
    let request = UpdateRequest::parse(br#"{"state":{"desired":{"a":1}}}"#, &rules).unwrap();
    Document::apply(before, &request, 9, &rules).unwrap()
}

/// Makes so many versions of a shadow in one commit.
async fn raise(fixture: &Fixture, shadow: ShadowId, by: u64, kept: u32) {
    let scope = fixture.scope.clone();
    let work = move |tx: &mut Tx<'_>| {
        let system = SystemScope::for_authentication();
        for _ in 0..by {
            let before = otaru_store::shadow(tx, &system, &shadow)?.map(|row| row.document);
            let after = raised(before.as_ref());
            put_shadow(tx, &scope, &shadow, &after, 1)?;
            put_shadow_change(tx, &scope, &shadow, change(after.version()), kept)?;
        }
        Ok::<_, StoreError>(())
    };
    fixture.store.write(work).await.unwrap();
}

async fn versions(fixture: &Fixture, below: Option<u64>, kept: u32, limit: u32) -> Vec<u64> {
    let scope = fixture.scope.clone();
    let read = move |tx: &mut Tx<'_>| shadow_history(tx, &scope, &shadow(), below, kept, limit);
    let found = fixture.store.read(read).await.unwrap();
    for row in &found {
        assert_eq!(*row, change(row.version));
    }
    found.into_iter().map(|row| row.version).collect()
}

async fn the_last_versions_are_kept_whatever_each_commit_made_of_them(fixture: Fixture) {
    let mut newest = 0;
    for by in [1, 1, 2, 7, 1, 4, 9, 3, 3, 3, 1, 1, 1, 1, 1, 12, 5] {
        raise(&fixture, shadow(), by, 4).await;
        newest += by;
        let expected: Vec<u64> = (1..=newest).rev().take(4).collect();
        assert_eq!(versions(&fixture, None, 4, 100).await, expected);
    }
    assert_eq!(versions(&fixture, Some(newest), 4, 2).await, [newest - 1, newest - 2]);
    assert_eq!(versions(&fixture, Some(newest - 3), 4, 2).await, [0; 0]);
    raise(&fixture, shadow(), 1, 0).await;
    assert_eq!(versions(&fixture, None, 4, 1).await, [newest], "none are kept any more");
}

async fn another_organisation_sees_and_changes_no_history(fixture: Fixture) {
    raise(&fixture, shadow(), 2, 4).await;
    let foreign = Scope::of(OrganisationId::new("org-2").unwrap());
    let work = move |tx: &mut Tx<'_>| {
        put_shadow(tx, &foreign, &shadow(), &raised(None), 1)?;
        put_shadow_change(tx, &foreign, &shadow(), change(9), 4)?;
        shadow_history(tx, &foreign, &shadow(), None, 4, 100)
    };
    assert_eq!(fixture.store.write(work).await.unwrap(), []);
    assert_eq!(versions(&fixture, None, 4, 100).await, [2, 1]);
}

async fn who_keeps_fewer_finds_the_newest(fixture: Fixture) {
    for _ in 0..9 {
        raise(&fixture, shadow(), 1, 5).await;
    }
    let trim = |kept| {
        let work = move |tx: &mut Tx<'_>| {
            let system = SystemScope::for_background();
            let surplus = surplus_shadow_history(tx, &system, kept, 9)?;
            drop_shadow_history(tx, &system, &surplus)
        };
        fixture.store.write(work)
    };
    assert_eq!(trim(5).await.unwrap(), 0);
    // Of the slots that are used no more, 2 to 4, those of versions 8 and 9 are needed yet.
    assert_eq!(trim(2).await.unwrap(), 1);
    assert_eq!(versions(&fixture, None, 2, 100).await, [9, 8]);
    raise(&fixture, shadow(), 1, 2).await;
    assert_eq!(versions(&fixture, None, 2, 100).await, [10, 9]);
    raise(&fixture, shadow(), 1, 2).await;
    assert_eq!(trim(2).await.unwrap(), 2);
    assert_eq!(versions(&fixture, None, 9, 100).await, [11, 10]);
    assert_eq!(trim(0).await.unwrap(), 2);
    assert_eq!(versions(&fixture, None, 9, 100).await, [0; 0]);
}

async fn a_thing_s_shadows_are_listed_by_name_and_counted(fixture: Fixture) {
    let named = |name: &str| ShadowId::named(shadow().thing, name.parse().unwrap());
    for shadow in [named("b"), shadow(), named("a"), named("gone")] {
        raise(&fixture, shadow, 1, 1).await;
    }
    let scope = fixture.scope.clone();
    let work = move |tx: &mut Tx<'_>| {
        let gone = named("gone");
        put_shadow(tx, &scope, &gone, &raised(None).delete(&Rules::default()), 2)?;
        let thing = shadow().thing;
        let mut listed = Vec::new();
        for (from, limit) in [("", 10), ("", 2), ("a", 10), ("c", 10)] {
            let rows = list_shadows(tx, &scope, &thing, from, limit)?;
            assert!(rows.iter().all(|listed| listed.updated_at == 1));
            let name = |row: &ListedShadowRow| row.row.shadow.to_string();
            listed.push(rows.iter().map(name).collect::<Vec<_>>().join(" "));
        }
        let foreign = Scope::of(OrganisationId::new("org-2").unwrap());
        assert!(list_shadows(tx, &foreign, &thing, "", 10)?.is_empty());
        assert_eq!(count_named_shadows(tx, &foreign, &thing)?, 0);
        Ok::<_, StoreError>((listed, count_named_shadows(tx, &scope, &thing)?))
    };
    let (listed, count) = fixture.store.write(work).await.unwrap();
    let all = "clock-01 clock-01~a clock-01~b";
    assert_eq!(listed, [all, "clock-01 clock-01~a", "clock-01~a clock-01~b", ""]);
    assert_eq!(count, 3, "what is left of a deleted one counts");
}

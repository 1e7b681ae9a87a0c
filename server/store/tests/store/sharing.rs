//! What owners are offered, and people a device is shared with.

use otaru_fleet::{InstallChoice, Role};
use otaru_store::*;
use otaru_wire::{Digest, ThingName};

use super::{Fixture, add_clock, new_user, update_row};

on_both_engines! {
    an_offer_is_looked_at_when_it_is_due
    a_shared_device_is_listed_for_both_and_given_up_for_both
    a_share_code_ends_and_leaves_the_claim_code_alone
    an_event_is_heard_by_everybody_it_concerned
    what_did_not_succeed_is_remembered_by_its_image
}

async fn with_clock(
    fixture: &Fixture,
    work: impl FnOnce(&mut Tx<'_>, &Scope, &ThingName) -> Result<(), StoreError> + Send + 'static,
) {
    let scope = fixture.scope.clone();
    let all = move |tx: &mut Tx<'_>| {
        add_clock(tx, &scope)?;
        for (id, email) in [("u-1", "ada@x"), ("u-2", "bo@x"), ("u-3", "cy@x")] {
            insert_user(tx, &scope, &new_user(id, email, Role::Owner), 7)?;
        }
        let thing = "clock-01".parse().unwrap();
        set_device_owner(tx, &scope, &thing, "u-1", 10)?;
        work(tx, &scope, &thing)
    };
    fixture.store.write(all).await.unwrap();
}

async fn an_offer_is_looked_at_when_it_is_due(fixture: Fixture) {
    with_clock(&fixture, |tx, scope, thing| {
        let system = SystemScope::for_background();
        let version = "1.0.5".parse().unwrap();
        put_offer(tx, scope, thing, &version, 100, 0, Some(200))?;
        assert_eq!(due_offers(tx, &system, 199, 10)?, []);
        let due = due_offers(tx, &system, 200, 10)?;
        assert_eq!((due.len(), due[0].offered_at, due[0].reminders), (1, 100, 0));
        put_offer(tx, scope, thing, &version, 100, 3, None)?;
        assert_eq!(due_offers(tx, &system, i64::MAX, 10)?, []);
        assert_eq!(offer(tx, scope, thing)?.unwrap().reminders, 3);
        remove_offer(tx, scope, thing)?;
        assert_eq!(offer(tx, scope, thing)?, None);
        Ok(())
    })
    .await;
}

async fn a_shared_device_is_listed_for_both_and_given_up_for_both(fixture: Fixture) {
    with_clock(&fixture, |tx, scope, thing| {
        insert_share(tx, scope, thing, "u-2", 20)?;
        insert_share(tx, scope, thing, "u-2", 30)?;
        assert_eq!(shared_since(tx, scope, thing, "u-2")?, Some(20));
        assert_eq!(shared_since(tx, scope, thing, "u-1")?, None);
        let said =
            DeviceSaid { name: Some("Hall"), time_zone: None, install: InstallChoice::Night };
        set_device_said(tx, scope, thing, &said)?;
        for (person, count) in [("u-1", 1), ("u-2", 1), ("u-3", 0)] {
            assert_eq!(devices_of_person(tx, scope, person)?.len(), count, "{person}");
        }
        let people = shares(tx, scope, thing)?;
        assert_eq!((people[0].email.as_str(), people[0].since), ("bo@x", 20));

        give_up_device(tx, scope, thing, 30)?;
        let left = device(tx, scope, thing)?.unwrap();
        assert_eq!((left.owner, left.owned_at, left.name), (None, None, None));
        assert_eq!(left.given_up_at, Some(30));
        assert_eq!(left.install, InstallChoice::Ask);
        assert_eq!(devices_of_person(tx, scope, "u-2")?, []);
        assert!(!remove_share(tx, scope, thing, "u-2")?);
        Ok(())
    })
    .await;
}

async fn a_share_code_ends_and_leaves_the_claim_code_alone(fixture: Fixture) {
    with_clock(&fixture, |tx, scope, thing| {
        let code = |text: &str| Digest::of(text.as_bytes());
        insert_claim_code(tx, scope, thing, &code("claim"), 1)?;
        insert_share_code(tx, scope, thing, &code("old"), "u-1", 2, 100)?;
        insert_share_code(tx, scope, thing, &code("new"), "u-1", 3, 100)?;
        assert_eq!(use_claim_code(tx, scope, &code("old"), 4)?, None);
        assert_eq!(use_claim_code(tx, scope, &code("new"), 100)?, None);
        let used = use_claim_code(tx, scope, &code("new"), 99)?.unwrap();
        assert_eq!(used.shared_by.as_deref(), Some("u-1"));
        insert_share_code(tx, scope, thing, &code("third"), "u-1", 3, 100)?;
        remove_share_codes(tx, scope, thing)?;
        assert_eq!(use_claim_code(tx, scope, &code("third"), 5)?, None);
        assert_eq!(use_claim_code(tx, scope, &code("claim"), 5)?.unwrap().shared_by, None);
        Ok(())
    })
    .await;
}

async fn an_event_is_heard_by_everybody_it_concerned(fixture: Fixture) {
    with_clock(&fixture, |tx, scope, _| {
        let bo = ["u-2".to_owned()];
        insert_event(tx, scope, Some("u-1"), &bo, "first", "{}", 1)?;
        insert_event(tx, scope, Some("u-1"), &[], "second", "{}", 2)?;
        let kinds = |tx: &mut Tx<'_>, person: Option<&str>| {
            let found = events(tx, scope, person, 0, 10)?;
            Ok::<_, StoreError>(found.into_iter().map(|event| event.kind).collect::<Vec<_>>())
        };
        assert_eq!(kinds(tx, Some("u-1"))?, ["first", "second"]);
        assert_eq!(kinds(tx, Some("u-2"))?, ["first"]);
        assert_eq!(kinds(tx, Some("u-3"))?, [""; 0]);
        assert_eq!(kinds(tx, None)?, ["first", "second"]);
        trim_events(tx, &SystemScope::for_background(), 2, 9)?;
        assert_eq!(kinds(tx, Some("u-2"))?, [""; 0]);
        Ok(())
    })
    .await;
}

async fn what_did_not_succeed_is_remembered_by_its_image(fixture: Fixture) {
    with_clock(&fixture, |tx, scope, thing| {
        let row = update_row(scope, "up-1");
        insert_update(tx, scope, &row, None)?;
        let ends = |tx: &mut Tx<'_>| ends_of_image(tx, scope, thing, &row.update.sha256, 101);
        assert_eq!(ends(tx)?, [""; 0]);
        let ended = otaru_fleet::Update {
            outcome: Some(otaru_wire::Outcome::RolledBack),
            ended_at: Some(900),
            told_at: Some(300),
            ..row.update.clone()
        };
        put_update(tx, scope, &ended, None)?;
        assert_eq!(ends(tx)?, ["rolled_back"]);
        assert_eq!(durations_of_product(tx, scope, &row.product)?, [0_i64; 0]);
        let confirmed =
            otaru_fleet::Update { outcome: Some(otaru_wire::Outcome::Confirmed), ..ended };
        put_update(tx, scope, &confirmed, None)?;
        assert_eq!(ends(tx)?, ["confirmed"]);
        let cancelled = otaru_fleet::Update {
            outcome: Some(otaru_wire::Outcome::Cancelled),
            ..confirmed.clone()
        };
        put_update(tx, scope, &cancelled, None)?;
        // It was asked for at 100, before the device was the present owner's.
        assert_eq!(ends(tx)?, [""; 0]);
        put_update(tx, scope, &confirmed, None)?;
        assert_eq!(durations_of_product(tx, scope, &row.product)?, [600]);
        assert_eq!(updates_since(tx, scope, thing, 101, "", 10)?, []);
        assert_eq!(updates_since(tx, scope, thing, 100, "", 10)?.len(), 1);
        Ok(())
    })
    .await;
}

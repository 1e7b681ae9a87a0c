//! Shadows, and what is told and written down.

use otaru_store::*;
use otaru_wire::{OrganisationId, ShadowId};

use super::Fixture;

on_both_engines! {
    shadows_keep_their_tombstones
    events_are_numbered_in_commit_order
    logs_are_kept_to_a_length
}

async fn shadows_keep_their_tombstones(fixture: Fixture) {
    let scope = fixture.scope.clone();
    fixture
        .store
        .write(move |tx| -> Result<(), StoreError> {
            let system = SystemScope::for_authentication();
            let rules = otaru_shadow::Rules::default();
            let request =
                otaru_shadow::UpdateRequest::parse(br#"{"state":{"desired":{"a":1}}}"#, &rules)
                    .unwrap();
            let document = otaru_shadow::Document::apply(None, &request, 9, &rules).unwrap();
            let thing: otaru_wire::ThingName = "free-name".parse().unwrap();
            let classic = ShadowId::classic(thing.clone());
            let named = ShadowId::named(thing.clone(), "cfg".parse().unwrap());
            put_shadow(tx, &scope, &classic, &document, 1)?;
            put_shadow(tx, &scope, &named, &document, 1)?;
            assert_eq!(shadow(tx, &system, &classic)?.unwrap().document, document);
            assert_eq!(shadow_names(tx, &scope, &thing, "", 10)?, ["cfg"]);
            assert_eq!(shadows_of_thing(tx, &scope, &thing)?.len(), 2);
            put_shadow(tx, &scope, &named, &document.delete(&rules), 2)?;
            assert_eq!(shadow_names(tx, &scope, &thing, "", 10)?, [] as [&str; 0]);
            assert!(shadow(tx, &system, &named)?.unwrap().document.is_deleted());
            let foreign = Scope::of(OrganisationId::new("org-2").unwrap());
            assert!(is_thing_foreign(tx, &foreign, &thing)?);
            put_shadow(tx, &foreign, &classic, &document.delete(&rules), 3)?;
            assert_eq!(shadow(tx, &system, &classic)?.unwrap().document, document);
            assert!(!is_thing_foreign(tx, &scope, &thing)?);
            Ok(())
        })
        .await
        .unwrap();
}

async fn events_are_numbered_in_commit_order(fixture: Fixture) {
    let scope = fixture.scope.clone();
    fixture
        .store
        .write(move |tx| -> Result<(), StoreError> {
            let first = insert_event(tx, &scope, Some("u-1"), &[], "a", "{}", 10)?;
            let second = insert_event(tx, &scope, None, &[], "b", "{}", 20)?;
            assert!(second.id > first.id);
            assert_eq!(last_event_id(tx, &scope)?, second.id);
            assert_eq!(events(tx, &scope, Some("u-1"), 0, 10)?, std::slice::from_ref(&first));
            assert_eq!(events(tx, &scope, None, first.id, 10)?, [second]);
            assert_eq!(trim_events(tx, &SystemScope::for_background(), 20, 9)?, 1);
            Ok(())
        })
        .await
        .unwrap();
}

async fn logs_are_kept_to_a_length(fixture: Fixture) {
    let scope = fixture.scope.clone();
    fixture
        .store
        .write(move |tx| -> Result<(), StoreError> {
            let thing = "clock-01".parse().unwrap();
            for number in 0..10 {
                insert_log(tx, &scope, &thing, &format!("{{\"n\":{number}}}"), number)?;
            }
            let tail = log_tail(tx, &scope, &thing, 3)?;
            assert_eq!(logs(tx, &scope, &thing, tail, 10)?.len(), 3);
            for (count, found) in [(0, 0), (10, 10), (11, 10)] {
                let tail = log_tail(tx, &scope, &thing, count)?;
                assert_eq!(logs(tx, &scope, &thing, tail, 20)?.len(), found, "tail {count}");
            }
            assert_eq!(trim_logs_of_thing(tx, &scope, &thing, 4)?, 6);
            assert_eq!(logs(tx, &scope, &thing, 0, 10)?.len(), 4);
            for (limit, went) in [(0, 0), (1, 1), (9, 1)] {
                assert_eq!(trim_logs(tx, &SystemScope::for_background(), 8, limit)?, went);
            }
            assert_eq!(logs(tx, &scope, &thing, 0, 10)?.len(), 2);
            Ok(())
        })
        .await
        .unwrap();
}

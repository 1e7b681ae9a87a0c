//! Work that shares a commit: each piece stands or falls alone, whatever it left to be written with the others.

use std::collections::BTreeMap;
use std::sync::mpsc::{Receiver, channel};

use otaru_shadow::{Document, Rules, UpdateRequest};
use otaru_store::*;
use otaru_wire::{ShadowId, ThingName};

use crate::Fixture;

on_both_engines! {
    work_that_fails_takes_nothing_of_the_others_with_it
    any_order_of_work_comes_to_what_it_would_alone
    a_device_that_changes_is_read_again
}

/// What one piece of work does.
#[derive(Clone, Copy, Debug)]
struct Piece {
    /// Which of a few shadows it writes, twice if `both`.
    shadow: u8,
    both: bool,
    /// Asks for the names of shadows and for the newest version between the two: what was left
    /// to be written must be there.
    asks: bool,
    /// Fails at the end.
    fails: bool,
}

fn id(number: u8) -> ShadowId {
    let thing: ThingName = format!("thing-{}", number / 2).parse().unwrap();
    match number % 2 {
        0 => ShadowId::classic(thing),
        _ => ShadowId::named(thing, "cfg".parse().unwrap()),
    }
}

/// The shadow with one more in its counter; a new one if there was none.
fn raised(before: Option<&Document>, by: u64) -> Document {
    let counted = before.map_or(0, |document| document.version()) * 1_000 + by;
    let text = format!(r#"{{"state":{{"reported":{{"counted":{counted}}}}}}}"#);
    let rules = Rules::default();
    let request = UpdateRequest::parse(text.as_bytes(), &rules).unwrap();
    Document::apply(before, &request, 9, &rules).unwrap()
}

/// How many versions of a shadow are kept.
const KEPT: u32 = 3;

fn change(version: u64, by: u64) -> ShadowChangeRow {
    let change = ShadowChange::Updated(format!(r#"{{"reported":{by}}}"#));
    ShadowChangeRow { version, at: 1, writer: "device".to_owned(), change }
}

fn raise(tx: &mut Tx<'_>, scope: &Scope, shadow: &ShadowId, by: u64) -> Result<(), StoreError> {
    let system = SystemScope::for_authentication();
    let before = otaru_store::shadow(tx, &system, shadow)?.map(|row| row.document);
    let after = raised(before.as_ref(), by);
    put_shadow(tx, scope, shadow, &after, 1)?;
    put_shadow_change(tx, scope, shadow, change(after.version(), by), KEPT)
}

fn work(tx: &mut Tx<'_>, scope: &Scope, piece: Piece) -> Result<(), StoreError> {
    let shadow = id(piece.shadow);
    raise(tx, scope, &shadow, 1)?;
    if piece.asks {
        let names = shadow_names(tx, scope, &shadow.thing, "", 10)?;
        assert!(shadow.name.is_none() || names == ["cfg"], "{names:?}");
        let newest = shadow_history(tx, scope, &shadow, None, KEPT, 1)?;
        let system = SystemScope::for_authentication();
        let version = otaru_store::shadow(tx, &system, &shadow)?.unwrap().document.version();
        assert_eq!(newest, [change(version, 1)]);
    }
    if piece.both {
        raise(tx, scope, &shadow, 2)?;
    }
    if piece.fails { Err(StoreError::NulInText) } else { Ok(()) }
}

/// Holds the writer until all `pieces` wait, so that they share the next commit.
async fn share_a_commit(fixture: &Fixture, pieces: &[Piece]) {
    let (open, gate) = channel();
    let wait = move |_: &mut Tx<'_>| held(&gate);
    fixture.store.enqueue(wait, drop).await.unwrap();
    let mut answers = Vec::new();
    for piece in pieces.iter().copied() {
        let scope = fixture.scope.clone();
        let (answer, answered) = tokio::sync::oneshot::channel();
        let run = move |tx: &mut Tx<'_>| work(tx, &scope, piece);
        let done = move |outcome: Result<(), StoreError>| drop(answer.send(outcome));
        fixture.store.enqueue_for_shadow(id(piece.shadow), run, done).await.unwrap();
        answers.push((piece, answered));
    }
    open.send(()).unwrap();
    for (piece, answered) in answers {
        assert_eq!(answered.await.unwrap().is_err(), piece.fails, "{piece:?}");
    }
}

fn held(gate: &Receiver<()>) -> Result<(), StoreError> {
    gate.recv().map_err(|_| StoreError::Closed)
}

/// Each shadow, and what is kept of its versions, newest first.
type Model = BTreeMap<ShadowId, (Document, Vec<ShadowChangeRow>)>;

/// What each piece comes to when it is done alone.
fn alone(model: &mut Model, piece: Piece) {
    if piece.fails {
        return;
    }
    let shadow = id(piece.shadow);
    for by in 1..=1 + u64::from(piece.both) {
        let before = model.remove(&shadow);
        let document = raised(before.as_ref().map(|(document, _)| document), by);
        let newest = change(document.version(), by);
        let older = before.into_iter().flat_map(|(_, versions)| versions);
        let versions = std::iter::once(newest).chain(older).take(KEPT as usize).collect();
        model.insert(shadow.clone(), (document, versions));
    }
}

async fn stored(fixture: &Fixture) -> Model {
    let scope = fixture.scope.clone();
    let read = move |tx: &mut Tx<'_>| {
        let system = SystemScope::for_authentication();
        let mut all = BTreeMap::new();
        for shadow in (0..8).map(id) {
            let found = otaru_store::shadow(tx, &system, &shadow)?;
            let versions = shadow_history(tx, &scope, &shadow, None, KEPT, 100)?;
            all.extend(found.map(|row| (shadow, (row.document, versions))));
        }
        Ok::<_, StoreError>(all)
    };
    fixture.store.read(read).await.unwrap()
}

async fn check(fixture: &Fixture, model: &mut Model, pieces: &[Piece]) {
    share_a_commit(fixture, pieces).await;
    pieces.iter().for_each(|piece| alone(model, *piece));
    assert_eq!(stored(fixture).await, *model, "{pieces:?}");
}

async fn work_that_fails_takes_nothing_of_the_others_with_it(fixture: Fixture) {
    let plain = Piece { shadow: 0, both: false, asks: false, fails: false };
    let mut model = BTreeMap::new();
    // What the first left to be written is written, and undone, within the second.
    let fails = Piece { asks: true, both: true, fails: true, ..plain };
    check(&fixture, &mut model, &[plain, fails]).await;
    check(&fixture, &mut model, &[plain, fails, plain]).await;
    let other = Piece { shadow: 2, ..fails };
    check(&fixture, &mut model, &[plain, other, Piece { shadow: 2, ..plain }]).await;
}

async fn any_order_of_work_comes_to_what_it_would_alone(fixture: Fixture) {
    let mut model = BTreeMap::new();
    // Numbers without a pattern, the same in every run.
    let mut random = 0x9e37_79b9_7f4a_7c15_u64;
    let mut next = |below: u64| {
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        random % below
    };
    for _ in 0..40 {
        let count = 1 + next(30);
        let mut piece = || Piece {
            shadow: u8::try_from(next(8)).unwrap(),
            both: next(3) == 0,
            asks: next(4) == 0,
            fails: next(3) == 0,
        };
        let pieces: Vec<Piece> = (0..count).map(|_| piece()).collect();
        check(&fixture, &mut model, &pieces).await;
    }
}

async fn a_device_that_changes_is_read_again(fixture: Fixture) {
    let fixture = fixture.with_device().await;
    let (scope, thing) = (fixture.scope.clone(), "clock-01".parse::<ThingName>().unwrap());
    let shadow = ShadowId::classic(thing.clone());
    let (answer, answered) = tokio::sync::oneshot::channel();
    let run = move |tx: &mut Tx<'_>| {
        let before = device(tx, &scope, &thing)?.unwrap();
        open_device_session(tx, &scope, &thing, 7, 30)?;
        let after = device(tx, &scope, &thing)?.unwrap();
        let foreign = Scope::of(otaru_wire::OrganisationId::new("org-2").unwrap());
        Ok::<_, StoreError>((before.online, after.online, device(tx, &foreign, &thing)?.is_some()))
    };
    let done = move |outcome: Result<_, StoreError>| drop(answer.send(outcome));
    fixture.store.enqueue_for_shadow(shadow, run, done).await.unwrap();
    assert_eq!(answered.await.unwrap().unwrap(), (false, true, false));
}

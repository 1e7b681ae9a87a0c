//! Claiming: a one-time code, printed with the device, makes a person its owner.

use otaru_fleet::Permission;
use otaru_store::{Scope, Tx, UsedCode};
use otaru_wire::{Digest, ThingName};
use serde_json::json;

use crate::audit::{Entry, Object, Who};
use crate::{
    Actor, App, OperationError, OwnDeviceObject, Reach, Refusal, devices, events, events::People,
    offers, sharing, show_own_device,
};

/// Letters of a claim code: no 0, O, 1 or I, so that it can be read aloud. 32 of them make
/// five bits each.
const ALPHABET: &[u8; 32] = b"23456789ABCDEFGHJKLMNPQRSTUVWXYZ";

/// Letters in a code: 12 × 5 = 60 bits. Of a million codes that wait for an owner one is met in
/// 2^40 guesses, so a right one needs no limit.
const LETTERS: usize = 12;

/// Wrong codes of a person that are told from others in a minute. Whoever types a right one is let
/// in, however many were wrong before.
pub(crate) const WRONG_CLAIMS: u32 = 10;

/// Makes a new claim code for a device; an unused older one stops working.
///
/// # Errors
/// [`Refusal::DeviceUnknown`], [`Refusal::DeviceDecommissioned`], [`Refusal::Forbidden`].
pub async fn create_claim_code(
    app: &App,
    actor: &Actor,
    thing: ThingName,
) -> Result<String, OperationError> {
    let code = new_code()?;
    let digest = digest_of(&code);
    let (actor, now) = (actor.clone(), app.now_ms());
    let work = move |tx: &mut Tx<'_>| {
        let fleet = Reach::Fleet;
        let device = devices::reachable(tx, &actor, fleet, &thing, Permission::OperateDevices)?;
        devices::in_service(&device)?;
        otaru_store::insert_claim_code(tx, &actor.scope, &thing, &digest, now)?;
        let made = Who::of(&actor).did("device.claim_code", Object::device(&thing));
        Ok::<_, OperationError>(((), made))
    };
    app.inner.store.audited(work).await?;
    Ok(code)
}

/// Makes the person the owner of the device the code was printed for. Installs nothing.
///
/// # Errors
/// [`Refusal::ClaimCodeUnknown`], [`Refusal::DeviceClaimed`], [`Refusal::TooManyAttempts`],
/// [`Refusal::UserRequired`].
pub async fn claim_device(
    app: &App,
    actor: &Actor,
    code: &str,
) -> Result<OwnDeviceObject, OperationError> {
    let owner = actor.person()?.to_owned();
    let (now, digest, scope) = (app.now_ms(), digest_of(code), actor.scope.clone());
    let works = move |tx: &mut Tx<'_>| otaru_store::claim_code_works(tx, &scope, &digest, now);
    if !app.inner.store.read(works).await? {
        app.inner.claim_attempts.begin(&owner, now)?;
        return Err(Refusal::ClaimCodeUnknown.into());
    }
    let scope = actor.scope.clone();
    let (app_, who) = (app.clone(), Who::of(actor));
    let work = move |tx: &mut Tx<'_>| claim_in(&app_, tx, &scope, &owner, &digest, who, now);
    let thing = app.inner.store.audited(work).await?;
    show_own_device(app, actor, thing).await
}

/// Uses up a code: the person becomes the owner of its device, or one it is shared with.
pub(crate) fn claim_in(
    app: &App,
    tx: &mut Tx<'_>,
    scope: &Scope,
    owner: &str,
    code: &Digest,
    who: Who,
    now: i64,
) -> Result<(ThingName, Entry), OperationError> {
    let used =
        otaru_store::use_claim_code(tx, scope, code, now)?.ok_or(Refusal::ClaimCodeUnknown)?;
    let UsedCode { thing, shared_by } = used;
    let did = who.did("device.claim", Object::device(&thing));
    if shared_by.is_some() {
        sharing::join(app, tx, scope, &thing, owner, now)?;
        return Ok((thing, did.made(&json!({ "shared_with": owner }))));
    }
    if !otaru_store::set_device_owner(tx, scope, &thing, owner, now)? {
        return Err(Refusal::DeviceClaimed(thing.to_string()).into());
    }
    app.inner.live.forget(&thing);
    let device = otaru_store::device(tx, scope, &thing)?;
    let device = device.ok_or_else(|| Refusal::DeviceUnknown(thing.to_string()))?;
    let people = People::of(tx, &device)?;
    events::device_changed(tx, &device, &people, now)?;
    offers::consider(app, tx, scope, &device, now)?;
    Ok((thing, did.made(&json!({ "owner": owner }))))
}

/// The page of the app that takes a claim or share code.
pub fn claim_url(app: &App, code: &str) -> String {
    format!("{}/claim#{code}", app.urls().public_url.trim_end_matches('/'))
}

pub(crate) fn new_code() -> Result<String, OperationError> {
    letters(LETTERS)
}

/// A random code of so many letters, to be typed.
pub(crate) fn letters(count: usize) -> Result<String, OperationError> {
    let mut random = vec![0_u8; count];
    getrandom::fill(&mut random).map_err(|_| OperationError::Random)?;
    let letters: Vec<char> =
        random.iter().map(|byte| char::from(ALPHABET[usize::from(byte % 32)])).collect();
    Ok(letters.chunks(4).map(String::from_iter).collect::<Vec<_>>().join("-"))
}

/// Typed in any case, with or without dashes and spaces.
pub(crate) fn digest_of(code: &str) -> Digest {
    let plain: String =
        code.chars().filter(|c| !matches!(c, '-' | ' ')).flat_map(char::to_uppercase).collect();
    Digest::of(plain.as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_is_read_however_it_is_typed() {
        let code = new_code().unwrap();
        assert_eq!(code.len(), LETTERS + 2, "{code}");
        assert_eq!(digest_of(&code), digest_of(&code.to_lowercase().replace('-', " ")));
        assert_ne!(code, new_code().unwrap());
    }
}

//! Claiming: a one-time code, printed with the device, makes a person its owner.

use std::{collections::HashMap, sync::Mutex};

use otaru_fleet::Permission;
use otaru_store::Tx;
use otaru_wire::{Digest, ThingName};

use crate::{
    Actor, App, OperationError, OwnDeviceObject, Reach, Refusal, devices, list_own_devices,
};

/// Letters of a claim code: no 0, O, 1 or I, so that it can be read aloud. 32 of them make
/// five bits each.
const ALPHABET: &[u8; 32] = b"23456789ABCDEFGHJKLMNPQRSTUVWXYZ";

/// Letters in a code: 12 × 5 = 60 bits, which nobody guesses at [`ATTEMPTS`] a minute.
const LETTERS: usize = 12;

/// Wrong codes a person may send in a minute.
const ATTEMPTS: u32 = 10;

/// Makes a new claim code for a device; an unused older one stops working.
///
/// # Errors
/// [`Refusal::DeviceUnknown`], [`Refusal::Forbidden`].
pub async fn create_claim_code(
    app: &App,
    actor: &Actor,
    thing: ThingName,
) -> Result<String, OperationError> {
    let code = new_code()?;
    let digest = digest_of(&code);
    let (actor, now) = (actor.clone(), app.now_ms());
    let work = move |tx: &mut Tx<'_>| {
        devices::reachable(tx, &actor, Reach::Fleet, &thing, Permission::OperateDevices)?;
        otaru_store::insert_claim_code(tx, &actor.scope, &thing, &digest, now)?;
        Ok::<_, OperationError>(())
    };
    app.inner.store.write(work).await?;
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
    let person = actor.person()?.to_owned();
    let now = app.now_ms();
    if !app.inner.claim_attempts.may_try(&person, now) {
        return Err(Refusal::TooManyAttempts.into());
    }
    let digest = digest_of(code);
    let (scope, owner) = (actor.scope.clone(), person.clone());
    let work = move |tx: &mut Tx<'_>| {
        let thing = otaru_store::use_claim_code(tx, &scope, &digest, now)?
            .ok_or(Refusal::ClaimCodeUnknown)?;
        if !otaru_store::set_device_owner(tx, &scope, &thing, &owner)? {
            return Err(Refusal::DeviceClaimed(thing.to_string()).into());
        }
        Ok::<_, OperationError>(thing)
    };
    let claimed = app.inner.store.write(work).await;
    if claimed.is_err() {
        app.inner.claim_attempts.failed(&person, now);
    }
    let thing = claimed?;
    let own = list_own_devices(app, actor, Some(thing.clone())).await?;
    own.into_iter().next().ok_or_else(|| Refusal::DeviceUnknown(thing.to_string()).into())
}

fn new_code() -> Result<String, OperationError> {
    let mut random = [0_u8; LETTERS];
    getrandom::fill(&mut random).map_err(|_| OperationError::Random)?;
    let letters: Vec<char> =
        random.iter().map(|byte| char::from(ALPHABET[usize::from(byte % 32)])).collect();
    Ok(letters.chunks(4).map(String::from_iter).collect::<Vec<_>>().join("-"))
}

/// Typed in any case, with or without dashes and spaces.
fn digest_of(code: &str) -> Digest {
    let plain: String =
        code.chars().filter(|c| !matches!(c, '-' | ' ')).flat_map(char::to_uppercase).collect();
    Digest::of(plain.as_bytes())
}

/// Wrong codes per person and minute.
#[derive(Default)]
pub(crate) struct Attempts {
    failures: Mutex<HashMap<String, (i64, u32)>>,
}

impl Attempts {
    fn may_try(&self, person: &str, now: i64) -> bool {
        let mut failures = self.lock();
        failures.retain(|_, (since, _)| now - *since < 60_000);
        failures.get(person).is_none_or(|(_, count)| *count < ATTEMPTS)
    }

    fn failed(&self, person: &str, now: i64) {
        self.lock().entry(person.to_owned()).or_insert((now, 0)).1 += 1;
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<String, (i64, u32)>> {
        // A counter is sound whatever happened to the thread that held it.
        self.failures.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }
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

    #[test]
    fn wrong_codes_are_limited_per_person_and_minute() {
        let attempts = Attempts::default();
        for _ in 0..ATTEMPTS {
            assert!(attempts.may_try("a", 0));
            attempts.failed("a", 0);
        }
        assert!(!attempts.may_try("a", 59_999));
        assert!(attempts.may_try("b", 59_999));
        assert!(attempts.may_try("a", 60_000));
    }
}

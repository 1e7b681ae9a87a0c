//! Patches between releases, made by what the server makes them with; and what passes for one.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use otaru_patches::make;
use otaru_release::patch::Codec;

use crate::catalogue::{Release, catalogue};
use crate::life::Weather;
use crate::oracle::sha256;

/// Made once in a process: by what they start from, what they make, and whether they lie.
type Made = Mutex<HashMap<(usize, usize), Arc<Offer>>>;

/// A patch, and its digest.
pub(crate) struct Offer {
    pub(crate) bytes: Vec<u8>,
    pub(crate) sha256: [u8; 32],
}

impl Offer {
    fn new(bytes: Vec<u8>) -> Arc<Offer> {
        Arc::new(Offer { sha256: sha256(&bytes), bytes })
    }
}

/// What the server has for devices that run `from`; none that is longer than the image.
pub(crate) fn patch(from: &Release, to: &Release, weather: Option<Weather>) -> Option<Arc<Offer>> {
    let releases = &catalogue().releases;
    // The next one of the same family, or any other.
    let other = |not: [usize; 2]| {
        let same = |release: &&Release| release.image.len() == to.image.len();
        let is_other = |release: &&Release| !not.contains(&release.number);
        releases.iter().rev().find(|release| same(release) && is_other(release))
    };
    let not = [from.number, to.number];
    let found = match weather {
        Some(Weather::OtherBase) => made(other(not)?, to),
        Some(Weather::OtherTarget) => made(from, other(not)?),
        Some(Weather::ForgedPatch) => {
            let mut forged = made(from, other(not)?).bytes.clone();
            forged[16..48].copy_from_slice(&to.sha256);
            Offer::new(forged)
        }
        _ => made(from, to),
    };
    (found.bytes.len() < to.image.len()).then_some(found)
}

fn made(from: &Release, to: &Release) -> Arc<Offer> {
    static MADE: OnceLock<Made> = OnceLock::new();
    let key = (from.number, to.number);
    let made = MADE.get_or_init(Mutex::default);
    let known =
        |made: &Made| made.lock().unwrap_or_else(PoisonError::into_inner).get(&key).cloned();
    known(made).unwrap_or_else(|| {
        let patch = make(&from.image, &to.image, Codec::Lzma4K).expect("images can be patched");
        let patch = Offer::new(patch);
        made.lock().unwrap_or_else(PoisonError::into_inner).insert(key, Arc::clone(&patch));
        patch
    })
}

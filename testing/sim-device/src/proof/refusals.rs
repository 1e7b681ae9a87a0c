//! Releases that no device may take, whoever wishes for them.

use super::quiet_life;
use crate::catalogue::{ROGUES, SIZES, catalogue};
use crate::{Geometry, Life, Wish};

/// An update that is kept; then wishes for everything that has to be refused, each with manifest
/// and image that fit each other: what a thief of the server signs, releases for other devices,
/// one that is longer than a slot and one that is older than what runs. Then another that is kept.
pub fn refused_life() -> Life {
    let quiet = quiet_life(Geometry::Small, false);
    let (first, last) = (quiet.wishes[0], quiet.wishes[3]);
    let too_long = catalogue().pick(first.release, SIZES[5], otaru_release::Behaviour::Pass);
    let older = first.release - 1;
    let refused = ROGUES.map(|why| catalogue().rogue(why)).into_iter();
    let refused = refused.chain([too_long.expect("a long release"), older]);
    let refused = refused.map(|release| Wish { release, ..first });
    let wishes = [first].into_iter().chain(refused).chain([last]).collect();
    Life { wishes, ..quiet }
}

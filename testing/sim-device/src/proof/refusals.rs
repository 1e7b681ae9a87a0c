//! Releases that no device may take, whoever wishes for them.

use otaru_release::Behaviour;

use super::quiet_life;
use crate::catalogue::{ROGUES, SIZES, catalogue};
use crate::{Geometry, Life, Wish};

/// An update that is kept; then wishes for everything that has to be refused, each with manifest
/// and image that fit each other: what a thief of the server signs, releases for other devices,
/// one that is longer than a slot and one that is older than what runs. Then another that is kept.
pub fn refused_life() -> Life {
    let quiet = quiet_life(Geometry::Small, false);
    let (first, last) = (quiet.wishes[0], quiet.wishes[3]);
    let too_long = catalogue().pick(first.release, SIZES[5], Behaviour::Pass);
    let older = first.release - 1;
    let refused = ROGUES.map(|why| catalogue().rogue(why)).into_iter();
    let refused = refused.chain([too_long.expect("a long release"), older]);
    let refused = refused.map(|release| Wish { release, ..first });
    let wishes = [first].into_iter().chain(refused).chain([last]).collect();
    Life { wishes, ..quiet }
}

#[cfg(test)]
mod tests {
    use otaru_wire::Reason;

    use super::*;
    use crate::live;

    #[test]
    fn each_is_refused_for_its_own_reason() {
        let ends = live(&refused_life()).unwrap().ends;
        let refused = ends.iter().filter(|end| end.outcome == "failed");
        let reasons: Vec<Option<u64>> = refused.map(|end| end.reason).collect();
        let expected = [
            Reason::ManifestUntrusted,
            Reason::WrongProduct,
            Reason::WrongChip,
            Reason::WrongRevision,
            Reason::DependencyMissing,
            Reason::ImageTooLarge,
            Reason::SequenceOlder,
        ];
        assert_eq!(reasons, expected.map(|reason| Some(reason as u64)));
        assert_eq!(ends.len(), expected.len() + 2, "{ends:?}");
    }
}

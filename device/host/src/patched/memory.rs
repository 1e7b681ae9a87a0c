//! What is remembered of patches until the next restart. Nothing of it is written down: flash
//! says how far the image is right, whatever made it.

use otaru_agent::{BootFacts, ResetCause};
use otaru_wire::Digest;

/// Downloads by patch in a row that brought no chunk further, before the full image is fetched.
const STALLS_ALLOWED: u8 = 3;

/// Whether a patch may be tried.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct PatchMemory {
    /// Nobody wants one; or the processor died, and it may have been of a patch. Of a trial it may
    /// have been, too, which cannot be told apart here and costs one full image.
    is_forbidden: bool,
    target: Option<Digest>,
    is_refused: bool,
    /// Where the image of that target stood when the last download of it began.
    right: u64,
    stalls: u8,
}

impl PatchMemory {
    pub(crate) fn of_boot(facts: &BootFacts) -> PatchMemory {
        let is_forbidden = matches!(facts.reset, ResetCause::Panic | ResetCause::Watchdog);
        PatchMemory { is_forbidden, ..PatchMemory::default() }
    }

    /// None is tried from now on.
    pub(crate) fn forbid(&mut self) {
        self.is_forbidden = true;
    }

    /// A download of this target begins, where so many bytes are right: whether by patch.
    pub(crate) fn begins(&mut self, target: &Digest, right: u64) -> bool {
        if self.target != Some(*target) {
            let is_forbidden = self.is_forbidden;
            *self = PatchMemory { is_forbidden, target: Some(*target), ..PatchMemory::default() };
        } else if right > self.right {
            self.stalls = 0;
        }
        (self.right, self.stalls) = (right, self.stalls.saturating_add(1));
        !self.is_forbidden && !self.is_refused && self.stalls <= STALLS_ALLOWED
    }

    /// The patch for this target was not good.
    pub(crate) fn refused(&mut self, target: &Digest) {
        self.is_refused |= self.target == Some(*target);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ONE: Digest = Digest([1; 32]);
    const OTHER: Digest = Digest([2; 32]);

    #[test]
    fn a_patch_that_was_refused_is_not_tried_again_for_its_target() {
        let mut memory = PatchMemory::default();
        assert!(memory.begins(&ONE, 0));
        memory.refused(&ONE);
        assert!(!memory.begins(&ONE, 65_536));
        assert!(memory.begins(&OTHER, 0));
    }

    #[test]
    fn a_patch_whose_link_goes_down_is_tried_as_long_as_it_gets_further() {
        let mut memory = PatchMemory::default();
        for right in [0, 0, 0, 65_536, 65_536, 65_536, 131_072] {
            assert!(memory.begins(&ONE, right), "{right}");
        }
        assert!(memory.begins(&ONE, 131_072) && memory.begins(&ONE, 131_072));
        assert!(!memory.begins(&ONE, 131_072));
    }

    #[test]
    fn where_none_is_wanted_there_is_none() {
        let mut memory = PatchMemory::default();
        memory.forbid();
        assert!(!memory.begins(&ONE, 0) && !memory.begins(&OTHER, 0));
    }
}

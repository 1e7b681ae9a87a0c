//! What was learned of signatures: kept while it is news, and never taken back.

use embedded_storage::nor_flash::NorFlash;
use otaru_agent::{BootFacts, Journal, SeenTimestamp, Target, Trust};
use otaru_release::{KeyId, PublicKey, Root, RootDocument, RootView};
use otaru_slots::{MAX_VALUE_BYTES, StorageError};
use otaru_wire::{Digest, Reason};

use super::{Host, HostError, kept};

impl<F: NorFlash> Host<F> {
    /// The root key the device was built with.
    pub fn set_root_key(&mut self, key: Option<PublicKey>) {
        self.root_key = key;
    }

    /// The newest root document kept, and what is remembered of signatures.
    pub fn trusted(&mut self) -> Result<(Option<RootDocument>, Trust), HostError> {
        let mut room = [0; MAX_VALUE_BYTES];
        let root = self.root(&mut room)?.map(|root| root.to_document());
        Ok((root, self.trust()?))
    }

    /// Gives what runs its floor, after each boot and the agent's first effects:
    /// [`Trust::begin`]. A memory that [`Trust::is_lost`] is to be told of before.
    ///
    /// The inner error is what to report.
    pub fn begin_trust(
        &mut self,
        facts: &BootFacts,
        journal: &Journal,
    ) -> Result<Result<(), Reason>, HostError> {
        let mut room = [0; MAX_VALUE_BYTES];
        let root = self.root(&mut room)?;
        let root = root.as_ref().map(|root| root as &dyn Root);
        kept(self.change_trust(&mut |trust| trust.begin(facts, journal, root)))
    }

    /// A manifest was verified and fits: who signed it raises its floor once it is confirmed.
    pub fn manifest_checked(&mut self, signer: KeyId) {
        self.signer = Some(signer);
    }

    /// Keeps a verified root document, if it is newer than the one that is kept.
    ///
    /// The inner error is what to report: nothing may be installed under a root that would be
    /// forgotten, for the keys it revokes would count again.
    pub fn keep_root(
        &mut self,
        root: &dyn Root,
        bytes: &[u8],
    ) -> Result<Result<(), Reason>, HostError> {
        let Some(key) = self.root_key else { return Ok(Err(Reason::RootMissing)) };
        // Two walks may have been under way at once: a root only ever moves forward.
        if self.kept_number()?.is_some_and(|kept| kept >= root.number()) {
            return Ok(Ok(()));
        }
        kept(self.storage.save_root(&mut self.flash, &key, bytes))
    }

    /// Keeps a fresh timestamp. The inner error is what to report.
    pub fn keep_seen(&mut self, seen: SeenTimestamp) -> Result<Result<(), Reason>, HostError> {
        kept(self.change_trust(&mut |trust| trust.see(seen)))
    }

    pub(super) fn expect_floor(&mut self, target: &Target) -> Result<(), StorageError> {
        let Some(signer) = self.signer else { return Ok(()) };
        self.change_trust(&mut |trust| {
            trust.expect(target, signer);
            true
        })
    }

    /// The floor takes no more room than the expectation it was.
    #[inline(never)] // Its room is on the stack only as long as it is looked at.
    pub(super) fn raise_floor(&mut self, sha256: &Digest) -> Result<(), StorageError> {
        let mut room = [0; MAX_VALUE_BYTES];
        let root = self.root(&mut room)?;
        let root = root.as_ref().map(|root| root as &dyn Root);
        self.change_trust(&mut |trust| trust.confirm(sha256, root))
    }

    /// The newest root document kept, where it lies: read into `room`.
    pub fn root<'r>(
        &mut self,
        room: &'r mut [u8; MAX_VALUE_BYTES],
    ) -> Result<Option<RootView<'r>>, StorageError> {
        let Some(key) = &self.root_key else { return Ok(None) };
        self.storage.root(&mut self.flash, key, room)
    }

    #[inline(never)] // As above.
    fn kept_number(&mut self) -> Result<Option<u64>, StorageError> {
        let mut room = [0; MAX_VALUE_BYTES];
        Ok(self.root(&mut room)?.map(|root| root.number()))
    }

    /// Keeps what is remembered of signatures, where that changes it.
    #[inline(never)]
    fn change_trust(
        &mut self,
        change: &mut dyn FnMut(&mut Trust) -> bool,
    ) -> Result<(), StorageError> {
        let mut trust = self.trust()?;
        match change(&mut trust) {
            true => self.storage.save_trust(&mut self.flash, &trust),
            false => Ok(()),
        }
    }

    /// What is remembered of signatures.
    pub fn trust(&mut self) -> Result<Trust, StorageError> {
        self.storage.trust(&mut self.flash)
    }
}

//! What the device keeps over a restart, in its `otaru` partition.

use alloc::vec::Vec;

use arrayvec::ArrayVec;
use embedded_storage::nor_flash::NorFlash;
use otaru_agent::{Target, Trust};
use otaru_release::{PublicKey, RootDocument, RootView};
use otaru_slots::{
    Layout, MAX_VALUE_BYTES, Opened, Records, RecreatedReason, Ring, Slot, StorageError,
};
use otaru_wire::{Digest, Reason};

mod logs;
mod room;
#[cfg(test)]
mod tests;

/// The agent's journal.
const JOURNAL: u8 = 0;
/// The applied settings, a JSON object.
const SETTINGS: u8 = 1;
/// The newest root document, behind the anchor of the root key it descends from.
const ROOT: u8 = 2;
/// What the manifest of the image in slot 0 said, and how much of that image is there; the next
/// key is slot 1's.
const TARGETS: u8 = 3;
/// Length and digest of the image that left the factory in slot 0.
const FACTORY: u8 = 5;
/// The least a manifest may say, and the newest timestamp.
const TRUST: u8 = 6;
/// Everything that may never make room for something else.
const KEPT: core::ops::Range<u8> = 0..7;
/// The log buffer.
const LOGS: core::ops::Range<u8> = 32..96;

/// Length of the anchor before a stored root document.
const ANCHOR_BYTES: usize = 32;
/// Length of the bytes that are there, behind what a manifest said; little-endian.
const PROGRESS_BYTES: usize = 4;
// A root that could not be kept would be forgotten, and the keys it revoked would count again.
const _: () = assert!(ANCHOR_BYTES + RootDocument::MAX_BYTES <= MAX_VALUE_BYTES);

/// The device's records and log buffer. The flash they are in is an argument of every call.
///
/// What is kept for good is refused with [`StorageError::Full`] where it has no room, and stays
/// what it was; only log records ever make room for it, the oldest first.
#[derive(Debug)]
pub struct Storage {
    records: Records,
    logs: Ring,
    /// Log records that had to go before anybody had them.
    evicted: u64,
    recreated: Option<Reason>,
}

impl Storage {
    /// Opens the partition; what cannot be read is created anew.
    pub fn open<F: NorFlash>(flash: &mut F, layout: &Layout) -> Result<Storage, StorageError> {
        let (records, opened) = Records::open(flash, layout.otaru)?;
        let recreated = match opened {
            Opened::Clean | Opened::Fresh => None,
            Opened::Recreated(RecreatedReason::Unreadable) => Some(Reason::StorageUnreadable),
            Opened::Recreated(RecreatedReason::Newer) => Some(Reason::StorageNewer),
        };
        let logs = Ring::open(&records, flash, LOGS)?;
        Ok(Storage { records, logs, evicted: 0, recreated })
    }

    /// Why the records began anew, until [`Storage::acknowledge_recreated`].
    pub fn recreated(&self) -> Option<Reason> {
        self.recreated
    }

    /// The loss stands in the log buffer now.
    pub fn acknowledge_recreated<F: NorFlash>(
        &mut self,
        flash: &mut F,
    ) -> Result<(), StorageError> {
        match self.recreated.take() {
            Some(_) => self.records.acknowledge_recreated(flash),
            None => Ok(()),
        }
    }

    /// Bytes of the last saved journal; empty on a new device.
    pub fn journal<F: NorFlash>(&self, flash: &mut F) -> Result<Vec<u8>, StorageError> {
        self.copy_of(flash, JOURNAL)
    }

    /// Keeps the journal. It has room whatever else is kept.
    pub fn save_journal<F: NorFlash>(
        &mut self,
        flash: &mut F,
        bytes: &[u8],
    ) -> Result<(), StorageError> {
        self.put(flash, JOURNAL, bytes)
    }

    /// The applied settings; empty on a new device.
    pub fn settings<F: NorFlash>(&self, flash: &mut F) -> Result<Vec<u8>, StorageError> {
        self.copy_of(flash, SETTINGS)
    }

    /// Keeps the applied settings.
    pub fn save_settings<F: NorFlash>(
        &mut self,
        flash: &mut F,
        bytes: &[u8],
    ) -> Result<(), StorageError> {
        self.put(flash, SETTINGS, bytes)
    }

    /// The newest root document that descends from `key`, if one was stored, read into `room`.
    ///
    /// It was verified before it was stored; a stored one of another key, as after
    /// provisioning anew, is none.
    pub fn root<'r, F: NorFlash>(
        &self,
        flash: &mut F,
        key: &PublicKey,
        room: &'r mut [u8; MAX_VALUE_BYTES],
    ) -> Result<Option<RootView<'r>>, StorageError> {
        let bytes = self.get(flash, ROOT, room)?;
        let document = match bytes.split_at_checked(ANCHOR_BYTES) {
            Some((found, document)) if found == key.anchor() => document,
            _ => return Ok(None),
        };
        Ok(RootView::read_trusted(document).ok())
    }

    /// Keeps a verified root document.
    pub fn save_root<F: NorFlash>(
        &mut self,
        flash: &mut F,
        key: &PublicKey,
        document: &[u8],
    ) -> Result<(), StorageError> {
        let mut record = ArrayVec::<u8, MAX_VALUE_BYTES>::new();
        let is_whole = record.try_extend_from_slice(&key.anchor()).is_ok()
            && record.try_extend_from_slice(document).is_ok();
        match is_whole {
            true => self.put(flash, ROOT, &record),
            false => Err(StorageError::ValueTooLong { found: ANCHOR_BYTES + document.len() }),
        }
    }

    /// What the manifest of the image in `slot` said, if one was stored.
    pub fn target<F: NorFlash>(
        &self,
        flash: &mut F,
        slot: Slot,
    ) -> Result<Option<Target>, StorageError> {
        Ok(self.slot_record(flash, slot)?.map(|(target, _)| target))
    }

    /// Keeps what the manifest of the image in `slot` says. Nothing of it counts as downloaded.
    pub fn save_target<F: NorFlash>(
        &mut self,
        flash: &mut F,
        slot: Slot,
        target: &Target,
    ) -> Result<(), StorageError> {
        self.put(flash, TARGETS + slot.index() as u8, &target.to_bytes())
    }

    /// How much of that image was written into `slot`, read back and found right; 0 where the slot
    /// is another one's, or where that cannot be read any more.
    pub(crate) fn progress<F: NorFlash>(&self, flash: &mut F, slot: Slot, sha256: &Digest) -> u32 {
        let known = self.slot_record(flash, slot).ok().flatten();
        let known = known.filter(|(target, _)| target.sha256 == *sha256);
        known.map_or(0, |(_, right_bytes)| right_bytes)
    }

    /// Keeps what the manifest of the image in `slot` says, and how much of it is there.
    pub(crate) fn save_progress<F: NorFlash>(
        &mut self,
        flash: &mut F,
        slot: Slot,
        target: &Target,
        right_bytes: u32,
    ) -> Result<(), StorageError> {
        let mut record = ArrayVec::<u8, { Target::BYTES_MAX + PROGRESS_BYTES }>::new();
        record.extend(target.to_bytes());
        record.extend(right_bytes.to_le_bytes());
        self.put(flash, TARGETS + slot.index() as u8, &record)
    }

    #[inline(never)]
    fn slot_record<F: NorFlash>(
        &self,
        flash: &mut F,
        slot: Slot,
    ) -> Result<Option<(Target, u32)>, StorageError> {
        let mut room = [0; MAX_VALUE_BYTES];
        let bytes = self.get(flash, TARGETS + slot.index() as u8, &mut room)?;
        // A record of before there was progress, or of whoever keeps none.
        if let Some(target) = Target::from_bytes(bytes) {
            return Ok(Some((target, 0)));
        }
        let Some((target, right_bytes)) = bytes.split_last_chunk() else { return Ok(None) };
        let target = Target::from_bytes(target);
        Ok(target.map(|target| (target, u32::from_le_bytes(*right_bytes))))
    }

    /// What the device remembers about signatures; nothing yet on a new one.
    #[inline(never)] // Its room is on the stack only as long as it is read.
    pub fn trust<F: NorFlash>(&self, flash: &mut F) -> Result<Trust, StorageError> {
        let mut room = [0; MAX_VALUE_BYTES];
        Ok(Trust::from_bytes(self.get(flash, TRUST, &mut room)?))
    }

    /// Keeps what the device remembers about signatures.
    pub fn save_trust<F: NorFlash>(
        &mut self,
        flash: &mut F,
        trust: &Trust,
    ) -> Result<(), StorageError> {
        self.put(flash, TRUST, &trust.to_bytes())
    }

    /// Length and digest of the factory image, if they were stored.
    pub fn factory<F: NorFlash>(
        &self,
        flash: &mut F,
    ) -> Result<Option<(u32, Digest)>, StorageError> {
        let mut room = [0; MAX_VALUE_BYTES];
        let bytes = self.get(flash, FACTORY, &mut room)?;
        let Some((length, digest)) = bytes.split_first_chunk() else { return Ok(None) };
        let digest = digest.try_into().ok().map(Digest);
        Ok(digest.map(|digest| (u32::from_le_bytes(*length), digest)))
    }

    /// Keeps length and digest of the factory image, padding and signature included.
    pub fn save_factory<F: NorFlash>(
        &mut self,
        flash: &mut F,
        image: &[u8],
    ) -> Result<(), StorageError> {
        let digest = Digest::of(image);
        let length = (image.len() as u32).to_le_bytes();
        self.put(flash, FACTORY, &[length.as_slice(), digest.as_bytes()].concat())
    }

    /// A value; no bytes where there is none.
    fn get<'r, F: NorFlash>(
        &self,
        flash: &mut F,
        key: u8,
        room: &'r mut [u8; MAX_VALUE_BYTES],
    ) -> Result<&'r [u8], StorageError> {
        Ok(self.records.get(flash, key, room)?.unwrap_or_default())
    }

    #[inline(never)]
    fn copy_of<F: NorFlash>(&self, flash: &mut F, key: u8) -> Result<Vec<u8>, StorageError> {
        let mut room = [0; MAX_VALUE_BYTES];
        Ok(self.get(flash, key, &mut room)?.to_vec())
    }
}

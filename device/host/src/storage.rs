//! What the device keeps over a restart, in its `otaru` partition.

use alloc::vec::Vec;

use embedded_storage::nor_flash::NorFlash;
use otaru_agent::{Target, Trust};
use otaru_slots::{
    Layout, MAX_VALUE_BYTES, Opened, Records, RecreatedReason, Ring, Slot, StorageError,
};
use otaru_wire::{Digest, Reason};

/// The agent's journal.
const JOURNAL: u8 = 0;
/// The applied settings, a JSON object.
const SETTINGS: u8 = 1;
/// What the manifest of the image in slot 0 said; the next key is slot 1's.
const TARGETS: u8 = 3;
/// Length and digest of the image that left the factory in slot 0.
const FACTORY: u8 = 5;
/// The least a manifest may say, and the newest timestamp.
const TRUST: u8 = 6;
/// The log buffer.
const LOGS: core::ops::Range<u8> = 32..96;

/// The device's records and log buffer. The flash they are in is an argument of every call.
#[derive(Debug)]
pub struct Storage {
    records: Records,
    logs: Ring,
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
        Ok(Storage { records, logs, recreated })
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
        self.get(flash, JOURNAL)
    }

    /// Keeps the journal.
    pub fn save_journal<F: NorFlash>(
        &mut self,
        flash: &mut F,
        bytes: &[u8],
    ) -> Result<(), StorageError> {
        self.put(flash, JOURNAL, bytes)
    }

    /// The applied settings; empty on a new device.
    pub fn settings<F: NorFlash>(&self, flash: &mut F) -> Result<Vec<u8>, StorageError> {
        self.get(flash, SETTINGS)
    }

    /// Keeps the applied settings.
    pub fn save_settings<F: NorFlash>(
        &mut self,
        flash: &mut F,
        bytes: &[u8],
    ) -> Result<(), StorageError> {
        self.put(flash, SETTINGS, bytes)
    }

    /// What the manifest of the image in `slot` said, if one was stored.
    pub fn target<F: NorFlash>(
        &self,
        flash: &mut F,
        slot: Slot,
    ) -> Result<Option<Target>, StorageError> {
        let bytes = self.get(flash, TARGETS + slot.index() as u8)?;
        Ok(Target::from_bytes(&bytes))
    }

    /// Keeps what the manifest of the image in `slot` says.
    pub fn save_target<F: NorFlash>(
        &mut self,
        flash: &mut F,
        slot: Slot,
        target: &Target,
    ) -> Result<(), StorageError> {
        self.put(flash, TARGETS + slot.index() as u8, &target.to_bytes())
    }

    /// What the device remembers about signatures; nothing yet on a new one.
    pub fn trust<F: NorFlash>(&self, flash: &mut F) -> Result<Trust, StorageError> {
        Ok(Trust::from_bytes(&self.get(flash, TRUST)?))
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
        let bytes = self.get(flash, FACTORY)?;
        let Some((length, digest)) = bytes.split_first_chunk::<4>() else { return Ok(None) };
        let digest = <[u8; 32]>::try_from(digest).ok();
        Ok(digest.map(|digest| (u32::from_le_bytes(*length), Digest(digest))))
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

    /// Adds a log record.
    pub fn push_log<F: NorFlash>(
        &mut self,
        flash: &mut F,
        record: &[u8],
    ) -> Result<(), StorageError> {
        self.making_room(flash, |storage, flash| {
            storage.logs.push(&mut storage.records, flash, record).map(|_| ())
        })
    }

    /// Removes the oldest log record.
    pub fn pop_log<F: NorFlash>(&mut self, flash: &mut F) -> Result<(), StorageError> {
        self.logs.pop(&mut self.records, flash)
    }

    /// How many log records wait to be sent.
    pub fn log_count(&self) -> u8 {
        self.logs.len()
    }

    fn put<F: NorFlash>(
        &mut self,
        flash: &mut F,
        key: u8,
        bytes: &[u8],
    ) -> Result<(), StorageError> {
        self.making_room(flash, |storage, flash| storage.records.put(flash, key, bytes))
    }

    /// Stores something; in a full store the oldest log records make room for it.
    fn making_room<F: NorFlash>(
        &mut self,
        flash: &mut F,
        store: impl Fn(&mut Storage, &mut F) -> Result<(), StorageError>,
    ) -> Result<(), StorageError> {
        loop {
            match store(self, flash) {
                Err(StorageError::Full) if !self.logs.is_empty() => self.pop_log(flash)?,
                stored => return stored,
            }
        }
    }

    fn get<F: NorFlash>(&self, flash: &mut F, key: u8) -> Result<Vec<u8>, StorageError> {
        let mut buffer = [0; MAX_VALUE_BYTES];
        let found = self.records.get(flash, key, &mut buffer)?;
        Ok(found.map(<[u8]>::to_vec).unwrap_or_default())
    }
}

//! What the device keeps over a restart, in its `otaru` partition.

use otaru_agent::{Target, Trust};
use otaru_release::{PublicKey, RootDocument};
use otaru_slots::{
    Layout, MAX_VALUE_BYTES, Opened, Records, RecreatedReason, Ring, Slot, StorageError,
};
use otaru_wire::{Digest, Reason};

use crate::FileFlash;

/// The agent's journal.
const JOURNAL: u8 = 0;
/// The applied settings, a JSON object.
const SETTINGS: u8 = 1;
/// The newest root document, behind the anchor of the root key it descends from.
const ROOT: u8 = 2;
/// What the manifest of the image in slot 0 said; the next key is slot 1's.
const TARGETS: u8 = 3;
/// Length and digest of the image that left the factory in slot 0.
const FACTORY: u8 = 5;
/// The least a manifest may say, and the newest timestamp.
const TRUST: u8 = 6;
/// The log buffer.
const LOGS: core::ops::Range<u8> = 32..96;

/// Length of the anchor before a stored root document.
const KEY_BYTES: usize = 32;
// A root that could not be kept would be forgotten, and the keys it revoked would count again.
const _: () = assert!(KEY_BYTES + RootDocument::MAX_BYTES <= MAX_VALUE_BYTES);

/// The device's records and log buffer.
#[derive(Debug)]
pub(crate) struct Storage {
    flash: FileFlash,
    records: Records,
    logs: Ring,
    /// Log records that had to go before anybody had them.
    evicted: u64,
    recreated: Option<Reason>,
}

impl Storage {
    /// Opens the partition; what cannot be read is created anew.
    pub(crate) fn open(flash: &FileFlash, layout: &Layout) -> Result<Storage, StorageError> {
        let mut flash = flash.clone();
        let (records, opened) = Records::open(&mut flash, layout.otaru)?;
        let recreated = match opened {
            Opened::Clean | Opened::Fresh => None,
            Opened::Recreated(RecreatedReason::Unreadable) => Some(Reason::StorageUnreadable),
            Opened::Recreated(RecreatedReason::Newer) => Some(Reason::StorageNewer),
        };
        let logs = Ring::open(&records, &mut flash, LOGS)?;
        Ok(Storage { flash, records, logs, evicted: 0, recreated })
    }

    /// Why the records began anew, until [`Storage::acknowledge_recreated`].
    pub(crate) fn recreated(&self) -> Option<Reason> {
        self.recreated
    }

    /// The loss stands in the log buffer now.
    pub(crate) fn acknowledge_recreated(&mut self) -> Result<(), StorageError> {
        match self.recreated.take() {
            Some(_) => self.records.acknowledge_recreated(&mut self.flash),
            None => Ok(()),
        }
    }

    /// Bytes of current values.
    pub(crate) fn used_bytes(&self) -> u32 {
        self.records.live_bytes()
    }

    pub(crate) fn journal(&mut self) -> Result<Vec<u8>, StorageError> {
        self.get(JOURNAL)
    }

    pub(crate) fn save_journal(&mut self, bytes: &[u8]) -> Result<(), StorageError> {
        self.put(JOURNAL, bytes)
    }

    pub(crate) fn settings(&mut self) -> Result<Vec<u8>, StorageError> {
        self.get(SETTINGS)
    }

    pub(crate) fn save_settings(&mut self, bytes: &[u8]) -> Result<(), StorageError> {
        self.put(SETTINGS, bytes)
    }

    /// What the manifest of the image in `slot` said, if one was stored.
    pub(crate) fn target(&mut self, slot: Slot) -> Result<Option<Target>, StorageError> {
        let bytes = self.get(TARGETS + slot.index() as u8)?;
        Ok(Target::from_bytes(&bytes))
    }

    pub(crate) fn save_target(&mut self, slot: Slot, target: &Target) -> Result<(), StorageError> {
        self.put(TARGETS + slot.index() as u8, &target.to_bytes())
    }

    /// What the device remembers about signatures; nothing yet on a new one.
    pub(crate) fn trust(&mut self) -> Result<Trust, StorageError> {
        Ok(Trust::from_bytes(&self.get(TRUST)?))
    }

    pub(crate) fn save_trust(&mut self, trust: &Trust) -> Result<(), StorageError> {
        self.put(TRUST, &trust.to_bytes())
    }

    /// Length and digest of the factory image, if they were stored.
    pub(crate) fn factory(&mut self) -> Result<Option<(u32, Digest)>, StorageError> {
        let bytes = self.get(FACTORY)?;
        let Some((length, digest)) = bytes.split_first_chunk::<4>() else { return Ok(None) };
        let digest = <[u8; 32]>::try_from(digest).ok();
        Ok(digest.map(|digest| (u32::from_le_bytes(*length), Digest(digest))))
    }

    pub(crate) fn save_factory(&mut self, image: &[u8]) -> Result<(), StorageError> {
        let digest = Digest::of(image);
        let length = (image.len() as u32).to_le_bytes();
        self.put(FACTORY, &[length.as_slice(), digest.as_bytes()].concat())
    }

    /// The newest root document that descends from `key`, if one was stored.
    ///
    /// It was verified before it was stored; a stored one of another key, as after
    /// provisioning anew, is none.
    pub(crate) fn root(&mut self, key: &PublicKey) -> Result<Option<RootDocument>, StorageError> {
        let bytes = self.get(ROOT)?;
        let document = match bytes.split_at_checked(KEY_BYTES) {
            Some((found, document)) if found == key.anchor() => document,
            _ => return Ok(None),
        };
        Ok(RootDocument::read_trusted(document).ok())
    }

    /// Stores a verified root document.
    pub(crate) fn save_root(
        &mut self,
        key: &PublicKey,
        document: &[u8],
    ) -> Result<(), StorageError> {
        let bytes = [key.anchor().as_slice(), document].concat();
        self.put(ROOT, &bytes)
    }

    pub(crate) fn log_count(&self) -> u8 {
        self.logs.len()
    }

    /// The `nth` oldest log record.
    pub(crate) fn log(&mut self, nth: u8) -> Result<Option<Vec<u8>>, StorageError> {
        let mut buffer = [0; MAX_VALUE_BYTES];
        let found = self.logs.get(&self.records, &mut self.flash, nth, &mut buffer)?;
        Ok(found.map(<[u8]>::to_vec))
    }

    /// Adds a log record.
    pub(crate) fn push_log(&mut self, record: &[u8]) -> Result<(), StorageError> {
        self.making_room(|storage| {
            let evicted = storage.logs.push(&mut storage.records, &mut storage.flash, record)?;
            storage.evicted += u64::from(evicted);
            Ok(())
        })
    }

    /// How many of the oldest log records had to go since this was asked last.
    pub(crate) fn take_evicted(&mut self) -> u64 {
        std::mem::take(&mut self.evicted)
    }

    /// Removes the oldest log record.
    pub(crate) fn pop_log(&mut self) -> Result<(), StorageError> {
        self.logs.pop(&mut self.records, &mut self.flash)
    }

    fn put(&mut self, key: u8, bytes: &[u8]) -> Result<(), StorageError> {
        self.making_room(|storage| storage.records.put(&mut storage.flash, key, bytes))
    }

    /// Stores something; in a full store the oldest log records make room for it.
    ///
    /// What does not fit all the same is lost and said so: the device goes on.
    fn making_room(
        &mut self,
        store: impl Fn(&mut Storage) -> Result<(), StorageError>,
    ) -> Result<(), StorageError> {
        loop {
            match store(self) {
                Err(StorageError::Full) if !self.logs.is_empty() => {
                    self.pop_log()?;
                    self.evicted += 1;
                }
                Err(error @ (StorageError::Full | StorageError::ValueTooLong { .. })) => {
                    tracing::error!(error = %error, "Value could not be kept");
                    return Ok(());
                }
                stored => return stored,
            }
        }
    }

    fn get(&mut self, key: u8) -> Result<Vec<u8>, StorageError> {
        let mut buffer = [0; MAX_VALUE_BYTES];
        let found = self.records.get(&mut self.flash, key, &mut buffer)?;
        Ok(found.map(<[u8]>::to_vec).unwrap_or_default())
    }
}

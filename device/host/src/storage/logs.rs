//! The log buffer: the one thing in the records that may be lost.

use alloc::vec::Vec;

use embedded_storage::nor_flash::NorFlash;
use otaru_slots::{MAX_VALUE_BYTES, StorageError};

use super::Storage;

impl Storage {
    /// How many log records wait to be sent.
    pub fn log_count(&self) -> u8 {
        self.logs.len()
    }

    /// The `nth` oldest log record.
    pub fn log<F: NorFlash>(
        &self,
        flash: &mut F,
        nth: u8,
    ) -> Result<Option<Vec<u8>>, StorageError> {
        let mut buffer = [0; MAX_VALUE_BYTES];
        let found = self.logs.get(&self.records, flash, nth, &mut buffer)?;
        Ok(found.map(<[u8]>::to_vec))
    }

    /// Adds a log record; the oldest make room for it. One that has no room even then is counted
    /// as one that had to go.
    pub fn push_log<F: NorFlash>(
        &mut self,
        flash: &mut F,
        record: &[u8],
    ) -> Result<(), StorageError> {
        let pushed = self.making_room(flash, |storage, flash| {
            let evicted = storage.logs.push(&mut storage.records, flash, record)?;
            storage.evicted += u64::from(evicted);
            Ok(())
        });
        match pushed {
            Err(StorageError::Full | StorageError::ValueTooLong { .. }) => {
                self.evicted += 1;
                Ok(())
            }
            pushed => pushed,
        }
    }

    /// Removes the oldest log record.
    pub fn pop_log<F: NorFlash>(&mut self, flash: &mut F) -> Result<(), StorageError> {
        self.logs.pop(&mut self.records, flash)
    }

    /// How many of the oldest log records had to go since this was asked last.
    pub fn take_evicted(&mut self) -> u64 {
        core::mem::take(&mut self.evicted)
    }

    /// Stores something; in a full store the oldest log records make room for it.
    pub(super) fn making_room<F: NorFlash>(
        &mut self,
        flash: &mut F,
        store: impl Fn(&mut Storage, &mut F) -> Result<(), StorageError>,
    ) -> Result<(), StorageError> {
        loop {
            match store(self, flash) {
                Err(StorageError::Full) if !self.logs.is_empty() => {
                    self.pop_log(flash)?;
                    self.evicted += 1;
                }
                stored => return stored,
            }
        }
    }
}

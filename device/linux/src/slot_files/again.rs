//! Records that were lost or damaged while the slots were not: made again around what `current`
//! names.

use std::fs::File;
use std::io::{self, Read};
use std::ops::Range;

use otaru_host::Storage;
use otaru_slots::otadata::mark_valid;
use otaru_slots::{EntryState, Layout, OtaData, Slot};

use super::{
    HEAD_BYTES, RECORDS_BYTES, SLOT_UNIT, SlotFiles, SlotsError, in_state, keep_factory, layout_of,
    locked,
};
use crate::{FileFlash, SimError};

/// The boot selector, in the file of records.
const SELECTOR: Range<usize> = 0xD000..0xF000;
/// The records themselves.
const RECORDS: Range<usize> = HEAD_BYTES as usize..RECORDS_BYTES;

impl SlotFiles {
    /// The slot that `current` names.
    pub(super) fn current_slot(&self) -> Option<Slot> {
        let named = std::fs::read_link(self.current()).ok()?;
        let named = self.state.join(named);
        [Slot::Ota0, Slot::Ota1].into_iter().find(|&slot| self.slot(slot) == named)
    }

    /// Makes the table again from the configuration, keeps what is whole of the rest, and lets
    /// what `current` names run on where nothing else says what ran. No slot is written.
    pub(super) fn make_again(&self) -> Result<Layout, SlotsError> {
        let path = self.records();
        tracing::error!(file = %path.display(), "The records are lost or damaged, and made again");
        // Nobody else has them as long as this is open.
        let lost = path.exists().then(|| locked(&path)).transpose()?;
        let mut old = Vec::new();
        if let Some(mut file) = lost.as_ref() {
            file.read_to_end(&mut old).map_err(in_state(&path))?;
        }
        let layout = layout_of(self.slot_bytes_in_use()?)?;
        let unfinished = self.write_unfinished(&[0xFF; RECORDS_BYTES])?;
        layout.write_table(&mut self.chip(&unfinished, &layout)?).map_err(SimError::from)?;
        let mut bytes = std::fs::read(&unfinished).map_err(in_state(&unfinished))?;
        keep_the_rest(&mut bytes, &old);
        let mut flash = self.chip(&self.write_unfinished(&bytes)?, &layout)?;
        if let Some(slot) = self.current_slot() {
            self.keep_running(&mut flash, &layout, slot)?;
        }
        self.finish(flash, &unfinished)?;
        Ok(layout)
    }

    /// Lets a slot run on, where the selector or the records do not say what ran: what `current`
    /// names, or what that would go back to.
    fn keep_running(
        &self,
        flash: &mut FileFlash,
        layout: &Layout,
        slot: Slot,
    ) -> Result<(), SlotsError> {
        let found = OtaData::read(flash, layout).map_err(SimError::from)?;
        if found.active().is_none() {
            mark_valid(flash, layout, slot)
                .map_err(|error| in_state(&self.records())(io::Error::other(error)))?;
        }
        let storage = Storage::open(flash, layout).map_err(SimError::from)?;
        if storage.recreated().is_none() {
            return Ok(());
        }
        let path = self.slot(that_stays(&found, slot));
        let file = File::open(&path).map_err(in_state(&path))?;
        let mut image = Vec::new();
        file.take(layout.slot(slot).size.into())
            .read_to_end(&mut image)
            .map_err(in_state(&path))?;
        // How much of a partition is the image nobody knows any more; what is erased is not.
        if self.partitions.is_some() {
            let end = image.iter().rposition(|&byte| byte != 0xFF);
            image.truncate(end.map_or(0, |last| last + 1));
        }
        keep_factory(flash, layout, &image)
    }

    /// Length of a slot that holds what is in both already, whatever the configuration says now.
    fn slot_bytes_in_use(&self) -> Result<u32, SlotsError> {
        let mut slot_bytes = self.usable_slot_bytes()?;
        if self.partitions.is_none() {
            for path in [Slot::Ota0, Slot::Ota1].map(|slot| self.slot(slot)) {
                let length = std::fs::metadata(&path).map_err(in_state(&path))?.len();
                let length = u32::try_from(length).unwrap_or(u32::MAX);
                slot_bytes = slot_bytes.max(length.div_ceil(SLOT_UNIT).saturating_mul(SLOT_UNIT));
            }
        }
        Ok(slot_bytes)
    }
}

/// The next start ends a trial, and what was confirmed before it is all there is then.
fn that_stays(found: &OtaData, current: Slot) -> Slot {
    use EntryState::{Aborted, Invalid, PendingVerify, Valid};
    let is_left = matches!(found.state_of(current), Some(PendingVerify | Invalid | Aborted));
    let other = current.other();
    if is_left && found.state_of(other) == Some(Valid) { other } else { current }
}

/// Takes selector and records over, as far as there are any.
fn keep_the_rest(bytes: &mut [u8], old: &[u8]) {
    // What is neither blank nor a record is found to be lost, and reported.
    bytes[RECORDS].fill(0);
    for kept in [SELECTOR, RECORDS] {
        if let Some(old) = old.get(kept.clone()) {
            bytes[kept].copy_from_slice(old);
        }
    }
}

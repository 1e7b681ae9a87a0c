//! Two slots and ESP-IDF's boot rule, without their bits.

use alloc::vec::Vec;

use otaru_wire::{Digest, ReleaseVersion};

use crate::{BootFacts, EntryState, ResetCause, Running, Target};

/// What a restart does not take away.
#[derive(Clone, Debug)]
pub(super) struct Flash {
    pub(super) slots: [Option<ReleaseVersion>; 2],
    pub(super) entries: [EntryState; 2],
    pub(super) running: usize,
    pub(super) journal: Vec<u8>,
    pub(super) settings: Vec<u8>,
    pub(super) label_is_certain: bool,
    /// Security counter of the image that runs.
    pub(super) security_counter: u32,
    /// Whether power goes in the bootloader's write of a trial's entry, which leaves no state of its.
    pub(super) marks_are_cut: bool,
}

impl Flash {
    /// A device that left the factory with 1.0.4.
    pub(super) fn factory() -> Flash {
        Flash {
            slots: [Some(version("1.0.4")), None],
            entries: [EntryState::Valid, EntryState::Missing],
            running: 0,
            journal: Vec::new(),
            settings: Vec::new(),
            label_is_certain: true,
            security_counter: 0,
            marks_are_cut: false,
        }
    }

    /// The bootloader's choice: armed runs once, unconfirmed is given up.
    pub(super) fn boot(&mut self) {
        let Flash { entries, running, .. } = self;
        for (slot, entry) in entries.iter_mut().enumerate() {
            match *entry {
                EntryState::PendingVerify => {
                    *entry = EntryState::Aborted;
                    *running = 1 - slot;
                }
                EntryState::New => {
                    *entry = match self.marks_are_cut {
                        true => EntryState::Undefined,
                        false => EntryState::PendingVerify,
                    };
                    *running = slot;
                }
                EntryState::Invalid if *running == slot => *running = 1 - slot,
                _ => {}
            }
        }
    }
}

pub(super) fn version(text: &str) -> ReleaseVersion {
    ReleaseVersion::new(text).unwrap()
}

pub(super) fn image(version: &ReleaseVersion) -> Digest {
    Digest::of(version.as_str().as_bytes())
}

pub(super) fn target(version: &ReleaseVersion) -> Target {
    Target {
        version: version.clone(),
        sha256: image(version),
        size_bytes: 1000,
        sequence: 5,
        security_counter: 0,
    }
}

pub(super) fn boot_facts(flash: &Flash, reset: ResetCause) -> BootFacts {
    let runs = flash.slots[flash.running].clone().expect("the boot rule picks a full slot");
    BootFacts {
        running: Running {
            slot: ["ota_0", "ota_1"][flash.running],
            sha256: image(&runs),
            label: Some(runs.as_str().try_into().unwrap()),
            label_is_certain: flash.label_is_certain,
            sequence: 4,
            security_counter: flash.security_counter,
        },
        running_entry: flash.entries[flash.running],
        other_entry: flash.entries[1 - flash.running],
        other_image: flash.slots[1 - flash.running].as_ref().map(image),
        reset,
    }
}

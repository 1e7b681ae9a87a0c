//! The rule of [`Trust`], held against a device that remembers every manifest it ever confirmed.

use alloc::vec::Vec;

use otaru_release::{RootDocument, SecretKey};
use otaru_wire::ReleaseVersion;
use proptest::prelude::*;

use super::super::floors::MAX_FLOORS;
use super::super::*;
use crate::{ResetCause, Running};

/// What a confirmed manifest said, and whose it was; nobody's if it ran before the memory began.
#[derive(Clone, Copy, Debug)]
struct Said {
    key: Option<u8>,
    sequence: u64,
    security_counter: u32,
    /// Tells its image from all others.
    image: u32,
}

#[derive(Clone, Debug)]
enum Op {
    /// A key signs so much above the least, or the highest numbers there are.
    Release { key: u8, above: u64, counter_above: u32, is_last: bool, is_confirmed: bool },
    /// The next root document revokes a key.
    Revoke(u8),
    /// The image before this one runs again.
    Revert,
    /// Power off and on.
    Boot,
    /// The memory is damaged.
    Lose,
}

struct Device {
    trust: Trust,
    root: RootDocument,
    running: Said,
    previous: Said,
    /// Everything that was confirmed since the memory began.
    confirmed: Vec<Said>,
    /// The journal's: the highest ever.
    security_floor: u32,
    images: u32,
}

fn key_id(number: u8) -> KeyId {
    // Any ids but those of zeros.
    KeyId([number, 1, 0, 0, 0, 0, 0, 0])
}

impl Device {
    fn new(sequence: u64, security_counter: u32) -> Device {
        let key = |number| SecretKey::from_seed(&[number; 32]).public_key();
        let running = Said { key: None, sequence, security_counter, image: 0 };
        let mut device = Device {
            trust: Trust::default(),
            root: RootDocument::first(key(1), key(2)),
            running,
            previous: running,
            confirmed: Vec::from([running]),
            security_floor: security_counter,
            images: 0,
        };
        device.boot();
        device
    }

    fn boot(&mut self) {
        self.trust = Trust::from_bytes(&self.trust.to_bytes());
        self.begin();
    }

    fn begin(&mut self) {
        let Said { sequence, security_counter, .. } = self.running;
        let facts = BootFacts {
            running: Running {
                slot: "ota_0",
                sha256: image(&self.running),
                label: None,
                label_is_certain: false,
                sequence,
                security_counter,
            },
            running_entry: EntryState::Valid,
            other_entry: EntryState::Valid,
            other_image: None,
            reset: ResetCause::PowerOn,
        };
        let journal = Journal { security_floor: self.security_floor, ..Journal::default() };
        self.trust.begin(&facts, &journal, Some(&self.root));
    }

    fn least(&self) -> Least {
        self.trust.least(
            &self.root,
            &Wanted {
                version: ReleaseVersion::new("1").unwrap(),
                sha256: None,
                update: None,
                running_sequence: self.running.sequence,
                security_floor: self.security_floor.max(self.running.security_counter),
            },
        )
    }

    fn is_revoked(&self, said: &Said) -> bool {
        said.key.is_some_and(|key| self.root.revoked.contains(&key_id(key)))
    }

    /// What the rule says, from everything there ever was.
    fn expected(&self) -> Least {
        let mut least = Least::default();
        for said in self.confirmed.iter().filter(|said| !self.is_revoked(said)) {
            least.sequence = least.sequence.max(said.sequence);
            least.security_counter = least.security_counter.max(said.security_counter);
        }
        least
    }

    fn carry_out(&mut self, op: &Op) {
        match *op {
            Op::Release { key, above, counter_above, is_last, is_confirmed } => {
                let least = self.least();
                self.images += 1;
                let (sequence, security_counter) = match is_last {
                    true => (u64::MAX, u32::MAX),
                    false => (
                        least.sequence.saturating_add(above),
                        least.security_counter.saturating_add(counter_above),
                    ),
                };
                let said = Said { key: Some(key), sequence, security_counter, image: self.images };
                if !self.is_revoked(&said) {
                    self.install(said, is_confirmed);
                }
            }
            Op::Revoke(key) => self.root.revoked.push(key_id(key)),
            Op::Revert => {
                core::mem::swap(&mut self.running, &mut self.previous);
                self.boot();
                if self.running.key.is_none() {
                    self.confirmed.push(self.running);
                }
            }
            Op::Boot => self.boot(),
            Op::Lose => {
                self.trust = Trust::from_bytes(b"damaged");
                assert!(self.trust.is_lost());
                (self.running.key, self.previous.key) = (None, None);
                self.begin();
                let security_counter = self.security_floor;
                self.confirmed = Vec::from([Said { key: None, security_counter, ..self.running }]);
            }
        }
    }

    fn install(&mut self, said: Said, is_confirmed: bool) {
        let target = Target {
            version: ReleaseVersion::new("1").unwrap(),
            sha256: image(&said),
            size_bytes: 1,
            sequence: said.sequence,
            security_counter: said.security_counter,
        };
        self.trust.expect(&target, key_id(said.key.unwrap()));
        self.boot();
        if is_confirmed {
            assert!(self.trust.confirm(&image(&said), Some(&self.root)));
            self.previous = core::mem::replace(&mut self.running, said);
            self.confirmed.push(said);
            self.security_floor = self.security_floor.max(said.security_counter);
        }
    }
}

fn image(said: &Said) -> Digest {
    Digest::of(&said.image.to_le_bytes())
}

fn op(keys: u8) -> impl Strategy<Value = Op> {
    let release = (0..keys, 0..5_u64, 0..3_u32, prop::bool::weighted(0.1), any::<bool>()).prop_map(
        |(key, above, counter_above, is_last, is_confirmed)| Op::Release {
            key,
            above,
            counter_above,
            is_last,
            is_confirmed,
        },
    );
    prop_oneof![
        8 => release,
        2 => (0..keys).prop_map(Op::Revoke),
        1 => Just(Op::Revert),
        1 => Just(Op::Boot),
    ]
}

fn op_or_loss(keys: u8) -> impl Strategy<Value = Op> {
    prop_oneof![20 => op(keys), 1 => Just(Op::Lose)]
}

proptest! {
    #[test]
    fn the_least_is_the_highest_that_no_revoked_key_signed(
        begins_with in (0..9_u64, 0..3_u32),
        ops in prop::collection::vec(op_or_loss(MAX_FLOORS as u8 - 1), 1..60),
    ) {
        let mut device = Device::new(begins_with.0, begins_with.1);
        for op in &ops {
            device.carry_out(op);
            prop_assert_eq!(device.least(), device.expected(), "after {:?}", op);
        }
    }

    /// With more keys than there is room for some revocations come too late, and no floor falls.
    #[test]
    fn floors_of_keys_that_still_count_never_fall_for_want_of_room(
        ops in prop::collection::vec(op(60), 1..120),
    ) {
        let mut device = Device::new(1, 1);
        for op in &ops {
            device.carry_out(op);
            let (least, expected) = (device.least(), device.expected());
            prop_assert!(least.sequence >= expected.sequence, "after {:?}", op);
            prop_assert!(least.security_counter >= expected.security_counter, "after {:?}", op);
            prop_assert!(device.trust.floors.len() <= MAX_FLOORS);
        }
    }
}

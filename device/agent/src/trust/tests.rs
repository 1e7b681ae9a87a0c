use alloc::vec::Vec;

use otaru_release::{PublicKey, RootDocument, SecretKey};

use otaru_wire::ReleaseVersion;

mod properties;

use super::floors::MAX_FLOORS;
use super::*;
use crate::{Attempt, ResetCause, Running};

fn key(number: u8) -> PublicKey {
    SecretKey::from_seed(&[number; 32]).public_key()
}

fn root(revoked: &[u8]) -> RootDocument {
    let revoked = revoked.iter().map(|&number| key(number).id()).collect();
    RootDocument { revoked, server_key: Some(key(200)), ..RootDocument::first(key(1), key(2)) }
}

fn confirmed(trust: &mut Trust, signer: u8, sequence: u64, security_counter: u32) {
    let sha256 = Digest::of(&sequence.to_le_bytes());
    let version = ReleaseVersion::new("1").unwrap();
    let target = Target { version, sha256, size_bytes: 1, sequence, security_counter };
    trust.expect(&target, key(signer).id());
    assert!(trust.confirm(&sha256, None));
    assert!(!trust.confirm(&sha256, None), "once is enough");
}

fn wanted(running_sequence: u64, security_floor: u32) -> Wanted {
    let version = ReleaseVersion::new("2").unwrap();
    Wanted { version, sha256: None, update: None, running_sequence, security_floor }
}

fn least(trust: &Trust, revoked: &[u8], running: (u64, u32)) -> (u64, u32) {
    let least = trust.least(&root(revoked), &wanted(running.0, running.1));
    (least.sequence, least.security_counter)
}

fn floor(security_floor: u32) -> Journal {
    Journal { security_floor, ..Journal::default() }
}

fn facts((sequence, security_counter): (u64, u32), running_entry: EntryState) -> BootFacts {
    BootFacts {
        running: Running {
            slot: "ota_0",
            sha256: Digest::of(&sequence.to_le_bytes()),
            label: None,
            label_is_certain: false,
            sequence,
            security_counter,
        },
        running_entry,
        other_entry: EntryState::Valid,
        other_image: None,
        reset: ResetCause::PowerOn,
    }
}

#[test]
fn the_highest_ever_confirmed_is_the_least_that_is_taken() {
    let mut trust = Trust::default();
    assert_eq!(least(&trust, &[], (4, 1)), (4, 1));
    confirmed(&mut trust, 2, 7, 3);
    confirmed(&mut trust, 2, 9, 2);
    // An older image runs again: by cable, or because the new one was reverted.
    assert_eq!(least(&trust, &[], (0, 0)), (9, 3));
    let mut only_expected = Trust::default();
    let target = Target {
        version: ReleaseVersion::new("1").unwrap(),
        sha256: Digest::of(b"x"),
        size_bytes: 1,
        sequence: 9,
        security_counter: 0,
    };
    only_expected.expect(&target, key(2).id());
    assert!(!only_expected.confirm(&Digest::of(b"y"), None));
    assert_eq!(least(&only_expected, &[], (0, 0)), (0, 0));
}

#[test]
fn what_a_stolen_key_raised_is_worth_nothing_once_it_is_revoked() {
    let mut trust = Trust::default();
    confirmed(&mut trust, 2, 7, 3);
    confirmed(&mut trust, 3, u64::MAX, u32::MAX);
    assert_eq!(least(&trust, &[], (u64::MAX, u32::MAX)), (u64::MAX, u32::MAX));
    assert_eq!(least(&trust, &[3], (u64::MAX, u32::MAX)), (7, 3));
    assert_eq!(least(&trust, &[2, 3], (u64::MAX, u32::MAX)), (0, 0));
}

/// A device that ran release 7 before anybody kept floors.
#[test]
fn what_runs_keeps_its_floor_when_the_key_after_it_is_revoked() {
    let mut trust = Trust::default();
    assert!(trust.begin(&facts((7, 3), EntryState::Valid), &floor(0), None));
    assert!(!trust.begin(&facts((7, 3), EntryState::Valid), &floor(0), None), "once is enough");
    confirmed(&mut trust, 3, u64::MAX, u32::MAX);
    let stolen = facts((u64::MAX, u32::MAX), EntryState::Valid);
    assert!(!trust.begin(&stolen, &floor(u32::MAX), None), "its signer answers for it");
    assert_eq!(least(&trust, &[], (u64::MAX, u32::MAX)), (u64::MAX, u32::MAX));
    assert_eq!(least(&trust, &[3], (u64::MAX, u32::MAX)), (7, 3));
    // Nor does the same number, said by a revoked key as well, take it away.
    let mut trust = Trust::default();
    trust.begin(&facts((7, 0), EntryState::Valid), &floor(3), None);
    confirmed(&mut trust, 3, 7, 3);
    assert_eq!(least(&trust, &[3], (7, 3)), (7, 3));
    let zeros = RootDocument { revoked: Vec::from([WHOEVER]), ..root(&[]) };
    assert_eq!(trust.least(&zeros, &wanted(0, 0)).sequence, 7);
}

/// The thief's first release is not the highest, and runs again after the second was lost.
#[test]
fn every_number_of_a_revoked_key_is_taken_back() {
    let mut trust = Trust::default();
    confirmed(&mut trust, 2, 7, 3);
    confirmed(&mut trust, 3, u64::MAX - 1, 9);
    confirmed(&mut trust, 3, u64::MAX, 9);
    assert_eq!(least(&trust, &[3], (u64::MAX - 1, 9)), (7, 3));
}

#[test]
fn what_is_on_trial_waits_and_what_was_expected_is_its_signers() {
    let mut trust = Trust::default();
    for entry in [EntryState::New, EntryState::PendingVerify] {
        assert!(!trust.begin(&facts((9, 9), entry), &floor(0), None));
    }
    let unmarked = [EntryState::Undefined, EntryState::Missing];
    let given_up = [EntryState::Invalid, EntryState::Aborted, EntryState::WornOut];
    for entry in given_up {
        assert!(!trust.begin(&facts((9, 9), entry), &floor(0), None), "{entry:?}");
    }
    let unmarked = unmarked.map(|entry| facts((9, 9), entry));
    let mut rolled_back = Journal::default();
    rolled_back.bad_images.add(unmarked[0].running.sha256, None);
    for unmarked in &unmarked {
        assert!(!trust.begin(unmarked, &rolled_back, None), "it rolled back");
    }
    let facts = facts((9, 9), EntryState::Valid);
    let target = Target {
        version: ReleaseVersion::new("1").unwrap(),
        sha256: facts.running.sha256,
        size_bytes: 1,
        sequence: 9,
        security_counter: 9,
    };
    let version = target.version.clone();
    let attempt = Attempt { target: Some(target.clone()), ..Attempt::new(version, None, None) };
    let under_way = Journal { attempt: Some(attempt), ..Journal::default() };
    trust.expect(&target, key(3).id());
    assert!(!trust.begin(&facts, &under_way, None), "armed, 0, is one bit from confirmed, 2");
    for unmarked in unmarked {
        assert!(!trust.begin(&unmarked, &floor(0), None), "expected, and not known to stay");
    }
    assert!(trust.begin(&facts, &floor(9), None));
    assert_eq!(least(&trust, &[], (0, 0)), (9, 9));
    assert_eq!(least(&trust, &[3], (9, 9)), (0, 0));
}

#[test]
fn the_highest_sequence_is_of_a_key_that_is_not_revoked() {
    let mut trust = Trust::default();
    assert_eq!(trust.highest_sequence(&root(&[])), 0);
    confirmed(&mut trust, 2, 7, 3);
    confirmed(&mut trust, 3, 9, 0);
    assert_eq!(trust.highest_sequence(&root(&[])), 9);
    assert_eq!(trust.highest_sequence(&root(&[3])), 7);
    assert_eq!(trust.highest_sequence(&root(&[2, 3])), 0);
}

#[test]
fn floors_of_other_keys_outlive_those_of_revoked_ones() {
    let mut trust = Trust::default();
    confirmed(&mut trust, 2, 7, 3);
    let stolen: Vec<u8> = (10..60).collect();
    for &signer in &stolen {
        let sha256 = Digest::of(&[signer]);
        let version = ReleaseVersion::new("1").unwrap();
        let target = Target { version, sha256, size_bytes: 1, sequence: 99, security_counter: 99 };
        trust.expect(&target, key(signer).id());
        trust.confirm(&sha256, Some(&root(&stolen)));
        assert!(trust.floors.len() <= MAX_FLOORS);
    }
    // The highest counter ever is still known as theirs.
    assert_eq!(least(&trust, &stolen, (99, 99)), (7, 3));
}

#[test]
fn the_lowest_floor_makes_room_and_is_kept_as_somebodys() {
    let mut trust = Trust::default();
    let signers = 10..10 + MAX_FLOORS as u8 + 4;
    for signer in signers.clone() {
        confirmed(&mut trust, signer, signer.into(), 1);
    }
    assert_eq!(trust.floors.len(), MAX_FLOORS);
    let all: Vec<u8> = signers.collect();
    // Five of them had to make room, and the sixth is the oldest that can still be revoked.
    assert_eq!(least(&trust, &all, (0, 0)), (14, 1));
    let (last, others) = all.split_last().unwrap();
    assert_eq!(least(&trust, others, (0, 0)), ((*last).into(), 1));
}

/// Whatever their order is, and whoever's lie between them.
#[test]
fn floors_of_revoked_keys_merge_with_each_other_alone() {
    let mut trust = Trust::default();
    let revoked = [12, 17];
    for signer in (10..10 + MAX_FLOORS as u8).rev() {
        let sequence = if revoked.contains(&signer) { 99 } else { signer.into() };
        confirmed(&mut trust, signer, sequence, 1);
    }
    let version = ReleaseVersion::new("1").unwrap();
    let sha256 = Digest::of(b"x");
    let target = Target { version, sha256, size_bytes: 1, sequence: 50, security_counter: 1 };
    trust.expect(&target, key(60).id());
    assert!(trust.confirm(&sha256, Some(&root(&revoked))));
    assert_eq!(trust.floors.len(), MAX_FLOORS);
    assert_eq!(least(&trust, &revoked, (0, 0)), (50, 1));
    let newer = [&revoked[..], &[60]].concat();
    assert_eq!(least(&trust, &newer, (0, 0)), (25, 1));
}

#[test]
fn the_lowest_floor_makes_room_wherever_it_is() {
    let mut trust = Trust::default();
    for signer in (10..=10 + MAX_FLOORS as u8).rev() {
        confirmed(&mut trust, signer, signer.into(), 1);
    }
    // Nobody can revoke whoever's: it is that of the two lowest.
    let all: Vec<u8> = (10..=10 + MAX_FLOORS as u8).collect();
    assert_eq!(least(&trust, &all, (0, 0)), (12, 1));
}

#[test]
fn a_counter_alone_that_rose_is_news() {
    let mut trust = Trust::default();
    confirmed(&mut trust, 2, 7, 3);
    assert!(trust.begin(&facts((7, 5), EntryState::Valid), &floor(0), None));
    assert_eq!(least(&trust, &[], (0, 0)), (7, 5));
}

#[test]
fn a_timestamp_is_remembered_with_its_key() {
    let mut trust = Trust::default();
    let seen = SeenTimestamp { key: key(200).id(), signed_at: 5 };
    assert!(trust.see(seen));
    assert!(!trust.see(seen));
    assert_eq!(trust.seen_timestamp(&root(&[])), Some(seen));
    let rotated = RootDocument { server_key: Some(key(201)), ..root(&[]) };
    assert_eq!(trust.seen_timestamp(&rotated), None);
    assert_eq!(trust.seen_timestamp(&RootDocument { server_key: None, ..rotated }), None);
}

#[test]
fn bytes_read_back_and_damage_begins_anew() {
    let mut trust = Trust::default();
    assert_eq!(Trust::from_bytes(&trust.to_bytes()), trust);
    confirmed(&mut trust, 2, 7, 3);
    confirmed(&mut trust, 3, u64::MAX, u32::MAX);
    trust.see(SeenTimestamp { key: key(200).id(), signed_at: -5 });
    let version = ReleaseVersion::new("1").unwrap();
    let sha256 = Digest::of(b"x");
    let target = Target { version, sha256, size_bytes: 1, sequence: 9, security_counter: 0 };
    trust.expect(&target, key(2).id());
    let bytes = trust.to_bytes();
    assert_eq!(Trust::from_bytes(&bytes), trust);
    assert!(!Trust::from_bytes(&bytes).is_lost());
    assert_eq!(Trust::from_bytes(&[]), Trust::default(), "a new device");
    let lost = Trust { is_lost: true, ..Trust::default() };
    for length in 1..bytes.len() {
        assert_eq!(Trust::from_bytes(&bytes[..length]), lost, "cut to {length}");
    }
    assert_eq!(Trust::from_bytes(&[&bytes[..], &[0]].concat()), lost);
    assert_eq!(Trust::from_bytes(&[2, 0, 0, 0]), lost);
}

#[test]
fn a_lost_memory_begins_with_what_runs_and_is_kept() {
    let mut trust = Trust::from_bytes(b"damaged");
    assert!(trust.is_lost());
    assert!(trust.begin(&facts((7, 1), EntryState::Valid), &floor(3), None));
    let mut trust = Trust::from_bytes(&trust.to_bytes());
    assert!(!trust.is_lost());
    assert_eq!(least(&trust, &[], (0, 0)), (7, 3));
    assert!(!trust.begin(&facts((7, 1), EntryState::Valid), &floor(3), None));
    // On trial, and with nothing to begin with, that it was lost is said once all the same.
    let mut trust = Trust::from_bytes(b"damaged");
    assert!(trust.begin(&facts((8, 0), EntryState::PendingVerify), &floor(0), None));
    assert!(!trust.is_lost());
}

#[test]
fn the_longest_memory_has_room() {
    let floor = |number: u8| Floor { key: KeyId([number; 8]), sequence: 1, security_counter: 1 };
    let trust = Trust {
        floors: (0..MAX_FLOORS as u8).map(floor).collect(),
        pending: Some((Digest::of(b"image"), floor(1))),
        seen: Some(SeenTimestamp { key: KeyId([1; 8]), signed_at: 1 }),
        is_lost: false,
    };
    let bytes = trust.to_bytes();
    assert_eq!(bytes.len(), Trust::BYTES_MAX);
    assert_eq!(Trust::from_bytes(&bytes), trust);
}

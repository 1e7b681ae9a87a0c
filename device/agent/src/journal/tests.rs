use proptest::prelude::*;

use super::*;
use crate::Before;

fn digest() -> impl Strategy<Value = Digest> {
    any::<[u8; 32]>().prop_map(Digest)
}

fn version() -> impl Strategy<Value = ReleaseVersion> {
    "[A-Za-z0-9][A-Za-z0-9._+-]{0,63}".prop_map(|text| ReleaseVersion::new(&text).unwrap())
}

fn update() -> impl Strategy<Value = Option<UpdateId>> {
    proptest::option::of("[A-Za-z0-9-]{1,40}".prop_map(|text| UpdateId::new(&text).unwrap()))
}

fn reason() -> impl Strategy<Value = Option<Reason>> {
    proptest::option::of(proptest::sample::select(Reason::ALL))
}

fn target() -> impl Strategy<Value = Target> {
    (version(), digest(), any::<u64>(), any::<u64>(), any::<u32>()).prop_map(
        |(version, sha256, size_bytes, sequence, security_counter)| Target {
            version,
            sha256,
            size_bytes,
            sequence,
            security_counter,
        },
    )
}

fn deferral() -> impl Strategy<Value = Option<Deferral>> {
    let before = proptest::sample::select(&[Before::Download, Before::Restart][..]);
    let reason = proptest::sample::select(Reason::ALL);
    let deferral = (before, any::<u64>(), any::<Option<i64>>(), reason).prop_map(
        |(before, left_ms, until_ms, reason)| Deferral { before, left_ms, until_ms, reason },
    );
    proptest::option::of(deferral)
}

fn attempt() -> impl Strategy<Value = Attempt> {
    let stage = proptest::sample::select(&[Stage::Fetching, Stage::Staged, Stage::Trial][..]);
    let counters = (any::<u32>(), any::<u32>(), any::<u8>());
    let target = proptest::option::of(target());
    let sha256 = proptest::option::of(digest());
    let wish = (version(), sha256, update());
    (wish, counters, stage, target, reason(), deferral()).prop_map(
        |((version, wished_sha256, update), counters, stage, target, verdict, deferral)| {
            let (number, tries, arms) = counters;
            Attempt {
                version,
                wished_sha256,
                update,
                number,
                tries: Tries::from_number(tries),
                stage,
                target,
                arms,
                verdict,
                deferral,
            }
        },
    )
}

fn ended() -> impl Strategy<Value = Ended> {
    let outcome = proptest::sample::select(
        &[Outcome::Confirmed, Outcome::Failed, Outcome::RolledBack, Outcome::Cancelled][..],
    );
    (update(), version(), proptest::option::of(digest()), outcome, reason()).prop_map(
        |(update, version, sha256, outcome, reason)| Ended {
            update,
            version,
            sha256,
            outcome,
            reason,
        },
    )
}

fn journal() -> impl Strategy<Value = Journal> {
    let digests = (proptest::option::of(digest()), proptest::option::of(digest()));
    let bad = proptest::collection::vec((digest(), update()), 0..6);
    let ended = proptest::option::of(ended());
    (proptest::option::of(attempt()), ended, any::<bool>(), digests, any::<u32>(), bad).prop_map(
        |(attempt, last, last_still_wished, (confirmed, previous), security_floor, bad)| {
            let mut bad_images = BadImages::default();
            bad.into_iter().for_each(|(sha256, update)| bad_images.add(sha256, update));
            Journal {
                attempt,
                last,
                last_still_wished,
                confirmed,
                previous,
                security_floor,
                bad_images,
            }
        },
    )
}

proptest! {
    #[test]
    fn journal_reads_back(journal in journal()) {
        prop_assert_eq!(Journal::from_bytes(&journal.to_bytes()), Ok(journal));
    }

    #[test]
    fn target_reads_back(target in target(), bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        prop_assert_eq!(Target::from_bytes(&target.to_bytes()), Some(target));
        let _ = Target::from_bytes(&bytes);
    }

    #[test]
    fn no_bytes_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        let _ = Journal::from_bytes(&bytes);
        for layout in 1..=Journal::LAYOUT {
            let _ = Journal::from_bytes(&[&[layout], bytes.as_slice()].concat());
        }
    }

    #[test]
    fn a_cut_off_journal_is_unreadable(journal in journal(), part in 0.0..1.0f64) {
        let bytes = journal.to_bytes();
        let cut = 1 + ((bytes.len() - 1) as f64 * part) as usize;
        prop_assume!(cut < bytes.len());
        prop_assert_eq!(Journal::from_bytes(&bytes[..cut]), Err(JournalError::Unreadable));
    }
}

#[test]
fn a_new_device_has_an_empty_journal() {
    assert_eq!(Journal::from_bytes(&[]), Ok(Journal::default()));
}

#[test]
fn a_reason_of_a_newer_build_is_unknown_and_the_rest_is_read() {
    let version = ReleaseVersion::new("1.0.5").unwrap();
    let mut attempt = Attempt::new(version, None, UpdateId::new("u-1").ok());
    attempt.verdict = Some(Reason::SelfTestFailed);
    let known = Journal { attempt: Some(attempt), security_floor: 7, ..Journal::default() };
    let mut bytes = known.to_bytes();
    let at = bytes.iter().rposition(|&byte| byte == Reason::SelfTestFailed.number()).unwrap();
    bytes[at] = 200;
    let read = Journal::from_bytes(&bytes).unwrap();
    assert_eq!(read.attempt.unwrap().verdict, Some(Reason::Unknown));
    assert_eq!(read.security_floor, 7);
}

#[test]
fn a_newer_layout_is_named() {
    assert_eq!(Journal::from_bytes(&[9, 1, 2]), Err(JournalError::Newer { layout: 9 }));
    assert_eq!(Journal::from_bytes(&[0]), Err(JournalError::Unreadable));
}

#[test]
fn a_whole_journal_stays_small() {
    let longest = ReleaseVersion::new(&"9".repeat(64)).unwrap();
    let id = UpdateId::new(&"a".repeat(36)).ok();
    let mut journal =
        Journal { attempt: Some(Attempt::new(longest, None, id)), ..Journal::default() };
    (0..4u8).for_each(|n| journal.bad_images.add(Digest::of(&[n]), None));
    assert!(journal.to_bytes().len() < 512, "found {} bytes", journal.to_bytes().len());
}

/// Bytes of a device in the field, written before there were deferrals.
const LAYOUT_ONE: &[u8] = &[
    1, 1, 5, b'1', b'.', b'0', b'.', b'5', 0, 1, 3, b'u', b'-', b'1', 2, 0, 0, 0, 1, 0, 0, 0, 1, 0,
    0, 0, 0, 0, 0, 0, 7, 0, 0, 0, 0,
];

#[test]
fn a_journal_of_layout_one_is_read_and_written_as_it_was() {
    let version = ReleaseVersion::new("1.0.5").unwrap();
    let fresh = Attempt::new(version, None, UpdateId::new("u-1").ok());
    let attempt = Attempt { number: 2, tries: Tries::from_number(1), ..fresh };
    let known = Journal { attempt: Some(attempt), security_floor: 7, ..Journal::default() };
    assert_eq!(Journal::from_bytes(LAYOUT_ONE), Ok(known.clone()));
    assert_eq!(known.to_bytes().as_slice(), LAYOUT_ONE);
}

#[test]
fn a_deferral_makes_it_layout_two_and_goes_with_it() {
    let mut journal = Journal::from_bytes(LAYOUT_ONE).unwrap();
    let (before, reason) = (Before::Restart, Reason::LowBattery);
    let deferral = Deferral { before, left_ms: 60_000, until_ms: Some(-1), reason };
    journal.attempt.as_mut().unwrap().deferral = Some(deferral);
    let bytes = journal.to_bytes();
    assert_eq!(bytes[0], 2);
    assert_eq!(bytes[1..LAYOUT_ONE.len()], LAYOUT_ONE[1..], "what follows is behind the rest");
    assert_eq!(Journal::from_bytes(&bytes), Ok(journal));
    let without = [&[2], &LAYOUT_ONE[1..]].concat();
    assert_eq!(Journal::from_bytes(&without), Err(JournalError::Unreadable));
    let too_much = [&[1], &bytes[1..]].concat();
    assert_eq!(Journal::from_bytes(&too_much), Err(JournalError::Unreadable));
}

/// Every name as long as it may be: what is longer would be cut off without a word.
#[test]
fn the_longest_journal_has_room() {
    let version = ReleaseVersion::new(&"9".repeat(ReleaseVersion::MAX)).unwrap();
    let update = || Some(UpdateId::new(&"u".repeat(UpdateId::MAX)).unwrap());
    let (sha256, reason) = (Digest::of(b"image"), Some(Reason::SelfTestFailed));
    let target = Target {
        version: version.clone(),
        sha256,
        size_bytes: u64::MAX,
        sequence: u64::MAX,
        security_counter: u32::MAX,
    };
    let bytes = target.to_bytes();
    assert_eq!(bytes.len(), Target::BYTES_MAX);
    assert_eq!(Target::from_bytes(&bytes).as_ref(), Some(&target));
    let deferral = Deferral {
        before: Before::Restart,
        left_ms: 1,
        until_ms: Some(2),
        reason: Reason::LowBattery,
    };
    let attempt = Attempt {
        target: Some(target),
        verdict: reason,
        deferral: Some(deferral),
        ..Attempt::new(version.clone(), Some(sha256), update())
    };
    let mut bad_images = BadImages::default();
    for n in 0..BadImages::LIMIT {
        bad_images.add(Digest::of(&[n as u8]), update());
    }
    let outcome = Outcome::Failed;
    let journal = Journal {
        attempt: Some(attempt),
        last: Some(Ended { update: update(), version, sha256: Some(sha256), outcome, reason }),
        last_still_wished: true,
        confirmed: Some(sha256),
        previous: Some(sha256),
        security_floor: u32::MAX,
        bad_images,
    };
    let bytes = journal.to_bytes();
    assert_eq!(bytes.len(), Journal::BYTES_MAX);
    assert_eq!(Journal::from_bytes(&bytes), Ok(journal));
}

#[test]
fn a_target_of_another_layout_or_with_more_behind_it_is_unreadable() {
    let version = ReleaseVersion::new("1.0.5").unwrap();
    let sha256 = Digest::of(b"x");
    let target = Target { version, sha256, size_bytes: 1, sequence: 5, security_counter: 0 };
    let bytes = target.to_bytes();
    let mut newer = bytes.clone();
    newer[0] = Journal::LAYOUT;
    assert_eq!(Target::from_bytes(&newer), None);
    assert_eq!(Target::from_bytes(&[&bytes[..], &[0]].concat()), None);
}

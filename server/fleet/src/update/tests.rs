use expect_test::{Expect, expect};
use otaru_wire::{
    Digest, Outcome, Phase, Reason,
    payload::{FirmwareState, LastUpdate, Progress},
};
use proptest::prelude::*;

use super::*;

const PHASES: [Phase; 8] = [
    Phase::Deferred,
    Phase::Requested,
    Phase::Waiting,
    Phase::Notified,
    Phase::Downloading,
    Phase::Verifying,
    Phase::Restarting,
    Phase::Testing,
];

fn target() -> Digest {
    Digest::of(b"1.0.5")
}

fn old() -> Digest {
    Digest::of(b"1.0.4")
}

fn update(phase: Phase) -> Update {
    Update {
        id: "u1".parse().unwrap(),
        version: "1.0.5".parse().unwrap(),
        sha256: target(),
        plain: false,
        phase,
        outcome: None,
        reason: None,
        done_bytes: if phase >= Phase::Downloading { 50 } else { 0 },
        total_bytes: 100,
        attempt: 1,
        cancel_requested: false,
        requested_at: 1_000,
        phase_at: 2_000,
        bytes_at: 2_000,
        downloading_at: (phase == Phase::Downloading).then_some(2_000),
        told_at: (phase >= Phase::Waiting).then_some(1_500),
        until_at: matches!(phase, Phase::Deferred | Phase::Waiting).then_some(9_000),
        ended_at: None,
    }
}

fn progress(phase: Phase, done: u64, attempt: u32) -> Progress {
    Progress {
        version: "1.0.5".parse().unwrap(),
        phase,
        done,
        total: 100,
        attempt,
        until: None,
        wait_ms: None,
        reason: None,
    }
}

fn running(sha256: Digest, version: &str, state: FirmwareState) -> Running {
    Running { sha256: Some(sha256), version: Some(version.to_owned()), state: Some(state) }
}

fn last(outcome: Outcome, reason: Option<Reason>) -> LastUpdate {
    LastUpdate {
        update: Some("u1".parse().unwrap()),
        version: "1.0.5".to_owned(),
        sha256: target(),
        outcome,
        reason,
    }
}

fn show(update: &Update) -> String {
    let mut text = update.phase.to_string();
    if let Some(outcome) = update.outcome {
        text += &format!(" {outcome}");
    }
    if let Some(reason) = update.reason {
        text += &format!("({})", reason.name());
    }
    if update.cancel_requested {
        text += " cancelling";
    }
    text
}

/// One input against every phase; a line for each that changes something.
fn check(make: impl Fn(Phase) -> Update, input: &Input<'_>, expected: Expect) {
    let mut table = String::new();
    for phase in PHASES {
        let before = make(phase);
        if let Some((after, effect)) = before.step(input, 5_000) {
            table += &format!("{} -> {}, {effect:?}\n", show(&before), show(&after));
            if let Some((again, _)) = after.step(input, 6_000) {
                table += &format!("  and again -> {}\n", show(&again));
            }
        }
    }
    expected.assert_eq(&table);
}

#[test]
fn due_starts_only_what_was_put_off() {
    check(
        update,
        &Input::Due,
        expect![[r#"
        deferred -> requested, Wish
    "#]],
    );
}

#[test]
fn told_moves_only_what_waits_to_be_told() {
    check(
        update,
        &Input::Told,
        expect![[r#"
        requested -> notified, None
    "#]],
    );
}

#[test]
fn progress_never_goes_back_within_an_attempt() {
    let message = progress(Phase::Downloading, 40, 1);
    check(
        update,
        &Input::ProgressMade(&message),
        expect![[r#"
            requested -> downloading, None
            waiting -> downloading, None
            notified -> downloading, None
        "#]],
    );
    let (after, _) = update(Phase::Downloading)
        .step(&Input::ProgressMade(&progress(Phase::Downloading, 70, 1)), 5_000)
        .unwrap();
    assert_eq!((after.done_bytes, after.bytes_at, after.phase_at), (70, 5_000, 2_000));
    let late = progress(Phase::Downloading, 60, 1);
    assert_eq!(after.step(&Input::ProgressMade(&late), 6_000), None);
}

#[test]
fn new_attempt_begins_again() {
    let message = progress(Phase::Downloading, 0, 2);
    check(
        update,
        &Input::ProgressMade(&message),
        expect![[r#"
            requested -> downloading, None
            waiting -> downloading, None
            notified -> downloading, None
            downloading -> downloading, None
            verifying -> downloading, None
            restarting -> downloading, None
            testing -> downloading, None
        "#]],
    );
}

#[test]
fn progress_of_another_version_changes_nothing() {
    let message = Progress { version: "1.0.6".parse().unwrap(), ..progress(Phase::Testing, 9, 9) };
    check(update, &Input::ProgressMade(&message), expect![[""]]);
}

#[test]
fn progress_cannot_confirm() {
    check(update, &Input::ProgressMade(&progress(Phase::Confirmed, 100, 1)), expect![[""]]);
}

#[test]
fn running_the_target_confirmed_is_the_end() {
    let running = running(target(), "1.0.5", FirmwareState::Confirmed);
    check(
        update,
        &Input::Reported { running: &running, last: None },
        expect![[r#"
        deferred -> confirmed confirmed, Close
        requested -> confirmed confirmed, Close
        waiting -> confirmed confirmed, Close
        notified -> confirmed confirmed, Close
        downloading -> confirmed confirmed, Close
        verifying -> confirmed confirmed, Close
        restarting -> confirmed confirmed, Close
        testing -> confirmed confirmed, Close
    "#]],
    );
}

#[test]
fn running_the_target_on_trial_is_testing() {
    let running = running(target(), "1.0.5", FirmwareState::Trial);
    check(
        update,
        &Input::Reported { running: &running, last: None },
        expect![[r#"
        deferred -> testing, None
        requested -> testing, None
        waiting -> testing, None
        notified -> testing, None
        downloading -> testing, None
        verifying -> testing, None
        restarting -> testing, None
    "#]],
    );
}

#[test]
fn running_the_old_image_decides_nothing_alone() {
    let running = running(old(), "1.0.4", FirmwareState::Confirmed);
    check(update, &Input::Reported { running: &running, last: None }, expect![[""]]);
}

#[test]
fn the_right_version_with_other_bytes_is_a_mismatch() {
    let running = running(Digest::of(b"other"), "1.0.5", FirmwareState::Confirmed);
    check(
        update,
        &Input::Reported { running: &running, last: None },
        expect![[r#"
            waiting -> waiting failed(mismatch), Withdraw
            notified -> notified failed(mismatch), Withdraw
            downloading -> downloading failed(mismatch), Withdraw
            verifying -> verifying failed(mismatch), Withdraw
            restarting -> restarting failed(mismatch), Withdraw
            testing -> testing failed(mismatch), Withdraw
        "#]],
    );
}

/// It failed its test, and what ran before is whole no more.
#[test]
fn new_firmware_that_stays_for_want_of_another_has_failed() {
    let running = running(target(), "1.0.5", FirmwareState::Confirmed);
    let last = last(Outcome::Failed, Some(Reason::SelfTestFailed));
    check(
        update,
        &Input::Reported { running: &running, last: Some(&last) },
        expect![[r#"
        deferred -> deferred failed(self_test_failed), Withdraw
        requested -> requested failed(self_test_failed), Withdraw
        waiting -> waiting failed(self_test_failed), Withdraw
        notified -> notified failed(self_test_failed), Withdraw
        downloading -> downloading failed(self_test_failed), Withdraw
        verifying -> verifying failed(self_test_failed), Withdraw
        restarting -> restarting failed(self_test_failed), Withdraw
        testing -> testing failed(self_test_failed), Withdraw
    "#]],
    );
}

#[test]
fn the_device_says_why_it_went_back() {
    let running = running(old(), "1.0.4", FirmwareState::Confirmed);
    let last = last(Outcome::RolledBack, Some(Reason::SelfTestFailed));
    check(
        update,
        &Input::Reported { running: &running, last: Some(&last) },
        expect![[r#"
        deferred -> deferred rolled_back(self_test_failed), Withdraw
        requested -> requested rolled_back(self_test_failed), Withdraw
        waiting -> waiting rolled_back(self_test_failed), Withdraw
        notified -> notified rolled_back(self_test_failed), Withdraw
        downloading -> downloading rolled_back(self_test_failed), Withdraw
        verifying -> verifying rolled_back(self_test_failed), Withdraw
        restarting -> restarting rolled_back(self_test_failed), Withdraw
        testing -> testing rolled_back(self_test_failed), Withdraw
    "#]],
    );
}

#[test]
fn a_verdict_on_another_update_changes_nothing() {
    let running = running(old(), "1.0.4", FirmwareState::Confirmed);
    let last = LastUpdate {
        update: Some("u0".parse().unwrap()),
        ..last(Outcome::Failed, Some(Reason::FlashFailed))
    };
    check(update, &Input::Reported { running: &running, last: Some(&last) }, expect![[""]]);
}

#[test]
fn cancelling_ends_what_was_not_told_and_asks_otherwise() {
    check(
        update,
        &Input::CancelRequested { reason: None },
        expect![[r#"
        deferred -> deferred cancelled(cancelled), Withdraw
        requested -> requested cancelled(cancelled), Withdraw
        waiting -> waiting(cancelled) cancelling, Withdraw
        notified -> notified(cancelled) cancelling, Withdraw
        downloading -> downloading(cancelled) cancelling, Withdraw
        verifying -> verifying(cancelled) cancelling, Withdraw
    "#]],
    );
}

#[test]
fn cancelling_a_plain_client_ends_at_once() {
    let plain = |phase| Update { plain: true, ..update(phase) };
    check(
        plain,
        &Input::CancelRequested { reason: None },
        expect![[r#"
        deferred -> deferred cancelled(cancelled), Withdraw
        requested -> requested cancelled(cancelled), Withdraw
        waiting -> waiting cancelled(cancelled), Withdraw
        notified -> notified cancelled(cancelled), Withdraw
        downloading -> downloading cancelled(cancelled), Withdraw
        verifying -> verifying cancelled(cancelled), Withdraw
    "#]],
    );
}

#[test]
fn what_a_device_was_on_ends_with_it() {
    for phase in [Phase::Deferred, Phase::Requested, Phase::Downloading, Phase::Testing] {
        let (ended, effect) = update(phase).step(&Input::DeviceGone, 5_000).unwrap();
        assert_eq!(ended.outcome, Some(Outcome::Cancelled), "{phase:?}");
        assert_eq!((ended.reason, effect), (Some(Reason::Cancelled), Effect::Withdraw));
        assert_eq!(ended.step(&Input::DeviceGone, 6_000), None, "it has ended");
    }
}

#[test]
fn a_yank_cancels_with_its_reason() {
    let input = Input::CancelRequested { reason: Some(Reason::ReleaseYanked) };
    let (asked, _) = update(Phase::Downloading).step(&input, 5_000).unwrap();
    let running = running(old(), "1.0.4", FirmwareState::Confirmed);
    let verdict = last(Outcome::Cancelled, Some(Reason::Cancelled));
    let (ended, effect) =
        asked.step(&Input::Reported { running: &running, last: Some(&verdict) }, 6_000).unwrap();
    assert_eq!(show(&ended), "downloading cancelled(release_yanked) cancelling");
    assert_eq!(effect, Effect::Withdraw);
}

#[test]
fn silence_ends_every_phase_that_has_a_limit() {
    check(
        update,
        &Input::Expired,
        expect![[r#"
            deferred -> requested, Wish
            waiting -> waiting vanished, None
            notified -> notified vanished, None
            downloading -> downloading vanished, None
            verifying -> verifying vanished, None
            restarting -> restarting vanished, None
            testing -> testing vanished, None
        "#]],
    );
}

#[test]
fn every_phase_in_which_the_device_acts_has_a_deadline() {
    let mut table = String::new();
    for phase in PHASES {
        let update = update(phase);
        let limits = Limits::default();
        let seconds = update.deadline_at(&limits).map(|at| (at - 2_000) / 1_000);
        let plain = Update { plain: true, ..update }.deadline_at(&limits);
        table += &format!(
            "{phase}: {seconds:?} s, plain {:?} s\n",
            plain.map(|at| (at - 2_000) / 1_000)
        );
    }
    expect![[r#"
        deferred: Some(7) s, plain Some(7) s
        requested: None s, plain None s
        waiting: Some(3607) s, plain Some(3607) s
        notified: Some(300) s, plain Some(86399) s
        downloading: Some(600) s, plain Some(86399) s
        verifying: Some(600) s, plain Some(600) s
        restarting: Some(600) s, plain Some(600) s
        testing: Some(900) s, plain Some(900) s
    "#]]
    .assert_eq(&table);
}

#[test]
fn a_restart_of_the_server_gives_the_device_its_time_again() {
    let limits = Limits::default();
    let update = update(Phase::Restarting);
    let now = 2_000 + 50 * 60_000;
    assert_eq!(update.deadline_since(&limits, now), Some(now + limits.restarting_ms));
    let early = update.deadline_since(&limits, 2_000).unwrap();
    assert_eq!(early, update.deadline_at(&limits).unwrap());
}

#[test]
fn vanished_is_replaced_by_later_truth() {
    let vanished = |phase: Phase| update(phase).step(&Input::Expired, 3_000).unwrap().0;
    let gone = vanished(Phase::Restarting);
    let confirmed = running(target(), "1.0.5", FirmwareState::Confirmed);
    let (ended, _) =
        gone.step(&Input::Reported { running: &confirmed, last: None }, 5_000).unwrap();
    assert_eq!(show(&ended), "confirmed confirmed");

    let heard = progress(Phase::Testing, 100, 1);
    let (open, _) = gone.step(&Input::ProgressMade(&heard), 5_000).unwrap();
    assert_eq!(show(&open), "testing");
    assert!(open.is_open());

    let back = running(old(), "1.0.4", FirmwareState::Confirmed);
    let verdict = last(Outcome::RolledBack, Some(Reason::FirmwareCrashed));
    let (ended, effect) =
        gone.step(&Input::Reported { running: &back, last: Some(&verdict) }, 5_000).unwrap();
    assert_eq!(show(&ended), "restarting rolled_back(firmware_crashed)");
    assert_eq!(effect, Effect::Withdraw);
}

#[test]
fn plain_client_is_followed_by_its_download_and_its_version() {
    let plain = Update { plain: true, ..update(Phase::Notified) };
    let (fetching, _) = plain.step(&Input::ImageFetched, 5_000).unwrap();
    assert_eq!(show(&fetching), "downloading");
    let said = Running { sha256: None, version: Some("1.0.5".to_owned()), state: None };
    let (ended, effect) =
        fetching.step(&Input::Reported { running: &said, last: None }, 6_000).unwrap();
    assert_eq!((show(&ended).as_str(), effect), ("confirmed confirmed", Effect::Close));
}

#[test]
fn who_names_its_image_is_no_plain_client() {
    let plain = |phase| Update { plain: true, ..update(phase) };
    let running = running(old(), "1.0.4", FirmwareState::Confirmed);
    let input = Input::Reported { running: &running, last: None };
    for (phase, effect) in [(Phase::Deferred, Effect::None), (Phase::Notified, Effect::Wish)] {
        let (after, asked) = plain(phase).step(&input, 5_000).unwrap();
        assert_eq!((after, asked), (update(phase), effect));
    }
}

#[test]
fn a_newer_release_takes_the_place_of_what_may_yet_change() {
    let vanished = update(Phase::Testing).step(&Input::Expired, 3_000).unwrap().0;
    let (ended, _) = vanished.step(&Input::Superseded, 4_000).unwrap();
    assert_eq!(show(&ended), "testing superseded");
    assert_eq!(ended.step(&Input::Superseded, 5_000), None);
}

#[test]
fn fetching_an_image_does_not_begin_what_was_put_off() {
    let plain = |phase| Update { plain: true, ..update(phase) };
    check(
        plain,
        &Input::ImageFetched,
        expect![[r#"
            requested -> downloading, None
            waiting -> downloading, None
            notified -> downloading, None
        "#]],
    );
}

#[test]
fn a_device_whose_clock_is_wrong_does_not_wait_for_ever() {
    let limits = Limits::default();
    for until in [i64::MIN, 0, i64::MAX] {
        let waits = Progress { until: Some(until), ..progress(Phase::Waiting, 50, 1) };
        let (waiting, _) =
            update(Phase::Downloading).step(&Input::ProgressMade(&waits), 5_000).unwrap();
        let deadline_at = waiting.deadline_at(&limits).unwrap();
        assert!(deadline_at >= 5_000 + limits.waiting_ms, "{until}: {deadline_at}");
        assert!(deadline_at <= 5_000 + WAIT_MAX_MS + limits.waiting_ms, "{until}: {deadline_at}");
    }
}

#[test]
fn how_long_a_device_waits_is_surer_than_its_clock() {
    for until in [None, Some(0), Some(i64::MAX)] {
        let waits = |wait_ms| Progress {
            until,
            wait_ms: Some(wait_ms),
            reason: Some(Reason::LowBattery),
            ..progress(Phase::Waiting, 0, 1)
        };
        let wait = |wait_ms| {
            let heard = Input::ProgressMade(&waits(wait_ms));
            update(Phase::Notified).step(&heard, 5_000).unwrap().0
        };
        assert_eq!(wait(60_000).until_at, Some(65_000));
        assert_eq!(wait(u64::MAX).until_at, Some(5_000 + WAIT_MAX_MS));
    }
}

/// A product may say later in the middle of a download, and for days.
#[test]
fn the_time_that_a_device_takes_is_none_of_its_download() {
    let limits = Limits::default();
    let wait_ms = Some(3 * limits.downloading_ms.unsigned_abs());
    for (reason, expected) in [(Reason::DeviceBusy, true), (Reason::ServerError, false)] {
        let waits = Progress { wait_ms, reason: Some(reason), ..progress(Phase::Waiting, 50, 1) };
        let (waiting, _) =
            update(Phase::Downloading).step(&Input::ProgressMade(&waits), 5_000).unwrap();
        let later = waiting.until_at.unwrap();
        let goes_on = progress(Phase::Downloading, 60, 2);
        let (again, _) = waiting.step(&Input::ProgressMade(&goes_on), later).unwrap();
        assert_eq!(again.deadline_at(&limits).unwrap() > later, expected, "{reason}");
    }
}

/// Why it waited before it said no is not why it ended.
#[test]
fn a_refusal_is_the_end_of_a_wait_and_its_reason() {
    let waiting = Update { reason: Some(Reason::LowBattery), ..update(Phase::Waiting) };
    let old = running(old(), "1.0.4", FirmwareState::Confirmed);
    let refused = last(Outcome::Cancelled, Some(Reason::RefusedOnDevice));
    let reported = Input::Reported { running: &old, last: Some(&refused) };
    let (ended, effect) = waiting.step(&reported, 5_000).unwrap();
    assert_eq!(show(&ended), "waiting cancelled(refused_on_device)");
    assert_eq!(effect, Effect::Withdraw);
}

#[test]
fn what_goes_on_waits_no_more() {
    let trial = running(target(), "1.0.5", FirmwareState::Trial);
    for phase in [Phase::Deferred, Phase::Waiting] {
        let reported = Input::Reported { running: &trial, last: None };
        let (testing, _) = update(phase).step(&reported, 5_000).unwrap();
        assert_eq!((testing.phase, testing.until_at), (Phase::Testing, None));
    }
}

fn any_input() -> impl Strategy<Value = (u8, u8, u8, u64, u32)> {
    (0_u8..8, 0_u8..10, 0_u8..6, 0_u64..120, 0_u32..4)
}

proptest! {
    /// Whatever is heard in whatever order: what has ended stays ended unless it vanished or
    /// was cancelled, bytes of an attempt never fall, and an open update that the device was
    /// told of always has a deadline.
    #[test]
    fn the_rules_hold_for_any_history(history in prop::collection::vec(any_input(), 1..40)) {
        let mut now = 10_000;
        let mut state = update(Phase::Requested);
        for (kind, phase, outcome, done, attempt) in history {
            now += 1_000;
            let message = progress(Phase::ALL[usize::from(phase)], done, attempt);
            let image = if done % 2 == 0 { target() } else { old() };
            let firmware = if done % 3 == 0 { FirmwareState::Trial } else { FirmwareState::Confirmed };
            let heard = running(image, "1.0.4", firmware);
            let verdict = last(Outcome::ALL[usize::from(outcome)], None);
            let input = match kind {
                0 => Input::Due,
                1 => Input::Told,
                2 => Input::ProgressMade(&message),
                3 => Input::ImageFetched,
                4 => Input::Reported { running: &heard, last: Some(&verdict) },
                5 => Input::Reported { running: &heard, last: None },
                6 => Input::CancelRequested { reason: None },
                _ => Input::Expired,
            };
            let Some((next, _)) = state.step(&input, now) else { continue };
            if matches!(state.outcome, Some(Outcome::Confirmed | Outcome::Failed | Outcome::RolledBack | Outcome::Superseded)) {
                prop_assert_eq!(next.outcome, state.outcome);
            }
            if next.attempt == state.attempt && next.outcome.is_none() {
                prop_assert!(next.done_bytes >= state.done_bytes);
            }
            if next.is_open() && next.told_at.is_some() {
                prop_assert!(next.deadline_at(&Limits::default()).is_some());
            }
            state = next;
        }
    }
}

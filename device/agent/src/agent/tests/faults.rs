use alloc::vec;
use alloc::vec::Vec;

use expect_test::expect;
use otaru_wire::Reason;
use serde_json::json;

use super::flash::{Flash, boot_facts, target, version};
use super::world::{Behaviour, Event, World, config, faults};
use crate::agent::{Agent, Stored};
use crate::{
    AgentPhase, Attempt, Before, Effect, EntryState, Fault, Input, Journal, Moment, ResetCause,
    Stage,
};

/// Runs one update whose first answers are `reasons`.
fn ending(reasons: &[Reason]) -> alloc::string::String {
    let mut world = World::connected();
    world.faults = faults(reasons);
    world.wish("1.0.5", "u-1");
    world.run();
    world.last_reported()
}

#[test]
fn a_link_that_comes_and_goes_costs_time_only() {
    let reasons = [
        Reason::LinkDownAtInstall,
        Reason::ServerError,
        Reason::TlsRootExpired,
        Reason::DownloadStalled,
    ];
    assert_eq!(ending(&reasons), "runs 1.0.5 (confirmed), last u-1 confirmed ");
}

#[test]
fn an_untrusted_manifest_ends_the_update_at_once() {
    let last = "runs 1.0.4 (confirmed), last u-1 failed manifest_untrusted";
    assert_eq!(ending(&[Reason::ManifestUntrusted]), last);
}

#[test]
fn a_release_that_stays_unknown_is_given_up() {
    let last = "runs 1.0.4 (confirmed), last u-1 failed release_not_found";
    assert_eq!(ending(&[Reason::ReleaseNotFound; 4]), last);
}

#[test]
fn memory_that_stays_short_is_named() {
    let last = "runs 1.0.4 (confirmed), last u-1 failed low_memory";
    assert_eq!(ending(&[Reason::LowMemory; 6]), last);
    let last = "runs 1.0.5 (confirmed), last u-1 confirmed ";
    assert_eq!(ending(&[Reason::LowMemory; 5]), last);
}

#[test]
fn a_server_that_stays_away_ends_the_update() {
    let last = "runs 1.0.4 (confirmed), last u-1 failed retries_exhausted";
    assert_eq!(ending(&[Reason::LinkDownAtInstall; 6 * 21]), last);
}

/// Far more faults than the budget has tries, all of them offline.
#[test]
fn waiting_offline_is_never_a_failure() {
    let mut world = World::connected();
    world.faults = faults(&[Reason::LinkDownAtInstall; 30]);
    world.wish("1.0.5", "u-1");
    world.run_until(|phase| matches!(phase, AgentPhase::AwaitRetry { .. }));
    world.disconnect();
    world.run();
    assert!(matches!(world.agent.phase(), AgentPhase::AwaitRetry { .. }), "{}", world.transcript);
    assert_eq!(world.faults.len(), 29, "no try was spent");
    world.faults.clear();
    world.connect();
    world.run();
    assert_eq!(world.last_reported(), "runs 1.0.5 (confirmed), last u-1 confirmed ");
}

#[test]
fn every_new_chunk_renews_the_budget() {
    let mut world = World::connected();
    world.size_bytes = 200 << 16;
    world.cut_downloads = (1..190).map(|n| n << 16).collect();
    world.wish("1.0.5", "u-1");
    world.run();
    assert_eq!(world.last_reported(), "runs 1.0.5 (confirmed), last u-1 confirmed ");
}

#[test]
fn the_same_bytes_again_renew_nothing() {
    let mut world = World::connected();
    world.cut_downloads = [300; 6 * 21 + 1].into();
    world.wish("1.0.5", "u-1");
    world.run();
    let last = "runs 1.0.4 (confirmed), last u-1 failed retries_exhausted";
    assert_eq!(world.last_reported(), last);
}

#[test]
fn a_wait_is_told_with_time_reason_and_a_new_number() {
    let mut world = World::connected();
    let retry_after_ms = Some(90_000);
    world.faults = vec![Fault { reason: Reason::ServerError, retry_after_ms }].into();
    world.wish("1.0.5", "u-1");
    world.run_until(|phase| matches!(phase, AgentPhase::AwaitRetry { .. }));
    let AgentPhase::AwaitRetry { until_ms, .. } = world.agent.phase() else { panic!("waits") };
    assert!(until_ms >= 90_000, "the server asked for 90 s, found {until_ms} ms");
    expect![[r#"
        INFO update to 1.0.5 begins
        progress notified 0/0 #1
        report {"update":{"attempt":1,"id":"u-1","sha256":"9d713f12979d62879250bc0a2035e3ef57315ac4251e85019d21c75ed7269720"}}
        ERROR update to 1.0.5: server_error (try 1)
        progress waiting 0/0 #1 until server_error
    "#]].assert_eq(&world.transcript);
}

#[test]
fn corrupt_chunks_are_fetched_again_from_the_start() {
    let mut world = World::connected();
    world.wish("1.0.5", "u-1");
    world.run_until(|phase| phase == AgentPhase::Preflight);
    world.faults = faults(&[]);
    world.run_until(|phase| matches!(phase, AgentPhase::Downloading { .. }));
    world.queue.clear();
    let corrupt = crate::Input::DownloadEnded(Err(Reason::ImageCorrupt.into()));
    world.queue.push_back(Event::Input(corrupt));
    world.run();
    assert!(world.transcript.contains("download from the start"), "{}", world.transcript);
    assert_eq!(world.last_reported(), "runs 1.0.5 (confirmed), last u-1 confirmed ");
}

#[test]
fn three_lost_powers_in_trial_are_one_rollback() {
    let mut world = World::connected();
    world.wish("1.0.5", "u-1");
    for _ in 0..3 {
        world.run_until(|phase| matches!(phase, AgentPhase::Trial { .. }));
        assert!(matches!(world.agent.phase(), AgentPhase::Trial { .. }), "{}", world.transcript);
        world.restart(ResetCause::PowerOn);
    }
    world.run();
    let last = "runs 1.0.4 (rolled_back), last u-1 rolled_back power_lost_in_trial";
    assert_eq!(world.last_reported(), last);
}

/// Images still come where the broker is away: new firmware would look for it in vain, and be
/// blamed for that.
#[test]
fn new_firmware_is_not_started_while_the_broker_is_away() {
    let mut world = World::connected();
    world.wish("1.0.5", "u-1");
    world.run_until(|phase| matches!(phase, AgentPhase::Downloading { .. }));
    world.disconnect();
    world.run();
    assert_eq!(world.boots, 0, "{}", world.transcript);
    world.connect();
    world.run();
    assert_eq!(world.last_reported(), "runs 1.0.5 (confirmed), last u-1 confirmed ");
}

/// Sessions that are shorter than what is done before a start: tries like any other.
#[test]
fn a_link_that_is_always_away_at_the_start_is_given_up_in_time() {
    let mut world = World::connected();
    world.wish("1.0.5", "u-1");
    let mut tries = 0;
    while world.agent.journal().last.is_none() {
        if world.link && world.agent.phase() == AgentPhase::Verifying {
            tries += 1;
            world.link = false;
            world.queue.push_front(Event::Input(Input::LinkDown));
        } else if !world.link && matches!(world.agent.phase(), AgentPhase::AwaitRetry { .. }) {
            world.connect();
        }
        assert!(tries < 200 && world.pass(), "{}", world.transcript);
    }
    assert_eq!((tries, world.boots), (20 + 6 * 21, 0), "{}", world.transcript);
    let last = world.agent.journal().last.as_ref().and_then(|last| last.reason);
    assert_eq!(last, Some(Reason::RetriesExhausted));
}

/// It would have to be asked again.
#[test]
fn a_product_is_not_asked_for_a_start_that_cannot_be() {
    let mut world = World::asking(&[]);
    world.wish("1.0.5", "u-1");
    world.run_until(|phase| phase == AgentPhase::Preflight);
    world.link = false;
    world.queue.push_front(Event::Input(Input::LinkDown));
    world.run();
    assert!(world.transcript.contains("asked before Download"), "{}", world.transcript);
    assert!(!world.transcript.contains("asked before Restart"), "{}", world.transcript);
    world.connect();
    world.run();
    assert_eq!(world.last_reported(), "runs 1.0.5 (confirmed), last u-1 confirmed ");
}

#[test]
fn a_link_that_goes_while_the_product_is_asked_is_a_try() {
    let mut world = World::asking(&[]);
    world.wish("1.0.5", "u-1");
    let before = Before::Restart;
    world.run_until(
        |phase| matches!(phase, AgentPhase::Asking { before: asked, .. } if asked == before),
    );
    world.link = false;
    world.queue.push_front(Event::Input(Input::LinkDown));
    world.run();
    assert!(world.transcript.contains("link_down_at_install (try 1)"), "{}", world.transcript);
    assert_eq!(world.boots, 1, "{}", world.transcript);
}

/// The same version, and meanwhile another image.
#[test]
fn another_image_has_all_trials_anew() {
    let mut world = World::connected();
    world.desire(json!({"config": {"firmware_version": "1.0.5"}}));
    world.run_until(|phase| matches!(phase, AgentPhase::Trial { .. }));
    world.restart(ResetCause::PowerOn);
    world.run_until(|phase| phase == AgentPhase::Preflight);
    let arms = |world: &World| world.agent.journal().attempt.as_ref().map(|attempt| attempt.arms);
    assert_eq!(arms(&world), Some(1));
    world.queue.clear();
    let found = target(&version("1.0.5-again"));
    world.queue.push_back(Event::Input(Input::ManifestChecked(Ok(found))));
    world.run_until(|phase| phase != AgentPhase::Preflight);
    assert_eq!(arms(&world), Some(0));
}

/// Power is lost twice in the trial, somebody asks anew, and it is lost twice again.
#[test]
fn who_asks_anew_has_all_trials_anew() {
    let mut world = World::connected();
    world.wish("1.0.5", "u-1");
    for update in ["u-1", "u-2"] {
        for _ in 0..2 {
            world.run_until(|phase| matches!(phase, AgentPhase::Trial { .. }));
            assert!(matches!(world.agent.phase(), AgentPhase::Trial { .. }), "{update}");
            world.restart(ResetCause::PowerOn);
        }
        world.wish("1.0.5", "u-2");
    }
    world.run();
    assert_eq!(world.last_reported(), "runs 1.0.5 (confirmed), last u-2 confirmed ");
}

/// The house was without power, and its network comes back later. Whatever restarts the old
/// firmware meanwhile, it was not the new one.
#[test]
fn a_trial_without_power_begins_again_when_the_broker_is_there() {
    for restarted in [None, Some(ResetCause::Software), Some(ResetCause::Watchdog)] {
        let mut world = World::connected();
        world.wish("1.0.5", "u-1");
        world.run_until(|phase| matches!(phase, AgentPhase::Trial { .. }));
        world.disconnect();
        world.restart(ResetCause::PowerOn);
        world.run();
        if let Some(restarted) = restarted {
            world.restart(restarted);
            world.run();
        }
        assert_eq!(world.agent.running().label.as_deref(), Some("1.0.4"), "{}", world.transcript);
        world.connect();
        world.run();
        let last = "runs 1.0.5 (confirmed), last u-1 confirmed ";
        assert_eq!(world.last_reported(), last, "{restarted:?}");
    }
}

#[test]
fn trial_firmware_without_broker_goes_back_in_bounded_time() {
    let mut world = World::connected();
    world.wish("1.0.5", "u-1");
    world.run_until(|phase| phase == AgentPhase::Staged);
    world.disconnect();
    world.run();
    assert_eq!(world.agent.running().label.as_deref(), Some("1.0.4"));
    world.connect();
    world.run();
    let last = "runs 1.0.4 (rolled_back), last u-1 rolled_back broker_unreachable";
    assert_eq!(world.last_reported(), last);
}

#[test]
fn a_report_is_sent_until_it_is_accepted() {
    let mut world = World::connected();
    world.wish("1.0.5", "u-1");
    world.run_until(|phase| phase == AgentPhase::Confirming);
    world.disconnect();
    world.run();
    assert_ne!(world.last_reported(), "runs 1.0.5 (confirmed), last u-1 confirmed ");
    world.restart(ResetCause::PowerOn);
    world.connect();
    world.run();
    assert_eq!(world.last_reported(), "runs 1.0.5 (confirmed), last u-1 confirmed ");
}

#[test]
fn a_link_that_goes_down_before_the_answer_is_named() {
    let mut world = World::connected();
    world.wish("1.0.5", "u-1");
    world.run_until(|phase| phase == AgentPhase::Confirming);
    world.run_until(|phase| phase == AgentPhase::Idle);
    world.queue.clear();
    world.disconnect();
    world.run();
    world.disconnect();
    world.run();
    let said = "WARN the link went down before the report was through\n";
    assert_eq!(world.transcript.matches(said).count(), 1, "{}", world.transcript);
}

#[test]
fn lost_storage_is_named_and_the_device_goes_on() {
    let mut world = World::connected();
    world.flash.journal = vec![9, 9, 9];
    world.flash.settings = b"no json".to_vec();
    world.restart(ResetCause::PowerOn);
    world.run();
    expect![[r#"
        boot of slot 0 after PowerOn
        ERROR stored state was lost and begins anew: storage_newer
        ERROR stored state was lost and begins anew: storage_unreadable
    "#]]
    .assert_eq(&world.transcript);
    world.wish("1.0.5", "u-1");
    world.run();
    assert_eq!(world.last_reported(), "runs 1.0.5 (confirmed), last u-1 confirmed ");
}

#[test]
fn failed_firmware_without_another_beside_it_runs_on_and_says_so() {
    let mut world = World::connected();
    world.behaviour = Behaviour::Fail;
    world.wish("1.0.5", "u-1");
    world.run_until(|phase| matches!(phase, AgentPhase::Trial { .. }));
    world.flash.slots[0] = None;
    world.run();
    assert_eq!(world.boots, 1, "{}", world.transcript);
    let last = "runs 1.0.5 (trial), last u-1 failed self_test_failed";
    assert_eq!(world.last_reported(), last);
    world.restart(ResetCause::PowerOn);
    world.run();
    let last = "runs 1.0.5 (confirmed), last u-1 failed self_test_failed";
    assert_eq!(world.last_reported(), last);
    world.behaviour = Behaviour::Pass;
    world.wish("1.0.6", "u-2");
    world.run();
    assert_eq!(world.last_reported(), "runs 1.0.6 (confirmed), last u-2 confirmed ");
}

#[test]
fn firmware_that_is_confirmed_later_is_no_bad_image() {
    let mut world = World::connected();
    world.behaviour = Behaviour::Fail;
    world.wish("1.0.5", "u-1");
    world.run();
    assert_eq!(world.agent.journal().bad_images.iter().len(), 1);
    world.behaviour = Behaviour::Pass;
    world.wish("1.0.5", "u-2");
    world.run();
    assert_eq!(world.last_reported(), "runs 1.0.5 (confirmed), last u-2 confirmed ");
    assert_eq!(world.agent.journal().bad_images.iter().len(), 0);
}

#[test]
fn firmware_flashed_by_cable_did_not_roll_back() {
    let mut world = World::connected();
    world.behaviour = Behaviour::Fail;
    world.wish("1.0.5", "u-1");
    world.run();
    let last = "runs 1.0.4 (rolled_back), last u-1 rolled_back self_test_failed";
    assert_eq!(world.last_reported(), last);
    world.desire(json!({"config": {"firmware_version": "1.0.9"}, "update": null}));
    world.flash.slots[0] = Some(super::flash::version("1.0.9"));
    world.restart(ResetCause::PowerOn);
    world.run();
    assert_eq!(world.last_reported(), "runs 1.0.9 (confirmed), last none none ");
    world.restart(ResetCause::PowerOn);
    world.run();
    assert_eq!(world.last_reported(), "runs 1.0.9 (confirmed), last none none ");
}

/// A bit of its entry turned over: the one boot the bootloader then gives it is not its last.
#[test]
fn confirmed_firmware_that_reads_as_armed_is_confirmed_again() {
    let mut world = World::connected();
    world.behaviour = Behaviour::Fail;
    world.wish("1.0.5", "u-1");
    world.run();
    world.wish("1.0.6", "u-2");
    world.run_until(|phase| matches!(phase, AgentPhase::Downloading { .. }));
    for _ in 0..2 {
        world.flash.entries[0] = EntryState::New;
        world.restart(ResetCause::PowerOn);
        assert_eq!(world.flash.entries[0], EntryState::Valid);
        world.restart(ResetCause::PowerOn);
        assert_eq!(world.agent.running().label.as_deref(), Some("1.0.4"));
        world.run();
    }
    let last = "runs 1.0.4 (rolled_back), last u-2 rolled_back self_test_failed";
    assert_eq!(world.last_reported(), last);
}

#[test]
fn an_end_is_journalled_before_the_failed_slot_is_kept() {
    let mut world = World::connected();
    world.behaviour = Behaviour::Fail;
    world.wish("1.0.5", "u-1");
    world.run_until(|phase| matches!(phase, AgentPhase::SelfTest { .. }));
    let mut agent = world.agent.clone();
    let failed = Input::SelfTestEnded(Err(Reason::SelfTestFailed));
    agent.step(Moment::default(), failed, &mut |_| {});
    let failed = Input::RollBackFailed(Reason::FlashFailed);
    let mut effects = Vec::new();
    agent.step(Moment::default(), failed, &mut |effect| effects.extend(kind(&effect)));
    assert_eq!(effects, ["save", "confirm"]);
}

/// No manifest ever said so: it came by cable, or the journal is lost.
#[test]
fn the_security_floor_is_never_below_what_runs() {
    let mut world = World::connected();
    world.flash.security_counter = 3;
    world.flash.journal.clear();
    world.restart(ResetCause::PowerOn);
    world.run();
    assert_eq!(world.agent.journal().security_floor, 3);
    world.wish("1.0.5", "u-1");
    world.run();
    let checked = world.wanted.expect("a manifest was checked");
    assert_eq!(checked.security_floor, 3);
}

/// As when new firmware writes a journal the old one cannot read.
#[test]
fn an_image_that_takes_the_journal_with_it_is_not_tried_again() {
    let mut world = World::connected();
    world.behaviour = Behaviour::Crash;
    world.wish("1.0.5", "u-1");
    world.run_until(|phase| matches!(phase, AgentPhase::Trial { .. }));
    world.flash.journal = vec![9, 9, 9];
    world.run();
    assert_eq!(world.boots, 2, "{}", world.transcript);
    let last = "runs 1.0.4 (confirmed), last u-1 failed image_on_bad_list";
    assert_eq!(world.last_reported(), last);
    world.behaviour = Behaviour::Pass;
    world.wish("1.0.5", "u-2");
    world.run();
    assert_eq!(world.last_reported(), "runs 1.0.5 (confirmed), last u-2 confirmed ");
}

#[test]
fn a_journal_lost_in_trial_still_leads_to_a_decision() {
    let mut world = World::connected();
    world.wish("1.0.5", "u-1");
    world.run_until(|phase| phase == AgentPhase::Staged);
    world.flash.journal.clear();
    world.run();
    assert_eq!(world.service.reported["firmware"]["version"], json!("1.0.5"));
    assert_eq!(world.service.reported["firmware"]["state"], json!("confirmed"));
}

/// Power went behind the confirmation, or in it: then it may be gone at the next power-on.
#[test]
fn a_confirmation_that_was_not_journalled_is_said_again_first() {
    let mut flash = Flash::factory();
    let version = version("1.0.5");
    flash.slots[1] = Some(version.clone());
    flash.entries[1] = EntryState::Valid;
    flash.running = 1;
    let attempt = Attempt {
        target: Some(target(&version)),
        stage: Stage::Trial,
        arms: 1,
        ..Attempt::new(version, None, None)
    };
    let journal = Journal { attempt: Some(attempt), ..Journal::default() }.to_bytes();
    let facts = boot_facts(&flash, ResetCause::PowerOn);
    let stored = Stored { journal: &journal, ..Stored::default() };
    let mut effects = Vec::new();
    let mut carry_out = |effect: Effect<'_>| effects.extend(kind(&effect));
    let _: Agent = Agent::start(config(), &facts, stored, Moment::default(), &mut carry_out);
    assert_eq!(effects, ["confirm", "save"]);
}

fn kind(effect: &Effect<'_>) -> Option<&'static str> {
    match effect {
        Effect::SaveJournal(_) => Some("save"),
        Effect::ConfirmSlot => Some("confirm"),
        _ => None,
    }
}

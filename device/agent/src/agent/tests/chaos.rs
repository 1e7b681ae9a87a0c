//! Properties: nothing panics, everything ends, and power cuts cost time only.

use alloc::format;
use alloc::string::String;
use alloc::vec;
use alloc::vec::Vec;

use otaru_wire::{Digest, Reason, ShadowTopic, ShadowVerb};
use proptest::prelude::*;
use serde_json::{Value, json};

use super::flash::{target, version};
use super::world::{Behaviour, Event, World};
use crate::{
    AgentPhase, Decision, Effect, Fault, Hold, Input, Journal, Moment, ResetCause, SettingId,
    Stage, Tries,
};

fn reason() -> impl Strategy<Value = Reason> {
    proptest::sample::select(Reason::ALL)
}

fn answer<T: Clone + core::fmt::Debug + 'static>(
    ok: T,
) -> impl Strategy<Value = Result<T, Reason>> {
    prop_oneof![Just(Ok(ok)), reason().prop_map(Err)]
}

fn release() -> impl Strategy<Value = &'static str> {
    proptest::sample::select(&["1.0.4", "1.0.5", "1.0.6", "../evil"][..])
}

fn message() -> impl Strategy<Value = Event> {
    let topic = proptest::sample::select(
        &[
            ShadowTopic::Delta,
            ShadowTopic::Documents,
            ShadowTopic::Accepted(ShadowVerb::Get),
            ShadowTopic::Rejected(ShadowVerb::Get),
            ShadowTopic::Accepted(ShadowVerb::Update),
            ShadowTopic::Rejected(ShadowVerb::Update),
            ShadowTopic::Accepted(ShadowVerb::Delete),
        ][..],
    );
    (topic, release(), 0..20u64, 0..4u8, any::<bool>()).prop_map(
        |(topic, release, version, id, named)| {
            let sha256 = Digest::of(release.as_bytes());
            let update = json!({"id": format!("u-{id}"), "sha256": sha256, "attempt": 1});
            let update = if named { update } else { Value::Null };
            let config = json!({"firmware_version": release, "volume": id});
            let desired = json!({"config": config, "update": update});
            let state = json!({"desired": desired, "config": config, "update": update});
            let current = json!({"state": state, "version": version});
            let message = json!({
                "state": state, "version": version, "current": current,
                "code": 400 + u64::from(id) * 3, "clientToken": "somebody's",
            });
            Event::Message(topic, format!("{message}").into_bytes())
        },
    )
}

fn event() -> impl Strategy<Value = Event> {
    let input = prop_oneof![
        Just(Input::LinkUp),
        Just(Input::LinkDown),
        Just(Input::Subscribed),
        Just(Input::TimePassed),
        (answer(target(&version("1.0.5"))), proptest::option::of(any::<u64>())).prop_map(
            |(answer, retry_after_ms)| {
                Input::ManifestChecked(answer.map_err(|reason| Fault { reason, retry_after_ms }))
            }
        ),
        any::<u64>().prop_map(|done| Input::BytesRead { done }),
        answer(()).prop_map(|answer| Input::DownloadEnded(answer.map_err(Fault::from))),
        decision().prop_map(Input::ProductDecided),
        Just(Input::DecisionChanged),
        answer(()).prop_map(Input::SlotVerified),
        answer(()).prop_map(Input::TrialBootArmed),
        answer(()).prop_map(Input::SelfTestEnded),
        answer(()).prop_map(Input::SlotConfirmed),
        reason().prop_map(Input::RollBackFailed),
        (0..4u32).prop_map(|id| Input::SettingApplied(SettingId::from_number(id))),
        (0..4u32).prop_map(|id| Input::SettingRefused(SettingId::from_number(id))),
        Just(Input::RestoreRefused),
    ];
    prop_oneof![
        2 => input.prop_map(Event::Input),
        1 => message(),
        1 => proptest::collection::vec(any::<u8>(), 0..40)
            .prop_map(|bytes| Event::Message(ShadowTopic::Delta, bytes)),
    ]
}

fn decision() -> impl Strategy<Value = Decision> {
    let hold = proptest::sample::select(&[Hold::NotNow, Hold::LowBattery, Hold::Busy][..]);
    prop_oneof![
        Just(Decision::Now),
        Just(Decision::Refuse),
        (any::<u64>(), hold).prop_map(|(wait_ms, hold)| Decision::Later { wait_ms, hold }),
    ]
}

fn boot_of_anything() -> impl Strategy<Value = World> {
    let reached = proptest::sample::select(&[0u8, 1, 2, 3, 4, 5, 6, 7][..]);
    (reached, any::<bool>()).prop_map(|(reached, asks)| {
        let mut world = if asks { World::asking(&[]) } else { World::connected() };
        world.wish("1.0.5", "u-1");
        world.run_until(|phase| match reached {
            0 => true,
            1 => phase == AgentPhase::Preflight,
            2 => matches!(phase, AgentPhase::Downloading { .. }),
            3 => phase == AgentPhase::Verifying,
            4 => phase == AgentPhase::Staged,
            5 => matches!(phase, AgentPhase::Trial { .. }),
            6 => matches!(phase, AgentPhase::SelfTest { .. }),
            _ => phase == AgentPhase::Confirming,
        });
        world
    })
}

/// A new byte renews the budget in memory only: progress is not worth a flash write.
fn without_tries(journal: &Journal) -> Journal {
    let mut journal = journal.clone();
    if let Some(attempt) = &mut journal.attempt {
        attempt.tries = Tries::default();
    }
    journal
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    /// Whatever comes, in whatever order: no panic, the journal stays readable, and a
    /// trial boot is armed only for an attempt that is durably staged.
    #[test]
    fn no_order_of_inputs_breaks_the_agent(
        world in boot_of_anything(),
        events in proptest::collection::vec((event(), 0..100_000u64, any::<u64>()), 1..60),
    ) {
        let mut agent = world.agent.clone();
        let mut uptime_ms = world.uptime_ms;
        let mut saved = world.flash.journal.clone();
        for (event, passed_ms, random) in events {
            uptime_ms += passed_ms;
            let now = Moment { uptime_ms, wall_ms: Some(uptime_ms as i64), random };
            let input = match &event {
                Event::Input(input) => input.clone(),
                Event::Message(topic, payload) => Input::ShadowArrived { topic: *topic, payload },
            };
            agent.step(now, input, &mut |effect| match effect {
                Effect::SaveJournal(bytes) => saved = bytes.to_vec(),
                Effect::ArmTrialBoot(target) => {
                    let attempt = Journal::from_bytes(&saved).unwrap().attempt.unwrap();
                    assert_eq!(attempt.stage, Stage::Staged);
                    assert_eq!(attempt.target, Some(target));
                }
                _ => {}
            });
            prop_assert_eq!(without_tries(&Journal::from_bytes(&saved).unwrap()), without_tries(agent.journal()));
        }
    }

    /// Power cuts after any effects, any number of faults: every update ends, and the
    /// service hears the truth about it.
    #[test]
    fn every_update_ends_and_is_reported(
        cuts in proptest::collection::vec(0..40u32, 0..6),
        reasons in proptest::collection::vec(reason(), 0..6),
        behaviour in proptest::sample::select(
            &[Behaviour::Pass, Behaviour::Fail, Behaviour::Crash, Behaviour::Hang][..],
        ),
    ) {
        let mut world = World::connected();
        world.behaviour = behaviour;
        world.faults = reasons.iter().map(|&reason| Fault::from(reason)).collect();
        world.wish("1.0.5", "u-1");
        for cut in cuts {
            world.fuse = Some(cut);
            world.run();
        }
        world.fuse = None;
        world.run();
        let last: String = world.last_reported();
        let runs = world.agent.running().label.unwrap_or_default();
        prop_assert_eq!(world.agent.phase(), AgentPhase::Idle, "{}", world.transcript);
        prop_assert!(last.starts_with(&format!("runs {runs} ")), "{last}");
        prop_assert!(last.contains("last u-1 "), "{last}\n{}", world.transcript);
        if behaviour != Behaviour::Pass {
            prop_assert_eq!(runs.as_str(), "1.0.4");
            prop_assert!(!last.contains(" confirmed "), "{last}");
        }
        let confirmed = runs.as_str() == "1.0.5";
        prop_assert_eq!(last.contains("u-1 confirmed"), confirmed, "{}", last);
    }

    /// Whatever the product says, and whenever power goes away: it is asked before the
    /// restart that follows, no promise to wait is broken, and every update ends.
    #[test]
    fn a_product_that_is_asked_is_never_surprised(
        cuts in proptest::collection::vec(0..40u32, 0..6),
        decisions in proptest::collection::vec(decision(), 0..4),
        has_clock in any::<bool>(),
    ) {
        let mut world = World::asking(&decisions);
        world.wall_ms = world.wall_ms.filter(|_| has_clock);
        world.wish("1.0.5", "u-1");
        for cut in cuts {
            world.fuse = Some(cut);
            world.run();
        }
        world.fuse = None;
        world.run();
        prop_assert_eq!(world.agent.phase(), AgentPhase::Idle, "{}", world.transcript);
        prop_assert!(!world.transcript.contains("too early"), "{}", world.transcript);
        let last = world.last_reported();
        let refused = last == "runs 1.0.4 (confirmed), last u-1 cancelled refused_on_device";
        let installed = world.transcript.contains("asked before Restart of 1.0.5")
            && last.contains("last u-1 confirmed");
        let unlucky = last.contains("power_lost_in_trial");
        prop_assert!(refused || installed || unlucky, "{last}\n{}", world.transcript);
    }

    /// A cut at any one effect of a good update never costs the update.
    #[test]
    fn one_lost_power_never_costs_a_good_update(cut in 0..120u32) {
        let mut world = World::connected();
        world.wish("1.0.5", "u-1");
        world.fuse = Some(cut);
        world.run();
        world.restart(ResetCause::PowerOn);
        world.run();
        let expected = "runs 1.0.5 (confirmed), last u-1 confirmed ";
        prop_assert_eq!(world.last_reported(), expected, "{}", world.transcript);
    }
}

/// The strategies above are drawn from what the agent can meet; this keeps them honest.
#[test]
fn the_worlds_of_the_properties_differ() {
    let phases: Vec<AgentPhase> = {
        let mut runner = proptest::test_runner::TestRunner::deterministic();
        (0..60)
            .map(|_| {
                let tree = boot_of_anything().new_tree(&mut runner).unwrap();
                proptest::strategy::ValueTree::current(&tree).agent.phase()
            })
            .collect()
    };
    assert!(phases.contains(&AgentPhase::Idle) && phases.contains(&AgentPhase::Confirming));
}

//! The page about the phases, made by trying every input in every phase.

use alloc::collections::BTreeSet;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use expect_test::expect_file;

use crate::{AgentPhase, Before, Effect};

mod boots;
mod inputs;
mod starts;

use inputs::{NAMES, NO_WISH, REFUSED, Tried, WISHES, by_other_messages, inputs, no_shadow};
use starts::{Device, Start, starts};

const HEADER: &str = "\
# The phases of an update

What the agent does with what happens, printed by its test `transition_table`, which tries every input in every phase that
lasts from one step to the next. What is not here changes no phase. What each phase, input and effect is stands in
`AgentPhase`, `Input` and `Effect`; messages, log lines, settings, offers and looks at the root are left out of the effects.

**Online** is a device that has read the shadow in this session of the broker; before that, and without a session, it is
**offline**. A line without a condition holds for a device that is online, may restart at any time, and asks its product
only where the phase says so; in *Offered* and *Trial*, which begin with a boot, for one that is offline. A line with a
condition says what is different under it: the rest is as in the lines without.

The update under way is for 1.0.5. A **wish** is what the shadow names when it is read. Online, a published document, or a
delta that names a release, does the same; offline they do nothing. When an update has ended, that is told and the shadow
read once more before a wish counts again. Of what fails, a server error is worth many tries, what is not found or does not
match a few, and anything untrusted or gone none: that, or one failure too many, ends the update.

| phase | condition | what happens | next phase | effects |
| --- | --- | --- | --- | --- |
";

/// An exhaustive name for each variant, and the list of all of them.
macro_rules! names {
    ($(#[$doc:meta])* $name:ident, $all:ident, $of:ty: $($variant:pat => $text:literal,)*) => {
        $(#[$doc])*
        pub(super) fn $name(of: &$of) -> &'static str {
            match of {
                $($variant => $text,)*
            }
        }

        /// All of them.
        pub(super) const $all: &[&str] = &[$($text),*];
    };
}
pub(super) use names;

names! {
    /// A phase, as the page has it.
    phase_name, PHASES, AgentPhase:
    AgentPhase::Idle => "Idle",
    AgentPhase::Offered => "Offered",
    AgentPhase::Preflight => "Preflight",
    AgentPhase::Asking { before: Before::Download, .. } => "Asking before the download",
    AgentPhase::Downloading { .. } => "Downloading",
    AgentPhase::Verifying => "Verifying",
    AgentPhase::Asking { before: Before::Restart, .. } => "Asking before the restart",
    AgentPhase::Reaching { .. } => "Reaching",
    AgentPhase::Staged => "Staged",
    AgentPhase::Activating => "Activating",
    AgentPhase::Trial { .. } => "Trial",
    AgentPhase::SelfTest { .. } => "SelfTest",
    AgentPhase::Confirming => "Confirming",
    AgentPhase::RollingBack => "RollingBack",
    AgentPhase::Deferred { .. } => "Deferred",
    AgentPhase::AwaitRetry { .. } => "AwaitRetry",
}

/// The phase of a device; what a deferral comes before stands in its journal.
fn phase_of(agent: &Device) -> String {
    let name = phase_name(&agent.phase());
    let deferral = agent.journal().attempt.as_ref().and_then(|attempt| attempt.deferral);
    match (agent.phase(), deferral.map(|deferral| deferral.before)) {
        (AgentPhase::Deferred { .. }, Some(Before::Download)) => {
            format!("{name} before the download")
        }
        (AgentPhase::Deferred { .. }, Some(Before::Restart)) => {
            format!("{name} before the restart")
        }
        _ => name.into(),
    }
}

/// The name of an effect that the update needs.
fn effect_name(effect: &Effect<'_>) -> Option<&'static str> {
    Some(match effect {
        Effect::SaveJournal(_) => "SaveJournal",
        Effect::CheckManifest(_) => "CheckManifest",
        Effect::AdoptManifest(_) => "AdoptManifest",
        Effect::RaiseFloor(_) => "RaiseFloor",
        Effect::Download { .. } => "Download",
        Effect::AskProduct(_) => "AskProduct",
        Effect::StopTransfer => "StopTransfer",
        Effect::VerifySlot(_) => "VerifySlot",
        Effect::ArmTrialBoot(_) => "ArmTrialBoot",
        Effect::Restart => "Restart",
        Effect::RunSelfTest => "RunSelfTest",
        Effect::ConfirmSlot => "ConfirmSlot",
        Effect::RollBack => "RollBack",
        Effect::Subscribe(_)
        | Effect::Disconnect
        | Effect::Publish { .. }
        | Effect::SaveSettings(_)
        | Effect::CheckTrust
        | Effect::ShowOffer(_)
        | Effect::ApplySetting { .. }
        | Effect::RestoreSetting { .. }
        | Effect::Log(_) => return None,
    })
}

/// Next phase and effects; nothing where the phase is what it was.
type Outcome = Option<(String, String)>;

fn outcome(start: &Start, tried: &Tried) -> Outcome {
    let mut device = start.clone();
    let effects = device.take(tried.input.clone(), tried.after_ms);
    let has_changed = device.agent.phase() != start.agent.phase();
    has_changed.then(|| (phase_of(&device.agent), effects.join(", ")))
}

/// What came of each input.
fn outcomes(start: &Start) -> Vec<Outcome> {
    let tried = inputs(&start.report_token);
    let outcomes: Vec<Outcome> = tried.iter().map(|tried| outcome(start, tried)).collect();
    check_other_messages(start, &outcomes);
    for cut_off in start.without_session() {
        for (tried, expected) in tried.iter().zip(&outcomes) {
            // Nothing is read there; the rest is as where nothing was read yet.
            let is_answer = WISHES.contains(&tried.name) || tried.name == REFUSED;
            let expected = expected.as_ref().filter(|_| !is_answer);
            let found = outcome(&cut_off, tried);
            assert_eq!(found.as_ref(), expected, "{} in {}", tried.name, phase_of(&start.agent));
        }
    }
    outcomes
}

/// The page has a read alone: whatever else the shadow service says does the same as the read it
/// is compared with, or nothing.
fn check_other_messages(start: &Start, outcomes: &[Outcome]) {
    let is_online = start.agent.is_online();
    let by_read = |name| {
        let place = WISHES.iter().position(|wish| *wish == name)?;
        outcomes[place].clone()
    };
    for (tried, same_as) in by_other_messages() {
        // To be armed takes an answer.
        let is_asked = matches!(start.agent.phase(), AgentPhase::Reaching { .. });
        let arms = |(next, _): &(String, String)| is_asked && next == "Staged";
        let expected = by_read(same_as).filter(|outcome| is_online && !arms(outcome));
        let (found, phase) = (outcome(start, &tried), phase_of(&start.agent));
        assert_eq!(found, expected, "{} of {same_as} in {phase}", tried.name);
    }
    // Online it is an answer only to a read behind which nothing was heard.
    if !is_online {
        assert_eq!(outcome(start, &no_shadow()), by_read(NO_WISH), "no shadow");
    }
}

/// The lines of one phase under one condition, with what leads to the same in one of them.
fn lines(start: &Start, outcomes: &[Outcome], without: Option<&[Outcome]>) -> String {
    let phase = phase_of(&start.agent);
    let mut grouped: Vec<(&Outcome, Vec<&str>)> = Vec::new();
    for (place, tried) in inputs("").iter().enumerate() {
        let outcome = &outcomes[place];
        if without.map_or(&None, |without| &without[place]) == outcome {
            continue;
        }
        match grouped.iter_mut().find(|(other, _)| *other == outcome) {
            Some((_, names)) => names.push(tried.name),
            None => grouped.push((outcome, Vec::from([tried.name]))),
        }
    }
    let line = |(outcome, names): (&Outcome, Vec<&str>)| {
        let stays = (phase.clone(), String::new());
        let (next, effects) = outcome.as_ref().unwrap_or(&stays);
        let (condition, names) = (start.condition, names.join("; "));
        let names = names.replace(&WISHES.join("; "), "the shadow is read, whatever it names");
        format!("| {phase} | {condition} | {names} | {next} | {effects} |\n")
    };
    grouped.into_iter().map(line).collect()
}

/// Every phase against every input, so a new arm shows up in review.
#[test]
fn transition_table() {
    let mut table = String::from(HEADER);
    let (mut phases, mut left, mut heard) = (BTreeSet::new(), BTreeSet::new(), BTreeSet::new());
    for (base, variants) in starts() {
        let phase = phase_name(&base.agent.phase());
        let as_always = outcomes(&base);
        table += &lines(&base, &as_always, None);
        for (start, outcomes) in variants.iter().map(|start| (start, outcomes(start))) {
            assert_eq!(phase_name(&start.agent.phase()), phase, "{}", start.condition);
            table += &lines(start, &outcomes, Some(&as_always));
            heard.extend(changing(&outcomes));
        }
        heard.extend(changing(&as_always));
        phases.insert(phase);
        left.extend(as_always.iter().any(Option::is_some).then_some(phase));
    }
    assert_eq!(phases, PHASES.iter().copied().collect(), "each phase is begun with");
    let tried = inputs("").iter().map(|tried| inputs::name(&tried.input)).collect::<BTreeSet<_>>();
    assert_eq!(tried, NAMES.iter().copied().collect(), "each input is tried");
    let others = |all: &[&'static str], seen: &BTreeSet<&str>| {
        let others = all.iter().filter(|name| !seen.contains(*name)).copied();
        others.collect::<Vec<_>>().join("`, `")
    };
    table += &format!("\nThese change no phase: `{}`.\n", others(NAMES, &heard));
    table += &format!("\nOnly a restart ends `{}`. ", others(PHASES, &left));
    table += "`RollBack` restarts, too, unless no other firmware is there to go back to.\n";
    table += &boots::table();
    expect_file!["../../../phases.md"].assert_eq(&table);
}

/// The inputs that a phase was changed by.
fn changing(outcomes: &[Outcome]) -> Vec<&'static str> {
    let tried = inputs("");
    let changing = tried.iter().zip(outcomes).filter(|(_, outcome)| outcome.is_some());
    changing.map(|(tried, _)| inputs::name(&tried.input)).collect()
}

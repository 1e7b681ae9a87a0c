use expect_test::{Expect, expect};

use super::*;

const ASK: Consent = Consent::Ask { ask_on_device: false };
const RULES: [Consent; 4] = [
    ASK,
    Consent::Deadline { deadline_days: 3, ask_on_device: false },
    Consent::Night,
    Consent::Forced,
];
const CHOICES: [InstallChoice; 3] =
    [InstallChoice::Ask, InstallChoice::Night, InstallChoice::Always];

fn safety() -> Safety {
    Safety { deadline_hours: 12, reason: Texts::english("The charger may get hot.".to_owned()) }
}

/// Every rule with every choice, `after` hours after the offer.
fn check(offer: &Offer<'_>, after: i64, expected: Expect) {
    let mut table = String::new();
    for rule in RULES {
        for choice in CHOICES {
            let decision = match rule.decide(choice, offer, offer.since + after * HOUR_MS) {
                Decision::Ask { deadline_at: None } => "ask".to_owned(),
                Decision::Ask { deadline_at: Some(at) } => {
                    format!("ask until {} h", (at - offer.since) / HOUR_MS)
                }
                other => format!("{other:?}").to_lowercase(),
            };
            let rule = serde_json::to_string(&rule).unwrap();
            table += &format!("{rule} {}: {decision}\n", choice.as_str());
        }
    }
    expected.assert_eq(&table);
}

#[test]
fn the_owner_decides_unless_the_product_does() {
    let offer = Offer { since: 0, safety: None, failed_before: false, declined: false };
    check(
        &offer,
        1,
        expect![[r#"
            {"mode":"ask"} ask: ask
            {"mode":"ask"} night: tonight
            {"mode":"ask"} always: now
            {"mode":"deadline","deadline_days":3} ask: ask until 72 h
            {"mode":"deadline","deadline_days":3} night: tonight
            {"mode":"deadline","deadline_days":3} always: now
            {"mode":"night"} ask: tonight
            {"mode":"night"} night: tonight
            {"mode":"night"} always: tonight
            {"mode":"forced"} ask: now
            {"mode":"forced"} night: now
            {"mode":"forced"} always: now
        "#]],
    );
}

#[test]
fn after_the_deadline_the_night_decides() {
    let offer = Offer { since: 0, safety: None, failed_before: false, declined: false };
    for (after, expected) in [(71, false), (72, true), (9_000, true)] {
        let decision =
            RULES[1].decide(InstallChoice::Ask, &offer, after * HOUR_MS) == Decision::Tonight;
        assert_eq!(decision, expected, "{after} h");
    }
    assert!(matches!(
        ASK.decide(InstallChoice::Ask, &offer, i64::MAX),
        Decision::Ask { deadline_at: None }
    ));
}

#[test]
fn a_safety_release_shortens_the_deadline_and_nothing_else() {
    let safety = safety();
    let offer = Offer { since: 0, safety: Some(&safety), failed_before: false, declined: false };
    check(
        &offer,
        1,
        expect![[r#"
            {"mode":"ask"} ask: ask until 12 h
            {"mode":"ask"} night: tonight
            {"mode":"ask"} always: now
            {"mode":"deadline","deadline_days":3} ask: ask until 12 h
            {"mode":"deadline","deadline_days":3} night: tonight
            {"mode":"deadline","deadline_days":3} always: now
            {"mode":"night"} ask: tonight
            {"mode":"night"} night: tonight
            {"mode":"night"} always: tonight
            {"mode":"forced"} ask: now
            {"mode":"forced"} night: now
            {"mode":"forced"} always: now
        "#]],
    );
    let slow = Safety { deadline_hours: 200, ..safety.clone() };
    let offer = Offer { safety: Some(&slow), ..offer };
    let decision = RULES[1].decide(InstallChoice::Ask, &offer, 0);
    assert_eq!(decision, Decision::Ask { deadline_at: Some(72 * HOUR_MS) });
}

#[test]
fn what_failed_before_is_never_installed_by_itself() {
    let safety = safety();
    let offer = Offer { since: 0, safety: Some(&safety), failed_before: true, declined: false };
    for rule in RULES {
        for choice in CHOICES {
            let decision = rule.decide(choice, &offer, i64::MAX);
            assert_eq!(decision, Decision::Ask { deadline_at: None }, "{rule:?} {choice:?}");
        }
    }
}

#[test]
fn what_somebody_stopped_does_not_begin_at_once_again() {
    let offer = Offer { since: 0, safety: None, failed_before: false, declined: true };
    check(
        &offer,
        1,
        expect![[r#"
            {"mode":"ask"} ask: ask
            {"mode":"ask"} night: ask
            {"mode":"ask"} always: ask
            {"mode":"deadline","deadline_days":3} ask: ask until 72 h
            {"mode":"deadline","deadline_days":3} night: ask until 72 h
            {"mode":"deadline","deadline_days":3} always: ask until 72 h
            {"mode":"night"} ask: tonight
            {"mode":"night"} night: tonight
            {"mode":"night"} always: tonight
            {"mode":"forced"} ask: tonight
            {"mode":"forced"} night: tonight
            {"mode":"forced"} always: tonight
        "#]],
    );
}

#[test]
fn reminders_end() {
    let days: Vec<_> = (0..5).map(|sent| next_reminder(0, sent).map(|at| at / DAY_MS)).collect();
    assert_eq!(days, [Some(1), Some(3), Some(7), None, None]);
}

#[test]
fn rules_are_read_and_written() {
    let rule = |json: &str| serde_json::from_str::<Consent>(json);
    assert_eq!(rule(r#"{"mode":"ask"}"#).unwrap(), Consent::default());
    assert_eq!(serde_json::to_string(&Consent::default()).unwrap(), r#"{"mode":"ask"}"#);
    let on_device = r#"{"mode":"ask","ask_on_device":true}"#;
    assert!(rule(on_device).unwrap().asks_on_device());
    assert_eq!(serde_json::to_string(&rule(on_device).unwrap()).unwrap(), on_device);
    assert!(!rule(r#"{"mode":"forced"}"#).unwrap().asks_on_device());
    let deadline = rule(r#"{"mode":"deadline","deadline_days":14}"#).unwrap();
    assert_eq!(
        serde_json::to_string(&deadline).unwrap(),
        r#"{"mode":"deadline","deadline_days":14}"#
    );
    for wrong in [r#"{"mode":"never"}"#, r#"{"mode":"deadline"}"#, r#"{}"#] {
        assert!(rule(wrong).is_err(), "{wrong}");
    }
    assert!(!Consent::Deadline { deadline_days: 0, ask_on_device: false }.is_sane());
    assert!(Safety { deadline_hours: 0, ..safety() }.fault().is_some());
    let silent = Safety { reason: Texts::default(), ..safety() };
    assert!(silent.fault().unwrap().contains("why"));
}

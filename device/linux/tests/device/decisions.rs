//! The product is asked, and what it says holds over lost power.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use otaru_linux::{Before, Decision, Hold, Hook, OfferDecision, Question, UpdateOffer};
use otaru_shadow::Rules;
use otaru_wire::payload::Progress;
use otaru_wire::{Phase, Reason};
use serde_json::json;

use crate::rig::{Device, Rig};

const HOUR_MS: u64 = 3_600_000;

/// A machine that is at work until it is told that it may rest, and counts what it is asked.
#[derive(Clone, Default)]
struct Machine {
    rests: Arc<AtomicBool>,
    asked: Arc<Mutex<Vec<Question>>>,
}

impl Machine {
    /// Its hook: it minds only what comes `before`.
    fn hook(&self, before: Before) -> Hook {
        let machine = self.clone();
        Hook::new(move |question| {
            machine.asked.lock().unwrap().push(question.clone());
            let rests = machine.rests.load(Ordering::SeqCst);
            let later = Decision::Later { wait_ms: HOUR_MS, hold: Hold::Busy };
            let waits = question.before == before && !rests;
            std::future::ready(if waits { later } else { Decision::Now })
        })
    }

    fn asked_before(&self, before: Before) -> usize {
        self.asked.lock().unwrap().iter().filter(|question| question.before == before).count()
    }
}

/// A device whose machine works, with an update that waits for it.
async fn waiting(before: Before) -> (Rig, Device, Machine, Hook) {
    let rig = Rig::start().await;
    let mut device = rig.device("clock-01");
    let machine = Machine::default();
    let hook = machine.hook(before);
    device.options.hook = Some(hook.clone());
    device.start();
    rig.wish(&device, "1.0.5", "u-1").await;
    let progress = rig.phase(&mut device, Phase::Waiting).await;
    assert_eq!(progress.reason, Some(Reason::DeviceBusy));
    let wait_ms = progress.wait_ms.unwrap();
    assert!((HOUR_MS - 60_000..=HOUR_MS).contains(&wait_ms), "{wait_ms}");
    assert!(progress.until.is_some());
    (rig, device, machine, hook)
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_fetched_while_the_product_says_later() {
    let (rig, mut device, machine, hook) = waiting(Before::Download).await;
    assert!(rig.web.asked().is_empty());
    machine.rests.store(true, Ordering::SeqCst);
    hook.changed();
    assert_eq!(rig.end_of(&mut device, "u-1").await, "confirmed, runs 1.0.5");
    assert_eq!(
        (machine.asked_before(Before::Download), machine.asked_before(Before::Restart)),
        (2, 1)
    );
    let asked = machine.asked.lock().unwrap()[0].clone();
    assert_eq!(
        (asked.version.as_str(), asked.size_bytes),
        ("1.0.5", crate::rig::IMAGE_BYTES as u64)
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restart_put_off_keeps_the_slot_over_lost_power() {
    let (rig, mut device, machine, hook) = waiting(Before::Restart).await;
    let requests = rig.web.asked().len();
    for boots in 2..4 {
        device.cut_power().await;
        device.start();
        let thing = device.thing.clone();
        let told = || {
            let heard = rig.service.heard.lock().unwrap();
            let waits = |progress: &&Progress| progress.phase == Phase::Waiting;
            (heard.progress.get(&thing)?.iter().filter(waits).count() >= boots).then_some(())
        };
        rig.until(&mut device, "the wait after a restart", told).await;
    }
    assert_eq!(machine.asked_before(Before::Restart), 1, "the wait is not over");
    machine.rests.store(true, Ordering::SeqCst);
    hook.changed();
    assert_eq!(rig.end_of(&mut device, "u-1").await, "confirmed, runs 1.0.5");
    assert_eq!(rig.web.asked().len(), requests, "nothing was fetched a second time");
    assert_eq!(machine.asked_before(Before::Restart), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wish_taken_back_ends_the_wait_at_once() {
    for before in [Before::Download, Before::Restart] {
        let (rig, mut device, _, _) = waiting(before).await;
        let stay = json!({"config": {"firmware_version": "1.0.4"}, "update": null});
        rig.service.desire(&device.thing, stay).await;
        assert_eq!(rig.end_of(&mut device, "u-1").await, "cancelled cancelled, runs 1.0.4");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_product_that_says_no_ends_the_update() {
    let rig = Rig::start().await;
    let mut device = rig.device("clock-01");
    device.options.hook = Some(Hook::new(|_| std::future::ready(Decision::Refuse)));
    device.start();
    rig.wish(&device, "1.0.5", "u-1").await;
    let end = rig.end_of(&mut device, "u-1").await;
    assert_eq!(end, "cancelled refused_on_device, runs 1.0.4");
    assert!(rig.web.asked().is_empty());
}

/// A hook that is still thinking is dropped with the wish it was asked about.
#[tokio::test(flavor = "multi_thread")]
async fn a_question_is_dropped_with_its_wish() {
    let rig = Rig::start().await;
    rig.publish("1.0.6", 6, otaru_release::Behaviour::Pass);
    let mut device = rig.device("clock-01");
    device.options.hook = Some(Hook::new(|question| async move {
        if question.version.as_str() == "1.0.5" {
            std::future::pending::<()>().await;
        }
        Decision::Now
    }));
    device.start();
    rig.wish(&device, "1.0.5", "u-1").await;
    rig.phase(&mut device, Phase::Notified).await;
    rig.wish(&device, "1.0.6", "u-2").await;
    assert_eq!(rig.end_of(&mut device, "u-2").await, "confirmed, runs 1.0.6");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_scripted_product_waits_at_both_questions() {
    let rig = Rig::start().await;
    let mut device = rig.device("clock-01");
    device.options.hook = Some(Hook::deferring(Duration::from_millis(1)));
    device.start();
    rig.wish(&device, "1.0.5", "u-1").await;
    assert_eq!(rig.end_of(&mut device, "u-1").await, "confirmed, runs 1.0.5");
    let progress = rig.progress(&device);
    let mut phases: Vec<Phase> = progress.iter().map(|progress| progress.phase).collect();
    phases.dedup();
    let expected = [
        Phase::Notified,
        Phase::Waiting,
        Phase::Notified,
        Phase::Downloading,
        Phase::Verifying,
        Phase::Waiting,
        Phase::Verifying,
        Phase::Restarting,
        Phase::Testing,
        Phase::Confirmed,
    ];
    assert_eq!(phases, expected);
    assert!(progress.is_sorted_by_key(|progress| progress.done));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_stands_in_for_the_button() {
    let rig = Rig::start().await;
    let mut device = rig.device("clock-01");
    let file = device.file("decision");
    std::fs::write(&file, "later 3600 low_battery\n").unwrap();
    device.options.hook = Some(Hook::in_file(&file));
    device.start();
    rig.wish(&device, "1.0.5", "u-1").await;
    let progress = rig.phase(&mut device, Phase::Waiting).await;
    assert_eq!(progress.reason, Some(Reason::LowBattery));
    std::fs::write(&file, "now\n").unwrap();
    assert_eq!(rig.end_of(&mut device, "u-1").await, "confirmed, runs 1.0.5");
}

/// The question on the screen: echoed so that no delta stays open, answered, and gone.
#[tokio::test(flavor = "multi_thread")]
async fn somebody_at_the_device_answers_an_offer() {
    let rig = Rig::start().await;
    let mut device = rig.device("clock-01");
    let shown = Arc::new(Mutex::new(Vec::<Option<UpdateOffer>>::new()));
    let screen = Arc::clone(&shown);
    let hook = Hook::default().with_screen(move |offer| screen.lock().unwrap().push(offer));
    device.options.hook = Some(hook.clone());
    device.start();
    assert!(rig.online(&mut device).await.shows_offers);
    let offer = json!({"version": "1.0.5", "sha256": rig.image_digest("1.0.5"), "size": 300_000});
    rig.service.desire(&device.thing, json!({"update_offer": offer})).await;
    let offer = UpdateOffer::from_value(&offer).unwrap();
    reported(&rig, &mut device, Some(&offer)).await;
    assert!(!rig.shadow(&device).unwrap().has_delta(&Rules::default()));
    assert_eq!(*shown.lock().unwrap(), [Some(offer.clone())]);

    // Of another release, it comes too late.
    hook.decide_offer("1.0.4".parse().unwrap(), OfferDecision::Now);
    hook.decide_offer("1.0.5".parse().unwrap(), OfferDecision::Tonight);
    let decided = UpdateOffer { decision: Some(OfferDecision::Tonight), ..offer.clone() };
    reported(&rig, &mut device, Some(&decided)).await;
    assert!(!rig.shadow(&device).unwrap().has_delta(&Rules::default()));

    rig.service.desire(&device.thing, json!({"update_offer": null})).await;
    reported(&rig, &mut device, None).await;
    assert_eq!(*shown.lock().unwrap(), [Some(offer), None]);
}

/// Waits until the device reports this offer, or none.
async fn reported(rig: &Rig, device: &mut Device, offer: Option<&UpdateOffer>) {
    let expected = offer.map(UpdateOffer::to_value);
    let thing = device.thing.clone();
    let found = || {
        let heard = rig.service.heard.lock().unwrap();
        let reported = heard.shadows.get(&thing)?.reported();
        (reported.get("update_offer") == expected.as_ref()).then_some(())
    };
    rig.until(device, "the offer", found).await;
}

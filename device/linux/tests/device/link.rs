//! Links that fail on the way or at the report, and what the device makes of them.

use std::time::{Duration, Instant};

use otaru_slots::Slot;
use otaru_wire::{Phase, Reason};

use crate::rig::Rig;
use crate::web::Mishap;

#[tokio::test(flavor = "multi_thread")]
async fn a_link_that_goes_down_on_the_way_is_waited_for() {
    let rig = Rig::start().await;
    rig.web.then(Mishap::CutAfter(100_000));
    let mut device = rig.device("clock-01");
    device.start();
    rig.wish(&device, "1.0.5", "u-1").await;
    rig.logged(&mut device, Reason::LinkDownWhileDownloading).await;
    assert_eq!(rig.end_of(&mut device, "u-1").await, "confirmed, runs 1.0.5");
}

/// The device's delays double as if it had never got in, and its logs stay with it.
#[tokio::test(flavor = "multi_thread")]
async fn a_broker_that_takes_and_drops_every_session_is_met_ever_more_rarely() {
    let rig = Rig::start().await;
    rig.service.heard.lock().unwrap().hangs_up = true;
    let mut device = rig.device("clock-01");
    std::fs::write(device.file("ca.pem"), "gone").unwrap();
    device.options.retry_cap = Duration::from_secs(60);
    device.start();
    rig.log_in_flash(&mut device, Reason::TlsRootMissing).await;
    device.cut_power().await;
    std::fs::write(device.file("ca.pem"), rig.authority.ca_pem()).unwrap();
    device.start();
    let begin = Instant::now();
    let sessions = || rig.service.heard.lock().unwrap().sessions;
    rig.until(&mut device, "the eighth session", || (sessions() >= 8).then_some(())).await;
    // Seven delays, on average 25 ms doubled from one to the next.
    assert!(begin.elapsed() > Duration::from_secs(1), "eight in {:?}", begin.elapsed());
    assert!(rig.logs(&device).is_empty(), "found {:?}", rig.logs(&device));
    rig.service.heard.lock().unwrap().hangs_up = false;
    rig.logged(&mut device, Reason::TlsRootMissing).await;
}

/// The last words before a restart may wait in the link for ever; the restart does not.
#[tokio::test(flavor = "multi_thread")]
async fn a_link_that_takes_nothing_more_never_holds_up_a_restart() {
    let rig = Rig::start().await;
    rig.service.heard.lock().unwrap().stuck_at = Some(Phase::Restarting);
    let mut device = rig.device("clock-01");
    device.start();
    rig.wish(&device, "1.0.5", "u-1").await;
    rig.boots(&mut device, Slot::Ota1).await;
    assert_eq!(rig.service.heard.lock().unwrap().ends, [], "nothing got through");
    rig.service.heard.lock().unwrap().stuck_at = None;
    assert_eq!(rig.end_of(&mut device, "u-1").await, "confirmed, runs 1.0.5");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_report_that_is_not_answered_is_sent_again() {
    let rig = Rig::start().await;
    rig.service.heard.lock().unwrap().silences = 2;
    let mut device = rig.device("clock-01");
    device.options.answer_limit = Duration::from_millis(200);
    device.start();
    assert_eq!(rig.online(&mut device).await.version, "1.0.4");
    rig.logged(&mut device, Reason::LinkDownAtReport).await;
}

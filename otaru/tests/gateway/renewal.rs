//! A gateway renews its certificate: everything else goes on, and nothing is lost with power.

use std::time::Duration;

use crate::desk::{Desk, Program, Shape};

/// What the folder of a device holds when nothing is under way.
const SETTLED: [&str; 6] =
    ["ca.pem", "cert.pem", "device.toml", "key.pem", "renewed_at", "root.pub"];

/// A gateway whose certificate is due, and what that is; it runs.
async fn enrolled() -> (Desk, String) {
    let mut desk = Desk::start(Shape::Renews).await;
    desk.power_on();
    desk.until_started("1.0.0").await;
    desk.until_enrolled().await;
    let certificate = desk.provisioned("cert.pem");
    (desk, certificate)
}

#[tokio::test(flavor = "multi_thread")]
async fn another_certificate_comes_and_everything_goes_on() {
    let (mut desk, old) = enrolled().await;
    let old_key = desk.provisioned("key.pem");
    desk.stop().await;
    desk.let_it_renew();
    desk.power_on();
    desk.until_started("1.0.0").await;
    let started = desk.said().len();

    desk.until_certificate("another one", |found| found != old).await;

    assert_ne!(desk.provisioned("key.pem"), old_key);
    assert_eq!(
        (desk.mode_of_key(), desk.provisioned_files()),
        (0o600, SETTLED.map(str::to_owned).to_vec())
    );
    desk.until_logged("the new certificate works; the one before was removed").await;
    assert_eq!(desk.good_certificates().await, (2, 1), "the old one was retired");
    // What comes over MQTT and over HTTPS, of the same process.
    desk.wish_for_setting("volume", "7").await;
    desk.until_said(r#"setting {"volume":7}"#).await;
    assert_eq!(desk.said().len(), started + 1, "the program was left alone");
    desk.publish("1.0.1", Program::Good).await;
    assert_eq!(desk.install("1.0.1").await, "confirmed");
    desk.stop().await;
    let renewed = desk.provisioned("cert.pem");
    let before = desk.said().len();
    desk.power_on();
    desk.until_said_again(before, r#"setting {"volume":7}"#).await;
    desk.publish("1.0.2", Program::Good).await;
    assert_eq!(desk.install("1.0.2").await, "confirmed");
    assert_eq!(desk.provisioned("cert.pem"), renewed, "once is enough");
}

/// The server has retired the old certificate, and the device has not noted that the new one works.
#[tokio::test(flavor = "multi_thread")]
async fn power_that_goes_at_the_worst_moment_costs_nothing() {
    let (mut desk, old) = enrolled().await;
    let old_key = desk.provisioned("key.pem");
    desk.stop().await;
    desk.let_it_renew();
    desk.power_on();
    desk.until_certificate("another one", |found| found != old).await;
    desk.until_logged("the new certificate works").await;
    desk.kill().await;
    let (new, key) = (desk.provisioned("cert.pem"), desk.provisioned("key.pem"));
    desk.put_next(&key, &new);
    desk.provision("cert.pem", &old);
    desk.provision("key.pem", &old_key);

    desk.power_on();

    desk.until_certificate("the new one", |found| found == new).await;
    assert_eq!(desk.provisioned("key.pem"), key);
    desk.publish("1.0.1", Program::Good).await;
    assert_eq!(desk.install("1.0.1").await, "confirmed");
    assert_eq!(desk.provisioned_files(), SETTLED);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_certificate_that_is_refused_is_dropped_for_the_one_before() {
    let (mut desk, old) = enrolled().await;
    desk.kill().await;
    let (key, certificate) = desk.certificate_of_another().await;
    desk.put_next(&key, &certificate);

    desk.power_on();

    desk.until_logged("the new certificate is no good, going on with the one before").await;
    assert_eq!(desk.provisioned("cert.pem"), old);
    assert!(!desk.provisioned_files().iter().any(|name| name.starts_with("next")));
    desk.publish("1.0.1", Program::Good).await;
    assert_eq!(desk.install("1.0.1").await, "confirmed");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_gateway_renews_whenever_it_is_killed() {
    let (mut desk, old) = enrolled().await;
    desk.stop().await;
    desk.let_it_renew();
    for kill in 0..8 {
        desk.power_on();
        // Later each time: somewhere between its first file and the last.
        tokio::time::sleep(Duration::from_millis(kill * 250)).await;
        desk.kill().await;
    }
    desk.power_on();
    desk.until_certificate("another one", |found| found != old).await;
    desk.publish("1.0.1", Program::Good).await;
    assert_eq!(desk.install("1.0.1").await, "confirmed");
    let (_, good) = desk.good_certificates().await;
    assert_eq!(good, 1, "what was asked for and lost is worth nothing");
    assert_eq!(desk.provisioned_files(), SETTLED);
}

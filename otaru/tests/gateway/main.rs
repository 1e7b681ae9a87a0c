//! `otaru-device` as a process of its own, with a program it keeps running, against a real server.
//!
//! `OTARU_KILLS` is the number of kills of the long test (default 32), `OTARU_SEED` repeats a run.

mod desk;
mod renewal;

use std::hash::{BuildHasher, RandomState};
use std::time::Duration;

use desk::{Desk, Program, Shape};

/// Kills of one update; three in its trial are the most a good one survives.
const KILLS_A_ROUND: u32 = 8;
/// Kills of an ordinary run.
const KILLS: u32 = 32;

#[tokio::test(flavor = "multi_thread")]
async fn a_good_release_is_installed_and_runs() {
    let mut desk = Desk::start(Shape::Files).await;
    desk.power_on();
    desk.until_started("1.0.0").await;
    desk.publish("1.0.1", Program::Good).await;
    assert_eq!(desk.install("1.0.1").await, "confirmed");
    desk.until_started("1.0.1").await;
    desk.assert_current_is("1.0.1");
    // SIGTERM is the product's, too.
    desk.stop().await;
    assert_eq!(desk.said().last().map(String::as_str), Some("1.0.1 ended"));
    desk.power_on();
    desk.publish("1.0.2", Program::Good).await;
    assert_eq!(desk.install("1.0.2").await, "confirmed", "the other slot again");
    desk.assert_current_is("1.0.2");
}

#[tokio::test(flavor = "multi_thread")]
async fn releases_that_do_not_work_are_left() {
    let mut desk = Desk::start(Shape::Files).await;
    desk.power_on();
    for (version, program, end) in [
        ("1.0.1", Program::FailsItsTest, "rolled_back self_test_failed"),
        ("1.0.2", Program::Ends, "rolled_back firmware_crashed"),
        ("1.0.3", Program::IsNone, "rolled_back firmware_crashed"),
        ("1.0.4", Program::HangsInItsTest, "rolled_back self_test_timed_out"),
    ] {
        desk.publish(version, program).await;
        assert_eq!(desk.install(version).await, end, "{version}");
        desk.assert_current_is("1.0.0");
    }
    desk.publish("1.0.5", Program::Good).await;
    assert_eq!(desk.install("1.0.5").await, "confirmed");
}

#[tokio::test(flavor = "multi_thread")]
async fn partitions_take_images_and_somebody_else_runs_them() {
    let mut desk = Desk::start(Shape::Partitions).await;
    desk.power_on();
    desk.until_said("restarted").await;
    desk.assert_partition_is("a", "1.0.0");
    desk.publish("1.0.1", Program::Good).await;
    assert_eq!(desk.install("1.0.1").await, "confirmed");
    desk.assert_partition_is("b", "1.0.1");
    desk.publish("1.0.2", Program::FailsItsTest).await;
    assert_eq!(desk.install("1.0.2").await, "rolled_back self_test_failed");
    desk.assert_partition_is("b", "1.0.1");
    // At the first start, for 1.0.1, for 1.0.2, and back: never without a change.
    desk.kill().await;
    desk.power_on();
    desk.publish("1.0.3", Program::Good).await;
    assert_eq!(desk.install("1.0.3").await, "confirmed");
    assert_eq!(desk.said(), ["restarted"; 5]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_release_that_nobody_gets_started_is_left() {
    let mut desk = Desk::start(Shape::Partitions).await;
    desk.power_on();
    desk.until_said("restarted").await;
    desk.publish("1.0.1", Program::HangsInItsStart).await;
    assert_eq!(desk.install("1.0.1").await, "rolled_back firmware_crashed");
    desk.assert_partition_is("a", "1.0.0");
    assert_eq!(desk.said(), ["restarted"; 2]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_gateway_makes_its_own_key_whenever_it_is_killed() {
    let mut desk = Desk::start(Shape::OwnKey).await;
    for kill in 0..8 {
        desk.power_on();
        // Later each time: somewhere between its first file and the last.
        tokio::time::sleep(Duration::from_millis(kill * 15)).await;
        desk.kill().await;
    }
    desk.power_on();
    desk.until_started("1.0.0").await;
    desk.until_enrolled().await;
    assert_eq!(desk.mode_of_key(), 0o600);
    desk.publish("1.0.1", Program::Good).await;
    assert_eq!(desk.install("1.0.1").await, "confirmed");
}

#[tokio::test(flavor = "multi_thread")]
async fn settings_are_handed_over_and_reported() {
    let mut desk = Desk::start(Shape::Files).await;
    desk.power_on();
    desk.until_started("1.0.0").await;
    desk.wish_for_setting("volume", "7").await;
    desk.until_said(r#"setting {"volume":7}"#).await;
    desk.until_reported("volume", &7.into()).await;
    // What was taken over before is put in force again.
    desk.kill().await;
    let before = desk.said().len();
    desk.power_on();
    desk.until_said_again(before, r#"setting {"volume":7}"#).await;
}

/// Outside a trial a program that ends costs nothing but its time.
#[tokio::test(flavor = "multi_thread")]
async fn a_program_that_ends_is_started_again() {
    let mut desk = Desk::start(Shape::Files).await;
    desk.power_on();
    desk.until_started("1.0.0").await;
    desk.end_program().await;
    let before = desk.said().len();
    desk.until_said_again(before, "1.0.0 started").await;
    desk.until_logged("the product's program ended").await;
    desk.assert_current_is("1.0.0");
}

/// `kill -9` at seeded random moments: what `current` names is always a whole known image, a good
/// update ends confirmed or, after three lost trials, rolled back, and a bad one never confirmed.
#[tokio::test(flavor = "multi_thread")]
async fn kills_end_confirmed_or_rolled_back() {
    let kills = number("OTARU_KILLS").unwrap_or(KILLS.into());
    let mut seed =
        number("OTARU_SEED").unwrap_or_else(|| RandomState::new().hash_one("seed") % 1_000_000);
    eprintln!("{kills} kills, OTARU_SEED={seed}");
    let mut desk = Desk::start(Shape::Files).await;
    let rounds = kills.div_ceil(KILLS_A_ROUND.into());
    let mut runs = "1.0.0".to_owned();
    desk.power_on();
    desk.until_started(&runs).await;
    for round in 1..=rounds {
        let version = format!("1.0.{round}");
        let program = match round % 4 {
            2 => Program::FailsItsTest,
            3 => Program::Ends,
            _ => Program::Good,
        };
        desk.publish(&version, program).await;
        desk.begin(&version).await;
        for _ in 0..KILLS_A_ROUND {
            let pause = below(&mut seed, 1_200);
            tokio::time::sleep(Duration::from_millis(pause)).await;
            desk.kill().await;
            desk.assert_current_is_whole();
            desk.power_on();
        }
        let end = desk.end().await;
        let is_good = program == Program::Good;
        match end.as_str() {
            "confirmed" if is_good => runs = version,
            "rolled_back power_lost_in_trial" => {}
            "rolled_back self_test_failed" | "rolled_back firmware_crashed" if !is_good => {}
            end => panic!("round {round}, {program:?}: {end}"),
        }
        desk.assert_current_is(&runs);
        desk.until_started(&runs).await;
    }
}

fn number(variable: &str) -> Option<u64> {
    let text = std::env::var(variable).ok()?;
    Some(text.parse().unwrap_or_else(|_| panic!("{variable} is a number, found {text:?}")))
}

/// SplitMix64.
fn below(seed: &mut u64, bound: u64) -> u64 {
    *seed = seed.wrapping_add(0x9E37_79B9_7F4A_7C15);
    let mut mixed = *seed;
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    (mixed ^ (mixed >> 31)) % bound
}

//! The table of docs/power.md: what breaks others, and not this device.

use expect_test::expect;
use otaru_sim_device::models::{
    Fates, Plan, cut_plans, flip_plans, idf_device, our_device, quiet_plan,
};

fn row(name: &str, fates: Fates) -> String {
    let Fates { lives, bricks, lost, others, again_bytes_max } = fates;
    format!(
        "{name}: {lives} lives, {bricks} bricks, {lost} updates lost, {others} run another image, at most {again_bytes_max} bytes again\n"
    )
}

#[test]
fn power_that_goes_once() {
    let quiet = quiet_plan();
    let idf = Fates::of(&cut_plans(&idf_device(&quiet).trace), idf_device);
    let ours = Fates::of(&cut_plans(&our_device(&quiet).trace), our_device);
    expect![[r#"
        ESP-IDF: 2900 lives, 0 bricks, 17 updates lost, 0 run another image, at most 69664 bytes again
        ours: 12258 lives, 0 bricks, 0 updates lost, 0 run another image, at most 65536 bytes again
    "#]]
    .assert_eq(&(row("ESP-IDF", idf) + &row("ours", ours)));
}

/// One that is lost here: the entry of a trial, 1, becomes one that gave up, 3.
#[test]
fn a_bit_of_the_selector_that_turns_over() {
    let quiet = quiet_plan();
    let idf = Fates::of(&flip_plans(&idf_device(&quiet).trace, idf_device), idf_device);
    let ours = Fates::of(&flip_plans(&our_device(&quiet).trace, our_device), our_device);
    expect![[r#"
        ESP-IDF: 2048 lives, 0 bricks, 2 updates lost, 0 run another image, at most 69664 bytes again
        ours: 6656 lives, 0 bricks, 1 updates lost, 0 run another image, at most 1460 bytes again
    "#]]
    .assert_eq(&(row("ESP-IDF", idf) + &row("ours", ours)));
}

#[test]
fn a_file_that_changes_in_the_middle() {
    let changes = [Plan { file_changes: true, ..quiet_plan() }];
    let idf = Fates::of(&changes, idf_device);
    let ours = Fates::of(&changes, our_device);
    expect![[r#"
        ESP-IDF: 1 lives, 0 bricks, 1 updates lost, 1 run another image, at most 2647232 bytes again
        ours: 1 lives, 0 bricks, 0 updates lost, 0 run another image, at most 464 bytes again
    "#]]
    .assert_eq(&(row("ESP-IDF", idf) + &row("ours", ours)));
}

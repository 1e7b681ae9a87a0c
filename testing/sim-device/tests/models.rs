//! The table of docs/power.md: what breaks others, and not this device.

use expect_test::expect;
use otaru_sim_device::Supply;
use otaru_sim_device::models::{Fates, Plan, cut_plans, idf_device, our_device, quiet_plan};

fn row(name: &str, fates: Fates) -> String {
    let Fates { lives, bricks, lost, others, again_bytes_max } = fates;
    format!(
        "{name}: {lives} lives, {bricks} bricks, {lost} updates lost, {others} run another image, at most {again_bytes_max} bytes again\n"
    )
}

#[test]
fn what_breaks_others() {
    let quiet = quiet_plan();
    let mut table = String::new();
    let idf = idf_device(&quiet).operations;
    let ours = our_device(&quiet).operations;
    table +=
        &row("ESP-IDF, power goes once", Fates::of(&cut_plans(idf, &[Supply::Off]), idf_device));
    table += &row("ours, power goes once", Fates::of(&cut_plans(ours, &[Supply::Off]), our_device));
    let changes = [Plan { file_changes: true, ..quiet }];
    table += &row("ESP-IDF, the file changes", Fates::of(&changes, idf_device));
    table += &row("ours, the file changes", Fates::of(&changes, our_device));
    expect![[r#"
        ESP-IDF, power goes once: 180 lives, 0 bricks, 2 updates lost, 0 run another image, at most 69664 bytes again
        ours, power goes once: 316 lives, 0 bricks, 0 updates lost, 0 run another image, at most 65536 bytes again
        ESP-IDF, the file changes: 1 lives, 0 bricks, 1 updates lost, 1 run another image, at most 2647232 bytes again
        ours, the file changes: 1 lives, 0 bricks, 0 updates lost, 0 run another image, at most 464 bytes again
    "#]].assert_eq(&table);
}

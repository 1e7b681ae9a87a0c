//! `otaru demo --board virt`, as somebody types it.

use std::process::{Command, Output};

use otaru_board_rig::server::binary;

fn demo(program: &str) -> Output {
    let mut command = Command::new(binary().unwrap());
    let command = command.args(["demo", "--board", "virt", "--auto"]);
    command.env("OTARU_BOARD_PROGRAM", program).output().unwrap()
}

#[test]
fn an_image_and_a_patch_are_installed_before_ones_eyes() {
    let output = demo(env!("CARGO_BIN_EXE_virt"));
    let (said, errors) =
        (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{said}{errors}");
    assert!(said.contains("Done: 1 devices run and have confirmed 1.0.5"), "{said}");
    assert!(said.contains("Done: 1 devices run and have confirmed 1.0.6"), "{said}");
    let received = |version: &str| -> usize {
        let line = said.lines().find(|line| line.ends_with(&format!(" of {version}")));
        let (_, line) = line.expect("it says how much").split_once("clock-01: ").unwrap();
        line.split(' ').next().unwrap().parse().unwrap()
    };
    assert!(received("1.0.6") * 10 < received("1.0.5"), "{said}");
}

#[test]
fn without_firmware_it_says_how_to_get_it() {
    let output = demo("/nowhere/virt");
    assert_eq!(output.status.code(), Some(1));
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(said.contains("/nowhere/virt") && said.contains("make boards"), "{said}");
}

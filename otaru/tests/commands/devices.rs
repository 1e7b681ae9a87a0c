//! Commands about devices, their batches and authorities: what people read, and what is left.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use serde_json::json;

use super::Desk;

#[tokio::test(flavor = "multi_thread")]
async fn what_was_done_is_said_in_a_line_on_sqlite() {
    let desk = Desk::start().await;
    for thing in ["clock-01", "clock-02"] {
        desk.done(&["device", "add", thing, "--product", "clock", "--out", &desk.path(thing)])
            .await;
    }
    let said = async |arguments: &[&str], line: &str| {
        assert_eq!(desk.table(&[arguments, &["--yes"]].concat()).await, format!("{line}\n"));
    };
    let provisioning = ["provisioning", "allow", "clock-01"];
    said(&provisioning, "another key may take the name clock-01 once, within seven days").await;
    said(&["device", "decommission", "clock-01"], "clock-01 is out of service").await;
    said(&["device", "decommission", "clock-01", "--forget"], "clock-01 is forgotten").await;

    let pattern = ["--product", "clock", "--thing-name", "clock-{SerialNumber}"];
    desk.done(&[&["provisioning", "template", "add", "clocks"][..], &pattern].concat()).await;
    let claim = ["provisioning", "claim-certificate", "clocks", "--out", &desk.path("claim")];
    let serial = desk.done(&claim).await["serial"].as_str().unwrap().to_uppercase();
    let revoke = ["provisioning", "revoke-claim-certificate", &serial];
    said(&revoke, &format!("claim certificate {serial} is revoked")).await;
    let remove = ["provisioning", "template", "remove", "clocks"];
    said(&remove, "template clocks is removed").await;

    let token = ["device", "enrolment-token", "clock-03", "--product", "clock", "--out"];
    let token = desk.done(&[&token[..], &[&desk.path("token")]].concat()).await;
    let id = token["id"].as_str().unwrap();
    let revoke = ["device", "revoke-enrolment-token", id];
    said(&revoke, &format!("enrolment token {id} is revoked")).await;

    // Programs read the server's objects, and where there is none, nothing.
    let quiet = ["device", "decommission", "clock-02", "--yes"];
    assert_eq!(desk.done(&quiet).await, json!(null));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_code_for_an_authority_is_printed_alone_on_sqlite() {
    let desk = Desk::start().await;
    let code = desk.done(&["authority", "code"]).await["code"].as_str().unwrap().to_owned();
    assert_eq!(desk.table(&["authority", "code"]).await, format!("{code}\n"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_list_says_who_is_out_of_service_on_sqlite() {
    let desk = Desk::start().await;
    desk.done(&["device", "add", "clock-01", "--product", "clock", "--out", &desk.path("a")]).await;
    let columns = async |arguments: &[&str]| {
        let table = desk.table(&[&["device", "list"], arguments].concat()).await;
        table
            .lines()
            .nth(1)
            .unwrap()
            .split("  ")
            .map(str::trim)
            .filter(|cell| !cell.is_empty())
            .collect::<Vec<_>>()
            .join("|")
    };
    let ending = ["--certificate-ends-within-days", "10000"];
    assert!(columns(&[]).await.starts_with("clock-01|clock|no|"));
    assert!(columns(&ending).await.starts_with("clock-01|clock|no|"));
    desk.done(&["device", "decommission", "clock-01", "--yes"]).await;
    let row = columns(&[]).await;
    assert!(row.starts_with("clock-01|clock|out of service|"), "{row}");
    let listed = desk.done(&["device", "list"]).await;
    assert!(listed["items"][0]["decommissioned_at"].is_string());
    // What is out of service has no certificate that could end.
    assert_eq!(desk.done(&[&["device", "list"][..], &ending].concat()).await["items"], json!([]));
    let again = ["device", "replace", "clock-01", "clock-01", "--yes"];
    desk.refused(&again, 2, "clock-01 cannot take its own place").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_device_that_was_refused_leaves_no_folder_on_sqlite() {
    let desk = Desk::start().await;
    let add = async |product: &str, out: &str| {
        let add = ["device", "add", "clock-01", "--product", product, "--out", &desk.path(out)];
        desk.run(&add).await.code
    };
    fs::create_dir(desk.path("own")).unwrap();
    for out in ["fresh/clock-01", "own"] {
        assert_eq!(add("lamp", out).await, 4, "{out}");
    }
    assert!(!fs::exists(desk.path("fresh")).unwrap());
    assert!(fs::exists(desk.path("own")).unwrap(), "it was there before");

    assert_eq!(add("clock", "fresh/clock-01").await, 0);
    let mode = fs::metadata(desk.path("fresh/clock-01")).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o700);
}

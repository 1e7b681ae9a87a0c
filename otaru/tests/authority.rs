//! The server's own authority is replaced while the server runs, and while it is killed.

use std::path::{Path, PathBuf};
use std::time::Duration;

use otaru_real_fleet::{Behaviour, Fleet, FleetOptions, firmware};
use reqwest::{Certificate, Client, Identity};
use serde_json::{Value, json};

const LIMIT: Duration = Duration::from_secs(60);
const LOOK_EVERY: Duration = Duration::from_millis(20);

/// Kills between a request and its answer, each a little later than the one before.
const KILLS: u32 = 12;

const SHADOW: &str = "/things/clock-01/shadow";

async fn fleet() -> Fleet {
    let factory = firmware("1.0.4", 100_000, Behaviour::Pass);
    let options = FleetOptions {
        binary: Path::new(env!("CARGO_BIN_EXE_otaru")),
        database_url: None,
        factory: ("1.0.4", &factory),
        devices: 1,
        self_test: Duration::from_millis(20),
        link_kbps: None,
    };
    let mut fleet = Fleet::start(&options).await.unwrap();
    fleet.devices[0].start().unwrap();
    fleet.wait_until_reported(LIMIT).await.unwrap();
    fleet
}

/// A client with a device's certificate that trusts the authority at this place in its `ca.pem`.
fn trusting(folder: &Path, index: usize) -> Client {
    let read = |name: &str| std::fs::read(folder.join(name)).unwrap();
    let identity = Identity::from_pem(&[read("key.pem"), read("cert.pem")].concat()).unwrap();
    let trusted = Certificate::from_pem_bundle(&read("ca.pem")).unwrap().swap_remove(index);
    let client = Client::builder().timeout(LIMIT).tls_certs_only([trusted]).identity(identity);
    client.build().unwrap()
}

async fn until(what: &str, mut is_so: impl AsyncFnMut() -> bool) {
    let so = async {
        while !is_so().await {
            tokio::time::sleep(LOOK_EVERY).await;
        }
    };
    tokio::time::timeout(LIMIT, so).await.unwrap_or_else(|_| panic!("never: {what}"));
}

async fn is_in(client: &Client, fleet: &Fleet) -> bool {
    let answer = client.get(format!("{}{SHADOW}", fleet.server.device_url())).send().await;
    answer.is_ok_and(|answer| answer.status() == 200)
}

async fn status(fleet: &Fleet) -> Vec<Value> {
    let all = fleet.console.admin.done(&["authority", "status"]).await.unwrap();
    all["items"].as_array().unwrap().clone()
}

/// A folder with a new certificate of the device.
async fn renewed(fleet: &Fleet, name: &str) -> PathBuf {
    let folder = fleet.folder().join(name);
    let out = folder.to_str().unwrap();
    fleet.console.admin.done(&["device", "renew", "clock-01", "--out", out]).await.unwrap();
    folder
}

#[tokio::test(flavor = "multi_thread")]
async fn a_running_server_takes_another_authority_into_use_and_ends_the_first() {
    let fleet = fleet().await;
    let first = fleet.devices[0].folder().to_owned();
    let stayed = trusting(&first, 0);
    assert!(is_in(&stayed, &fleet).await);

    let made = fleet.console.admin.done(&["authority", "rotate"]).await.unwrap();

    assert_eq!(made["state"], "signs");
    let said = "Devices meet a new certificate";
    until(said, async || fleet.server.last_output().contains(said)).await;
    // Who knows the first alone finds it anew, and over the connection it has.
    assert!(is_in(&trusting(&first, 0), &fleet).await);
    assert!(is_in(&stayed, &fleet).await);
    let all = status(&fleet).await;
    assert_eq!((&all[0]["state"], &all[0]["devices"]), (&json!("believed"), &json!(1)));
    let old = all[0]["fingerprint"].as_str().unwrap();
    let refused = fleet.console.admin.run(&["authority", "retire", old]).await.unwrap();
    assert!(refused.stderr.contains("server_authority_in_use"), "{}", refused.stderr);
    let devices = fleet.console.admin.done(&["authority", "devices", old]).await.unwrap();
    assert_eq!(devices["items"][0]["thing"], "clock-01");

    let second = renewed(&fleet, "second").await;
    let (by_new, by_old) = (trusting(&second, 0), trusting(&second, 1));
    assert!(is_in(&by_new, &fleet).await && is_in(&by_old, &fleet).await);
    fleet.console.admin.done(&["authority", "retire", old]).await.unwrap();

    until("who trusts the first alone is lost", async || {
        !is_in(&trusting(&second, 1), &fleet).await
    })
    .await;
    assert!(is_in(&by_new, &fleet).await && is_in(&trusting(&second, 0), &fleet).await);
    let ca = std::fs::read_to_string(fleet.server.folder().join("ca/ca.pem")).unwrap();
    assert_eq!(ca.matches("BEGIN CERTIFICATE").count(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_is_killed_while_it_rotates_has_one_authority_or_two() {
    let mut fleet = fleet().await;
    let (mut folder, mut rotations) = (fleet.devices[0].folder().to_owned(), 0);
    fleet.devices[0].kill().await.unwrap();
    for kill in 0..KILLS {
        let before = status(&fleet).await.len();
        let api = fleet.console.admin_api.clone();
        let body = json!({});
        let asked = api.post("/api/v1/server-authorities", &body);
        let _ = tokio::time::timeout(Duration::from_millis(u64::from(kill) * 3), asked).await;
        fleet.server.kill().await.unwrap();

        fleet.server.start().await.unwrap();

        let all = status(&fleet).await;
        let believed: Vec<_> = all.iter().filter(|one| one["state"] != "retired").collect();
        assert_eq!(believed.iter().filter(|one| one["state"] == "signs").count(), 1, "{all:?}");
        assert_eq!(believed.len(), 1 + all.len() - before, "{all:?}");
        // What it had before lets the device in, and it finds the server by what it trusted.
        assert!(is_in(&trusting(&folder, 0), &fleet).await, "{}", fleet.server.last_output());
        if let [old, _] = *believed {
            rotations += 1;
            folder = renewed(&fleet, &format!("folder-{kill}")).await;
            assert!(is_in(&trusting(&folder, 0), &fleet).await);
            let old = old["fingerprint"].as_str().unwrap();
            fleet.console.admin.done(&["authority", "retire", old]).await.unwrap();
        }
    }
    assert!(rotations > 0, "every kill came too early");
}

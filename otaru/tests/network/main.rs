//! A server, a device and a phone on a real network: two machines and a cable.

mod house;
mod phone;

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use house::House;
use otaru_wire::Digest;
use serde_json::json;

/// Set to anything, it lets this run where network namespaces are not allowed: nothing is tried then.
const WITHOUT: &str = "OTARU_WITHOUT_NAMESPACES";

/// A debug build, a download of five seconds and a cable that is pulled meanwhile.
const LIMIT: Duration = Duration::from_secs(60);

#[tokio::test(flavor = "multi_thread")]
async fn a_device_is_updated_from_a_phone_over_a_cable_that_is_pulled() {
    if std::env::var_os(WITHOUT).is_some() {
        eprintln!("{WITHOUT} is set: the network was not tried");
        return;
    }
    let mut house = match House::build().await {
        Ok(house) => house,
        Err(error) => panic!("{error:#}; {WITHOUT}=1 leaves this test out"),
    };
    if let Err(error) = live_in(&mut house).await {
        panic!("{error:#}\n{}", house.server_log());
    }
}

async fn live_in(house: &mut House) -> Result<()> {
    trust_the_server(house).await?;
    set_up(house).await?;
    everybody_is_told_the_server_s_name(house).await?;
    update_while_the_cable_is_pulled(house).await
}

/// As `docs/network.md` tells a person to do it.
async fn trust_the_server(house: &mut House) -> Result<()> {
    let refused = house.phone.curl(&["https://ota.lan:8443/"]).await?;
    ensure!(refused.status.code() == Some(60), "a certificate nobody trusts: {refused:?}");

    let file = house.phone.file("ca.crt");
    let fetched = ["--insecure", "--output", &file, "https://ota.lan:8443/ca.crt"];
    ensure!(house.phone.curl(&fetched).await?.status.success(), "no certificate to trust");
    let seen = Digest::of(&std::fs::read(&file)?).to_string();
    let said = house.fingerprint()?;
    ensure!(seen == said, "the server said {said}, the phone got {seen}");

    house.phone.trust("https://ota.lan:8443/ca.pem").await?;
    for name in ["ota.lan", "10.77.0.1"] {
        let page = format!("https://{name}:8443/openapi.json");
        let shown = house.phone.curl(&["--write-out", "%{http_version}", &page]).await?;
        ensure!(shown.status.success(), "{name}: {shown:?}");
        ensure!(shown.stdout.ends_with(b"}2"), "{name} spoke no HTTP/2");
    }
    Ok(())
}

/// The first administrator comes in by the printed link, from the phone.
async fn set_up(house: &mut House) -> Result<()> {
    let code = house.setup_code()?;
    let body = json!({ "code": code, "email": "eve@example.org", "password": "correct horse" });
    let (status, answer) = house.phone.call("POST", "/app/setup", Some(body)).await?;
    ensure!(status == 201, "setting up: {status} {answer}");
    let (status, me) = house.phone.call("GET", "/app/user", None).await?;
    ensure!(status == 200 && me["email"] == "eve@example.org", "the cookie: {status} {me}");
    Ok(())
}

async fn everybody_is_told_the_server_s_name(house: &mut House) -> Result<()> {
    house.fill().await?;
    let told = std::fs::read_to_string(house.folder().join("clock-01/device.toml"))?;
    for line in ["device_url = \"https://ota.lan:8444\"", "mqtt_url = \"mqtts://ota.lan:8883\""] {
        ensure!(told.lines().any(|told| told == line), "no {line} in {told}");
    }
    let invited = ["user", "invite", "bo@example.org", "--role", "viewer"];
    let invited = house.admin.done(&invited).await?;
    let url = invited["url"].as_str().unwrap_or_default();
    ensure!(url.starts_with("https://ota.lan:8443/invitation#"), "{url}");

    let claim = house.admin.done(&["device", "claim-code", "clock-01"]).await?;
    let url = claim["url"].as_str().unwrap_or_default();
    ensure!(url.starts_with("https://ota.lan:8443/claim#"), "{claim}");
    let owner =
        json!({ "email": "ada@example.org", "password": "correct horse", "code": claim["code"] });
    house.phone.forget_cookies()?;
    let (status, answer) = house.phone.call("POST", "/app/sign-up", Some(owner)).await?;
    ensure!(status == 201, "signing up: {status} {answer}");
    Ok(())
}

async fn update_while_the_cable_is_pulled(house: &mut House) -> Result<()> {
    house.start_device()?;
    let path = "/app/devices/clock-01";
    house
        .until("the device reports", async |house| {
            let (_, device) = house.phone.call("GET", path, None).await?;
            Ok(device["running"]["version"] == "1.0.4")
        })
        .await?;
    house.publish("1.0.5").await?;
    let events = house.phone.listen("/app/listen")?;
    let wish = json!({ "version": "1.0.5", "when": "now" });
    let (status, answer) = house.phone.call("POST", &format!("{path}/update"), Some(wish)).await?;
    ensure!(status == 201, "installing: {status} {answer}");

    house
        .until("the download has begun", async |house| {
            let (_, update) = house.phone.call("GET", &format!("{path}/update"), None).await?;
            Ok(update["phase"] == "downloading" && update["done"].as_u64() > Some(0))
        })
        .await?;
    house.network.pull_cable().await?;
    // A phone that tries for three seconds, while the device's bytes go nowhere.
    let tries = ["--connect-timeout", "2", "--retry", "3", "--retry-all-errors"];
    let page = ["--retry-delay", "1", "https://ota.lan:8443/"];
    let away = house.phone.curl(&[&tries[..], &page[..]].concat()).await?;
    ensure!(!away.status.success(), "the cable is out and the phone got through");
    let update = house.admin.done(&["update", "show", "clock-01"]).await?;
    ensure!(update["phase"] == "downloading", "it was over before the cable was pulled: {update}");
    ensure!(update["done"].as_u64() < update["total"].as_u64(), "{update}");
    house.network.plug_cable().await?;

    house
        .until("the update is confirmed", async |house| {
            let (_, update) = house.phone.call("GET", &format!("{path}/update"), None).await?;
            ensure!(
                update["outcome"].is_null() || update["outcome"] == "confirmed",
                "the update ended as {update}"
            );
            Ok(update["outcome"] == "confirmed")
        })
        .await?;
    let (_, device) = house.phone.call("GET", path, None).await?;
    ensure!(device["running"]["version"] == "1.0.5", "{device}");
    house
        .until("the phone hears of it", async |_| {
            let heard = std::fs::read_to_string(&events.file).context("what the phone heard")?;
            Ok(heard.contains("event: update_finished") || heard.contains("event:update_finished"))
        })
        .await
}

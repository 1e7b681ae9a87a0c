//! Which patches are made, when, and what becomes of them.

use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use otaru_operations::{
    PatchCodec, PatchSettings, PatchWorker, forget_patches, plan_patches, run_background,
};
use otaru_release::{Chip, ImageBuilder};
use otaru_test_app::{Firmware, TestApp, each_database};
use serde_json::{Value, json};

const PATH: &str = "/api/v1/products/clock/releases";

/// An image that differs from those of other versions in little more than the version.
pub(crate) fn similar(app: &TestApp, version: &str, sequence: u64) -> Firmware {
    let image = ImageBuilder::new(Chip::Esp32C3).size_bytes(300_000).version(version).build();
    app.keys().sign(image, "clock", version, sequence)
}

pub(crate) async fn publish(app: &TestApp, firmware: &Firmware) {
    app.admin().upload(PATH, &firmware.form()).await.expect_status(201);
}

/// Has a device report that it runs an image.
pub(crate) async fn report(app: &TestApp, thing: &str, firmware: &Firmware, state: &str) {
    let report = json!({ "state": { "reported": { "firmware": {
        "sha256": firmware.sha256().to_string(), "version": "x", "slot": "ota_0",
        "state": state } } } });
    let path = format!("/things/{thing}/shadow");
    app.admin().post(&path, report).await.expect_status(200);
}

async fn patches(app: &TestApp, version: &str) -> Vec<Value> {
    let path = format!("{PATH}/{version}/patches");
    let listed = app.admin().get(&path).await.expect_status(200).json();
    assert_eq!(listed["next_cursor"], Value::Null);
    listed["items"].as_array().expect("a list").clone()
}

/// `packed ready, 1.0.4 waiting`.
async fn states(app: &TestApp, version: &str) -> String {
    let state = |patch: &Value| {
        let text = |name: &str| patch[name].as_str().map(str::to_owned);
        let base = text("base_version").unwrap_or("packed".to_owned());
        let reason = text("reason").map(|reason| format!(" ({reason})")).unwrap_or_default();
        format!("{base} {}{reason}", text("state").expect("a state"))
    };
    patches(app, version).await.iter().map(state).collect::<Vec<_>>().join(", ")
}

async fn with_settings(app: &mut TestApp, settings: PatchSettings) {
    app.set_patches(settings);
    app.restart().await;
    app.create_product("clock", "device").await;
}

/// Publishes 1.0.4, which a device runs, and 1.0.5, whose code is another; how long that is.
async fn too_large_patch(app: &TestApp) -> usize {
    let old = app.publish("clock", "1.0.4", 4).await;
    app.add_device("clock-01", "clock").await;
    report(app, "clock-01", &old, "confirmed").await;
    let new = app.publish("clock", "1.0.5", 5).await;
    app.make_patches().await;
    new.image.len()
}

/// As a server does that starts with other settings.
async fn plan_again(app: &mut TestApp, settings: PatchSettings) {
    app.set_patches(settings);
    app.restart().await;
    plan_patches(&app.operations).await.unwrap();
}

each_database! {
    async fn what_is_out_of_service_gets_no_patch(app: TestApp) {
        let mut app = app;
        with_settings(&mut app, PatchSettings::default()).await;
        let [old, other] = [("1.0.3", 3), ("1.0.4", 4)].map(|(v, n)| similar(&app, v, n));
        for (thing, firmware) in [("clock-01", &old), ("clock-02", &other)] {
            publish(&app, firmware).await;
            app.add_device(thing, "clock").await;
            report(&app, thing, firmware, "confirmed").await;
        }
        let retire = "/api/v1/devices/clock-01/decommission";
        app.admin().post(retire, json!({})).await.expect_status(204);

        publish(&app, &similar(&app, "1.0.5", 5)).await;

        assert_eq!(states(&app, "1.0.5").await, "packed waiting, 1.0.4 waiting");
        // A shadow may be written whoever listens to it.
        report(&app, "clock-01", &old, "confirmed").await;
        plan_patches(&app.operations).await.unwrap();
        assert_eq!(states(&app, "1.0.5").await, "packed waiting, 1.0.4 waiting");
    }

    async fn a_release_gets_patches_from_what_its_fleet_runs_most(app: TestApp) {
        let mut app = app;
        with_settings(&mut app, PatchSettings { max_bases: 2, ..PatchSettings::default() }).await;
        let old: Vec<_> = (1..=4).map(|n| similar(&app, &format!("1.0.{n}"), n)).collect();
        for firmware in &old {
            publish(&app, firmware).await;
            app.advance(Duration::from_secs(1));
        }
        // One runs 1.0.2, three 1.0.3, two 1.0.1, one what nobody published.
        let cable = similar(&app, "1.0.9", 9);
        let running = [&old[1], &old[2], &old[2], &old[2], &old[0], &old[0], &cable];
        for (number, firmware) in running.iter().enumerate() {
            let thing = format!("clock-0{number}");
            app.add_device(&thing, "clock").await;
            report(&app, &thing, firmware, "confirmed").await;
        }
        publish(&app, &similar(&app, "1.0.5", 5)).await;
        assert_eq!(states(&app, "1.0.5").await, "packed waiting, 1.0.3 waiting, 1.0.1 waiting");

        let worker = PatchWorker::new(&app.operations);
        assert!(worker.make_next().await.unwrap());
        // The newest release comes first, and of each its packed image.
        assert_eq!(states(&app, "1.0.5").await, "packed ready, 1.0.3 waiting, 1.0.1 waiting");
        let reported = "packed waiting, 1.0.2 waiting, 1.0.3 waiting";
        assert_eq!(states(&app, "1.0.4").await, reported);
        app.make_patches().await;
        assert_eq!(states(&app, "1.0.5").await, "packed ready, 1.0.3 ready, 1.0.1 ready");
        let made = patches(&app, "1.0.5").await;
        let sizes: Vec<u64> = made.iter().map(|patch| patch["size"].as_u64().unwrap()).collect();
        assert!(sizes[0] < 300_000 && sizes[1] < 3_000 && sizes[2] < 3_000, "{sizes:?}");
        let share = made[0]["share"].as_f64().unwrap();
        assert!((share - sizes[0] as f64 / 300_000.0).abs() < 1e-4, "{share}");
        assert_eq!((&made[1]["base"], &made[1]["codec"]), (&json!(old[2].sha256().to_string()), &json!("lzma-4k")));
        assert_eq!(made[1]["made_at"], "2026-11-23T12:00:04.000Z");
        let stored = app.stored_images();
        for patch in &made {
            assert!(stored.contains(&patch["sha256"].as_str().unwrap().to_owned()), "{patch}");
        }
        assert_eq!(app.make_patches().await, 0);
    }

    async fn a_draft_gets_patches_once_it_is_published(app: TestApp) {
        app.create_product("clock", "device").await;
        let draft = similar(&app, "1.0.5", 5);
        let form = [&draft.form()[..], &[("draft", b"true")]].concat();
        app.admin().upload(PATH, &form).await.expect_status(201);
        assert_eq!(states(&app, "1.0.5").await, "");
        assert_eq!(app.make_patches().await, 0);
        app.admin().post(&format!("{PATH}/1.0.5/publish"), json!({})).await.expect_status(200);
        app.make_patches().await;
        assert_eq!(states(&app, "1.0.5").await, "packed ready");
    }

    async fn a_device_that_comes_with_another_image_gets_its_patch(app: TestApp) {
        app.create_product("clock", "device").await;
        let (old, new) = (similar(&app, "1.0.4", 4), similar(&app, "1.0.5", 5));
        let beta = similar(&app, "2.0.0", 6);
        let beta_form = [&beta.form()[..], &[("channel", b"beta")]].concat();
        publish(&app, &old).await;
        publish(&app, &new).await;
        app.admin().upload(PATH, &beta_form).await.expect_status(201);
        app.add_device("clock-01", "clock").await;
        report(&app, "clock-01", &old, "trial").await;
        assert_eq!(states(&app, "1.0.5").await, "packed waiting", "it may go back");
        report(&app, "clock-01", &old, "confirmed").await;
        assert_eq!(states(&app, "1.0.5").await, "packed waiting, 1.0.4 waiting");
        assert_eq!(states(&app, "2.0.0").await, "packed waiting", "of another channel");
        report(&app, "clock-01", &new, "confirmed").await;
        assert_eq!(states(&app, "1.0.5").await, "packed waiting, 1.0.4 waiting");
        let channel = json!({ "channel": "beta" });
        app.admin().put("/api/v1/devices/clock-01/channel", channel).await.expect_status(200);
        assert_eq!(states(&app, "2.0.0").await, "packed waiting, 1.0.5 waiting");
    }

    async fn what_saves_too_little_is_not_kept(app: TestApp) {
        let mut app = app;
        let codecs = vec![PatchCodec::Lzma8K];
        with_settings(&mut app, PatchSettings { codecs, ..PatchSettings::default() }).await;
        // Of these the code differs as well.
        let old = app.publish("clock", "1.0.4", 4).await;
        app.add_device("clock-01", "clock").await;
        report(&app, "clock-01", &old, "confirmed").await;
        app.publish("clock", "1.0.5", 5).await;
        app.make_patches().await;
        assert_eq!(states(&app, "1.0.5").await, "packed ready, 1.0.4 skipped (patch_too_large)");
        let listed = patches(&app, "1.0.5").await;
        assert_eq!((&listed[1]["codec"], &listed[1]["sha256"]), (&json!("lzma-8k"), &Value::Null));
        let sizes = [0, 1].map(|at| listed[at]["size"].as_f64().unwrap());
        assert!(sizes[1] > 0.6 * sizes[0], "{sizes:?}");
        // Two images and their packed forms.
        assert_eq!(app.stored_images().len(), 4);
    }

    async fn images_that_are_too_large_or_gone_are_said(app: TestApp) {
        let mut app = app;
        let settings = PatchSettings { max_image_bytes: 300_000, ..PatchSettings::default() };
        with_settings(&mut app, settings).await;
        let old = similar(&app, "1.0.4", 4);
        publish(&app, &old).await;
        app.add_device("clock-01", "clock").await;
        report(&app, "clock-01", &old, "confirmed").await;
        publish(&app, &similar(&app, "1.0.5", 5)).await;
        let large = ImageBuilder::new(Chip::Esp32C3).size_bytes(300_016).version("1.0.6").build();
        publish(&app, &app.keys().sign(large, "clock", "1.0.6", 6)).await;
        app.restart().await;
        std::fs::remove_file(app.image_folder().join(old.sha256().to_string())).unwrap();
        app.make_patches().await;
        assert_eq!(states(&app, "1.0.5").await, "packed ready, 1.0.4 skipped (base_gone)");
        let too_large = "packed skipped (image_too_large), 1.0.4 skipped (image_too_large)";
        assert_eq!(states(&app, "1.0.6").await, too_large);
        let detail = patches(&app, "1.0.6").await[0]["detail"].clone();
        assert_eq!(detail, "300016 bytes are more than 300000");

        // What other settings allow is made after all; what is gone stays so.
        std::fs::write(app.image_folder().join(old.sha256().to_string()), &old.image).unwrap();
        plan_patches(&app.operations).await.unwrap();
        assert_eq!(states(&app, "1.0.6").await, too_large);
        app.set_patches(PatchSettings { max_image_bytes: 300_016, ..PatchSettings::default() });
        app.restart().await;
        plan_patches(&app.operations).await.unwrap();
        assert_eq!(states(&app, "1.0.6").await, "packed waiting, 1.0.4 waiting");
        app.make_patches().await;
        assert_eq!(states(&app, "1.0.6").await, "packed ready, 1.0.4 ready");
        assert_eq!(states(&app, "1.0.5").await, "packed ready, 1.0.4 skipped (base_gone)");
    }

    async fn a_patch_that_was_too_large_is_made_when_it_may_be_larger(app: TestApp) {
        let mut app = app;
        let settings = |max_share| PatchSettings { max_share, max_bases: 1, ..PatchSettings::default() };
        with_settings(&mut app, settings(0.6)).await;
        let old = [app.publish("clock", "1.0.3", 3).await, app.publish("clock", "1.0.4", 4).await];
        for (thing, firmware) in [("clock-01", &old[1]), ("clock-02", &old[1]), ("clock-03", &old[0])] {
            app.add_device(thing, "clock").await;
            report(&app, thing, firmware, "confirmed").await;
        }
        app.publish("clock", "1.0.5", 5).await;
        app.make_patches().await;
        // What is of no use takes no place.
        report(&app, "clock-03", &old[1], "confirmed").await;
        report(&app, "clock-03", &old[0], "confirmed").await;
        app.make_patches().await;
        let states = async |app: &TestApp| {
            let listed = patches(app, "1.0.5").await;
            let state = |patch: &Value| format!("{} {}", patch["state"], patch["reason"]);
            let mut states: Vec<String> = listed[1..].iter().map(state).collect();
            states.sort();
            states.join(", ").replace('"', "")
        };
        let both = "skipped patch_too_large, skipped patch_too_large";
        assert_eq!(states(&app).await, both);
        for max_share in [0.6, 0.61] {
            app.set_patches(settings(max_share));
            app.restart().await;
            plan_patches(&app.operations).await.unwrap();
            assert_eq!((app.make_patches().await, states(&app).await.as_str()), (0, both));
        }

        // One base is all that there is room for.
        app.set_patches(settings(2.0));
        app.restart().await;
        plan_patches(&app.operations).await.unwrap();
        assert_eq!(states(&app).await, "skipped patch_too_large, waiting null");
        assert_eq!(app.make_patches().await, 2, "and one to 1.0.4, which was the newest before");
        assert_eq!(states(&app).await, "ready null, skipped patch_too_large");
        plan_patches(&app.operations).await.unwrap();
        assert_eq!(app.make_patches().await, 0);

        app.set_patches(PatchSettings { max_bases: 2, ..settings(2.0) });
        app.restart().await;
        plan_patches(&app.operations).await.unwrap();
        assert_eq!(app.make_patches().await, 1);
        assert_eq!(states(&app).await, "ready null, ready null");
    }

    async fn a_patch_of_a_codec_that_is_switched_off_stays_skipped(app: TestApp) {
        let mut app = app;
        let settings = |codecs, max_share| PatchSettings { codecs, max_share, ..PatchSettings::default() };
        let both = vec![PatchCodec::Lzma4K, PatchCodec::Lzma8K];
        with_settings(&mut app, settings(both.clone(), 0.6)).await;
        too_large_patch(&app).await;
        let of_one = "packed ready, 1.0.4 skipped (patch_too_large)";
        assert_eq!(states(&app, "1.0.5").await, format!("{of_one}, {of_one}"));
        plan_again(&mut app, settings(vec![PatchCodec::Lzma4K], 2.0)).await;
        assert_eq!(states(&app, "1.0.5").await, format!("packed ready, 1.0.4 waiting, {of_one}"));
        plan_again(&mut app, settings(both, 2.0)).await;
        let revived = "packed ready, 1.0.4 waiting";
        assert_eq!(states(&app, "1.0.5").await, format!("{revived}, {revived}"));
    }

    async fn a_patch_to_what_devices_refuse_stays_skipped(app: TestApp) {
        let mut app = app;
        app.create_product("clock", "device").await;
        too_large_patch(&app).await;
        let stolen = app.keys().release_key_id();
        let root = app.keys().with_release_key(9).next_root(2, |root| root.revoked.push(stolen));
        let body = json!({ "root": STANDARD.encode(root) });
        app.admin().post("/api/v1/products/clock/roots", body).await.expect_status(201);
        plan_again(&mut app, PatchSettings { max_share: 2.0, ..PatchSettings::default() }).await;
        assert_eq!(states(&app, "1.0.5").await, "packed ready, 1.0.4 skipped (patch_too_large)");
    }

    /// Its length says how large the patch may be.
    async fn a_patch_stays_skipped_while_the_packed_image_is_to_be_made(app: TestApp) {
        let mut app = app;
        app.create_product("clock", "device").await;
        let image_bytes = too_large_patch(&app).await;
        let listed = patches(&app, "1.0.5").await;
        // Of the image it is this share, of the packed image more.
        let max_share = listed[1]["size"].as_f64().unwrap() * 1.001 / image_bytes as f64;
        app.restart().await;
        std::fs::remove_file(app.image_folder().join(listed[0]["sha256"].as_str().unwrap())).unwrap();
        app.admin().get("/firmware/clock/1.0.5.patch").await.expect_status(404);
        let to_be_made = "packed waiting, 1.0.4 skipped (patch_too_large)";
        assert_eq!(states(&app, "1.0.5").await, to_be_made);
        let settings = PatchSettings { max_share, ..PatchSettings::default() };
        plan_again(&mut app, settings.clone()).await;
        assert_eq!(states(&app, "1.0.5").await, to_be_made);
        app.make_patches().await;
        plan_again(&mut app, settings).await;
        assert_eq!(states(&app, "1.0.5").await, "packed ready, 1.0.4 skipped (patch_too_large)");
        plan_again(&mut app, PatchSettings { max_share: 2.0, ..PatchSettings::default() }).await;
        assert_eq!(states(&app, "1.0.5").await, "packed ready, 1.0.4 waiting");
    }

    async fn a_maker_that_vanished_is_followed_by_another(app: TestApp) {
        app.create_product("clock", "device").await;
        publish(&app, &similar(&app, "1.0.5", 5)).await;
        let store = app.store.clone();
        let take = async || {
            let (now, until) = (app.clock.now_ms(), app.clock.now_ms() + 120_000);
            let work = move |tx: &mut otaru_store::Tx<'_>| {
                let system = otaru_store::SystemScope::for_background();
                let Some(row) = otaru_store::next_patch(tx, &system, now)? else { return Ok(false) };
                otaru_store::take_patch(tx, &system, &row, "vanished", until)
            };
            store.write(work).await.unwrap()
        };
        assert!(take().await);
        assert_eq!(states(&app, "1.0.5").await, "packed running");
        assert_eq!(app.make_patches().await, 0);
        app.advance(Duration::from_secs(119));
        assert_eq!(app.make_patches().await, 0);
        app.advance(Duration::from_secs(1));
        assert_eq!(app.make_patches().await, 1);
        assert_eq!(states(&app, "1.0.5").await, "packed ready");

        // One that takes its maker with it each time is given up.
        publish(&app, &similar(&app, "1.0.6", 6)).await;
        for _ in 0..5 {
            assert!(take().await);
            app.advance(Duration::from_secs(120));
        }
        app.make_patches().await;
        assert_eq!(states(&app, "1.0.6").await, "packed skipped (failed)");
        let listed = patches(&app, "1.0.6").await;
        assert_eq!(listed[0]["detail"], "it was begun 5 times and did not end");
    }

    async fn an_image_store_that_fails_is_tried_again_later(app: TestApp) {
        let mut app = app;
        app.create_product("clock", "device").await;
        let new = similar(&app, "1.0.5", 5);
        publish(&app, &new).await;
        app.restart().await;
        // A folder is no file that could be read.
        let path = app.image_folder().join(new.sha256().to_string());
        std::fs::remove_file(&path).unwrap();
        std::fs::create_dir(&path).unwrap();
        assert_eq!(app.make_patches().await, 1);
        assert_eq!(states(&app, "1.0.5").await, "packed waiting (failed)");
        let listed = patches(&app, "1.0.5").await;
        assert_eq!(listed[0]["next_try_at"], "2026-11-23T12:01:00.000Z");
        assert!(listed[0]["detail"].is_string(), "{listed:?}");
        std::fs::remove_dir(&path).unwrap();
        std::fs::write(&path, &new.image).unwrap();
        assert_eq!(app.make_patches().await, 0);
        app.advance(Duration::from_secs(60));
        assert_eq!(app.make_patches().await, 1);
        assert_eq!(states(&app, "1.0.5").await, "packed ready");
    }

    /// However long it is down: nothing of it is the work's own failure, of which five are enough.
    async fn an_image_store_that_is_down_for_long_costs_no_try(app: TestApp) {
        let mut app = app;
        app.create_product("clock", "device").await;
        let new = similar(&app, "1.0.5", 5);
        publish(&app, &new).await;
        app.restart().await;
        let path = app.image_folder().join(new.sha256().to_string());
        std::fs::remove_file(&path).unwrap();
        std::fs::create_dir(&path).unwrap();
        for minutes in [1, 2, 4, 8, 16, 32, 60, 60] {
            assert_eq!(app.make_patches().await, 1);
            assert_eq!(states(&app, "1.0.5").await, "packed waiting (failed)");
            app.advance(Duration::from_secs(minutes * 60 - 1));
            assert_eq!(app.make_patches().await, 0, "after {minutes} minutes");
            app.advance(Duration::from_secs(1));
        }
        std::fs::remove_dir(&path).unwrap();
        std::fs::write(&path, &new.image).unwrap();
        assert_eq!(app.make_patches().await, 1);
        assert_eq!(states(&app, "1.0.5").await, "packed ready");
    }

    async fn patches_go_with_their_images(app: TestApp) {
        app.create_product("clock", "device").await;
        let (old, new) = (similar(&app, "1.0.4", 4), similar(&app, "1.0.5", 5));
        publish(&app, &old).await;
        app.add_device("clock-01", "clock").await;
        report(&app, "clock-01", &old, "confirmed").await;
        publish(&app, &new).await;
        app.make_patches().await;
        assert_eq!(app.stored_images().len(), 5, "two images, each packed, and a patch");

        // Withdrawn, it is nobody's target; devices that run it still leave it.
        let yank = async |version: &str| {
            let path = format!("{PATH}/{version}/yank");
            app.admin().post(&path, json!({})).await.expect_status(200);
        };
        yank("1.0.4").await;
        assert_eq!(states(&app, "1.0.4").await, "");
        assert_eq!(states(&app, "1.0.5").await, "packed ready, 1.0.4 ready");
        assert_eq!(app.stored_images().len(), 4);
        report(&app, "clock-01", &new, "confirmed").await;
        app.admin().delete(&format!("{PATH}/1.0.4")).await.expect_status(204);
        assert_eq!(states(&app, "1.0.5").await, "packed ready");
        assert_eq!(app.stored_images().len(), 2);
        yank("1.0.5").await;
        assert_eq!(app.stored_images(), [new.sha256().to_string()]);
        assert_eq!(forget_patches(&app.operations).await.unwrap(), 0);
    }

    async fn releases_from_before_patches_get_them_too(app: TestApp) {
        let mut app = app;
        with_settings(&mut app, PatchSettings { enabled: false, ..PatchSettings::default() }).await;
        let old = similar(&app, "1.0.4", 4);
        publish(&app, &old).await;
        app.add_device("clock-01", "clock").await;
        report(&app, "clock-01", &old, "confirmed").await;
        publish(&app, &similar(&app, "1.0.5", 5)).await;
        plan_patches(&app.operations).await.unwrap();
        assert_eq!(app.make_patches().await, 0);
        app.set_patches(PatchSettings::default());
        app.restart().await;
        plan_patches(&app.operations).await.unwrap();
        plan_patches(&app.operations).await.unwrap();
        assert_eq!(app.make_patches().await, 2, "to the newest of the channel");
        assert_eq!(states(&app, "1.0.5").await, "packed ready, 1.0.4 ready");
        assert_eq!(states(&app, "1.0.4").await, "");
    }

    async fn a_server_that_starts_plans_them_beside_its_other_work(app: TestApp) {
        let mut app = app;
        with_settings(&mut app, PatchSettings { enabled: false, ..PatchSettings::default() }).await;
        publish(&app, &similar(&app, "1.0.5", 5)).await;
        app.set_patches(PatchSettings::default());
        app.restart().await;
        let running = tokio::spawn(run_background(app.operations.clone()));
        while states(&app, "1.0.5").await != "packed waiting" {
            assert!(!running.is_finished());
        }
        running.abort();
    }

    async fn screens_hear_how_patches_come_along(app: TestApp) {
        app.create_product("clock", "device").await;
        let mut events = app.operator().await.listen("/api/v1/listen").await;
        events.place().await;
        // Hints are for who is up to date: something of the log says that it is.
        app.add_device("clock-01", "clock").await;
        report(&app, "clock-01", &similar(&app, "1.0.4", 4), "confirmed").await;
        assert_eq!(events.next().await.kind, "device_changed");
        publish(&app, &similar(&app, "1.0.5", 5)).await;
        app.make_patches().await;
        // Wanted, begun, made.
        for _ in 0..3 {
            let mut event = events.next().await;
            while event.kind != "patches_changed" {
                event = events.next().await;
            }
            assert_eq!(event.body, json!({ "product": "clock", "version": "1.0.5" }));
        }
    }

    async fn whose_release_it_is_not_sees_none(app: TestApp) {
        app.create_product("clock", "device").await;
        publish(&app, &similar(&app, "1.0.5", 5)).await;
        let path = format!("{PATH}/1.0.5/patches");
        assert_eq!(app.anonymous().get(&path).await.refusal(), "401 unauthenticated");
        let owner = app.owner("ada@example.org").await;
        assert_eq!(owner.get(&path).await.refusal(), "403 forbidden");
        let foreign = app.foreign_admin().await.get(&path).await;
        assert_eq!(foreign.refusal(), "404 release_unknown");
        let unknown = app.admin().get(&format!("{PATH}/9/patches")).await;
        assert_eq!(unknown.refusal(), "404 release_unknown");
    }
}

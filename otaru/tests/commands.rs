//! Commands of publishers and operators against a real server: what they send, print and end with.

use std::fs;
use std::path::{Path, PathBuf};

use otaru_real_fleet::{Behaviour, Client, CommandOutput, Server, firmware};
use serde_json::{Value, json};
use tempfile::TempDir;

#[path = "commands/devices.rs"]
mod devices;
#[path = "commands/patches.rs"]
mod patches;
#[path = "commands/shadows.rs"]
mod shadows;

/// A server with the product `clock`, and somebody at a desk with its keys.
struct Desk {
    client: Client,
    folder: TempDir,
    server: Server,
}

impl Desk {
    async fn start() -> Desk {
        Desk::start_with("").await
    }

    /// With these settings of the server, as its file says them.
    async fn start_with(settings: &str) -> Desk {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join("server")).unwrap();
        fs::write(folder.path().join("server/otaru.toml"), settings).unwrap();
        let mut server = Server::new(binary(), folder.path(), None).unwrap();
        server.start().await.unwrap();
        let client = Client::new(binary(), &server.url(), &server.admin_token_file());
        let desk = Desk { client, folder, server };
        desk.done(&["key", "new", "--out", &desk.path("keys"), "--no-passphrase"]).await;
        let create = ["product", "create", "clock", "--chip", "esp32c3", "--flash", "4M", "--root"];
        desk.done(&[&create[..], &[&desk.path("keys/root.cbor")]].concat()).await;
        desk
    }

    /// Ends the server and starts it again.
    async fn restart(&mut self) {
        self.server.stop().await.unwrap();
        self.server.start().await.unwrap();
    }

    fn path(&self, name: &str) -> String {
        self.folder.path().join(name).display().to_string()
    }

    fn write(&self, name: &str, content: impl AsRef<[u8]>) -> String {
        let path = PathBuf::from(self.path(name));
        fs::write(&path, content).unwrap();
        path.display().to_string()
    }

    fn image(&self, version: &str) -> String {
        self.write(&format!("{version}.bin"), firmware(version, 70_000, Behaviour::Pass))
    }

    async fn done(&self, arguments: &[&str]) -> Value {
        self.client.done(arguments).await.unwrap()
    }

    async fn run(&self, arguments: &[&str]) -> CommandOutput {
        self.client.run(arguments).await.unwrap()
    }

    /// Fails with this code, and says this.
    async fn refused(&self, arguments: &[&str], code: i32, said: &str) {
        let output = self.run(arguments).await;
        assert_eq!(output.code, code, "{arguments:?}: {}{}", output.stdout, output.stderr);
        assert!(output.stderr.contains(said), "{arguments:?}: {}", output.stderr);
    }

    /// What it prints for people.
    async fn table(&self, arguments: &[&str]) -> String {
        let output = self.run(&[arguments, &["-o", "table"]].concat()).await;
        assert_eq!(output.code, 0, "{arguments:?}: {}", output.stderr);
        output.stdout
    }
}

fn binary() -> &'static Path {
    Path::new(env!("CARGO_BIN_EXE_otaru"))
}

#[tokio::test(flavor = "multi_thread")]
async fn who_decides_is_shown_and_set_on_sqlite() {
    let desk = Desk::start().await;
    let consent = ["product", "consent", "clock"];
    assert_eq!(desk.done(&consent).await["consent"], json!({ "mode": "ask" }));
    let deadline = [&consent[..], &["--mode", "deadline", "--deadline-days", "14"]].concat();
    let set = desk.done(&deadline).await;
    assert_eq!(set["consent"], json!({ "mode": "deadline", "deadline_days": 14 }));
    assert_eq!(
        desk.table(&consent).await,
        "name           clock\nmode           deadline\ndeadline days  14\n"
    );
    let contradiction = [&consent[..], &["--mode", "night", "--deadline-days", "14"]].concat();
    desk.refused(&contradiction, 2, "--deadline-days goes with --mode deadline").await;
    desk.refused(&["product", "consent", "lamp", "--mode", "ask"], 4, "product_unknown").await;
    let on_device = ["--mode", "ask", "--ask-on-device", "true"];
    desk.done(&[&consent[..], &on_device].concat()).await;
    // Another mode leaves it as it was, where there is something to ask.
    let kept = desk.done(&deadline).await;
    let expected = json!({ "mode": "deadline", "deadline_days": 14, "ask_on_device": true });
    assert_eq!(kept["consent"], expected);
    assert!(desk.table(&consent).await.ends_with("ask on device  true\n"));
    let asks_nobody = [&consent[..], &["--mode", "night", "--ask-on-device", "true"]].concat();
    desk.refused(&asks_nobody, 2, "--ask-on-device goes with --mode ask or deadline").await;
    desk.done(&[&consent[..], &["--mode", "forced"]].concat()).await;
    assert_eq!(desk.done(&consent).await["consent"], json!({ "mode": "forced" }));
}

#[tokio::test(flavor = "multi_thread")]
async fn settings_are_described_wished_and_taken_back_on_sqlite() {
    let desk = Desk::start().await;
    let product = ["product", "settings", "clock"];
    assert!(desk.table(&product).await.contains("not described: anything may be set"));
    let schema = json!([
        { "name": "phrase_type", "type": "choice", "label": { "en": "Phrases" },
          "choices": [{ "value": "1", "label": "One" }, { "value": "2", "label": "Two" }] },
        { "name": "heat_limit", "type": "integer", "label": "Heat", "max": 60, "edit": "operator" },
    ]);
    let file = desk.write("schema.json", schema.to_string());
    let described = desk.done(&[&product[..], &["--schema", &file]].concat()).await;
    assert_eq!(described["settings"][1]["edit"], "operator");
    // What is shown can be given back.
    let shown = desk.write("shown.json", desk.done(&product).await.to_string());
    desk.done(&[&product[..], &["--schema", &shown]].concat()).await;
    assert!(desk.table(&product).await.contains("heat_limit   integer  operator"));
    let wrong = desk.write("wrong.json", r#"[{"name":"Heat","type":"integer","label":"x"}]"#);
    desk.refused(&[&product[..], &["--schema", &wrong]].concat(), 1, "invalid_field").await;

    let device = ["device", "settings", "clock-01"];
    desk.refused(&device, 4, "device_unknown").await;
    desk.done(&["device", "add", "clock-01", "--product", "clock", "--out", &desk.path("c")]).await;
    let states = async |more: &[&str]| {
        let listed = desk.done(&[&device[..], more].concat()).await;
        let said = |item: &Value| {
            format!("{} {} {}", item["name"], item["state"], item["wished"]).replace('"', "")
        };
        let items = listed["items"].as_array().unwrap();
        items.iter().map(said).collect::<Vec<_>>().join(", ")
    };
    assert_eq!(states(&[]).await, "phrase_type unset null, heat_limit unset null");
    assert_eq!(
        states(&["phrase_type=2", "heat_limit=40"]).await,
        "phrase_type waiting 2, heat_limit waiting 40"
    );
    let reported = r#"{"reported":{"config":{"phrase_type":"2","heat_limit":30}}}"#;
    desk.done(&["shadow", "set", "clock-01", reported]).await;
    assert_eq!(states(&[]).await, "phrase_type applied 2, heat_limit waiting 40");
    assert_eq!(
        states(&["--unset", "heat_limit"]).await,
        "phrase_type applied 2, heat_limit applied null"
    );
    let table = desk.table(&device).await;
    assert!(table.contains("heat_limit   applied  30     -\n"), "{table}");
    desk.refused(&[&device[..], &["heat_limit=61"]].concat(), 1, "setting_invalid").await;
    desk.refused(&[&device[..], &["dim=1"]].concat(), 1, "setting_unknown").await;
    desk.refused(&[&device[..], &["dim=1", "--unset", "dim"]].concat(), 2, "given twice").await;
    desk.done(&[&product[..], &["--no-schema"]].concat()).await;
    assert_eq!(
        states(&["dim=1"]).await,
        "dim waiting 1, phrase_type applied 2, heat_limit applied null"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_signed_elsewhere_is_published_without_the_key_on_sqlite() {
    let desk = Desk::start().await;
    let (image, other) = (desk.image("1.0.5"), desk.image("1.0.6"));
    let (key, root) = (desk.path("keys/release.key"), desk.path("keys/root.cbor"));
    let manifest = desk.path("1.0.5.manifest");
    let sign = ["release", "sign", &image, "--product", "clock", "--version", "1.0.5"];
    let how = ["--key", &key, "--sequence", "7", "--root", &root, "--out", &manifest];
    let sign = [&sign[..], &how].concat();

    // There is no server at all where it is signed.
    let offline =
        [&["--server", "http://127.0.0.1:9", "--token-file", "/none"], &sign[..]].concat();
    let signed = desk.done(&offline).await;
    assert_eq!((&signed["sequence"], &signed["manifest"]), (&json!(7), &json!(manifest)));
    let verify = ["release", "verify", &image, "--manifest", &manifest, "--root", &root];
    let verified = desk.done(&verify).await;
    assert_eq!(verified["sha256"], signed["sha256"]);

    fs::remove_file(&key).unwrap();
    let publish = |image, manifest| {
        ["release", "publish", image, "--product", "clock", "--manifest", manifest]
    };
    desk.refused(&publish(&other, &manifest), 1, "manifest_mismatch").await;
    let published = desk.done(&publish(&image, &manifest)).await;
    assert_eq!(published["sha256"], signed["sha256"]);
    assert_eq!((&published["version"], &published["sequence"]), (&json!("1.0.5"), &json!(7)));
    desk.refused(&publish(&image, &desk.path("none")), 1, "could not read").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_that_devices_do_not_trust_signs_nothing_on_sqlite() {
    let desk = Desk::start().await;
    desk.done(&["key", "new", "--out", &desk.path("other"), "--no-passphrase"]).await;
    let (image, manifest) = (desk.image("1.0.5"), desk.path("1.0.5.manifest"));
    let sign = async |key: &str, root: Option<&str>, code, said| {
        let (key, root) = (desk.path(key), root.map(|root| desk.path(root)));
        let what = ["release", "sign", &image, "--product", "clock", "--version", "1.0.5"];
        let how = ["--key", &key, "--sequence", "1", "--out", &manifest];
        let root = root.iter().flat_map(|root| ["--root", root.as_str()]).collect::<Vec<_>>();
        desk.refused(&[&what[..], &how, &root].concat(), code, said).await;
    };
    sign("other/release.key", Some("keys/root.cbor"), 1, "devices would refuse").await;
    assert!(!Path::new(&manifest).exists());
    sign("keys/root.key", None, 1, "is a root key").await;
    sign("other/release.key", None, 0, "").await;
    let publish = ["release", "publish", &image, "--product", "clock", "--manifest", &manifest];
    desk.refused(&publish, 1, "manifest_untrusted").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn owners_read_notes_and_reasons_in_their_language_on_sqlite() {
    let desk = Desk::start().await;
    let (image, key) = (desk.image("1.0.5"), desk.path("keys/release.key"));
    let japanese = format!("ja={}", desk.write("notes.ja.txt", "夜に静か\nになりました\n"));
    let publish = ["release", "publish", &image, "--product", "clock", "--version", "1.0.5"];
    let publish = [&publish[..], &["--key", &key, "--notes", "ja=Quieter"]].concat();
    let twice = [&publish[..], &["--notes-in", "en=Quiet"]].concat();
    desk.refused(&twice, 2, "notes in en is given twice").await;
    let tag = [&publish[..], &["--notes-in", "ja-JP=x"]].concat();
    desk.refused(&tag, 2, "\"ja-JP\" is no language code such as en, ja or de").await;
    let words = ["--notes-file-in", &japanese, "--notes-in", "de=Leiser", "--deadline-hours", "48"];
    let safety = ["--safety", "It can overheat", "--safety-in", "ja=熱くなります"];
    let release = desk.done(&[&publish[..], &words, &safety].concat()).await;
    assert_eq!(
        release["notes_by_language"],
        json!({ "en": "ja=Quieter", "ja": "夜に静か\nになりました", "de": "Leiser" })
    );
    let reason = json!({ "en": "It can overheat", "ja": "熱くなります" });
    assert_eq!(release["safety"], json!({ "deadline_hours": 48, "reason": reason }));
    let shown = desk.table(&["release", "show", "1.0.5", "--product", "clock"]).await;
    assert!(shown.contains("notes             de: Leiser\n"), "{shown}");
    assert!(shown.contains("safety            at night after 48 hours\n"), "{shown}");

    let (plain, notes) = (desk.image("1.0.6"), desk.write("notes.txt", "Brighter\n"));
    let publish = ["release", "publish", &plain, "--product", "clock", "--version", "1.0.6"];
    let release =
        desk.done(&[&publish[..], &["--key", &key, "--notes-file", &notes]].concat()).await;
    assert_eq!((&release["notes"], &release["safety"]), (&json!("Brighter"), &Value::Null));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_publication_that_is_run_again_ends_well_on_sqlite() {
    let desk = Desk::start().await;
    let (image, newer) = (desk.image("1.0.5"), desk.image("1.0.6"));
    let key = desk.path("keys/release.key");
    let publish = ["release", "publish", &image, "--product", "clock", "--version", "1.0.5"];
    let publish = [&publish[..], &["--key", &key]].concat();
    let draft = desk.done(&[&publish[..], &["--draft"]].concat()).await;
    assert_eq!((&draft["state"], &draft["sequence"]), (&json!("draft"), &json!(1)));
    let published = desk.done(&publish).await;
    assert_eq!((&published["state"], &published["sequence"]), (&json!("published"), &json!(1)));
    let next = ["release", "publish", &newer, "--product", "clock", "--version", "1.0.6"];
    desk.done(&[&next[..], &["--key", &key]].concat()).await;
    assert_eq!(desk.done(&publish).await, published, "although there is a newer one");
    // Another number is meant.
    let other = [&publish[..], &["--sequence", "9"]].concat();
    desk.refused(&other, 5, "manifest_differs").await;

    // The key was stolen: the release is shown as what it is, and is signed anew.
    let (keys, root) = (desk.path("keys"), desk.path("keys/root.cbor"));
    let root_key = desk.path("keys/root.key");
    let signer = published["signer_key_id"].as_str().unwrap();
    let revoke = ["key", "revoke", signer, "--root", &root, "--key", &root_key, "--out", &keys];
    let how = ["--release", "--no-passphrase", "--product", "clock"];
    desk.done(&[&revoke[..], &how].concat()).await;
    let show = ["release", "show", "1.0.6", "--product", "clock"];
    assert_eq!(desk.done(&show).await["trust"], "key_revoked");
    let shown = desk.table(&["release", "list", "--product", "clock"]).await;
    assert!(shown.contains("published, key_revoked"), "{shown}");
    let shown = desk.table(&show).await;
    assert!(shown.contains("sign and publish it again"), "{shown}");
    desk.refused(&publish, 1, "key_revoked").await;
    let new_key = desk.path("keys/release-2.key");
    let anew = desk.done(&[&next[..], &["--key", &new_key]].concat()).await;
    assert_eq!((&anew["trust"], &anew["sequence"]), (&json!("trusted"), &json!(3)));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_draft_is_described_published_withdrawn_and_deleted_on_sqlite() {
    let desk = Desk::start().await;
    let (image, key) = (desk.image("1.0.5"), desk.path("keys/release.key"));
    let sbom = r#"{"bomFormat":"CycloneDX","specVersion":"1.6","components":[{"type":"library","name":"lwip"}]}"#;
    let sbom_file = desk.write("bom.json", sbom);
    let publish = ["release", "publish", &image, "--product", "clock", "--version", "1.0.5"];
    let publish = [&publish[..], &["--key", &key, "--draft", "--sbom", &sbom_file]].concat();
    let not_a_source = [&publish[..], &["--source", "https://example.org/clock"]].concat();
    desk.refused(&not_a_source, 2, "is not REPOSITORY@COMMIT").await;
    let source = ["--source", "ssh://git@example.org/clock.git@0123456789ABCDEF"];
    let draft = desk.done(&[&publish[..], &source].concat()).await;
    assert_eq!((&draft["state"], &draft["sbom"]["spec_version"]), (&json!("draft"), &json!("1.6")));
    let which = ["1.0.5", "--product", "clock"];
    let with = |verb| [&["release", verb][..], &which].concat();
    let shown = desk.table(&with("show")).await;
    for line in [
        "state             draft",
        "chip              esp32c3",
        "chip revisions    v0.0 to any",
        "flash             4 MiB, dio",
        "esp-idf           v5.5",
        "secure version    0",
        "signature blocks  0",
        "source            ssh://git@example.org/clock.git@0123456789abcdef",
        "sbom              cyclonedx 1.6, 1 components",
    ] {
        assert!(shown.contains(&format!("{line}\n")), "{line}\n{shown}");
    }
    let printed = desk.run(&with("sbom")).await;
    assert_eq!(printed.stdout, sbom);
    desk.refused(&[&with("yank")[..], &["--yes"]].concat(), 5, "release_is_draft").await;
    assert_eq!(desk.done(&with("publish-draft")).await["state"], "published");
    desk.refused(&[&with("delete")[..], &["--yes"]].concat(), 5, "image_in_use").await;

    desk.done(&["device", "add", "clock-01", "--product", "clock", "--out", &desk.path("c")]).await;
    let reported = format!(
        r#"{{"reported":{{"firmware":{{"sha256":{},"version":"1.0.5","slot":"ota_0","state":"confirmed"}}}}}}"#,
        draft["sha256"]
    );
    desk.done(&["shadow", "set", "clock-01", &reported]).await;
    let running = desk.table(&["release", "running", "--product", "clock"]).await;
    assert!(running.contains("clock-01  1.0.5    published  ssh://git@example.org"), "{running}");
    let yank = [&with("yank")[..], &["--reason", "Gets hot", "--yes"]].concat();
    let yanked = desk.run(&yank).await;
    assert!(yanked.stdout.contains("Gets hot"), "{}", yanked.stdout);
    assert!(yanked.stderr.contains("clock-01 still run 1.0.5"), "{}", yanked.stderr);
    desk.refused(&[&with("delete")[..], &["--yes"]].concat(), 5, "clock-01").await;

    let other = desk.image("1.1.0");
    let publish = ["release", "publish", &other, "--product", "clock", "--version", "1.1.0"];
    desk.done(&[&publish[..], &["--key", &key, "--channel", "beta", "--draft"]].concat()).await;
    let delete = ["release", "delete", "1.1.0", "--product", "clock", "--yes"];
    desk.done(&delete).await;
    desk.refused(&delete, 4, "release_unknown").await;
    assert_eq!(desk.done(&["device", "channel", "clock-01", "beta"]).await["channel"], "beta");
    let revisions = desk.done(&["product", "chip-revisions", "clock", "0.3-1.1"]).await;
    assert_eq!(revisions["chip_revisions"], json!({ "min": 3, "max": 101 }));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_release_is_checked_with_the_root_s_public_part_alone_on_sqlite() {
    let desk = Desk::start().await;
    let (image, key) = (desk.image("1.0.5"), desk.path("keys/release.key"));
    let (root, root_key) = (desk.path("keys/root.cbor"), desk.path("keys/root.pub"));
    let manifest = desk.path("1.0.5.manifest");
    let publish = ["release", "publish", &image, "--product", "clock", "--version", "1.0.5"];
    desk.done(&[&publish[..], &["--key", &key, "--save-manifest", &manifest]].concat()).await;
    fs::remove_file(&key).unwrap();
    fs::remove_file(desk.path("keys/root.key")).unwrap();

    let files = ["release", "verify", &image, "--manifest", &manifest, "--root", &root];
    let offline = ["--server", "http://127.0.0.1:9", "--token-file", "/none"];
    let files = [&offline[..], &files, &["--root-key", &root_key]].concat();
    let verified = desk.done(&files).await;
    assert_eq!((&verified["version"], &verified["root_number"]), (&json!("1.0.5"), &json!(1)));
    let server = ["release", "verify", "--product", "clock", "--version", "1.0.5", "--root-key"];
    assert_eq!(desk.done(&[&server[..], &[&root_key]].concat()).await, verified);
    desk.refused(&server[..6], 2, "--root-key").await;
    let missing = ["release", "verify", "--product", "clock", "--version", "9", "--root-key"];
    desk.refused(&[&missing[..], &[&root_key]].concat(), 4, "release_unknown").await;

    desk.done(&["key", "new", "--out", &desk.path("other"), "--no-passphrase"]).await;
    let stranger = desk.path("other/root.pub");
    desk.refused(&[&server[..], &[&stranger]].concat(), 1, "root document 1 is refused").await;
    let other = desk.image("1.0.6");
    let mixed = ["release", "verify", &other, "--manifest", &manifest, "--root", &root];
    desk.refused(&[&mixed[..], &["--root-key", &root_key]].concat(), 1, "is refused").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn bytes_for_another_chip_are_signed_published_and_checked_on_sqlite() {
    let desk = Desk::start().await;
    let (key, root) = (desk.path("keys/release.key"), desk.path("keys/root.cbor"));
    let create = ["product", "create", "lamp", "--flash", "1M", "--root", &root];
    let raw = [&create[..], &["--chip", "nrf52840", "--images", "raw"]].concat();
    desk.refused(&[&create[..], &["--chip", "nrf52840"]].concat(), 2, "--images raw goes with")
        .await;
    desk.done(&raw).await;
    let image = desk.write("lamp.bin", b"any bytes".repeat(9_000));
    let publish = ["release", "publish", &image, "--product", "lamp", "--version", "1.0"];
    let publish = [&publish[..], &["--key", &key]].concat();
    desk.refused(&publish, 1, "not_esp_image").await;
    desk.refused(&publish, 1, "name its chip, such as --raw linux").await;
    desk.refused(&[&publish[..], &["--raw", "esp32c3"]].concat(), 2, "leave --raw out").await;
    let counted = ["--raw", "nrf52840", "--security-counter", "2"];
    let published = desk.done(&[&publish[..], &counted].concat()).await;
    assert_eq!(
        (&published["image"]["format"], &published["security_counter"]),
        (&json!("raw"), &json!(2))
    );
    let verify = ["release", "verify", "--product", "lamp", "--version", "1.0", "--root-key"];
    let verified = desk.done(&[&verify[..], &[&desk.path("keys/root.pub")]].concat()).await;
    assert_eq!(verified["chip"], "nrf52840");
}

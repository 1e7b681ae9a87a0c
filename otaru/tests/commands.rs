//! Commands of publishers and operators against a real server: what they send, print and end with.

use std::fs;
use std::path::{Path, PathBuf};

use otaru_real_fleet::{Client, CommandOutput, Server};
use serde_json::{Value, json};
use tempfile::TempDir;

/// A server with the product `clock`, and somebody at a desk with its keys.
struct Desk {
    client: Client,
    folder: TempDir,
    _server: Server,
}

impl Desk {
    async fn start() -> Desk {
        let folder = tempfile::tempdir().unwrap();
        let mut server = Server::new(binary(), folder.path(), None).unwrap();
        server.start().await.unwrap();
        let client = Client::new(binary(), &server.url(), &server.admin_token_file());
        let desk = Desk { client, folder, _server: server };
        desk.done(&["key", "new", "--out", &desk.path("keys"), "--no-passphrase"]).await;
        let create = ["product", "create", "clock", "--chip", "esp32c3", "--flash", "4M", "--root"];
        desk.done(&[&create[..], &[&desk.path("keys/root.cbor")]].concat()).await;
        desk
    }

    fn path(&self, name: &str) -> String {
        self.folder.path().join(name).display().to_string()
    }

    fn write(&self, name: &str, content: impl AsRef<[u8]>) -> String {
        let path = PathBuf::from(self.path(name));
        fs::write(&path, content).unwrap();
        path.display().to_string()
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

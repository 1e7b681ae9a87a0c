use std::path::Path;

use tempfile::TempDir;
use tokio::sync::oneshot;

use super::*;

/// Nothing here takes a tenth of it.
const LONG: Duration = Duration::from_secs(60);
const SHORT: Duration = Duration::from_millis(300);

/// A gateway that reaches nobody, with an image in a file.
fn gateway(folder: &Path) -> GatewayOptions {
    let device = "thing = \"clock-01\"\nproduct = \"clock\"\nchip = \"linux\"\n\
                  device_url = \"https://localhost:1\"\nmqtt_url = \"mqtts://localhost:1\"\n";
    for (name, text) in [("device.toml", device), ("cert.pem", ""), ("key.pem", "")] {
        std::fs::write(folder.join(name), text).unwrap();
    }
    std::fs::write(folder.join("image"), "an image").unwrap();
    GatewayOptions {
        dir: folder.to_owned(),
        slots: SlotFiles {
            state: folder.join("state"),
            partitions: None,
            slot_bytes: 1 << 20,
            overwrite: false,
        },
        first_image: Some(folder.join("image")),
        commands: Commands {
            self_test_limit: LONG,
            stop_limit: LONG,
            restart_limit: LONG,
            apply_settings_limit: LONG,
            ..Commands::default()
        },
        broker_limit: LONG,
        patches: true,
        retry_base: LONG,
        retry_cap: LONG,
        restart_window: None,
        hook: None,
        renewal: None,
    }
}

/// Runs the gateway until it says that it started.
async fn until_started(options: &GatewayOptions) -> Result<(), GatewayError> {
    let (sender, started) = oneshot::channel();
    let shutdown = async { drop(started.await) };
    let running = run_gateway(options, || sender.send(()).expect("it is waited for"), shutdown);
    tokio::time::timeout(LONG, running).await.expect("it starts")
}

#[tokio::test]
async fn a_product_that_hangs_in_its_restart_leaves_the_agent_alone() {
    let folder = TempDir::new().unwrap();
    let mut options = gateway(folder.path());
    options.commands.restart = Some(vec!["/bin/sleep".to_owned(), "600".to_owned()]);
    options.commands.restart_limit = SHORT;
    until_started(&options).await.unwrap();
    assert!(!options.slots.is_in_force(), "the next start tries again");
    options.commands.restart = Some(vec!["/bin/true".to_owned()]);
    until_started(&options).await.unwrap();
    assert!(options.slots.is_in_force());
}

/// It costs updates until somebody puts it right, and never the product.
#[tokio::test]
async fn a_damaged_certificate_keeps_no_product_from_running() {
    let folder = TempDir::new().unwrap();
    let mut options = gateway(folder.path());
    let ran = folder.path().join("ran");
    let touch = ["/bin/touch", ran.to_str().unwrap()].map(str::to_owned);
    options.commands.restart = Some(touch.to_vec());
    std::fs::write(folder.path().join("cert.pem"), [0xFF; 100]).unwrap();
    std::fs::remove_file(folder.path().join("key.pem")).unwrap();
    until_started(&options).await.unwrap();
    assert!(ran.exists());
}

/// A file system that turned read-only costs updates, and never the product.
#[tokio::test]
async fn state_that_is_no_good_keeps_no_product_from_running() {
    let folder = TempDir::new().unwrap();
    let mut options = gateway(folder.path());
    let said = folder.path().join("said");
    let run = format!("echo started >> {}; exec sleep 600", said.display());
    options.commands.run = Some(["/bin/sh", "-c", &run].map(str::to_owned).to_vec());
    (options.retry_base, options.retry_cap) = (SHORT, SHORT);
    let starts = || std::fs::read_to_string(&said).unwrap_or_default().lines().count();
    let until = async |count| {
        while starts() < count {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    until_started(&options).await.unwrap();

    let (records, kept) = (options.slots.state.join("records"), folder.path().join("kept"));
    std::fs::rename(&records, &kept).unwrap();
    std::fs::create_dir(&records).unwrap();
    let before = starts();
    let shutdown = async {
        until(before + 1).await;
        tokio::time::sleep(SHORT * 3).await;
        assert_eq!(starts(), before + 1, "nothing touches it meanwhile");
        std::fs::remove_dir(&records).unwrap();
        std::fs::rename(&kept, &records).unwrap();
        // With the agent it begins again.
        until(before + 2).await;
    };
    let mut is_started = false;
    let running = run_gateway(&options, || is_started = true, shutdown);
    tokio::time::timeout(LONG, running).await.expect("it goes on").unwrap();
    assert!(is_started);
}

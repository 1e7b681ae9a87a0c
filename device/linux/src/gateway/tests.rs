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
    let (enrolment, then) = (std::future::ready(()), std::future::ready(()));
    run_until(options, enrolment, then).await
}

/// The same, and then until something else is over.
async fn run_until(
    options: &GatewayOptions,
    enrolment: impl Future<Output = ()>,
    then: impl Future<Output = ()>,
) -> Result<(), GatewayError> {
    let (sender, started) = oneshot::channel();
    let shutdown = async {
        started.await.expect("it starts");
        then.await;
    };
    let is_started = || sender.send(()).expect("it is waited for");
    let running = run_gateway(options, enrolment, is_started, shutdown);
    tokio::time::timeout(LONG, running).await.expect("it starts")
}

/// A program that stays, and writes down each of its starts.
struct Counted(PathBuf);

impl Counted {
    fn run_by(options: &mut GatewayOptions, folder: &Path) -> Counted {
        let said = folder.join("said");
        let run = format!("echo started >> {}; exec sleep 600", said.display());
        options.commands.run = Some(["/bin/sh", "-c", &run].map(str::to_owned).to_vec());
        Counted(said)
    }

    fn starts(&self) -> usize {
        std::fs::read_to_string(&self.0).unwrap_or_default().lines().count()
    }

    async fn until(&self, count: usize) {
        while self.starts() < count {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }
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
    let program = Counted::run_by(&mut options, folder.path());
    (options.retry_base, options.retry_cap) = (SHORT, SHORT);
    until_started(&options).await.unwrap();

    let (records, kept) = (options.slots.state.join("records"), folder.path().join("kept"));
    std::fs::rename(&records, &kept).unwrap();
    std::fs::create_dir(&records).unwrap();
    let before = program.starts();
    let shutdown = async {
        program.until(before + 1).await;
        tokio::time::sleep(SHORT * 3).await;
        assert_eq!(program.starts(), before + 1, "nothing touches it meanwhile");
        std::fs::remove_dir(&records).unwrap();
        std::fs::rename(&kept, &records).unwrap();
        // With the agent it begins again.
        program.until(before + 2).await;
    };
    let mut is_started = false;
    let enrolment = std::future::ready(());
    let running = run_gateway(&options, enrolment, || is_started = true, shutdown);
    tokio::time::timeout(LONG, running).await.expect("it goes on").unwrap();
    assert!(is_started);
}

/// Whoever sets up a gateway may need its product to give it a network.
#[tokio::test]
async fn the_product_runs_before_there_is_a_device() {
    let folder = TempDir::new().unwrap();
    let mut options = gateway(folder.path());
    let program = Counted::run_by(&mut options, folder.path());
    let (settings, kept) = (folder.path().join("device.toml"), folder.path().join("kept"));
    std::fs::rename(&settings, &kept).unwrap();
    let enrolment = async {
        program.until(1).await;
        assert!(options.slots.has_current());
        std::fs::rename(&kept, &settings).unwrap();
    };
    run_until(&options, enrolment, program.until(2)).await.unwrap();
}

/// A certificate that is lost costs updates until another token is there, and never the product.
#[tokio::test]
async fn an_enrolment_that_comes_to_nothing_stops_no_product() {
    let folder = TempDir::new().unwrap();
    let mut options = gateway(folder.path());
    let program = Counted::run_by(&mut options, folder.path());
    std::fs::remove_file(folder.path().join("cert.pem")).unwrap();
    run_until(&options, std::future::pending(), program.until(1)).await.unwrap();
}

/// What has no product yet may still become a device.
#[tokio::test]
async fn a_missing_first_image_ends_no_enrolment() {
    let folder = TempDir::new().unwrap();
    let mut options = gateway(folder.path());
    let image = options.first_image.clone().unwrap();
    let (settings, kept) = (folder.path().join("device.toml"), folder.path().join("kept"));
    std::fs::rename(&settings, &kept).unwrap();
    std::fs::remove_file(&image).unwrap();
    let program = Counted::run_by(&mut options, folder.path());
    let enrolment = async {
        tokio::time::sleep(SHORT).await;
        std::fs::write(&image, "an image").unwrap();
        std::fs::rename(&kept, &settings).unwrap();
    };
    run_until(&options, enrolment, program.until(1)).await.unwrap();
}

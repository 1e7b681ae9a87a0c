use std::fs::OpenOptions;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use tempfile::TempDir;

use super::*;

/// Nothing here takes a hundredth of it.
const LONG: Duration = Duration::from_secs(60);
/// What takes as long as it may; a busy machine starts a program within it.
const SHORT: Duration = Duration::from_secs(2);

/// A folder with a program that is in no shell: `stays`, to be found busy while it runs.
struct Folder(TempDir);

impl Folder {
    fn new() -> Folder {
        let folder = Folder(TempDir::new().unwrap());
        std::fs::copy("/bin/sleep", folder.stays()).unwrap();
        folder
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn stays(&self) -> PathBuf {
        self.path("stays")
    }

    /// A script that starts `stays` beside itself, says that it runs by the file `started`, and goes on.
    fn script(&self, rest: &str) -> Vec<String> {
        let (path, stays, started) = (self.path("script"), self.stays(), self.path("started"));
        let (stays, started) = (stays.display(), started.display());
        let text = format!(
            "#!/bin/sh\n{stays} 600 &\n\
             until grep -qa {stays} /proc/$!/cmdline; do :; done\n\
             echo $! > {started}.new\nmv {started}.new {started}\n{rest}\n"
        );
        std::fs::write(&path, text).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
        vec![path.to_str().unwrap().to_owned()]
    }

    /// Waits until the script came to what follows.
    async fn until_started(&self) {
        until("the start", || self.path("started").exists()).await;
    }

    /// What the next download would meet.
    fn is_busy(&self) -> bool {
        OpenOptions::new().write(true).open(self.stays()).is_err()
    }
}

async fn until(what: &str, is_so: impl Fn() -> bool) {
    let waiting = async {
        while !is_so() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    timeout(LONG, waiting).await.unwrap_or_else(|_| panic!("{what} never came"));
}

fn end(pid: &Path) {
    let pid = std::fs::read_to_string(pid).unwrap();
    let killed = std::process::Command::new("kill").arg(pid.trim()).status().unwrap();
    assert!(killed.success());
}

#[tokio::test]
async fn who_hangs_is_killed_with_everything_it_started() {
    let folder = Folder::new();
    let script = folder.script("wait");
    assert_eq!(run(&script, Vec::new(), SHORT, Left::Runs).await.unwrap(), Ran::TimedOut);
    assert!(folder.path("started").exists());
    assert!(!folder.is_busy());
}

#[tokio::test]
async fn who_is_dropped_is_killed_with_everything_it_started() {
    let folder = Folder::new();
    let script = folder.script("wait");
    tokio::select! {
        _ = run(&script, Vec::new(), LONG, Left::Runs) => panic!("it waits"),
        () = async {
            folder.until_started().await;
            until("what it started", || folder.is_busy()).await;
        } => {}
    }
    until("its end", || !folder.is_busy()).await;
}

#[tokio::test]
async fn what_is_left_runs_on_where_it_was_meant_to_be_started() {
    let folder = Folder::new();
    let script = folder.script("exit 0");
    assert_eq!(run(&script, Vec::new(), LONG, Left::Runs).await.unwrap(), Ran::Passed);
    assert!(folder.is_busy());
    end(&folder.path("started"));
    until("its end", || !folder.is_busy()).await;
    let script = folder.script("exit 3");
    assert_eq!(run(&script, Vec::new(), LONG, Left::Killed).await.unwrap(), Ran::Failed);
    assert!(!folder.is_busy());
}

#[tokio::test]
async fn who_does_not_read_is_not_waited_for() {
    // More than a pipe holds, and somebody who keeps it open.
    let (folder, input) = (Folder::new(), vec![b'x'; 1 << 20]);
    let script = folder.script("exit 0");
    assert_eq!(run(&script, input, LONG, Left::Killed).await.unwrap(), Ran::Passed);
}

#[tokio::test]
async fn a_program_that_ended_by_itself_leaves_nothing() {
    let folder = Folder::new();
    // Deaf to SIGTERM, as is what it starts.
    let script = folder.script("exit 1");
    let text = std::fs::read_to_string(&script[0]).unwrap();
    std::fs::write(&script[0], text.replace("#!/bin/sh", "#!/bin/sh\ntrap '' TERM")).unwrap();
    let program = Program::start(&script, SHORT).unwrap();
    program.ended().await;
    assert!(folder.is_busy());
    program.stop().await;
    assert!(!folder.is_busy());
}

#[tokio::test]
async fn a_program_that_is_stopped_has_its_time() {
    let folder = Folder::new();
    let script = folder.script("trap 'sleep 0.2; exit 0' TERM\nwait");
    let program = Program::start(&script, LONG).unwrap();
    folder.until_started().await;
    program.stop().await;
    assert!(!folder.is_busy());
    program.ended().await;
    // Again, and nobody is there to hear it.
    program.stop().await;
}

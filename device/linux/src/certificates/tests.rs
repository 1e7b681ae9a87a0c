use otaru_keys::Renewal;
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};

use super::*;

struct Folder {
    home: tempfile::TempDir,
    told: UnboundedReceiver<Told>,
    certificates: Certificates,
}

impl Folder {
    /// A device with a certificate, and a new one that is to be proven.
    fn new() -> Folder {
        let home = tempfile::tempdir().unwrap();
        for name in ["ca.pem", "cert.pem", "key.pem"] {
            std::fs::write(home.path().join(name), "old").unwrap();
        }
        add_next(home.path());
        let (sender, told) = unbounded_channel();
        let certificates = Certificates::new(home.path(), sender);
        certificates.set_quiet(false);
        Folder { home, told, certificates }
    }

    fn chosen(&self) -> Shown {
        let (shown, credentials) = self.certificates.choose().unwrap();
        assert_eq!(credentials.cert_pem == "old", shown == Shown::Current);
        shown
    }

    fn said(&mut self) -> Vec<String> {
        let mut said = Vec::new();
        while let Ok(Told::Line(_, line)) = self.told.try_recv() {
            said.push(line);
        }
        said
    }

    fn certificate(&self) -> String {
        std::fs::read_to_string(self.home.path().join("cert.pem")).unwrap()
    }
}

fn add_next(dir: &Path) {
    let renewal = Renewal::begin(dir).unwrap();
    let next = renewal.credentials("new".to_owned(), "new".to_owned());
    renewal.finish(&next, 7).unwrap();
}

#[test]
fn a_session_proves_the_new_one() {
    let mut folder = Folder::new();
    assert_eq!(folder.chosen(), Shown::Next);
    folder.certificates.worked(Shown::Next);
    assert_eq!(folder.certificate(), "new");
    assert!(!folder.certificates.has_next());
    assert_eq!(folder.said(), ["the new certificate works; the one before was removed"]);
    assert_eq!(folder.certificates.choose().unwrap().0, Shown::Current);
}

#[test]
fn a_new_one_that_is_refused_goes_once_the_old_one_works() {
    let mut folder = Folder::new();
    folder.certificates.failed(Shown::Next, Some("not you".to_owned()));
    assert_eq!(folder.chosen(), Shown::Current, "at once");
    // Nobody answers: who knows which of the two is good.
    folder.certificates.failed(Shown::Current, None);
    assert_eq!(folder.chosen(), Shown::Next);
    folder.certificates.failed(Shown::Next, None);
    folder.certificates.worked(Shown::Current);
    assert!(!folder.certificates.has_next());
    assert_eq!(folder.certificate(), "old");
    assert_eq!(
        folder.said(),
        ["the new certificate is no good, going on with the one before: not you"]
    );
}

#[test]
fn a_link_that_is_down_makes_no_certificate_bad_until_it_always_is() {
    let mut folder = Folder::new();
    for _ in 0..TRIES {
        assert!(folder.certificates.has_next());
        assert_eq!(folder.chosen(), Shown::Next);
        folder.certificates.failed(Shown::Next, None);
        assert_eq!(folder.chosen(), Shown::Current);
        folder.certificates.worked(Shown::Current);
    }
    assert!(!folder.certificates.has_next());
    assert_eq!(folder.said().len(), 1);
}

#[test]
fn what_was_retired_by_the_server_is_left_for_the_new_one() {
    let folder = Folder::new();
    folder.certificates.set_quiet(true);
    assert_eq!(folder.chosen(), Shown::Current, "nothing new in a trial");
    folder.certificates.failed(Shown::Current, Some("revoked".to_owned()));
    assert_eq!(folder.chosen(), Shown::Next, "unless there is nothing else");
    folder.certificates.worked(Shown::Next);
    assert_eq!(folder.certificate(), "new");
}

#[test]
fn a_damaged_new_one_is_none() {
    let mut folder = Folder::new();
    std::fs::write(folder.home.path().join("next.toml"), "half of").unwrap();
    assert_eq!(folder.chosen(), Shown::Current);
    assert_eq!(folder.said().len(), 1);
    assert!(!folder.home.path().join("next.toml").exists());
}

#[test]
fn without_a_new_one_nothing_changes() {
    let folder = Folder::new();
    otaru_keys::drop_next(folder.home.path()).unwrap();
    for _ in 0..3 {
        assert_eq!(folder.chosen(), Shown::Current);
        folder.certificates.failed(Shown::Current, Some("not you".to_owned()));
    }
    folder.certificates.worked(Shown::Current);
    assert_eq!(folder.chosen(), Shown::Current);
    std::fs::remove_file(folder.home.path().join("ca.pem")).unwrap();
    assert_eq!(folder.certificates.choose().err(), Some(Reason::TlsRootMissing));
}

use std::fs;
use std::os::unix::fs::PermissionsExt;

use super::*;
use crate::durable::power;

const ENROLLED: [&str; 5] = ["ca.pem", "cert.pem", "device.toml", "key.pem", "root.pub"];

/// A folder of a device, and what its server would let in.
struct Device {
    home: tempfile::TempDir,
    old: Credentials,
    /// Whether the new certificate has connected: the old one is worth nothing since.
    has_connected: bool,
}

fn set(key_pem: &str) -> Credentials {
    let key_pem = key_pem.to_owned();
    Credentials { cert_pem: format!("for {key_pem}"), ca_pem: format!("of {key_pem}"), key_pem }
}

impl Device {
    fn new() -> Device {
        let home = tempfile::tempdir().unwrap();
        let old = set(&KeyPair::generate().unwrap().serialize_pem());
        for (name, text) in [
            ("ca.pem", old.ca_pem.as_str()),
            ("cert.pem", &old.cert_pem),
            ("key.pem", &old.key_pem),
            ("device.toml", "a server"),
            ("root.pub", "a root"),
        ] {
            fs::write(home.path().join(name), text).unwrap();
        }
        Device { home, old, has_connected: false }
    }

    fn dir(&self) -> &Path {
        self.home.path()
    }

    /// What a device does from its start until it has another certificate, with this much power.
    fn live(&mut self, steps: Option<u32>) -> Result<(), KeysError> {
        power::lasts(steps);
        settle(self.dir())?;
        if Credentials::next(self.dir())?.is_none() && Credentials::current(self.dir())? == self.old
        {
            let renewal = Renewal::begin(self.dir())?;
            let answer = set(&renewal.key.serialize_pem());
            let next = renewal.credentials(answer.cert_pem, answer.ca_pem);
            renewal.finish(&next, 1_795_478_400)?;
        }
        if Credentials::next(self.dir())?.is_some() {
            self.has_connected = true;
            keep_next(self.dir())?;
        }
        Ok(())
    }

    fn keys(&self) -> Vec<String> {
        let next = fs::read_to_string(self.dir().join(NEXT_KEY)).ok();
        let set = Credentials::next(self.dir()).unwrap().map(|next| next.key_pem);
        next.into_iter().chain(set).collect()
    }
}

#[test]
fn power_may_go_at_every_step() {
    let mut steps = 0;
    loop {
        let mut device = Device::new();
        let lasted = device.live(Some(steps)).is_ok();
        power::lasts(None);
        let current = Credentials::current(device.dir()).unwrap();
        let next = Credentials::next(device.dir()).unwrap();
        let is_whole = |found: &Credentials| *found == set(&found.key_pem);
        assert!(is_whole(&current) && next.iter().all(is_whole), "after {steps} steps");
        let is_good = |found: &Credentials| (*found == device.old) != device.has_connected;
        assert!(is_good(&current) || next.iter().any(is_good), "nothing works after {steps} steps");
        let begun = device.keys();

        device.live(None).unwrap();

        let renewed = Credentials::current(device.dir()).unwrap();
        assert!(renewed != device.old && is_whole(&renewed), "after {steps} steps");
        assert!(begun.iter().all(|key| *key == renewed.key_pem), "another key after {steps} steps");
        let mut names: Vec<_> = fs::read_dir(device.dir())
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.retain(|name| name != RENEWED_AT && !name.ends_with(".new"));
        names.sort_unstable();
        assert_eq!(names, ENROLLED, "after {steps} steps");
        let mode = fs::metadata(device.dir().join("key.pem")).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        if lasted {
            assert!(steps > 20, "it ended after {steps} steps");
            return;
        }
        steps += 1;
    }
}

#[test]
fn keys_are_their_owners_alone_and_stay_the_same() {
    let device = Device::new();
    let mode =
        |name: &str| fs::metadata(device.dir().join(name)).unwrap().permissions().mode() & 0o777;
    let first = Renewal::begin(device.dir()).unwrap();
    assert_eq!(mode(NEXT_KEY), 0o600);
    assert!(Renewal::is_begun(device.dir()));
    let again = Renewal::begin(device.dir()).unwrap();
    assert_eq!(again.key.serialize_pem(), first.key.serialize_pem());
    assert_ne!(again.key.serialize_pem(), device.old.key_pem);
    assert!(again.request().unwrap().starts_with("-----BEGIN CERTIFICATE REQUEST-----"));
    let next = again.credentials("a certificate".to_owned(), "an authority".to_owned());
    again.finish(&next, 7).unwrap();
    assert_eq!((mode(NEXT), renewed_at(device.dir())), (0o600, Some(7)));
    assert!(!Renewal::is_begun(device.dir()));
}

#[test]
fn what_is_no_good_goes_and_another_key_is_made() {
    let device = Device::new();
    let renewal = Renewal::begin(device.dir()).unwrap();
    let refused = renewal.key.serialize_pem();
    let next = renewal.credentials("a certificate".to_owned(), "an authority".to_owned());
    renewal.finish(&next, 7).unwrap();

    drop_next(device.dir()).unwrap();

    assert!(Credentials::next(device.dir()).unwrap().is_none());
    assert!(Credentials::current(device.dir()).unwrap() == device.old);
    assert_ne!(Renewal::begin(device.dir()).unwrap().key.serialize_pem(), refused);
    fs::write(device.dir().join(NEXT_KEY), "damaged").unwrap();
    Renewal::begin(device.dir()).unwrap().request().unwrap();
    fs::write(device.dir().join(NEXT), "damaged").unwrap();
    assert!(matches!(Credentials::next(device.dir()), Err(KeysError::Set { .. })));
}

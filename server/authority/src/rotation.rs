//! Another key and certificate take the place of the authority's, and both are believed for a while.
//!
//! The old key signs the new authority once and is then overwritten: who trusts the old one alone
//! finds the server by that word, and nobody can take the key later.
//!
//! `next.pem` decides: before it is there nothing has happened, and once it is, [`complete`] does
//! the rest, now or at the next start. Each of its steps leaves what the next one needs, so that
//! it may be cut short and begun anew at any of them.

use std::path::Path;
use std::time::SystemTime;

use rcgen::{BasicConstraints, CertificateParams, IsCa, KeyPair};
use zeroize::Zeroizing;

use crate::authority::{key_text, new_authority, new_key, stamps};
use crate::current::{Current, blocks};
use crate::files::{self, Secrecy};
use crate::issue::{Serial, last_day, valid_until};
use crate::key::KeyPlace;
use crate::{Authority, AuthorityError};

impl Authority {
    /// Has a new key sign from now on. The authority before is believed until
    /// [`Authority::forget_predecessor`].
    ///
    /// A crash leaves the old authority as it was, or the new one with the old one believed.
    ///
    /// # Errors
    /// [`AuthorityError::RotationOpen`] while one from before is believed,
    /// [`AuthorityError::KeyOutside`], and faults of the files.
    pub fn rotate(&self, now: SystemTime) -> Result<(), AuthorityError> {
        let mut seen = self.turning();
        let KeyPlace::File(passphrase) = self.key_place() else {
            return Err(AuthorityError::KeyOutside);
        };
        let current = self.current();
        if current.before.is_some() {
            return Err(AuthorityError::RotationOpen);
        }
        let key = new_key()?;
        let params = new_authority(now)?;
        let cross_pem = vouched_for(&params, &key, &current)?;
        let certificate = params.self_signed(&key)?.pem();
        let dir = self.dir();
        let text = key_text(&Zeroizing::new(key.serialize_pem()), passphrase.as_ref())?;
        files::write(&dir.join("next.key"), &text, Secrecy::Private)?;
        let decided = [certificate, cross_pem, current.own.pem.clone()].concat();
        files::write(&dir.join("next.pem"), &decided, Secrecy::Public)?;
        self.read_again(&mut seen, now).map(drop)
    }

    /// Believes the authority before this one no more, if there is one.
    ///
    /// A crash leaves both or one believed.
    pub fn forget_predecessor(&self, now: SystemTime) -> Result<(), AuthorityError> {
        let mut seen = self.turning();
        files::remove(&self.dir().join("old.pem"))?;
        self.read_again(&mut seen, now).map(drop)
    }

    /// Reads the files anew, which a rotation that was cut short or an operator may have changed.
    /// Says whether others sign or are believed than before; what cannot be used leaves them.
    pub fn reload(&self, now: SystemTime) -> Result<bool, AuthorityError> {
        let mut seen = self.turning();
        // A key under a passphrase takes its time to open.
        if *seen == stamps(self.dir()) {
            return Ok(false);
        }
        self.read_again(&mut seen, now)
    }
}

/// The word of the present authority for the next one. It may sign certificates of servers and no
/// further authority: that is all it is needed for.
fn vouched_for(
    next: &CertificateParams,
    key: &KeyPair,
    current: &Current,
) -> Result<String, AuthorityError> {
    let mut params = next.clone();
    params.serial_number = Some(Serial::random()?.to_rcgen());
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.not_after = valid_until(last_day(params.not_after.into(), current.own.not_after));
    params.use_authority_key_identifier_extension = true;
    Ok(params.signed_by(key, &current.issuer)?.pem())
}

/// Ends what [`Authority::rotate`] began, or takes it back where it was not decided yet.
pub(crate) fn complete(dir: &Path) -> Result<(), AuthorityError> {
    let (next_key, next) = (dir.join("next.key"), dir.join("next.pem"));
    files::remove_left_over(&next)?;
    let Some(text) = files::read(&next)? else { return files::remove(&next_key) };
    let unreadable = || AuthorityError::CertificateUnreadable { path: next.clone() };
    let [certificate, cross, old] =
        <[String; 3]>::try_from(blocks(&text)).map_err(|_| unreadable())?;
    files::write(&dir.join("old.pem"), &[&*old, &cross].concat(), Secrecy::Public)?;
    // Not there if it was moved before a crash.
    files::rename(&next_key, &dir.join("ca.key"))?;
    files::write(&dir.join("ca.pem"), &[certificate, old].concat(), Secrecy::Public)?;
    files::remove(&next)
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, UNIX_EPOCH};

    use otaru_doors::fingerprint;
    use otaru_wire::{OrganisationId, ThingName};
    use rustls_pki_types::pem::PemObject;
    use rustls_pki_types::{CertificateDer, UnixTime};

    use super::*;
    use crate::{IssuedDevice, Passphrase};

    fn now() -> SystemTime {
        UNIX_EPOCH + Duration::from_secs(1_795_430_400)
    }

    fn device(authority: &Authority) -> IssuedDevice {
        let thing = ThingName::new("clock-01").unwrap();
        authority.issue_device(&thing, &OrganisationId::default(), now()).unwrap()
    }

    fn is_believed(authority: &Authority, device: &IssuedDevice) -> bool {
        let leaf = CertificateDer::from_pem_slice(device.cert_pem.as_bytes()).unwrap();
        let at = now().duration_since(UNIX_EPOCH).unwrap();
        let judged = authority.device_trust().judge(&[leaf], UnixTime::since_unix_epoch(at));
        judged.is_ok_and(|peer| peer.issuer == device.issuer)
    }

    /// Starts again and again while power goes after ever more steps, until a start is whole.
    fn opened_at_last(dir: &Path) -> Authority {
        let opened = (0..).find_map(|steps| {
            files::lose_power_after(Some(steps));
            let opened = Authority::open_or_create(dir, now());
            files::lose_power_after(None);
            opened.ok()
        });
        let opened = opened.unwrap();
        let mut left: Vec<_> =
            std::fs::read_dir(dir).unwrap().map(|entry| entry.unwrap()).collect();
        left.retain(|entry| {
            let name = entry.file_name().into_string().unwrap();
            name.starts_with("next") || name.ends_with(".new")
        });
        assert!(left.is_empty(), "{left:?}");
        opened
    }

    #[test]
    fn a_rotation_leaves_one_whole_authority_or_two_whenever_power_goes() {
        let mut seen = [0; 2];
        for steps in 0.. {
            let folder = tempfile::tempdir().unwrap();
            let authority = Authority::open_or_create(folder.path(), now()).unwrap();
            let before = device(&authority);
            files::lose_power_after(Some(steps));
            let rotated = authority.rotate(now());
            files::lose_power_after(None);
            drop(authority);

            let again = opened_at_last(folder.path());

            let all = again.certificates();
            assert!(is_believed(&again, &before), "after {steps} steps");
            let after = device(&again);
            assert!(is_believed(&again, &after), "after {steps} steps");
            assert_eq!(after.issuer, fingerprint(&all[0]));
            assert_eq!(after.issuer == before.issuer, all.len() == 1, "after {steps} steps");
            let kept = files::read(&folder.path().join("ca.pem")).unwrap().unwrap();
            assert_eq!(kept, again.ca_pem());
            seen[all.len() - 1] += 1;
            if rotated.is_ok() {
                assert_eq!(all.len(), 2);
                break;
            }
        }
        assert!(seen.iter().all(|times| *times > 3), "{seen:?}");
    }

    #[test]
    fn the_one_before_is_believed_or_not_whenever_power_goes() {
        for steps in 0.. {
            let folder = tempfile::tempdir().unwrap();
            let authority = Authority::open_or_create(folder.path(), now()).unwrap();
            let before = device(&authority);
            authority.rotate(now()).unwrap();
            let after = device(&authority);
            files::lose_power_after(Some(steps));
            let forgotten = authority.forget_predecessor(now());
            files::lose_power_after(None);
            drop(authority);

            let again = opened_at_last(folder.path());

            assert!(is_believed(&again, &after), "after {steps} steps");
            assert_eq!(is_believed(&again, &before), again.certificates().len() == 2);
            if forgotten.is_ok() {
                assert!(!is_believed(&again, &before));
                break;
            }
        }
    }

    #[test]
    fn a_key_that_waits_for_its_rotation_goes_under_the_passphrase() {
        let passphrase = Passphrase::new("correct horse".to_owned()).unwrap();
        let cut_short = (0..).find_map(|steps| {
            let folder = tempfile::tempdir().unwrap();
            let authority = Authority::open_or_create(folder.path(), now()).unwrap();
            files::lose_power_after(Some(steps));
            let _ = authority.rotate(now());
            files::lose_power_after(None);
            folder.path().join("next.pem").exists().then_some(folder)
        });
        let folder = cut_short.unwrap();
        Authority::seal_key(folder.path(), &passphrase).unwrap();
        let sealed = Authority::open_or_create_sealed(folder.path(), Some(&passphrase), now());
        assert_eq!(sealed.unwrap().certificates().len(), 2);
    }

    #[test]
    fn who_rotates_without_a_word_of_the_files_goes_on_with_them() {
        let folder = tempfile::tempdir().unwrap();
        let [one, other] = [(); 2].map(|()| Authority::open_or_create(folder.path(), now()));
        let (one, other) = (one.unwrap(), other.unwrap());
        one.rotate(now()).unwrap();
        assert!(other.reload(now()).unwrap());
        assert_eq!(other.ca_pem(), one.ca_pem());
        assert!(!other.reload(now()).unwrap());
        assert!(matches!(other.rotate(now()), Err(AuthorityError::RotationOpen)));
    }
}

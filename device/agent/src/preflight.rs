//! Whether a verified manifest is for this device, before the first erase.

use otaru_release::{Chip, ManifestView, Unsuitable};
use otaru_wire::{ProductName, Reason};

use crate::{Least, Target, Wanted};

/// What the device is.
#[derive(Clone, Copy, Debug)]
pub struct Device<'a> {
    /// Its product.
    pub product: &'a ProductName,
    /// Its chip.
    pub chip: Chip,
    /// The chip's revision, major × 100 + minor, if the device can tell.
    pub revision: Option<u16>,
    /// Bytes of the slot that would be written.
    pub slot_bytes: u64,
    /// The least the manifest may say: [`Trust::least`](crate::Trust::least).
    pub least: Least,
}

/// Checks a manifest whose signature was verified against what was wished for and what the device is.
///
/// Errors: the reason to report. A dependency on another product names a part of
/// the device this agent does not update, so it is never met.
pub fn check_manifest(
    manifest: &ManifestView<'_>,
    wanted: &Wanted,
    device: Device<'_>,
) -> Result<Target, Reason> {
    if !manifest.names(&wanted.version, wanted.sha256.as_ref()) {
        return Err(Reason::WrongVersion);
    }
    let target = otaru_release::Target {
        product: device.product,
        chip: device.chip,
        revision: device.revision,
        slot_bytes: device.slot_bytes,
        sequence: device.least.sequence,
        security_counter: device.least.security_counter,
    };
    manifest.suits(&target).map_err(Unsuitable::reason)?;
    let is_met = |(product, min_sequence): (&[u8], u64)| {
        product == device.product.as_str().as_bytes() && min_sequence <= wanted.running_sequence
    };
    if !manifest.dependencies().all(is_met) {
        return Err(Reason::DependencyMissing);
    }
    Ok(Target {
        version: wanted.version.clone(),
        sha256: manifest.sha256(),
        size_bytes: manifest.size_bytes(),
        sequence: manifest.sequence(),
        security_counter: manifest.security_counter(),
    })
}

#[cfg(test)]
mod tests {
    use alloc::format;
    use alloc::string::String;

    use expect_test::expect;
    use otaru_release::{Dependency, ImageBuilder, Manifest, RootDocument, SecretKey};
    use otaru_wire::{Digest, ReleaseVersion};

    use super::*;
    use crate::Trust;

    fn name(text: &str) -> ProductName {
        ProductName::new(text).unwrap()
    }

    fn check(change: impl FnOnce(&mut Manifest, &mut Wanted)) -> String {
        check_on(None, change)
    }

    fn check_on(revision: Option<u16>, change: impl FnOnce(&mut Manifest, &mut Wanted)) -> String {
        let image = ImageBuilder::new(Chip::Esp32C3).size_bytes(4096).build();
        let version = ReleaseVersion::new("1.0.5").unwrap();
        let mut manifest = Manifest::for_image(&image, name("clock"), version.clone(), 5).unwrap();
        let mut wanted =
            Wanted { version, sha256: None, update: None, running_sequence: 4, security_floor: 0 };
        change(&mut manifest, &mut wanted);
        let product = name("clock");
        let secret = SecretKey::from_seed(&[1; 32]);
        let key = secret.public_key();
        let least = Trust::default().least(&RootDocument::first(key, key), &wanted);
        let chip = Chip::Esp32C3;
        let device = Device { product: &product, chip, revision, slot_bytes: 8192, least };
        let manifest = manifest.sign(&secret);
        let manifest = ManifestView::read_trusted(&manifest).unwrap();
        match check_manifest(&manifest, &wanted, device) {
            Ok(target) => format!("take {}", target.version),
            Err(reason) => format!("{reason}"),
        }
    }

    #[test]
    fn manifest_table() {
        let on = |product: &str, min_sequence| Dependency { product: name(product), min_sequence };
        let answers = [
            ("fits", check(|_, _| {})),
            ("another version", check(|m, _| m.version = ReleaseVersion::new("9").unwrap())),
            ("another image", check(|_, w| w.sha256 = Some(Digest::of(b"other")))),
            ("another product", check(|m, _| m.product = name("lamp"))),
            ("another chip", check(|m, _| m.chip = Chip::Esp32)),
            ("a later revision", check_on(Some(3), |m, _| m.min_revision = 4)),
            ("an earlier revision", check_on(Some(101), |m, _| m.max_revision = Some(100))),
            ("this revision", check_on(Some(3), |m, _| m.min_revision = 3)),
            ("a revision nobody knows", check(|m, _| m.min_revision = 4)),
            ("too long", check(|m, _| m.size_bytes = 8193)),
            ("older", check(|_, w| w.running_sequence = 6)),
            ("the same again", check(|_, w| w.running_sequence = 5)),
            ("reopens a hole", check(|_, w| w.security_floor = 1)),
            ("stepping stone missing", check(|m, _| m.dependencies.push(on("clock", 5)))),
            ("stepping stone there", check(|m, _| m.dependencies.push(on("clock", 4)))),
            ("needs another part", check(|m, _| m.dependencies.push(on("radio", 0)))),
        ];
        let mut table = String::new();
        for (name, answer) in answers {
            table += &format!("{name}: {answer}\n");
        }
        expect![[r#"
            fits: take 1.0.5
            another version: wrong_version
            another image: wrong_version
            another product: wrong_product
            another chip: wrong_chip
            a later revision: wrong_revision
            an earlier revision: wrong_revision
            this revision: take 1.0.5
            a revision nobody knows: take 1.0.5
            too long: image_too_large
            older: sequence_older
            the same again: take 1.0.5
            reopens a hole: security_counter_older
            stepping stone missing: dependency_missing
            stepping stone there: take 1.0.5
            needs another part: dependency_missing
        "#]]
        .assert_eq(&table);
    }
}

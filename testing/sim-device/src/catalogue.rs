//! Every image there is in these lives, and the manifests that were signed for them.

use std::sync::{Arc, OnceLock};

use otaru_release::{Behaviour, Chip, Dependency, ImageBuilder, Manifest, RootDocument, SecretKey};
use otaru_sim_flash::Random;
use otaru_wire::{Digest, ProductName, ReleaseVersion};

use crate::oracle::sha256;

/// The chip of every device here.
pub const CHIP: Chip = Chip::Esp32C3;
/// Lengths of images, in bytes: within one chunk, over two, and the odd ones.
pub const SIZES: [usize; 6] = [4096, 6160, 16 * 1024 + 16, 28 * 1024, 64 * 1024, 68 * 1024 + 32];

/// The sizes of the releases that are patched: one segment of one chunk, of two, and two segments.
pub const PATCHED_SIZES: [usize; 3] = [SIZES[1], SIZES[5], 140 * 1024 + 32];
/// How the releases of each of these sizes behave, behind all rounds: little differs between them.
const FAMILY: [Behaviour; 4] = [Behaviour::Pass, Behaviour::Pass, Behaviour::Fail, Behaviour::Pass];

/// What the ends of a chunk hold of the releases behind these families: what erased flash reads as,
/// and what no erase is needed to write.
const ENDS: [u8; 4] = [0xFF, 0, 0, 0xFF];
/// Which bytes of their images these are: the last three sectors of the second chunk.
const ENDS_AT: core::ops::Range<usize> = 116 * 1024..128 * 1024;

/// How the releases of one round behave, by their place in it.
const BEHAVIOURS: [Behaviour; 5] =
    [Behaviour::Pass, Behaviour::Fail, Behaviour::Pass, Behaviour::Crash, Behaviour::Hang];
/// Releases with the same security counter.
pub const RELEASES_OF_A_ROUND: usize = SIZES.len() * BEHAVIOURS.len();

/// One release: an image and what was signed about it.
#[derive(Debug)]
pub struct Release {
    /// Its place in the catalogue.
    pub number: usize,
    /// Label.
    pub version: ReleaseVersion,
    /// The image.
    pub image: Vec<u8>,
    /// Its digest, by the oracle's own hash.
    pub sha256: [u8; 32],
    /// How the firmware behaves.
    pub behaviour: Behaviour,
    /// Its security counter.
    pub security_counter: u32,
    /// Its sequence number.
    pub sequence: u64,
    /// The signed manifest.
    pub manifest: Vec<u8>,
    /// The same manifest with a signature of a key nobody trusts.
    pub forged: Vec<u8>,
    /// Whether it is not for these devices, or not of anybody they trust: see [`Rogue`].
    pub is_rogue: bool,
}

/// Why no device here may take a release, although its server wishes for it and has manifest and
/// image that fit each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rogue {
    /// Signed by a key nobody trusts: all that a stolen server can make.
    Stranger,
    /// For another product.
    Product,
    /// For another chip.
    Chip,
    /// For later revisions of the chip.
    Revision,
    /// Needs a part that no device here has.
    Part,
}

/// All of them.
pub const ROGUES: [Rogue; 5] =
    [Rogue::Stranger, Rogue::Product, Rogue::Chip, Rogue::Revision, Rogue::Part];

/// The revision of every device's chip, major × 100 + minor.
pub const REVISION: u16 = 101;

/// All releases of the product, and the root document devices trust.
#[derive(Debug)]
pub struct Catalogue {
    /// By number; a release's sequence rises with it.
    pub releases: Vec<Release>,
    /// Images nobody signed, one of each length: whole, and good enough for a bootloader.
    pub strangers: Vec<Vec<u8>>,
    /// What devices verify manifests against.
    pub root: RootDocument,
}

/// The product of every device here.
pub fn product() -> ProductName {
    ProductName::new("clock").expect("a valid name")
}

/// The catalogue, built once.
pub fn catalogue() -> &'static Arc<Catalogue> {
    static CATALOGUE: OnceLock<Arc<Catalogue>> = OnceLock::new();
    CATALOGUE.get_or_init(|| Arc::new(Catalogue::build()))
}

impl Catalogue {
    fn build() -> Catalogue {
        let (root_key, key) = (SecretKey::from_seed(&[1; 32]), SecretKey::from_seed(&[2; 32]));
        let stranger = SecretKey::from_seed(&[3; 32]);
        let root = RootDocument::first(root_key.public_key(), key.public_key());
        let mut releases = Vec::new();
        // Four rounds, so that a life finds a newer release of each size and behaviour.
        for round in 0..4 {
            for size in SIZES {
                for behaviour in BEHAVIOURS {
                    let kind = Kind { behaviour, ..Kind::of(releases.len(), round, size) };
                    releases.push(release(kind, &key, &stranger));
                }
            }
        }
        for size in PATCHED_SIZES {
            for behaviour in FAMILY {
                let kind = Kind::of(releases.len(), 4, size);
                let kind = Kind { seed: size as u64, behaviour, ..kind };
                releases.push(release(kind, &key, &stranger));
            }
        }
        for filler in ENDS {
            let kind = Kind::of(releases.len(), 4, PATCHED_SIZES[2]);
            let image = image_with_ends(kind, filler);
            let manifest = manifest(kind, &image, product());
            let (signed, forged) = (manifest.sign(&key), manifest.sign(&stranger));
            releases.push(described(kind, image, signed, forged));
        }
        for rogue in ROGUES {
            let kind = Kind::of(releases.len(), 5, SIZES[0]);
            releases.push(rogue_release(rogue, kind, &key, &stranger));
        }
        let sizes = SIZES.into_iter().chain([PATCHED_SIZES[2]]);
        let stranger = |size| ImageBuilder::new(CHIP).size_bytes(size).seed(0xE717).build();
        Catalogue { releases, strangers: sizes.map(stranger).collect(), root }
    }

    /// Whether a bootloader would start what stands at the start of these bytes.
    pub fn is_whole(&self, slot: &[u8]) -> bool {
        self.whole_image(slot).is_some()
            || self.strangers.iter().any(|image| slot.starts_with(image))
    }

    /// The release whose image stands whole at the start of these bytes.
    pub fn whole_image(&self, slot: &[u8]) -> Option<&Release> {
        self.releases.iter().find(|release| slot.starts_with(&release.image))
    }

    /// The release with this digest.
    pub fn by_digest(&self, sha256: &Digest) -> Option<&Release> {
        self.releases.iter().find(|release| release.sha256 == *sha256.as_bytes())
    }

    /// The release with this label.
    pub fn by_version(&self, version: &str) -> Option<&Release> {
        self.releases.iter().find(|release| release.version.as_str() == version)
    }

    /// The nth release of that size of which little differs to the others.
    pub fn of_family(&self, size: usize, nth: usize) -> usize {
        let mut family = self.releases.iter().skip(4 * RELEASES_OF_A_ROUND);
        let found = family.by_ref().filter(|release| release.image.len() == size).nth(nth);
        found.expect("a release of that family").number
    }

    /// The nth release whose second chunk ends in one byte over and over: 0xFF, 0, 0, 0xFF.
    pub fn with_ends(&self, nth: usize) -> usize {
        4 * RELEASES_OF_A_ROUND + PATCHED_SIZES.len() * FAMILY.len() + nth % ENDS.len()
    }

    /// The release that may not be taken for that reason.
    pub fn rogue(&self, why: Rogue) -> usize {
        let nth = ROGUES.iter().position(|rogue| *rogue == why).expect("all are listed");
        let mut rogues = self.releases.iter().filter(|release| release.is_rogue);
        rogues.nth(nth).expect("there is one of each").number
    }

    /// A release after `previous` of that size and behaviour.
    pub fn pick(&self, previous: usize, size: usize, behaviour: Behaviour) -> Option<usize> {
        let fits = |release: &&Release| {
            release.number > previous
                && release.image.len() == size
                && release.behaviour == behaviour
                && !release.is_rogue
        };
        self.releases.iter().find(fits).map(|release| release.number)
    }
}

/// What is to be built.
#[derive(Clone, Copy)]
struct Kind {
    number: usize,
    round: u32,
    size: usize,
    behaviour: Behaviour,
    seed: u64,
}

impl Kind {
    fn of(number: usize, round: u32, size: usize) -> Kind {
        Kind { number, round, size, behaviour: Behaviour::Pass, seed: number as u64 }
    }
}

fn release(kind: Kind, key: &SecretKey, stranger: &SecretKey) -> Release {
    let image = image(kind, CHIP, 0);
    let manifest = manifest(kind, &image, product());
    let (signed, forged) = (manifest.sign(key), manifest.sign(stranger));
    described(kind, image, signed, forged)
}

fn rogue_release(why: Rogue, kind: Kind, key: &SecretKey, stranger: &SecretKey) -> Release {
    let image = match why {
        Rogue::Chip => image(kind, Chip::Esp32S3, 0),
        Rogue::Revision => image(kind, CHIP, REVISION + 1),
        _ => image(kind, CHIP, 0),
    };
    let product = match why {
        Rogue::Product => ProductName::new("lamp").expect("a valid name"),
        _ => product(),
    };
    let mut manifest = manifest(kind, &image, product);
    if why == Rogue::Part {
        let radio = ProductName::new("radio").expect("a valid name");
        manifest.dependencies.push(Dependency { product: radio, min_sequence: 0 });
    }
    let forged = manifest.sign(stranger);
    let signed = match why {
        Rogue::Stranger => forged.clone(),
        _ => manifest.sign(key),
    };
    Release { is_rogue: true, ..described(kind, image, signed, forged) }
}

fn label(kind: Kind) -> String {
    format!("1.{}.{}", kind.round, kind.number)
}

/// The code of such an image is the last of it, before the checksum's padding and the digest.
fn image_with_ends(kind: Kind, filler: u8) -> Vec<u8> {
    let code_bytes = 112 * 1024;
    let code_at = kind.size - 16 - Digest::LENGTH_BYTES - code_bytes;
    let mut code = Random::new(kind.seed).bytes(code_bytes);
    code[ENDS_AT.start - code_at..ENDS_AT.end - code_at].fill(filler);
    let Kind { round, size, behaviour, .. } = kind;
    ImageBuilder::new(CHIP)
        .size_bytes(size)
        .version(&label(kind))
        .secure_version(round)
        .behaviour(behaviour)
        .code(code)
        .build()
}

fn image(kind: Kind, chip: Chip, min_revision: u16) -> Vec<u8> {
    let Kind { round, size, behaviour, seed, .. } = kind;
    ImageBuilder::new(chip)
        .size_bytes(size)
        .version(&label(kind))
        .seed(seed)
        .secure_version(round)
        .min_revision(min_revision)
        .behaviour(behaviour)
        .build()
}

fn manifest(kind: Kind, image: &[u8], product: ProductName) -> Manifest {
    let version = ReleaseVersion::new(&label(kind)).expect("a valid label");
    let sequence = kind.number as u64 + 1;
    Manifest::for_image(image, product, version, sequence).expect("built images are whole")
}

fn described(kind: Kind, image: Vec<u8>, manifest: Vec<u8>, forged: Vec<u8>) -> Release {
    let Kind { number, round, behaviour, .. } = kind;
    Release {
        number,
        version: ReleaseVersion::new(&label(kind)).expect("a valid label"),
        sha256: sha256(&image),
        behaviour,
        security_counter: round,
        sequence: number as u64 + 1,
        manifest,
        forged,
        is_rogue: false,
        image,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ends_of_chunks_are_where_they_are_said_to_be() {
        for (nth, filler) in ENDS.into_iter().enumerate() {
            let release = &catalogue().releases[catalogue().with_ends(nth)];
            assert_eq!(release.image.len(), PATCHED_SIZES[2]);
            assert!(release.image[ENDS_AT].iter().all(|&byte| byte == filler), "{filler}");
            assert!(!release.is_rogue && release.image[ENDS_AT.end..][..4096] != [filler; 4096]);
        }
    }
}

//! Every image there is in these lives, and the manifests that were signed for them.

use std::sync::{Arc, OnceLock};

use otaru_release::{Behaviour, Chip, ImageBuilder, Manifest, RootDocument, SecretKey};
use otaru_wire::{Digest, ProductName, ReleaseVersion};

use crate::oracle::sha256;

/// The chip of every device here.
pub const CHIP: Chip = Chip::Esp32C3;
/// Lengths of images, in bytes: within one chunk, over two, and the odd ones.
pub const SIZES: [usize; 6] = [4096, 6160, 16 * 1024 + 16, 28 * 1024, 64 * 1024, 68 * 1024 + 32];

/// The sizes of the releases that are patched: one segment of one chunk, of two, and two segments.
pub const PATCHED_SIZES: [usize; 3] = [SIZES[1], SIZES[5], 140 * 1024 + 32];
/// Releases of each of these sizes, behind all rounds: little differs between them.
const RELEASES_OF_A_FAMILY: usize = 3;

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
}

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
            for _ in 0..RELEASES_OF_A_FAMILY {
                let family = Kind { seed: size as u64, ..Kind::of(releases.len(), 4, size) };
                releases.push(release(family, &key, &stranger));
            }
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

    /// A release after `previous` of that size and behaviour.
    pub fn pick(&self, previous: usize, size: usize, behaviour: Behaviour) -> Option<usize> {
        let fits = |release: &&Release| {
            release.number > previous
                && release.image.len() == size
                && release.behaviour == behaviour
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
    let Kind { number, round, size, behaviour, seed } = kind;
    let label = format!("1.{round}.{number}");
    let image = ImageBuilder::new(CHIP)
        .size_bytes(size)
        .version(&label)
        .seed(seed)
        .secure_version(round)
        .behaviour(behaviour)
        .build();
    let version = ReleaseVersion::new(&label).expect("a valid label");
    let sequence = number as u64 + 1;
    let manifest = Manifest::for_image(&image, product(), version.clone(), sequence)
        .expect("built images are whole");
    Release {
        number,
        version,
        sha256: sha256(&image),
        behaviour,
        security_counter: round,
        sequence,
        manifest: manifest.sign(key),
        forged: manifest.sign(stranger),
        image,
    }
}

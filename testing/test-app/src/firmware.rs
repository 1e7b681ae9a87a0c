use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use otaru_release::{Chip, ImageBuilder, KeyId, Manifest, PublicKey, RootDocument, SecretKey};
use otaru_wire::{Digest, ProductName, ReleaseVersion};

/// The keys of a publisher: one root key, one release key.
pub struct Publisher {
    root_seed: u8,
    root_key: SecretKey,
    release_key: SecretKey,
}

impl Default for Publisher {
    fn default() -> Publisher {
        Publisher::of(1, 2)
    }
}

impl Publisher {
    /// Somebody else, whom no product trusts.
    pub fn stranger() -> Publisher {
        Publisher::of(3, 4)
    }

    /// The same publisher after another release key took the place of the first.
    pub fn with_release_key(&self, seed: u8) -> Publisher {
        Publisher::of(self.root_seed, seed)
    }

    fn of(root_seed: u8, release_seed: u8) -> Publisher {
        Publisher {
            root_seed,
            root_key: SecretKey::from_seed(&[root_seed; 32]),
            release_key: SecretKey::from_seed(&[release_seed; 32]),
        }
    }

    /// The id of the release key.
    pub fn release_key_id(&self) -> KeyId {
        self.release_key.public_key().id()
    }

    /// The signed root document, as `product create` sends it.
    pub fn root_base64(&self) -> String {
        STANDARD.encode(self.root())
    }

    /// The signed root document.
    pub fn root(&self) -> Vec<u8> {
        let release_key = self.release_key.public_key();
        RootDocument::first(self.root_key.public_key(), release_key).sign(&self.root_key)
    }

    /// The root key that devices are built with.
    pub fn root_public_key(&self) -> PublicKey {
        self.root_key.public_key()
    }

    /// A later root document that changes nothing, as `key rotate` sends it.
    pub fn next_root_base64(&self, number: u64) -> String {
        STANDARD.encode(self.next_root(number, |_| {}))
    }

    /// A later root document, different from the first in what `change` changes.
    pub fn next_root(&self, number: u64, change: impl FnOnce(&mut RootDocument)) -> Vec<u8> {
        let (root_key, release_key) = (self.root_key.public_key(), self.release_key.public_key());
        let mut root = RootDocument { number, ..RootDocument::first(root_key, release_key) };
        change(&mut root);
        root.sign(&self.root_key)
    }

    /// An image of 100,000 bytes, another for every version, and its signed manifest.
    pub fn firmware(&self, product: &str, version: &str, sequence: u64) -> Firmware {
        let seed = version.bytes().fold(0, |seed, byte| seed * 31 + u64::from(byte));
        let image = ImageBuilder::new(Chip::Esp32C3).size_bytes(100_000).version(version);
        self.sign(image.seed(seed).build(), product, version, sequence)
    }

    /// An image with a manifest that names it so.
    pub fn sign(&self, image: Vec<u8>, product: &str, version: &str, sequence: u64) -> Firmware {
        self.sign_as(image, product, version, sequence, |_| {})
    }

    /// The same with a manifest that `change` changes.
    pub fn sign_as(
        &self,
        image: Vec<u8>,
        product: &str,
        version: &str,
        sequence: u64,
        change: impl FnOnce(&mut Manifest),
    ) -> Firmware {
        let product = ProductName::new(product).expect("a product name");
        let version = ReleaseVersion::new(version).expect("a version");
        let manifest = Manifest::for_image(&image, product, version, sequence);
        let mut manifest = manifest.expect("a whole image");
        change(&mut manifest);
        let manifest = self.sign_manifest(&manifest);
        Firmware { image, manifest }
    }

    /// Signs whatever a manifest says.
    pub fn sign_manifest(&self, manifest: &Manifest) -> Vec<u8> {
        manifest.sign(&self.release_key)
    }
}

/// What is uploaded to make a release.
#[derive(Clone, Debug)]
pub struct Firmware {
    /// The bytes.
    pub image: Vec<u8>,
    /// The signed manifest.
    pub manifest: Vec<u8>,
}

impl Firmware {
    /// The identity of the image.
    pub fn sha256(&self) -> Digest {
        Digest::of(&self.image)
    }

    /// The fields of an upload.
    pub fn form(&self) -> [(&'static str, &[u8]); 3] {
        [("image", &self.image), ("manifest", &self.manifest), ("notes", b"Better in every way")]
    }
}

//! What the server of one product has, and what it signs when it is asked.

use otaru_release::{
    Chip, ImageBuilder, Manifest, NONCE_BYTES, Order, RootDocument, SecretKey, Timestamp,
};
use otaru_wire::{Digest, ProductName, ReleaseVersion, ThingName, UpdateId};

pub(crate) const CHIP: Chip = Chip::Esp32C3;
pub(crate) const IMAGE_BYTES: usize = 150_000;
/// The moment all of it happens, in seconds since 1970.
pub(crate) const NOW_S: i64 = 1_790_000_000;
const SEQUENCE: u64 = 7;

pub(crate) fn image(version: &str) -> Vec<u8> {
    ImageBuilder::new(CHIP).size_bytes(IMAGE_BYTES).version(version).build()
}

/// A server of the product `clock` that has 1.0.5 and a key for orders and timestamps.
pub(crate) struct Server {
    root_key: SecretKey,
    release_key: SecretKey,
    server_key: SecretKey,
    image: Vec<u8>,
    /// The nonce of its orders, where that is not the one asked for.
    pub(crate) old_nonce: Option<[u8; NONCE_BYTES]>,
    /// What stands where the manifest should.
    pub(crate) manifest: Option<Vec<u8>>,
    /// When its timestamp was signed.
    pub(crate) signed_at: i64,
}

impl Server {
    pub(crate) fn new() -> Server {
        let [root_key, release_key, server_key] =
            [1, 2, 3].map(|seed| SecretKey::from_seed(&[seed; 32]));
        let image = image("1.0.5");
        let (old_nonce, manifest) = (None, None);
        Server { root_key, release_key, server_key, image, old_nonce, manifest, signed_at: NOW_S }
    }

    pub(crate) fn root_key(&self) -> Vec<u8> {
        self.root_key.public_key().to_bytes().to_vec()
    }

    pub(crate) fn image(&self) -> &[u8] {
        &self.image
    }

    /// What the broker answers a read of the shadow with.
    pub(crate) fn desired(&self) -> String {
        let sha256 = Digest::of(&self.image);
        format!(
            r#"{{"config":{{"firmware_version":"1.0.5"}},"update":{{"id":"u-1","sha256":"{sha256}","attempt":1}}}}"#
        )
    }

    /// The document or image behind a path.
    pub(crate) fn get(&self, path: &str) -> Option<Vec<u8>> {
        let (path, query) = path.split_once('?').unwrap_or((path, ""));
        Some(match path.strip_prefix("/firmware/clock/")? {
            "root/1" => {
                let first =
                    RootDocument::first(self.root_key.public_key(), self.release_key.public_key());
                let server_key = Some(self.server_key.public_key());
                RootDocument { server_key, ..first }.sign(&self.root_key)
            }
            "timestamp" => self.timestamp(),
            "1.0.5.manifest" => {
                let signed = || self.manifest().sign(&self.release_key);
                self.manifest.clone().unwrap_or_else(signed)
            }
            "1.0.5.order" => self.order(query.strip_prefix("nonce=")?),
            "1.0.5.bin" => self.image.clone(),
            _ => return None,
        })
    }

    fn manifest(&self) -> Manifest {
        Manifest::for_image(&self.image, product(), version(), SEQUENCE).expect("a whole image")
    }

    fn timestamp(&self) -> Vec<u8> {
        Timestamp {
            product: product(),
            signed_at: self.signed_at,
            expires_at: self.signed_at + 86_400,
            sequence: SEQUENCE,
            root_number: 1,
        }
        .sign(&self.server_key)
    }

    fn order(&self, nonce: &str) -> Vec<u8> {
        let mut asked = [0; NONCE_BYTES];
        for (byte, digits) in asked.iter_mut().zip(nonce.as_bytes().chunks(2)) {
            let digits = std::str::from_utf8(digits).expect("digits are ASCII");
            *byte = u8::from_str_radix(digits, 16).expect("two hexadecimal digits");
        }
        Order {
            thing: ThingName::new("clock-01").expect("a name"),
            product: product(),
            version: version(),
            sha256: Digest::of(&self.image),
            nonce: self.old_nonce.unwrap_or(asked),
            update: UpdateId::parse("u-1"),
            issued_at: NOW_S,
            expires_at: NOW_S + 600,
            is_downgrade: false,
        }
        .sign(&self.server_key)
    }
}

fn product() -> ProductName {
    ProductName::new("clock").expect("a name")
}

fn version() -> ReleaseVersion {
    ReleaseVersion::new("1.0.5").expect("a label")
}

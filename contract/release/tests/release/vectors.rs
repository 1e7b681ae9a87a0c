//! The files of `docs/vectors`: written here, read here, and read once more by other code in
//! `testing/formats`. `UPDATE_EXPECT=1` writes them again.

use std::path::PathBuf;

use otaru_release::{
    Chip, Dependency, ImageBuilder, Manifest, Order, PublicKey, RootDocument, SecretKey, Timestamp,
    Unsigned,
};
use otaru_wire::{Digest, ProductName, ReleaseVersion, ThingName, UpdateId};
use serde_json::{Map, Value, json};

/// Every key of the vectors: its name, what it is made of, and the key.
fn keys() -> [(&'static str, u8, SecretKey); 5] {
    let ed25519 = |name, number| (name, number, SecretKey::from_seed(&[number; 32]));
    let p256 = |name, number| {
        (name, number, SecretKey::from_p256_scalar(&[number; 32]).expect("below the order"))
    };
    [
        ed25519("root", 1),
        ed25519("release", 2),
        ed25519("server", 3),
        p256("root-p256", 4),
        p256("release-p256", 5),
    ]
}

fn key(name: &str) -> SecretKey {
    let keys = keys();
    let found = keys.into_iter().find(|(known, ..)| *known == name);
    found.expect("it is listed").2
}

fn public(name: &str) -> PublicKey {
    key(name).public_key()
}

/// 66,000 bytes: two chunks.
fn image() -> Vec<u8> {
    ImageBuilder::new(Chip::Esp32C3).size_bytes(66_000).version("1.0.5").build()
}

fn manifest() -> Manifest {
    let (product, version) = (ProductName::new("clock"), ReleaseVersion::new("1.0.5"));
    Manifest::for_image(&image(), product.unwrap(), version.unwrap(), 7).unwrap()
}

fn first_root() -> RootDocument {
    RootDocument::first(public("root"), public("release"))
}

fn second_root() -> RootDocument {
    RootDocument {
        number: 2,
        root_keys: vec![public("root"), public("root-p256")],
        release_keys: vec![public("release-p256")],
        server_key: Some(public("server")),
        expires_at: Some(4_102_444_800),
        revoked: vec![public("release").id()],
    }
}

fn timestamp() -> Timestamp {
    Timestamp {
        product: ProductName::new("clock").unwrap(),
        signed_at: 1_795_430_400,
        expires_at: 1_795_603_200,
        sequence: 7,
        root_number: 2,
    }
}

fn order() -> Order {
    Order {
        thing: ThingName::new("clock-01").unwrap(),
        product: ProductName::new("clock").unwrap(),
        version: ReleaseVersion::new("1.0.5").unwrap(),
        sha256: Digest::of(&image()),
        nonce: *b"sixteen bytes...",
        update: Some(UpdateId::new("0193-a").unwrap()),
        issued_at: 1_795_430_400,
        expires_at: 1_795_434_000,
        is_downgrade: false,
    }
}

fn hex(bytes: &[u8]) -> Value {
    let digits: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    json!({ "hex": digits })
}

fn listed(key: &PublicKey) -> Value {
    json!([key.algorithm().cose_number(), hex(&key.to_bytes())])
}

fn root_fields(root: &RootDocument) -> Value {
    let list = |keys: &[PublicKey]| -> Value { keys.iter().map(listed).collect() };
    let mut fields = json!({
        "1": 1, "2": root.number, "3": list(&root.root_keys), "5": list(&root.release_keys),
    });
    if let Some(key) = &root.server_key {
        fields["6"] = listed(key);
    }
    if let Some(at) = root.expires_at {
        fields["7"] = at.into();
    }
    if !root.revoked.is_empty() {
        fields["9"] = root.revoked.iter().map(|id| hex(&id.0)).collect();
    }
    fields
}

fn manifest_fields(manifest: &Manifest) -> Value {
    let chunks: Vec<u8> = manifest.chunks.iter().flat_map(|chunk| *chunk.as_bytes()).collect();
    let mut fields = json!({
        "1": 1, "2": manifest.sequence, "3": manifest.product, "4": manifest.chip.name(),
        "7": manifest.version, "8": hex(manifest.sha256.as_bytes()), "9": manifest.size_bytes,
        "10": hex(&chunks),
    });
    let mut optional = |number: &str, value: Option<Value>| {
        if let Some(value) = value {
            fields[number] = value;
        }
    };
    let is_set = |number: u64| (number != 0).then(|| Value::from(number));
    optional("5", is_set(manifest.min_revision.into()));
    optional("6", manifest.max_revision.map(Value::from));
    optional("11", is_set(manifest.security_counter.into()));
    let on = manifest.dependencies.iter().map(|on| json!([on.product, on.min_sequence]));
    let on: Vec<Value> = on.collect();
    optional("12", (!on.is_empty()).then(|| on.into()));
    optional("13", manifest.expires_at.map(Value::from));
    optional("14", manifest.is_downgrade.then(|| true.into()));
    fields
}

/// A file, the kind of document in it, its bytes, whom its reader trusts, and what is said of it.
type Listed<T> = (&'static str, &'static str, Vec<u8>, &'static [&'static str], T);

fn documents() -> Vec<Listed<Value>> {
    let full = Manifest {
        min_revision: 3,
        max_revision: Some(199),
        security_counter: 4,
        dependencies: vec![Dependency {
            product: ProductName::new("clock").unwrap(),
            min_sequence: 5,
        }],
        expires_at: Some(4_102_444_800),
        is_downgrade: true,
        ..manifest()
    };
    let (order, stamp) = (order(), timestamp());
    let order_fields = json!({
        "1": 1, "2": order.thing, "3": order.product, "4": order.version,
        "5": hex(order.sha256.as_bytes()), "6": hex(&order.nonce),
        "7": order.update.as_ref().unwrap().as_str(), "8": order.issued_at, "9": order.expires_at,
    });
    let stamp_fields = json!({
        "1": 1, "2": stamp.product, "3": stamp.signed_at, "4": stamp.expires_at,
        "5": stamp.sequence, "6": stamp.root_number,
    });
    let (first, second) = (first_root(), second_root());
    let third = RootDocument { number: 3, root_keys: vec![public("root-p256")], ..second.clone() };
    let plain = manifest();
    vec![
        ("root-1.cbor", "root", first.sign(&key("root")), &["root"], root_fields(&first)),
        ("root-2.cbor", "root", second.sign(&key("root")), &["root"], root_fields(&second)),
        (
            "root-3.cbor",
            "root",
            third.sign(&key("root-p256")),
            &["root", "root-p256"],
            root_fields(&third),
        ),
        (
            "manifest.cbor",
            "manifest",
            plain.sign(&key("release")),
            &["release"],
            manifest_fields(&plain),
        ),
        (
            "manifest-full.cbor",
            "manifest",
            full.sign(&key("release")),
            &["release"],
            manifest_fields(&full),
        ),
        (
            "manifest-p256.cbor",
            "manifest",
            plain.sign(&key("release-p256")),
            &["release-p256"],
            manifest_fields(&plain),
        ),
        ("timestamp.cbor", "timestamp", stamp.sign(&key("server")), &["server"], stamp_fields),
        ("order.cbor", "order", order.sign(&key("server")), &["server"], order_fields),
    ]
}

/// What breaks one rule each.
fn refused() -> Vec<Listed<&'static str>> {
    let good = manifest().sign(&key("release"));
    let mut flipped = good.clone();
    *flipped.last_mut().unwrap() ^= 1;
    let mut long_number = good.clone();
    // The array of four parts, its length in one byte more than it needs.
    assert_eq!(long_number[1], 0x84);
    long_number.splice(1..2, [0x98, 4]);
    let payload = |fields: &[(u64, u64)]| {
        let mut bytes = Vec::new();
        let mut encoder = minicbor::Encoder::new(&mut bytes);
        encoder.map(fields.len() as u64).unwrap();
        for &(number, value) in fields {
            encoder.u64(number).unwrap().u64(value).unwrap();
        }
        bytes
    };
    let critical = {
        let mut bytes = Vec::new();
        let mut encoder = minicbor::Encoder::new(&mut bytes);
        encoder.map(2).unwrap().u64(1).unwrap().u64(1).unwrap();
        encoder.u64(15).unwrap().array(1).unwrap().u64(16).unwrap();
        bytes
    };
    let seal = |payload: &[u8]| sealed(payload, "release");
    vec![
        ("refused-signature.cbor", "manifest", flipped, &["release"], "wrong signature"),
        (
            "refused-server-key.cbor",
            "manifest",
            manifest().sign(&key("server")),
            &["release"],
            "no key that counts",
        ),
        (
            "refused-type.cbor",
            "manifest",
            timestamp().sign(&key("release")),
            &["release"],
            "another type",
        ),
        (
            "refused-trailing.cbor",
            "manifest",
            [&good[..], &[0]].concat(),
            &["release"],
            "bytes behind the end",
        ),
        ("refused-long-number.cbor", "manifest", long_number, &["release"], "not deterministic"),
        (
            "refused-format.cbor",
            "manifest",
            seal(&payload(&[(1, 2), (2, 7)])),
            &["release"],
            "another format version",
        ),
        (
            "refused-missing.cbor",
            "manifest",
            seal(&payload(&[(1, 1), (2, 7)])),
            &["release"],
            "are missing",
        ),
        (
            "refused-critical.cbor",
            "manifest",
            seal(&critical),
            &["release"],
            "field 16 must be understood",
        ),
    ]
}

/// A payload that no builder of ours would write, signed all the same.
fn sealed(payload: &[u8], signer: &str) -> Vec<u8> {
    use ed25519_dalek::Signer;
    let number = keys().iter().find(|(name, ..)| *name == signer).unwrap().1;
    let good = manifest().sign(&key(signer));
    let mut decoder = minicbor::Decoder::new(&good);
    decoder.tag().unwrap();
    decoder.array().unwrap();
    let protected = decoder.bytes().unwrap().to_vec();
    let mut message = Vec::new();
    let mut encoder = minicbor::Encoder::new(&mut message);
    encoder.array(4).unwrap().str("Signature1").unwrap().bytes(&protected).unwrap();
    encoder.bytes(&[]).unwrap().bytes(payload).unwrap();
    let signature = ed25519_dalek::SigningKey::from_bytes(&[number; 32]).sign(&message);
    let mut out = Vec::new();
    let mut encoder = minicbor::Encoder::new(&mut out);
    encoder.tag(minicbor::data::Tag::new(18)).unwrap().array(4).unwrap();
    encoder.bytes(&protected).unwrap().map(0).unwrap().bytes(payload).unwrap();
    encoder.bytes(&signature.to_bytes()).unwrap();
    out
}

fn listing() -> Value {
    let keys = keys().into_iter().map(|(name, number, key)| {
        let (public, secret) = (key.public_key(), format!("{number:02x}").repeat(32));
        let hex: String = public.to_bytes().iter().map(|byte| format!("{byte:02x}")).collect();
        let shown = json!({
            "algorithm": public.algorithm().name(), "secret": secret, "public": hex,
            "id": public.id().to_string(),
        });
        (name.to_owned(), shown)
    });
    let documents: Vec<Value> = documents()
        .into_iter()
        .map(|(file, kind, _, trusted, fields)| {
            json!({ "file": file, "kind": kind, "trusted": trusted, "fields": fields })
        })
        .collect();
    let refused: Vec<Value> = refused()
        .into_iter()
        .map(|(file, kind, _, trusted, because)| {
            json!({ "file": file, "kind": kind, "trusted": trusted, "because": because })
        })
        .collect();
    json!({ "keys": Map::from_iter(keys), "documents": documents, "refused": refused })
}

#[test]
#[expect(clippy::disallowed_methods, reason = "what is published is in files")]
fn documents_are_the_published_bytes() {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../docs/vectors");
    let listing = serde_json::to_string_pretty(&listing()).unwrap() + "\n";
    let mut files = vec![("image.bin", image()), ("vectors.json", listing.into_bytes())];
    files.extend(documents().into_iter().map(|(file, _, bytes, ..)| (file, bytes)));
    files.extend(refused().into_iter().map(|(file, _, bytes, ..)| (file, bytes)));
    for (name, bytes) in files {
        let path = folder.join(name);
        if std::env::var_os("UPDATE_EXPECT").is_some() {
            std::fs::write(&path, &bytes).unwrap();
        }
        let published = std::fs::read(&path).unwrap_or_else(|error| panic!("{name}: {error}"));
        assert!(published == bytes, "{name} is not what is written today");
    }
}

#[test]
fn published_documents_are_believed_and_broken_ones_are_not() {
    let believed = |kind: &str, bytes: &[u8], trusted: &[PublicKey]| {
        let root = RootDocument {
            release_keys: trusted.to_vec(),
            server_key: Some(public("server")),
            ..first_root()
        };
        let clock = ProductName::new("clock").unwrap();
        match kind {
            "root" => RootDocument::verify(bytes, trusted).is_ok(),
            "manifest" => Manifest::verify(bytes, &root, None).is_ok(),
            "timestamp" => Timestamp::verify(bytes, &root, &clock).is_ok(),
            "order" => Order::verify(bytes, &root).is_ok(),
            other => panic!("no document is called {other}"),
        }
    };
    let publics = |names: &[&str]| names.iter().map(|name| public(name)).collect::<Vec<_>>();
    for (file, kind, bytes, trusted, _) in documents() {
        assert!(believed(kind, &bytes, &publics(trusted)), "{file}");
    }
    for (file, kind, bytes, trusted, _) in refused() {
        assert!(!believed(kind, &bytes, &publics(trusted)), "{file}");
    }
}

/// What a signer elsewhere is handed for the published manifest.
#[test]
fn a_signer_elsewhere_makes_the_published_bytes() {
    let check = |unsigned: Unsigned, file: &str| {
        let all = documents();
        let (_, _, bytes, ..) = all.iter().find(|(name, ..)| *name == file).unwrap();
        let signature = bytes[bytes.len() - 64..].try_into().unwrap();
        assert_eq!(unsigned.with_signature(&signature).as_ref(), Ok(bytes));
    };
    check(manifest().unsigned(&public("release")), "manifest.cbor");
    check(manifest().unsigned(&public("release-p256")), "manifest-p256.cbor");
}

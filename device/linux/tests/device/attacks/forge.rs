//! CBOR, COSE and signatures once more, as `docs/formats.md` has them: from the document alone.

use ed25519_dalek::{Signer, SigningKey};
use sha2::{Digest, Sha256};

/// A key somebody has.
pub(super) struct Key(SigningKey);

impl Key {
    /// The key of 32 times this byte, as `SecretKey::from_seed` makes it.
    pub(super) fn new(number: u8) -> Key {
        Key(SigningKey::from_bytes(&[number; 32]))
    }

    pub(super) fn id(&self) -> Vec<u8> {
        Sha256::digest(self.0.verifying_key().as_bytes())[..8].to_vec()
    }

    fn listed(&self) -> Item {
        Item::List(vec![Item::Int(-8), Item::Bytes(self.0.verifying_key().as_bytes().to_vec())])
    }
}

/// A CBOR item.
pub(super) enum Item {
    Int(i64),
    Huge(u64),
    Bytes(Vec<u8>),
    Text(String),
    List(Vec<Item>),
    Map(Vec<(i64, Item)>),
    Yes,
}

impl Item {
    fn encode(&self, out: &mut Vec<u8>) {
        match self {
            Item::Int(number @ 0..) => head(0, *number as u64, out),
            Item::Int(number) => head(1, (-1 - *number) as u64, out),
            Item::Huge(number) => head(0, *number, out),
            Item::Bytes(bytes) => {
                head(2, bytes.len() as u64, out);
                out.extend(bytes);
            }
            Item::Text(text) => {
                head(3, text.len() as u64, out);
                out.extend(text.as_bytes());
            }
            Item::List(items) => {
                head(4, items.len() as u64, out);
                items.iter().for_each(|item| item.encode(out));
            }
            Item::Map(members) => {
                head(5, members.len() as u64, out);
                for (key, value) in members {
                    Item::Int(*key).encode(out);
                    value.encode(out);
                }
            }
            Item::Yes => out.push(0xF5),
        }
    }

    fn to_bytes(&self) -> Vec<u8> {
        let mut out = Vec::new();
        self.encode(&mut out);
        out
    }
}

fn head(major: u8, number: u64, out: &mut Vec<u8>) {
    let bytes = number.to_be_bytes();
    let (info, from) = match number {
        0..24 => return out.push(major << 5 | number as u8),
        24..0x100 => (24, 7),
        0x100..0x1_0000 => (25, 6),
        0x1_0000..0x1_0000_0000 => (26, 4),
        _ => (27, 0),
    };
    out.push(major << 5 | info);
    out.extend(&bytes[from..]);
}

/// A signed document of a kind: `root`, `manifest`, `timestamp` or `order`.
pub(super) fn seal(kind: &str, fields: Vec<(i64, Item)>, key: &Key) -> Vec<u8> {
    let protected = Item::Map(vec![
        (1, Item::Int(-8)),
        (4, Item::Bytes(key.id())),
        (16, Item::Text(format!("application/vnd.otaru.{kind}"))),
    ]);
    let (protected, payload) = (protected.to_bytes(), Item::Map(fields).to_bytes());
    let signed = Item::List(vec![
        Item::Text("Signature1".into()),
        Item::Bytes(protected.clone()),
        Item::Bytes(Vec::new()),
        Item::Bytes(payload.clone()),
    ]);
    let signature = key.0.sign(&signed.to_bytes()).to_bytes().to_vec();
    let parts = vec![
        Item::Bytes(protected),
        Item::Map(Vec::new()),
        Item::Bytes(payload),
        Item::Bytes(signature),
    ];
    [&[0xD2], &Item::List(parts).to_bytes()[..]].concat()
}

/// What a manifest says.
#[derive(Clone)]
pub(super) struct Manifest {
    pub(super) sequence: u64,
    pub(super) product: &'static str,
    pub(super) chip: &'static str,
    /// The lowest and the highest revision of the chip.
    pub(super) revisions: Option<(i64, i64)>,
    pub(super) version: String,
    pub(super) image: Vec<u8>,
    pub(super) security_counter: u32,
    /// Whose release has to be there already, at least of which sequence.
    pub(super) needs: Option<(&'static str, i64)>,
    pub(super) expires_at: Option<i64>,
    pub(super) is_downgrade: bool,
}

impl Manifest {
    pub(super) fn sign(&self, key: &Key) -> Vec<u8> {
        let chunks = self.image.chunks(65_536).flat_map(Sha256::digest).collect();
        let mut fields = vec![
            (1, Item::Int(1)),
            (2, Item::Huge(self.sequence)),
            (3, Item::Text(self.product.into())),
            (4, Item::Text(self.chip.into())),
        ];
        if let Some((min, max)) = self.revisions {
            fields.extend([(5, Item::Int(min)), (6, Item::Int(max))]);
        }
        fields.extend([
            (7, Item::Text(self.version.clone())),
            (8, Item::Bytes(Sha256::digest(&self.image).to_vec())),
            (9, Item::Int(self.image.len() as i64)),
            (10, Item::Bytes(chunks)),
        ]);
        if self.security_counter > 0 {
            fields.push((11, Item::Int(self.security_counter.into())));
        }
        fields.extend(self.needs.map(|(product, sequence)| {
            let needed = vec![Item::Text(product.into()), Item::Int(sequence)];
            (12, Item::List(vec![Item::List(needed)]))
        }));
        fields.extend(self.expires_at.map(|at| (13, Item::Int(at))));
        if self.is_downgrade {
            fields.push((14, Item::Yes));
        }
        seal("manifest", fields, key)
    }
}

/// What a root document says.
pub(super) struct Root<'a> {
    pub(super) number: i64,
    pub(super) root: &'a Key,
    pub(super) release: &'a [&'a Key],
    pub(super) server: Option<&'a Key>,
    pub(super) expires_at: Option<i64>,
    pub(super) revoked: &'a [&'a Key],
}

impl Root<'_> {
    pub(super) fn sign(&self, key: &Key) -> Vec<u8> {
        let mut fields = vec![
            (1, Item::Int(1)),
            (2, Item::Int(self.number)),
            (3, Item::List(vec![self.root.listed()])),
            (5, Item::List(self.release.iter().map(|key| key.listed()).collect())),
        ];
        fields.extend(self.server.map(|server| (6, server.listed())));
        fields.extend(self.expires_at.map(|at| (7, Item::Int(at))));
        if !self.revoked.is_empty() {
            let ids = self.revoked.iter().map(|key| Item::Bytes(key.id())).collect();
            fields.push((9, Item::List(ids)));
        }
        seal("root", fields, key)
    }
}

/// What a timestamp says.
pub(super) struct Timestamp {
    pub(super) signed_at: i64,
    pub(super) expires_at: i64,
    pub(super) sequence: u64,
    pub(super) root_number: u64,
}

impl Timestamp {
    pub(super) fn sign(&self, key: &Key) -> Vec<u8> {
        let fields = vec![
            (1, Item::Int(1)),
            (2, Item::Text("clock".into())),
            (3, Item::Int(self.signed_at)),
            (4, Item::Int(self.expires_at)),
            (5, Item::Huge(self.sequence)),
            (6, Item::Huge(self.root_number)),
        ];
        seal("timestamp", fields, key)
    }
}

/// What an order says.
#[derive(Clone)]
pub(super) struct Order {
    pub(super) thing: String,
    pub(super) version: String,
    pub(super) sha256: Vec<u8>,
    pub(super) nonce: Vec<u8>,
    pub(super) update: String,
    pub(super) expires_at: i64,
    pub(super) is_downgrade: bool,
}

impl Order {
    pub(super) fn sign(&self, key: &Key) -> Vec<u8> {
        let mut fields = vec![
            (1, Item::Int(1)),
            (2, Item::Text(self.thing.clone())),
            (3, Item::Text("clock".into())),
            (4, Item::Text(self.version.clone())),
            (5, Item::Bytes(self.sha256.clone())),
            (6, Item::Bytes(self.nonce.clone())),
            (7, Item::Text(self.update.clone())),
            (8, Item::Int(self.expires_at - 3600)),
            (9, Item::Int(self.expires_at)),
        ];
        if self.is_downgrade {
            fields.push((10, Item::Yes));
        }
        seal("order", fields, key)
    }
}

/// The bytes of hex digits.
pub(super) fn unhex(text: &str) -> Vec<u8> {
    let digit = |at: usize| u8::from_str_radix(&text[at..at + 2], 16).unwrap();
    (0..text.len()).step_by(2).map(digit).collect()
}

/// Seconds since 1970.
pub(super) fn now() -> i64 {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    since.unwrap().as_secs() as i64
}

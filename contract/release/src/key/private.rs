//! Private keys where a public document belongs: told apart so that they can be refused by name.

/// In which form a private key was found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PrivateKeyKind {
    /// A key file of `otaru key new`, sealed by a passphrase or not.
    KeyFile,
    /// PEM with a private key in it.
    Pem,
    /// PKCS#8 or SEC 1, as bytes.
    Der,
    /// Nothing but the bytes of a seed or key pair, raw or in hex.
    Raw,
}

impl PrivateKeyKind {
    /// What it is called, for people.
    pub const fn name(self) -> &'static str {
        match self {
            PrivateKeyKind::KeyFile => "an Otaru key file",
            PrivateKeyKind::Pem => "a private key in PEM",
            PrivateKeyKind::Der => "a private key in DER",
            PrivateKeyKind::Raw => "the bytes of a private key",
        }
    }
}

/// Object identifiers of keys, as DER has them: Ed25519, and elliptic curves in general.
const ED25519: [u8; 5] = [0x06, 0x03, 0x2B, 0x65, 0x70];
const CURVE: [u8; 9] = [0x06, 0x07, 0x2A, 0x86, 0x48, 0xCE, 0x3D, 0x02, 0x01];
const P256: [u8; 10] = [0x06, 0x08, 0x2A, 0x86, 0x48, 0xCE, 0x3D, 0x03, 0x01, 0x07];

/// How far into bytes is looked: no key of ours is larger, and images are.
const LOOKED_AT: usize = 16 * 1024;

/// Whether bytes that should hold something public look like a private key.
///
/// Errs on the side of alarm for what is as short as a key and nothing else it could be.
/// Neither signed documents nor firmware images are mistaken for one: those begin with
/// 0xD2 and 0xE9, and are longer.
pub fn find_private_key(bytes: &[u8]) -> Option<PrivateKeyKind> {
    let head = &bytes[..bytes.len().min(LOOKED_AT)];
    let holds = |what: &[u8]| head.windows(what.len()).any(|found| found == what);
    if let Ok(text) = core::str::from_utf8(head) {
        if text.contains("-----BEGIN") && text.contains("PRIVATE KEY-----") {
            return Some(PrivateKeyKind::Pem);
        }
        let is_member = |line: &str, name: &str| {
            line.trim_start()
                .strip_prefix(name)
                .is_some_and(|rest| rest.trim_start().starts_with('='))
        };
        let has = |name| text.lines().any(|line| is_member(line, name));
        if has("secret") && has("public_key") {
            return Some(PrivateKeyKind::KeyFile);
        }
        let hex = text.trim();
        let is_hex = hex.bytes().all(|byte| byte.is_ascii_hexdigit());
        if is_hex && matches!(hex.len(), 64 | 128) {
            return Some(PrivateKeyKind::Raw);
        }
    }
    // A sequence that begins with the version of PKCS#8 (0 or 1) or SEC 1 (1).
    let versioned = [&[0x02, 0x01, 0x00][..], &[0x02, 0x01, 0x01]];
    let is_sequence = head.first() == Some(&0x30);
    let begins = |skip: usize| {
        head.get(skip..).is_some_and(|rest| versioned.iter().any(|found| rest.starts_with(found)))
    };
    if is_sequence && (2..=4).any(begins) && (holds(&ED25519) || holds(&CURVE) || holds(&P256)) {
        return Some(PrivateKeyKind::Der);
    }
    matches!(bytes.len(), 32 | 64).then_some(PrivateKeyKind::Raw)
}

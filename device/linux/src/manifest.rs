//! The chain of trust: the root key built in, the root documents that descend from it, the
//! manifest a release key signed, and the order a server key signed where the root names one.

use otaru_agent::{Clock, Device, Fault, SeenTimestamp, Target, Trust, Wanted, check_manifest};
use otaru_release::{
    Chip, KeyId, Manifest, ManifestView, NONCE_BYTES, Order, OrderAsked, PublicKey, RootDocument,
};
use otaru_wire::payload::TrustReport;
use otaru_wire::{ProductName, Reason, ThingName};

use crate::SimClock;
use crate::https::Https;

mod news;

pub(crate) use news::{follow_news, walk_roots};

/// Largest manifest fetched.
const MANIFEST_BYTES_MAX: usize = 64 * 1024;

/// Whom to trust, and what is known already.
#[derive(Clone, Debug)]
pub(crate) struct Known {
    pub(crate) product: ProductName,
    pub(crate) root_key: PublicKey,
    /// The newest root document verified before.
    pub(crate) root: Option<RootDocument>,
    pub(crate) trust: Trust,
    pub(crate) clock: SimClock,
}

impl Known {
    /// What is known of the time, with the newest timestamp of the server key that `root` names.
    fn clock_under(&self, root: &RootDocument, learned: &Learned) -> Clock {
        self.clock.after(learned.seen.or_else(|| self.trust.seen_timestamp(root)))
    }
}

/// What to look for, and what it must suit.
#[derive(Clone, Debug)]
pub(crate) struct Search {
    pub(crate) known: Known,
    pub(crate) wanted: Wanted,
    pub(crate) thing: ThingName,
    pub(crate) chip: Chip,
    pub(crate) revision: Option<u16>,
    pub(crate) slot_bytes: u64,
}

/// A manifest whose whole chain was verified.
#[derive(Clone, Debug)]
pub(crate) struct Checked {
    pub(crate) manifest: Manifest,
    pub(crate) target: Target,
    pub(crate) signer: KeyId,
}

/// What was learned on the way. It is kept even when the manifest then fails, because a root
/// may only move forward.
#[derive(Clone, Debug, Default)]
pub(crate) struct Learned {
    /// The newest root document, verified, with its bytes; only if it is news.
    pub(crate) root: Option<(RootDocument, Vec<u8>)>,
    /// A fresh timestamp.
    pub(crate) seen: Option<SeenTimestamp>,
    /// What to say about both, where the root names a server key.
    pub(crate) report: Option<TrustReport>,
}

/// Fetches and verifies root documents, timestamp, manifest and order.
pub(crate) async fn find_manifest(
    https: &Https,
    search: Search,
    learned: &mut Learned,
) -> Result<Checked, Fault> {
    let root = walk_roots(https, &search.known, learned).await?;
    follow_news(https, &search.known, &root, learned).await?;
    let (product, version) = (&search.known.product, &search.wanted.version);
    let path = format!("/firmware/{product}/{version}.manifest");
    let bytes = https.document(&path, MANIFEST_BYTES_MAX, Reason::LinkDownAtInstall).await?;
    let bytes = bytes.ok_or(Reason::ManifestMissing)?;
    let passed = search.known.clock_under(&root, learned).passed();
    let manifest = Manifest::verify(&bytes, &root, Some(passed)).map_err(|error| {
        tracing::warn!(error = %error, "Manifest refused");
        error.reason()
    })?;
    let view = ManifestView::read_trusted(&bytes).map_err(|error| error.reason_of_manifest())?;
    let signer = view.signer;
    let device = Device {
        product,
        chip: search.chip,
        revision: search.revision,
        slot_bytes: search.slot_bytes,
        least: search.known.trust.least(&root, &search.wanted),
    };
    let target = check_manifest(&view, &search.wanted, device)?;
    if root.server_key.is_some() {
        get_order(https, &search, &root, &manifest).await?;
    }
    Ok(Checked { manifest, target, signer })
}

/// Asks the server whether it means this device, now.
async fn get_order(
    https: &Https,
    search: &Search,
    root: &RootDocument,
    manifest: &Manifest,
) -> Result<(), Fault> {
    let mut nonce = [0; NONCE_BYTES];
    // A number that could be guessed would let an old order answer.
    getrandom::fill(&mut nonce).map_err(|_| Reason::Internal)?;
    let hex: String = nonce.iter().map(|byte| format!("{byte:02x}")).collect();
    let Manifest { product, version, sha256, .. } = manifest;
    let path = format!("/firmware/{product}/{version}.order?nonce={hex}");
    let bytes = https.document(&path, Order::MAX_BYTES, Reason::LinkDownAtInstall).await?;
    let bytes = bytes.ok_or(Reason::OrderMissing)?;
    let asked = OrderAsked {
        thing: &search.thing,
        product,
        version: version.as_str().as_bytes(),
        sha256,
        nonce: &nonce,
        update: search.wanted.update.as_ref(),
        is_downgrade: manifest.is_downgrade,
    };
    let order = Order::verify(&bytes, root).and_then(|order| order.answers(&asked));
    order.map_err(|error| {
        tracing::warn!(error = %error, "Order refused");
        error.reason().into()
    })
}

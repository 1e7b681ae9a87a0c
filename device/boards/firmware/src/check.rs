//! The chain of trust, to its end: root documents, timestamp, manifest, order.

use alloc::format;
use alloc::string::String;
use alloc::vec;
use alloc::vec::Vec;

use otaru_agent::{Clock, Input, Least, SeenTimestamp, Target, Trust, Wanted, check_manifest};
use otaru_release::{
    KeyId, Manifest, ManifestView, NONCE_BYTES, Order, OrderAsked, RootDocument, Timestamp,
};
use otaru_wire::Reason;
use otaru_wire::payload::TrustReport;

use crate::board::Board;
use crate::device::{Broken, Device, Failure};

/// Largest manifest fetched: that of an image of 8 MiB, and as much again.
const MANIFEST_BYTES_MAX: usize = 8 * 1024;
/// More root documents than any product will have; a server that goes on serving is broken.
const WALK_MAX: u64 = 1000;

/// A manifest that was checked, and the documents that say why it may be believed.
pub(crate) struct Checked {
    pub(crate) manifest: Manifest,
    /// Root documents from the root key's own on, and the manifest; none where nobody reads them.
    pub(crate) documents: Vec<Vec<u8>>,
}

impl<B: Board> Device<B> {
    /// Everything before the first erase.
    pub(crate) async fn check_manifest(&mut self, wanted: &Wanted) -> Result<Target, Broken> {
        let root = self.walk_roots().await?;
        self.follow_news(&root).await?;
        let (_, trust) = self.host.trusted()?;
        let (manifest, bytes, target, signer) = self.find_manifest(wanted, &root, &trust).await?;
        if root.server_key.is_some() {
            self.get_order(wanted, &root, &manifest).await?;
        }
        let documents = match self.board.keeps_proof() {
            true => self.proof(&root, bytes).await?,
            false => Vec::new(),
        };
        self.host.manifest_checked(signer);
        self.checked = Some(Checked { manifest, documents });
        Ok(target)
    }

    /// Root documents and timestamp alone.
    pub(crate) async fn watch_trust(&mut self) -> Result<(), Failure> {
        let watched = async {
            let root = self.walk_roots().await?;
            self.follow_news(&root).await
        };
        match watched.await {
            Err(Broken::Failure) => Err(Failure),
            // What it came to is told already.
            Ok(()) | Err(Broken::Fault(_) | Broken::Stopped) => Ok(()),
        }
    }

    /// Follows the root documents to the newest there is, and keeps it: a root only moves forward.
    async fn walk_roots(&mut self) -> Result<RootDocument, Broken> {
        let mut newest = self.host.trusted()?.0;
        for _ in 0..WALK_MAX {
            let number = newest.as_ref().map_or(1, |root| root.number.saturating_add(1));
            let Some(bytes) = self.get_root(number).await? else {
                return newest.ok_or_else(|| Reason::RootMissing.into());
            };
            let verified = match &newest {
                Some(root) => root.verify_next(&bytes),
                None => RootDocument::verify(&bytes, &[self.net.identity.root_key]),
            };
            let root = verified.map_err(|error| error.reason())?;
            self.host.keep_root(&root, &bytes)??;
            newest = Some(root);
        }
        Err(Reason::RootInvalid.into())
    }

    async fn get_root(&mut self, number: u64) -> Result<Option<Vec<u8>>, Broken> {
        let path = format!("/firmware/{}/root/{number}", self.net.identity.product);
        self.document(&path, RootDocument::MAX_BYTES).await
    }

    /// The documents that lead from the built-in root key to a manifest: root documents from the
    /// newest that this key signed itself, and the manifest. A board that has no room for them
    /// takes no image that it could not start.
    async fn proof(
        &mut self,
        root: &RootDocument,
        manifest: Vec<u8>,
    ) -> Result<Vec<Vec<u8>>, Broken> {
        let key = [self.net.identity.root_key];
        // From the last to the first.
        let mut documents = vec![manifest];
        let mut number = root.number;
        let first = loop {
            let bytes = self.get_root(number).await?.ok_or(Reason::RootMissing)?;
            let first = RootDocument::verify(&bytes, &key).ok();
            documents.push(bytes);
            let all: Vec<&[u8]> = documents.iter().map(Vec::as_slice).collect();
            if !self.board.has_room_for_proof(&all) {
                return Err(Reason::StorageFull.into());
            }
            if let Some(first) = first {
                break first;
            }
            number =
                number.checked_sub(1).filter(|&number| number > 0).ok_or(Reason::RootInvalid)?;
        };
        documents.reverse();
        let mut last = first;
        for bytes in &documents[1..documents.len() - 1] {
            last = last.verify_next(bytes).map_err(|error| error.reason())?;
        }
        if last == *root { Ok(documents) } else { Err(Reason::RootInvalid.into()) }
    }

    fn clock(&self, root: &RootDocument, trust: &Trust) -> Clock {
        let made = self.net.identity.made_at;
        let seen = trust.seen_timestamp(root).map_or(made, |seen| seen.signed_at.max(made));
        Clock::new(self.board.wall_ms().map(|ms| ms / 1000), seen)
    }

    /// Looks at the server's timestamp, where the root names a server key. Only a newer root that
    /// is withheld stops anything: it may revoke the key of whatever comes next.
    async fn follow_news(&mut self, root: &RootDocument) -> Result<(), Broken> {
        let Some(key) = root.server_key else { return Ok(()) };
        let (_, trust) = self.host.trusted()?;
        let path = format!("/firmware/{}/timestamp", self.net.identity.product);
        let (timestamp, reason) = match self.document(&path, Timestamp::MAX_BYTES).await {
            Ok(Some(bytes)) => match Timestamp::verify(&bytes, root, &self.net.identity.product) {
                Ok(timestamp) => {
                    let seen_at = trust.seen_timestamp(root).map(|seen| seen.signed_at);
                    let clock = self.clock(root, &trust);
                    let fresh = timestamp
                        .check_fresh(clock.time(), seen_at)
                        .and_then(|()| timestamp.check_expiry(clock.passed()))
                        .and_then(|()| timestamp.check_knows(trust.highest_sequence(root)));
                    (Some(timestamp), fresh.err().map(|error| error.reason()))
                }
                Err(error) => (None, Some(error.reason())),
            },
            Ok(None) => (None, Some(Reason::TimestampMissing)),
            // A link that is down withholds nothing on purpose.
            Err(Broken::Fault(fault)) if fault.reason == Reason::LinkDownAtInstall => return Ok(()),
            Err(Broken::Fault(fault)) => (None, Some(fault.reason)),
            Err(broken) => return Err(broken),
        };
        let withheld = timestamp.as_ref().is_some_and(|found| found.root_number > root.number);
        let reason = if withheld { Some(Reason::RootWithheld) } else { reason };
        let signed_at = timestamp.as_ref().map(|found| found.signed_at);
        if let (Some(signed_at), None) = (signed_at, reason) {
            let seen = SeenTimestamp { key: key.id(), signed_at };
            if let Err(reason) = self.host.keep_seen(seen)? {
                self.complain(reason);
            }
        }
        let report = TrustReport { root: root.number, timestamp: signed_at, reason };
        self.answer(Input::TrustChecked(report));
        if withheld { Err(Reason::RootWithheld.into()) } else { Ok(()) }
    }

    async fn find_manifest(
        &mut self,
        wanted: &Wanted,
        root: &RootDocument,
        trust: &Trust,
    ) -> Result<(Manifest, Vec<u8>, Target, KeyId), Broken> {
        let product = &self.net.identity.product;
        let path = format!("/firmware/{product}/{}.manifest", wanted.version);
        let bytes = self.document(&path, MANIFEST_BYTES_MAX).await?;
        let bytes = bytes.ok_or(Reason::ManifestMissing)?;
        let passed = self.clock(root, trust).passed();
        let manifest =
            Manifest::verify(&bytes, root, Some(passed)).map_err(|error| error.reason())?;
        let view =
            ManifestView::read_trusted(&bytes).map_err(|error| error.reason_of_manifest())?;
        let target = check_manifest(&view, wanted, self.described(trust.least(root, wanted)))?;
        let signer = view.signer;
        Ok((manifest, bytes, target, signer))
    }

    /// What a manifest has to fit.
    pub(crate) fn described(&self, least: Least) -> otaru_agent::Device<'_> {
        otaru_agent::Device {
            product: &self.net.identity.product,
            chip: self.net.identity.chip,
            revision: self.board.chip_revision(),
            slot_bytes: self.host.layout().slot(self.host.slot().other()).size.into(),
            least,
        }
    }

    /// Asks the server whether it means this device, now.
    async fn get_order(
        &mut self,
        wanted: &Wanted,
        root: &RootDocument,
        manifest: &Manifest,
    ) -> Result<(), Broken> {
        let mut nonce = [0; NONCE_BYTES];
        (self.net.random)(&mut nonce);
        let hex: String = nonce.iter().map(|byte| format!("{byte:02x}")).collect();
        let Manifest { product, version, sha256, .. } = manifest;
        let path = format!("/firmware/{product}/{version}.order?nonce={hex}");
        let bytes = self.document(&path, Order::MAX_BYTES).await?.ok_or(Reason::OrderMissing)?;
        let asked = OrderAsked {
            thing: &self.net.identity.thing,
            product,
            version: version.as_str().as_bytes(),
            sha256,
            nonce: &nonce,
            update: wanted.update.as_ref(),
            is_downgrade: manifest.is_downgrade,
        };
        let order = Order::verify(&bytes, root).and_then(|order| order.answers(&asked));
        Ok(order.map_err(|error| error.reason())?)
    }
}

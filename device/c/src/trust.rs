//! The chain of trust, to its end: root documents, timestamp, manifest, order.

use alloc::format;
use alloc::string::String;

use otaru_agent::{Clock, Fault, Input, SeenTimestamp, Target, Trust, Wanted, check_manifest};
use otaru_release::{
    KeyId, Manifest, ManifestView, NONCE_BYTES, Order, OrderAsked, RootDocument, Timestamp,
};
use otaru_wire::Reason;
use otaru_wire::payload::TrustReport;

use crate::device::{Device, Failure};
use crate::documents;

/// Largest manifest fetched: that of an image of 64 MiB, and as much again.
const MANIFEST_BYTES_MAX: usize = 64 * 1024;
/// More root documents than any product will have; a server that goes on serving is broken.
const WALK_MAX: u64 = 1000;

/// Carried out, or what ended it.
type Checked<T> = Result<Result<T, Fault>, Failure>;

/// Goes on with the value, or ends with the fault.
macro_rules! good {
    ($checked:expr) => {
        match $checked {
            Ok(value) => value,
            Err(fault) => return Ok(Err(Fault::from(fault))),
        }
    };
}

/// A chain under way: one document at a time.
#[derive(Debug)]
pub(crate) struct Check {
    /// What its end is about; `None` for root documents and timestamp alone.
    wanted: Option<Wanted>,
    next: Option<Document>,
    found: Option<Found>,
}

/// What is fetched next, under the newest root there is.
#[derive(Debug)]
enum Document {
    Root { newest: Option<RootDocument>, walked: u64 },
    Timestamp(RootDocument),
    Manifest(RootDocument),
    Order(RootDocument),
}

/// The manifest of what is wanted.
#[derive(Debug)]
struct Found {
    manifest: Manifest,
    target: Target,
    signer: KeyId,
}

impl Check {
    /// Whether it is about root documents and timestamp alone.
    pub(crate) fn is_watch(&self) -> bool {
        self.wanted.is_none()
    }
}

impl Device {
    /// Everything before the first erase of what is wanted; root documents and timestamp alone
    /// where nothing is.
    pub(crate) fn begin_check(&mut self, wanted: Option<Wanted>) -> Result<Check, Failure> {
        let newest = self.host.trusted()?.0;
        Ok(Check { wanted, next: Some(Document::Root { newest, walked: 0 }), found: None })
    }

    /// Fetches one document and checks it; whether another one follows.
    pub(crate) fn check_next(&mut self, check: &mut Check) -> Result<bool, Failure> {
        let answer = match self.check_document(check)? {
            Ok(next) if next.is_some() => {
                check.next = next;
                return Ok(true);
            }
            Ok(_) => check.found.take().map(|found| {
                self.host.manifest_checked(found.signer);
                self.checked = Some(found.manifest);
                Ok(found.target)
            }),
            // A look at the trust alone has told already what it came to.
            Err(fault) => check.wanted.is_some().then_some(Err(fault)),
        };
        if let Some(answer) = answer {
            self.answer(Input::ManifestChecked(answer));
        }
        Ok(false)
    }

    fn check_document(&mut self, check: &mut Check) -> Checked<Option<Document>> {
        let Some(next) = check.next.take() else { return Ok(Ok(None)) };
        Ok(Ok(match (next, &check.wanted) {
            (Document::Root { newest, walked }, _) => {
                Some(good!(self.follow_root(newest, walked)?))
            }
            (Document::Timestamp(root), wanted) => {
                good!(self.follow_news(&root)?);
                wanted.as_ref().map(|_| Document::Manifest(root))
            }
            (Document::Manifest(root), Some(wanted)) => {
                let (_, trust) = self.host.trusted()?;
                check.found = Some(good!(self.find_manifest(wanted, &root, &trust)));
                root.server_key.is_some().then_some(Document::Order(root))
            }
            (Document::Order(root), Some(wanted)) => {
                let Some(found) = &check.found else { return Ok(Ok(None)) };
                good!(self.get_order(wanted, &root, &found.manifest));
                None
            }
            (Document::Manifest(_) | Document::Order(_), None) => None,
        }))
    }

    /// Follows the root documents to the newest there is, and keeps it: a root only moves forward.
    fn follow_root(&mut self, newest: Option<RootDocument>, walked: u64) -> Checked<Document> {
        if walked == WALK_MAX {
            return Ok(Err(Reason::RootInvalid.into()));
        }
        let number = newest.as_ref().map_or(1, |root| root.number.saturating_add(1));
        let path = format!("/firmware/{}/root/{number}", self.identity.product);
        let found = documents::get(&self.board, &path, RootDocument::MAX_BYTES);
        let Some(bytes) = good!(found) else {
            return Ok(newest.map(Document::Timestamp).ok_or(Reason::RootMissing.into()));
        };
        let verified = match &newest {
            Some(root) => root.verify_next(&bytes),
            None => RootDocument::verify(&bytes, &[self.identity.root_key]),
        };
        let root = good!(verified.map_err(|error| error.reason()));
        good!(self.host.keep_root(&root, &bytes)?);
        Ok(Ok(Document::Root { newest: Some(root), walked: walked + 1 }))
    }

    fn clock(&self, root: &RootDocument, trust: &Trust) -> Clock {
        let built = self.identity.built_at_s;
        let seen = trust.seen_timestamp(root).map_or(built, |seen| seen.signed_at.max(built));
        Clock::new(self.board.wall_ms().map(|ms| ms / 1000), seen)
    }

    /// Looks at the server's timestamp, where the root names a server key. Only a newer root that
    /// is withheld stops anything: it may revoke the key of whatever comes next.
    fn follow_news(&mut self, root: &RootDocument) -> Checked<()> {
        let Some(key) = root.server_key else { return Ok(Ok(())) };
        let (_, trust) = self.host.trusted()?;
        let path = format!("/firmware/{}/timestamp", self.identity.product);
        let answer = documents::get(&self.board, &path, Timestamp::MAX_BYTES);
        let (timestamp, reason) = match answer {
            Ok(Some(bytes)) => match Timestamp::verify(&bytes, root, &self.identity.product) {
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
            Err(fault) if fault.reason == Reason::LinkDownAtInstall => return Ok(Ok(())),
            Err(fault) => (None, Some(fault.reason)),
        };
        let withheld = timestamp.as_ref().is_some_and(|found| found.root_number > root.number);
        let reason = if withheld { Some(Reason::RootWithheld) } else { reason };
        let signed_at = timestamp.as_ref().map(|found| found.signed_at);
        if let (Some(signed_at), None) = (signed_at, reason)
            && let Err(reason) = self.host.keep_seen(SeenTimestamp { key: key.id(), signed_at })?
        {
            self.complain(reason);
        }
        let report = TrustReport { root: root.number, timestamp: signed_at, reason };
        self.answer(Input::TrustChecked(report));
        Ok(if withheld { Err(Reason::RootWithheld.into()) } else { Ok(()) })
    }

    fn find_manifest(
        &self,
        wanted: &Wanted,
        root: &RootDocument,
        trust: &Trust,
    ) -> Result<Found, Fault> {
        let product = &self.identity.product;
        let path = format!("/firmware/{product}/{}.manifest", wanted.version);
        let bytes = documents::get(&self.board, &path, MANIFEST_BYTES_MAX)?;
        let bytes = bytes.ok_or(Reason::ManifestMissing)?;
        let passed = self.clock(root, trust).passed();
        let manifest =
            Manifest::verify(&bytes, root, Some(passed)).map_err(|error| error.reason())?;
        let view =
            ManifestView::read_trusted(&bytes).map_err(|error| error.reason_of_manifest())?;
        let device = otaru_agent::Device {
            product,
            chip: self.identity.chip,
            revision: self.identity.revision,
            slot_bytes: self.host.layout().slot(self.host.slot().other()).size.into(),
            least: trust.least(root, wanted),
        };
        let target = check_manifest(&view, wanted, device)?;
        Ok(Found { manifest, target, signer: view.signer })
    }

    /// Asks the server whether it means this device, now.
    fn get_order(
        &self,
        wanted: &Wanted,
        root: &RootDocument,
        manifest: &Manifest,
    ) -> Result<(), Fault> {
        let mut nonce = [0; NONCE_BYTES];
        // A number that could be guessed would let an old order answer.
        if !self.board.random(&mut nonce) {
            return Err(Reason::Internal.into());
        }
        let hex: String = nonce.iter().map(|byte| format!("{byte:02x}")).collect();
        let Manifest { product, version, sha256, .. } = manifest;
        let path = format!("/firmware/{product}/{version}.order?nonce={hex}");
        let bytes = documents::get(&self.board, &path, Order::MAX_BYTES)?;
        let bytes = bytes.ok_or(Reason::OrderMissing)?;
        let asked = OrderAsked {
            thing: &self.identity.thing,
            product,
            version: version.as_str().as_bytes(),
            sha256,
            nonce: &nonce,
            update: wanted.update.as_ref(),
            is_downgrade: manifest.is_downgrade,
        };
        let order = Order::verify(&bytes, root).and_then(|order| order.answers(&asked));
        order.map_err(|error| error.reason().into())
    }
}

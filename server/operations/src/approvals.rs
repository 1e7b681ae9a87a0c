//! Four eyes: where a product wants it, a release that one publishes comes to devices only once
//! another person has approved it.
//!
//! What waits is stored among the drafts, which no query of devices or owners reads, and the one
//! way from there into the releases is [`approve_release`]. The store refuses a release of such a
//! product that nobody approved, whoever would write it.

use otaru_fleet::{Approval, ApprovalState, Permission};
use otaru_store::{ReleaseRow, Scope, Tx};
use otaru_wire::{ProductName, ReleaseVersion};

use crate::audit::{Object, Who};
use crate::{
    Actor, App, OperationError, ProductObject, Refusal, ReleaseObject, products, publish,
    refusal::typed_text,
    releases::{self, show_change, tell},
};

/// Longest comment, in bytes.
const COMMENT_BYTES: usize = 2 * 1024;

/// Whoever publishes something: a person, or a program that acts for none.
#[derive(Clone, Debug)]
pub(crate) struct Publisher {
    person: Option<String>,
}

impl Publisher {
    pub(crate) fn of(actor: &Actor) -> Publisher {
        Publisher { person: actor.user.clone() }
    }

    /// What the person is called.
    fn name(&self, tx: &mut Tx<'_>, scope: &Scope) -> Result<Option<String>, OperationError> {
        let Some(person) = &self.person else { return Ok(None) };
        Ok(otaru_store::user(tx, scope, person)?.map(|user| user.email))
    }

    /// A release as it is stored that somebody uploads or publishes, in place of `before`: what
    /// needs approval becomes a draft that waits for it.
    pub(crate) fn settle(
        &self,
        tx: &mut Tx<'_>,
        scope: &Scope,
        release: ReleaseRow,
        before: Option<&ReleaseRow>,
        now: i64,
    ) -> Result<ReleaseRow, OperationError> {
        let before = before.and_then(|before| before.approval.as_ref());
        // Without the setting what waited waits, signed anew as well.
        let waited = before.is_some_and(|before| before.state == ApprovalState::Waiting);
        let uploaded = Approval::of_draft(before, self.person.as_deref());
        let product = products::known(tx, scope, &release.product)?;
        let approval = match (release.is_draft, product.needs_approval || waited) {
            (true, _) => Some(uploaded),
            (false, true) => Some(uploaded.asked(self.name(tx, scope)?, now)),
            (false, false) => None,
        };
        let is_draft = approval.is_some();
        Ok(ReleaseRow { approval, is_draft, ..release })
    }
}

/// How far a draft has come.
pub(crate) fn state(release: &ReleaseRow) -> ApprovalState {
    release.approval.as_ref().map_or(ApprovalState::Draft, |approval| approval.state)
}

/// Refuses what was rejected: that is so for good.
pub(crate) fn refuse_rejected(release: &ReleaseRow) -> Result<(), Refusal> {
    match release.is_draft && state(release) == ApprovalState::Rejected {
        true => Err(Refusal::ReleaseRejected(release.version.to_string())),
        false => Ok(()),
    }
}

/// Has a release of a product wait for a second person from now on, or not any more. What waits
/// already goes on waiting. Only administrators do without.
///
/// # Errors
/// [`Refusal::ProductUnknown`], [`Refusal::Forbidden`].
pub async fn set_product_approval(
    app: &App,
    actor: &Actor,
    name: ProductName,
    required: bool,
) -> Result<ProductObject, OperationError> {
    actor.require(match required {
        true => Permission::PublishReleases,
        false => Permission::ManagePeople,
    })?;
    let set = move |tx: &mut Tx<'_>, scope: &Scope, known: &otaru_store::ProductRow| {
        Ok(otaru_store::set_product_approval(tx, scope, &known.name, required)?)
    };
    products::change(app, actor, "product.set_approval", name, set).await
}

/// Publishes a release that waits: from now on devices are offered it.
///
/// # Errors
/// [`Refusal::OwnRelease`] for whoever had a part in it, [`Refusal::UserRequired`] for a program,
/// [`Refusal::ReleaseNotWaiting`], [`Refusal::ReleaseRejected`], [`Refusal::ReleaseUnknown`],
/// [`Refusal::InvalidField`], [`Refusal::Forbidden`]; what else a draft is refused for.
pub async fn approve_release(
    app: &App,
    actor: &Actor,
    product: ProductName,
    version: ReleaseVersion,
    comment: Option<String>,
) -> Result<ReleaseObject, OperationError> {
    let decision = Decision::of(app, actor, product, version, comment)?;
    let work = move |tx: &mut Tx<'_>| {
        let (waits, approval) = decision.waiting(tx)?;
        if approval.is_of(&decision.person) {
            return Err(Refusal::OwnRelease(waits.version.to_string()).into());
        }
        let before = ReleaseObject::from(waits.clone());
        let approval = decision.decide(tx, approval, ApprovalState::Approved)?;
        let waits = ReleaseRow { approval: Some(approval), ..waits };
        let release = publish::promote(tx, &decision.scope, waits, decision.now)?;
        let object = Object::release(&release.product, &release.version);
        let did = decision.who.did("release.approve", object);
        let changed = did.changed(&before, &release.clone().into());
        Ok::<_, OperationError>((release, changed))
    };
    let release = app.inner.store.audited(work).await?;
    tell(app, actor, &release).await;
    Ok(release.into())
}

/// Refuses a release that waits, for good: its version is never published.
///
/// # Errors
/// As [`approve_release`]; whoever had a part in it may reject it, too.
pub async fn reject_release(
    app: &App,
    actor: &Actor,
    product: ProductName,
    version: ReleaseVersion,
    comment: Option<String>,
) -> Result<ReleaseObject, OperationError> {
    let decision = Decision::of(app, actor, product, version, comment)?;
    let work = move |tx: &mut Tx<'_>| {
        let (waits, approval) = decision.waiting(tx)?;
        let before = ReleaseObject::from(waits.clone());
        let approval = decision.decide(tx, approval, ApprovalState::Rejected)?;
        let release = ReleaseRow { approval: Some(approval), ..waits };
        otaru_store::set_draft_approval(tx, &decision.scope, &release)?;
        let object = Object::release(&release.product, &release.version);
        let release = ReleaseObject::from(release);
        let rejected = decision.who.did("release.reject", object).changed(&before, &release);
        Ok::<_, OperationError>((release, rejected))
    };
    app.inner.store.audited(work).await
}

/// A person's word about a release.
struct Decision {
    scope: Scope,
    person: String,
    who: Who,
    product: ProductName,
    version: ReleaseVersion,
    comment: Option<String>,
    now: i64,
}

impl Decision {
    fn of(
        app: &App,
        actor: &Actor,
        product: ProductName,
        version: ReleaseVersion,
        comment: Option<String>,
    ) -> Result<Decision, Refusal> {
        releases::may_publish(actor)?;
        let person = actor.person()?.to_owned();
        let comment = comment.map(|text| text.trim().to_owned()).filter(|text| !text.is_empty());
        if let Some(comment) = &comment {
            typed_text("comment", comment)?;
            if comment.len() > COMMENT_BYTES {
                let detail = format!("longer than {COMMENT_BYTES} bytes");
                return Err(Refusal::invalid("comment", detail));
            }
        }
        let (scope, who, now) = (actor.scope.clone(), Who::of(actor), app.now_ms());
        Ok(Decision { scope, person, who, product, version, comment, now })
    }

    /// The release, if it waits.
    fn waiting(&self, tx: &mut Tx<'_>) -> Result<(ReleaseRow, Approval), OperationError> {
        let found = releases::known(tx, &self.scope, &self.product, &self.version)?;
        refuse_rejected(&found)?;
        let waits =
            |approval: &Approval| found.is_draft && approval.state == ApprovalState::Waiting;
        match found.approval.clone().filter(waits) {
            Some(approval) => Ok((found, approval)),
            None => Err(Refusal::ReleaseNotWaiting(self.version.to_string()).into()),
        }
    }

    fn decide(
        &self,
        tx: &mut Tx<'_>,
        approval: Approval,
        state: ApprovalState,
    ) -> Result<Approval, OperationError> {
        show_change(tx, &self.scope, &self.product, &self.version);
        let user = otaru_store::user(tx, &self.scope, &self.person)?;
        let name = user.ok_or_else(|| Refusal::UserUnknown(self.person.clone()))?.email;
        Ok(approval.decided(state, name, self.comment.clone(), self.now))
    }
}

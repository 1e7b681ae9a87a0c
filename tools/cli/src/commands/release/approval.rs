use anyhow::Result;
use clap::Args;
use otaru_client::Approval;

use super::{Context, WhichRelease, print};

#[derive(Args, Debug)]
pub struct DecideRelease {
    #[command(flatten)]
    which: WhichRelease,
    /// What is to be said about it
    #[arg(long, value_name = "TEXT")]
    comment: Option<String>,
}

impl DecideRelease {
    pub(super) async fn approve(self, context: &Context<'_>) -> Result<()> {
        let DecideRelease { which, comment } = self;
        let WhichRelease { release_version: version, product } = which;
        let comment = comment.as_deref();
        print(context, &context.client()?.approve_release(&product, &version, comment).await?)
    }

    pub(super) async fn reject(self, context: &Context<'_>) -> Result<()> {
        let DecideRelease { which, comment } = self;
        let WhichRelease { release_version: version, product } = which;
        context.confirm(&format!("Reject {product} {version} for good?"))?;
        let comment = comment.as_deref();
        print(context, &context.client()?.reject_release(&product, &version, comment).await?)
    }
}

/// Who said what about a release.
pub(super) fn lines(approval: &Approval) -> Vec<(&'static str, String)> {
    let asked = approval.asked_by.clone().unwrap_or_else(|| "a program".to_owned());
    let mut lines = vec![("published by", asked)];
    let decided = approval.by.clone().zip(approval.at.clone());
    lines.extend(decided.map(|(by, at)| ("approval", format!("{} by {by}, {at}", approval.state))));
    lines.extend(approval.comment.clone().map(|comment| ("comment", comment)));
    lines
}

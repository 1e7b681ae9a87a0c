use anyhow::Result;
use clap::{Args, ValueEnum};
use otaru_wire::ProductName;

use super::super::Context;

/// Whether a second person has to approve.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Needed {
    On,
    Off,
}

#[derive(Args, Debug)]
pub struct ProductApproval {
    /// The product
    name: ProductName,
    /// Whether a release waits until a person approved it who did not publish it
    needed: Needed,
}

impl ProductApproval {
    pub(super) async fn run(self, context: &Context<'_>) -> Result<()> {
        let ProductApproval { name, needed } = self;
        let required = needed == Needed::On;
        super::print(context, &context.client()?.set_product_approval(&name, required).await?)
    }
}

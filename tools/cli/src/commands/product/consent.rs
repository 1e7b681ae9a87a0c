use anyhow::Result;
use clap::Args;
use otaru_client::{Consent, Object, Product};
use otaru_wire::ProductName;

use crate::commands::Context;
use crate::exit::WrongUsage;

#[derive(Args, Debug)]
pub struct ProductConsent {
    /// The product
    name: ProductName,
    /// From now on: ask the owner, ask until a deadline, install at night, or at once
    #[arg(long, value_parser = ["ask", "deadline", "night", "forced"])]
    mode: Option<String>,
    /// With deadline: days after which who has not decided gets it at night, 1 to 365
    #[arg(long, value_name = "N", requires = "mode", required_if_eq("mode", "deadline"),
        value_parser = clap::value_parser!(u32).range(1..=365))]
    deadline_days: Option<u32>,
}

impl ProductConsent {
    pub(super) async fn run(self, context: &Context<'_>) -> Result<()> {
        let ProductConsent { name, mode, deadline_days } = self;
        let product = match mode {
            Some(mode) => {
                if deadline_days.is_some() && mode != "deadline" {
                    let wrong = format!("--deadline-days goes with --mode deadline, not {mode}");
                    return Err(WrongUsage(wrong).into());
                }
                let consent = Consent { mode, deadline_days };
                context.client()?.set_product_consent(&name, &consent).await?
            }
            None => context.client()?.show_product(&name).await?,
        };
        print(context, &product)
    }
}

fn print(context: &Context<'_>, product: &Object<Product>) -> Result<()> {
    let Consent { mode, deadline_days } = product.consent.clone();
    let mut lines = vec![("name", product.name.clone()), ("mode", mode)];
    lines.extend(deadline_days.map(|days| ("deadline days", days.to_string())));
    Ok(context.printer.object(product.json(), &lines)?)
}

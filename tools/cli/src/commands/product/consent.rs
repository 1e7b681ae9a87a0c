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
    /// With ask and deadline: whether somebody at a device with a screen may decide there; as it
    /// was if not given
    #[arg(long, value_name = "BOOL", requires = "mode")]
    ask_on_device: Option<bool>,
}

impl ProductConsent {
    pub(super) async fn run(self, context: &Context<'_>) -> Result<()> {
        let ProductConsent { name, mode, deadline_days, ask_on_device } = self;
        let product = match mode {
            Some(mode) => {
                if deadline_days.is_some() && mode != "deadline" {
                    let wrong = format!("--deadline-days goes with --mode deadline, not {mode}");
                    return Err(WrongUsage(wrong).into());
                }
                let asks = ["ask", "deadline"].contains(&mode.as_str());
                if ask_on_device.is_some() && !asks {
                    let wrong =
                        format!("--ask-on-device goes with --mode ask or deadline, not {mode}");
                    return Err(WrongUsage(wrong).into());
                }
                let client = context.client()?;
                let before = client.show_product(&name).await?.consent.ask_on_device;
                let ask_on_device = ask_on_device.or(before).filter(|_| asks);
                let consent = Consent { mode, deadline_days, ask_on_device };
                client.set_product_consent(&name, &consent).await?
            }
            None => context.client()?.show_product(&name).await?,
        };
        print(context, &product)
    }
}

fn print(context: &Context<'_>, product: &Object<Product>) -> Result<()> {
    let Consent { mode, deadline_days, ask_on_device } = product.consent.clone();
    let mut lines = vec![("name", product.name.clone()), ("mode", mode)];
    lines.extend(deadline_days.map(|days| ("deadline days", days.to_string())));
    lines.extend(ask_on_device.map(|asks| ("ask on device", asks.to_string())));
    Ok(context.printer.object(product.json(), &lines)?)
}

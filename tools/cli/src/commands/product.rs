mod approval;
mod consent;
mod settings;

use std::path::PathBuf;

use anyhow::{Context as _, Result};
use clap::{Args, Subcommand};
use otaru_client::{ChipRevisions, NewProduct, Object, Product};
use otaru_release::Chip;
use otaru_wire::ProductName;

use super::{Context, ListOptions};
use crate::exit::WrongUsage;
use crate::units;

#[derive(Subcommand, Debug)]
pub enum ProductCommand {
    /// Create a product
    Create(CreateProduct),
    /// List products
    List(ProductListOptions),
    /// Show a product
    Show {
        /// The product
        name: ProductName,
    },
    /// Say which chip revisions its devices have
    ChipRevisions(ProductChipRevisions),
    /// Show or say who decides when its releases are installed
    Consent(consent::ProductConsent),
    /// Say whether a second person has to approve its releases
    Approval(approval::ProductApproval),
    /// Show or describe what its owners and operators can set
    Settings(settings::ProductSettings),
}

#[derive(Args, Debug)]
pub struct CreateProduct {
    /// Its name, 1 to 32 of [a-z0-9-]
    name: ProductName,
    /// Chip, such as esp32c3
    #[arg(long)]
    chip: Chip,
    /// Size of the flash, such as 4M
    #[arg(long, value_name = "SIZE", value_parser = units::size_bytes)]
    flash: u64,
    /// Size of one slot; the most that fits twice if not given
    #[arg(long, value_name = "SIZE", value_parser = units::size_bytes)]
    slot_size: Option<u64>,
    /// Signed root document, as `key new` writes it
    #[arg(long, value_name = "FILE")]
    root: PathBuf,
    /// Who may download its images
    #[arg(long, default_value = "device", value_parser = ["device", "public"])]
    download: String,
    /// How its images are read: raw is for chips that run no ESP-IDF images
    #[arg(long, default_value = "esp_idf", value_parser = ["esp_idf", "raw"])]
    images: String,
    /// Chip revisions of its devices, such as 0.3-1.1: what does not run on all is refused
    #[arg(long, value_name = "RANGE", value_parser = units::revisions)]
    chip_revisions: Option<ChipRevisions>,
}

#[derive(Args, Debug)]
pub struct ProductChipRevisions {
    /// The product
    name: ProductName,
    /// Chip revisions of its devices, such as 0.3-1.1
    #[arg(value_name = "RANGE", value_parser = units::revisions, required_unless_present = "unknown")]
    range: Option<ChipRevisions>,
    /// Nobody knows which revisions there are
    #[arg(long, conflicts_with = "range")]
    unknown: bool,
}

#[derive(Args, Debug)]
pub struct ProductListOptions {
    #[command(flatten)]
    list: ListOptions,
}

impl ProductCommand {
    pub(super) async fn run(self, context: &Context<'_>) -> Result<()> {
        match self {
            ProductCommand::Consent(consent) => consent.run(context).await,
            ProductCommand::Approval(approval) => approval.run(context).await,
            ProductCommand::Settings(settings) => settings.run(context).await,
            ProductCommand::ChipRevisions(ProductChipRevisions { name, range, unknown: _ }) => {
                print(context, &context.client()?.set_chip_revisions(&name, range).await?)
            }
            ProductCommand::Create(create) => {
                if create.chip.runs_esp_images() == (create.images == "raw") {
                    let wrong = "--images raw goes with chips that run no ESP-IDF images";
                    return Err(WrongUsage(wrong.to_owned()).into());
                }
                let root = std::fs::read(&create.root)
                    .with_context(|| format!("could not read {}", create.root.display()))?;
                let new = NewProduct {
                    name: create.name,
                    chip: create.chip.name().to_owned(),
                    flash_bytes: create.flash,
                    slot_bytes: create.slot_size,
                    root,
                    download: create.download,
                    images: create.images,
                    chip_revisions: create.chip_revisions,
                };
                print(context, &context.client()?.create_product(&new).await?)
            }
            ProductCommand::List(ProductListOptions { list }) => {
                let client = context.client()?;
                let page = list.fetch(async |paging| client.list_products(&paging).await).await?;
                let columns = ["name", "chip", "flash", "slot", "download"];
                Ok(context.printer.page(&page, &columns, row)?)
            }
            ProductCommand::Show { name } => {
                print(context, &context.client()?.show_product(&name).await?)
            }
        }
    }
}

fn row(product: &Product) -> Vec<String> {
    vec![
        product.name.clone(),
        product.chip.clone(),
        units::readable_size(product.flash_bytes),
        units::readable_size(product.slot_bytes),
        product.download.clone(),
    ]
}

fn print(context: &Context<'_>, product: &Object<Product>) -> Result<()> {
    let mut lines = vec![
        ("name", product.name.clone()),
        ("chip", product.chip.clone()),
        ("flash", format!("{} bytes", product.flash_bytes)),
        ("slot", format!("{} bytes", product.slot_bytes)),
        ("download", product.download.clone()),
        ("images", product.images.clone()),
        ("consent", product.consent.mode.clone()),
        ("approval", if product.approval_required { "on" } else { "off" }.to_owned()),
    ];
    lines.extend(product.chip_revisions.map(|ChipRevisions { min, max }| {
        let (min, max) = (units::readable_revision(min), units::readable_revision(max));
        ("chip revisions", format!("{min} to {max}"))
    }));
    Ok(context.printer.object(product.json(), &lines)?)
}

use anyhow::Result;
use clap::Subcommand;
use otaru_client::Organisation;

use super::{Context, ListOptions};
use crate::output::or_dash;

#[derive(Subcommand, Debug)]
pub enum OrganisationCommand {
    /// Make an organisation and invite its first administrator; the link is shown once
    Add {
        /// Its name
        name: String,
        /// E-mail address of its first administrator
        #[arg(long, value_name = "EMAIL")]
        admin: String,
    },
    /// List your own, or all for administrators of `default`
    List(#[command(flatten)] ListOptions),
}

impl OrganisationCommand {
    pub(super) async fn run(self, context: &Context<'_>) -> Result<()> {
        let client = context.client()?;
        match self {
            OrganisationCommand::Add { name, admin } => {
                let made = client.create_organisation(&name, &admin).await?;
                let lines = [
                    ("name", made.name.clone()),
                    ("invitation", or_dash(made.url.as_deref())),
                    ("until", or_dash(made.expires_at.as_deref())),
                ];
                context.printer.object(made.json(), &lines)?;
            }
            OrganisationCommand::List(list) => {
                let page =
                    list.fetch(async |paging| client.list_organisations(&paging).await).await?;
                context.printer.page(&page, &["name", "id", "created"], row)?;
            }
        }
        Ok(())
    }
}

fn row(organisation: &Organisation) -> Vec<String> {
    let Organisation { name, id, created_at, .. } = organisation;
    vec![name.clone(), id.clone(), created_at.clone()]
}

use std::time::Duration;

use anyhow::{Context as _, Result};
use chrono::{DateTime, SecondsFormat, Utc};
use clap::Subcommand;
use otaru_client::{NewToken, Token};

use super::{Context, ListOptions};
use crate::output::or_dash;
use crate::units;

#[derive(Subcommand, Debug)]
pub enum TokenCommand {
    /// Make a token; it is shown once
    Create {
        /// The person it acts for, by e-mail address
        #[arg(long, value_name = "EMAIL")]
        user: Option<String>,
        /// What it may do; as much as its person, or as you, if not given
        #[arg(long, value_parser = ["owner", "viewer", "publisher", "operator", "admin"])]
        role: Option<String>,
        /// When it stops working, such as 2027-01-31T00:00:00Z
        #[arg(long, value_name = "TIME", conflicts_with = "expires")]
        expires_at: Option<String>,
        /// How long it works, such as 90d or 12h
        #[arg(long, value_name = "TIME", value_parser = units::lifetime)]
        expires: Option<Duration>,
        /// What to call it
        #[arg(long, value_name = "TEXT")]
        label: Option<String>,
    },
    /// List tokens, without their secrets
    List(#[command(flatten)] ListOptions),
    /// Stop a token from working
    Revoke {
        /// The token's id
        id: String,
    },
}

impl TokenCommand {
    pub(super) async fn run(self, context: &Context<'_>) -> Result<()> {
        let client = context.client()?;
        match self {
            TokenCommand::Create { user, role, expires_at, expires, label } => {
                let expires_at = match expires {
                    Some(lifetime) => Some(after(lifetime)?),
                    None => expires_at,
                };
                let new = NewToken { user, role, expires_at, label };
                let token = client.create_token(&new).await?;
                let lines = [("id", token.id.clone()), ("token", token.token.clone())];
                context.printer.object(token.json(), &lines)?;
            }
            TokenCommand::List(list) => {
                let page = list.fetch(async |paging| client.list_tokens(&paging).await).await?;
                let columns =
                    ["id", "label", "user", "role", "created", "expires", "last used", "revoked"];
                context.printer.page(&page, &columns, token_row)?;
            }
            TokenCommand::Revoke { id } => {
                client.revoke_token(&id).await?;
                context.printer.line(&format!("token {id} is revoked"))?;
            }
        }
        Ok(())
    }
}

fn token_row(token: &Token) -> Vec<String> {
    vec![
        token.id.clone(),
        or_dash(token.label.as_deref()),
        or_dash(token.user.as_deref()),
        token.role.clone(),
        token.created_at.clone(),
        or_dash(token.expires_at.as_deref()),
        or_dash(token.last_used_at.as_deref()),
        if token.revoked { "yes" } else { "no" }.to_owned(),
    ]
}

/// The time so long from now, RFC 3339.
#[expect(clippy::disallowed_methods, reason = "a person at a command line has no other clock")]
pub(super) fn after(lifetime: Duration) -> Result<String> {
    let at = std::time::SystemTime::now().checked_add(lifetime).context("no such time")?;
    Ok(DateTime::<Utc>::from(at).to_rfc3339_opts(SecondsFormat::Secs, true))
}

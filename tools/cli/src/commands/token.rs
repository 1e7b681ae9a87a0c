use std::time::Duration;

use anyhow::{Context as _, Result};
use chrono::{DateTime, SecondsFormat, Utc};
use clap::Subcommand;
use otaru_client::{NewAccessKey, NewToken, Token};
use otaru_wire::ThingName;

use super::{Context, ListOptions};
use crate::output::or_dash;
use crate::units;

#[derive(Subcommand, Debug)]
pub enum TokenCommand {
    /// Make a token or an access key; it is shown once
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
        /// Make an access key instead, with which AWS SDKs and the AWS CLI sign their requests
        #[arg(long)]
        aws: bool,
        /// A thing that the access key is limited to; may be repeated
        #[arg(long, value_name = "THING", requires = "aws")]
        thing: Vec<ThingName>,
    },
    /// List tokens and access keys, without their secrets
    List(#[command(flatten)] ListOptions),
    /// Stop a token or an access key from working
    Revoke {
        /// The token's id, or the access key id
        id: String,
    },
}

impl TokenCommand {
    pub(super) async fn run(self, context: &Context<'_>) -> Result<()> {
        let client = context.client()?;
        match self {
            TokenCommand::Create { user, role, expires_at, expires, label, aws, thing } => {
                let expires_at = match expires {
                    Some(lifetime) => Some(after(lifetime)?),
                    None => expires_at,
                };
                let token = NewToken { user, role, expires_at, label };
                if aws {
                    let things = thing.iter().map(ThingName::to_string).collect();
                    let things = (!thing.is_empty()).then_some(things);
                    let key = client.create_access_key(&NewAccessKey { token, things }).await?;
                    let lines = [
                        ("access_key_id", key.access_key_id.clone()),
                        ("secret_access_key", key.secret_access_key.clone()),
                    ];
                    context.printer.object(key.json(), &lines)?;
                    return Ok(());
                }
                let token = client.create_token(&token).await?;
                let lines = [("id", token.id.clone()), ("token", token.token.clone())];
                context.printer.object(token.json(), &lines)?;
            }
            TokenCommand::List(list) => {
                let page = list.fetch(async |paging| client.list_tokens(&paging).await).await?;
                let columns = [
                    "id",
                    "kind",
                    "things",
                    "label",
                    "user",
                    "role",
                    "created",
                    "expires",
                    "last used",
                    "revoked",
                ];
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
        token.kind.clone(),
        or_dash(token.things.as_ref().map(|things| things.join(" ")).as_deref()),
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

use anyhow::Result;
use clap::Subcommand;
use otaru_client::{NewToken, Token, User};
use serde_json::Value;

use super::{Context, ListOptions};
use crate::output::or_dash;

#[derive(Subcommand, Debug)]
pub enum UserCommand {
    /// Add a person
    Add {
        /// E-mail address
        email: String,
        /// What they may do
        #[arg(long, value_parser = ["owner", "viewer", "publisher", "operator", "admin"])]
        role: String,
    },
}

#[derive(Subcommand, Debug)]
pub enum TokenCommand {
    /// Make a token; it is shown once
    Create {
        /// The person it acts for, by e-mail address
        #[arg(long, value_name = "EMAIL")]
        user: Option<String>,
        /// What a token that acts for nobody may do; as much as yours if not given
        #[arg(long, conflicts_with = "user",
            value_parser = ["viewer", "publisher", "operator", "admin"])]
        role: Option<String>,
        /// When it stops working, such as 2027-01-31T00:00:00Z
        #[arg(long, value_name = "TIME")]
        expires_at: Option<String>,
    },
    /// List tokens, without their secrets
    List(#[command(flatten)] TokenListOptions),
    /// Stop a token from working
    Revoke {
        /// The token's id
        id: String,
    },
}

#[derive(clap::Args, Debug)]
pub struct TokenListOptions {
    #[command(flatten)]
    list: ListOptions,
}

impl UserCommand {
    pub(super) async fn run(self, context: &Context<'_>) -> Result<()> {
        let UserCommand::Add { email, role } = self;
        let user = context.client()?.add_user(&email, &role).await?;
        let User { id, email, role } = &*user;
        let lines = [("id", id.clone()), ("email", email.clone()), ("role", role.clone())];
        Ok(context.printer.object(user.json(), &lines)?)
    }
}

impl TokenCommand {
    pub(super) async fn run(self, context: &Context<'_>) -> Result<()> {
        let client = context.client()?;
        match self {
            TokenCommand::Create { user, role, expires_at } => {
                let token = client.create_token(&NewToken { user, role, expires_at }).await?;
                let lines = [("id", token.id.clone()), ("token", token.token.clone())];
                context.printer.object(token.json(), &lines)?;
            }
            TokenCommand::List(TokenListOptions { list }) => {
                let page = list.fetch(async |paging| client.list_tokens(&paging).await).await?;
                let columns = ["id", "user", "role", "created", "expires", "revoked"];
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
        or_dash(token.user.as_deref()),
        token.role.clone(),
        token.created_at.clone(),
        or_dash(token.expires_at.as_deref()),
        if token.revoked { "yes" } else { "no" }.to_owned(),
    ]
}

/// Shows whom the token speaks for.
pub(super) async fn whoami(context: &Context<'_>) -> Result<()> {
    let who = context.client()?.whoami().await?;
    print_who(context, &who)
}

pub(super) fn print_who(context: &Context<'_>, who: &Value) -> Result<()> {
    let text = |value: &Value| or_dash(value.as_str());
    let lines = [
        ("organisation", text(&who["organisation"])),
        ("role", text(&who["role"])),
        ("user", text(&who["user"]["email"])),
    ];
    Ok(context.printer.object(who, &lines)?)
}

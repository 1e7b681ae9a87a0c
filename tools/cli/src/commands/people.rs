use anyhow::{Result, bail};
use clap::Subcommand;
use otaru_client::{Client, Invitation, Paging, User, UserSession};
use serde_json::Value;

use super::{Context, ListOptions};
use crate::output::or_dash;

#[derive(Subcommand, Debug)]
pub enum UserCommand {
    /// Add a person; `user reset-link` lets them choose a password
    Add {
        /// E-mail address
        email: String,
        /// What they may do
        #[arg(long, value_parser = ["owner", "viewer", "publisher", "operator", "admin"])]
        role: String,
    },
    /// Invite a person; the link is shown once, and mailed if the server sends mail
    Invite {
        /// E-mail address
        email: String,
        /// What they will be allowed to do
        #[arg(long, value_parser = ["owner", "viewer", "publisher", "operator", "admin"])]
        role: String,
    },
    /// List people
    List(#[command(flatten)] ListOptions),
    /// Change what a person may do, from their next request on
    Role {
        /// E-mail address or id
        user: String,
        /// What they may do
        #[arg(value_parser = ["owner", "viewer", "publisher", "operator", "admin"])]
        role: String,
    },
    /// Remove a person: sessions and tokens end, devices become unclaimed
    Remove {
        /// E-mail address or id
        user: String,
    },
    /// Print all that the server knows of a person, as JSON, without what proves who they are
    Export {
        /// E-mail address or id
        user: String,
    },
    /// Make a link with which a person chooses a new password; it is shown once
    ResetLink {
        /// E-mail address or id
        user: String,
    },
    /// List the browsers a person is signed in with, and their tokens
    Sessions {
        /// E-mail address or id
        user: String,
    },
    /// End all of them, or one
    SignOut {
        /// E-mail address or id
        user: String,
        /// This one alone
        #[arg(long, value_name = "ID")]
        session: Option<String>,
    },
    /// Remove the second factor of a person who has lost it, and sign them out
    ResetSecondFactor {
        /// E-mail address or id
        user: String,
    },
}

#[derive(Subcommand, Debug)]
pub enum InvitationCommand {
    /// List invitations that can still be taken
    List(#[command(flatten)] ListOptions),
    /// Take an invitation back
    Revoke {
        /// The invitation's id
        id: String,
    },
}

impl UserCommand {
    pub(super) async fn run(self, context: &Context<'_>) -> Result<()> {
        let (client, printer) = (context.client()?, context.printer);
        match self {
            UserCommand::Add { email, role } => {
                let user = client.add_user(&email, &role).await?;
                printer.object(user.json(), &user_lines(&user))?;
            }
            UserCommand::Invite { email, role } => {
                let made = client.invite_user(&email, &role).await?;
                let lines = [
                    ("email", made.email.clone()),
                    ("link", made.url.clone()),
                    ("until", made.expires_at.clone()),
                ];
                printer.object(made.json(), &lines)?;
            }
            UserCommand::List(list) => {
                let page = list.fetch(async |paging| client.list_users(&paging).await).await?;
                printer.page(&page, &["email", "role", "id"], user_row)?;
            }
            UserCommand::Role { user, role } => {
                let id = id_of(&client, &user).await?;
                let user = client.set_user_role(&id, &role).await?;
                printer.object(user.json(), &user_lines(&user))?;
            }
            UserCommand::Remove { user } => {
                let id = id_of(&client, &user).await?;
                context.confirm(&format!("Remove {user}?"))?;
                client.remove_user(&id).await?;
                printer.line(&format!("{user} is removed"))?;
            }
            UserCommand::Export { user } => {
                let id = id_of(&client, &user).await?;
                let export = client.export_user(&id).await?;
                printer.line(&serde_json::to_string_pretty(&export)?)?;
            }
            UserCommand::ResetLink { user } => {
                let id = id_of(&client, &user).await?;
                let link = client.create_reset_link(&id).await?;
                let lines = [("link", link.url.clone()), ("until", link.expires_at.clone())];
                printer.object(link.json(), &lines)?;
            }
            UserCommand::Sessions { user } => {
                let page = client.list_user_sessions(&id_of(&client, &user).await?).await?;
                printer.page(&page, &["kind", "label", "last used", "since", "id"], session_row)?;
            }
            UserCommand::SignOut { user, session } => {
                sign_out(context, &client, &user, session.as_deref()).await?;
            }
            UserCommand::ResetSecondFactor { user } => {
                let id = id_of(&client, &user).await?;
                context.confirm(&format!("Remove the second factor of {user}?"))?;
                client.reset_second_factor(&id).await?;
                printer.line(&format!("{user} has no second factor and is signed out"))?;
            }
        }
        Ok(())
    }
}

async fn sign_out(
    context: &Context<'_>,
    client: &Client,
    user: &str,
    session: Option<&str>,
) -> Result<()> {
    let id = id_of(client, user).await?;
    match session {
        Some(session) => {
            client.end_user_session(&id, session).await?;
            context.printer.line(&format!("session {session} of {user} has ended"))?;
        }
        None => {
            context.confirm(&format!("End all sessions and tokens of {user}?"))?;
            client.sign_out_user(&id).await?;
            context.printer.line(&format!("{user} is signed out everywhere"))?;
        }
    }
    Ok(())
}

impl InvitationCommand {
    pub(super) async fn run(self, context: &Context<'_>) -> Result<()> {
        let client = context.client()?;
        match self {
            InvitationCommand::List(list) => {
                let page =
                    list.fetch(async |paging| client.list_invitations(&paging).await).await?;
                context.printer.page(&page, &["email", "role", "until", "id"], invitation_row)?;
            }
            InvitationCommand::Revoke { id } => {
                client.revoke_invitation(&id).await?;
                context.printer.line(&format!("invitation {id} is taken back"))?;
            }
        }
        Ok(())
    }
}

/// The id of a person named by e-mail address, or the id as it was typed.
async fn id_of(client: &Client, user: &str) -> Result<String> {
    if !user.contains('@') {
        return Ok(user.to_owned());
    }
    let wanted = user.to_lowercase();
    let mut paging = Paging { limit: Some(200), cursor: None };
    loop {
        let page = client.list_users(&paging).await?;
        if let Some(found) = page.items.iter().find(|user| user.email == wanted) {
            return Ok(found.id.clone());
        }
        match page.next_cursor {
            Some(cursor) => paging.cursor = Some(cursor),
            None => bail!("nobody here has the e-mail address {user}"),
        }
    }
}

fn user_lines(user: &User) -> [(&'static str, String); 4] {
    let User { id, email, role, organisation } = user.clone();
    [("id", id), ("email", email), ("role", role), ("organisation", organisation)]
}

fn user_row(user: &User) -> Vec<String> {
    vec![user.email.clone(), user.role.clone(), user.id.clone()]
}

fn session_row(session: &UserSession) -> Vec<String> {
    let UserSession { id, kind, label, created_at, last_used_at } = session.clone();
    let label = or_dash(label.as_deref());
    vec![kind, label, or_dash(last_used_at.as_deref()), created_at, id]
}

fn invitation_row(invitation: &Invitation) -> Vec<String> {
    let Invitation { id, email, role, expires_at } = invitation.clone();
    vec![email, role, expires_at, id]
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

use std::io::BufRead;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use clap::Args;
use otaru_client::{Client, ClientError, ClientOptions, NewToken};
use zeroize::Zeroizing;

use super::{Context, token::after};
use crate::connection;
use crate::profile::Profile;

/// How long the token works that `login` makes.
const LIFETIME: Duration = Duration::from_secs(90 * 24 * 3_600);

#[derive(Args, Debug)]
pub struct LoginOptions {
    /// Sign in as this person; asked for if neither it nor a token is given
    #[arg(long, value_name = "EMAIL")]
    email: Option<String>,
    /// File with the password; asked for if not given
    #[arg(long, env = "OTARU_PASSWORD_FILE", value_name = "FILE", requires = "email")]
    password_file: Option<PathBuf>,
    /// Code of the second factor, or a recovery code; asked for if needed and not given
    #[arg(long, requires = "email")]
    code: Option<String>,
}

/// Signs in, or tries the given token, and remembers server and token.
pub(super) async fn login(context: &Context<'_>, login: LoginOptions) -> Result<()> {
    let mut options = connection::without_profile(context.options)?;
    let given = options.token.take().filter(|_| login.email.is_none());
    let made = match (given, login.email) {
        (Some(token), _) => Made::Given(token),
        (None, Some(email)) => {
            sign_in(context, &options, &email, login.password_file, login.code).await?
        }
        (None, None) => ask(context, &options).await?,
    };
    let (token, made_by_login) = match made {
        Made::Given(token) => (token, false),
        Made::Here(token) => (token, true),
    };
    options.token = Some(token.clone());
    let who = Client::new(&options)?.whoami().await?;
    let ca_pem = options.ca_pem.map(String::from_utf8).transpose().context("the CA is not PEM")?;
    let name = &context.options.profile;
    let before = Profile::read(name)?;
    let profile = Profile { server: options.server, token, made_by_login, ca_pem };
    let path = profile.write(name)?;
    if let Some(before) = before {
        // What it replaces would lie about for months.
        let _gone_or_unreachable = revoke(&before).await;
    }
    eprintln!("signed in; {} remembers it", path.display());
    super::people::print_who(context, &who)
}

enum Made {
    /// Somebody else made it, for whatever else it is used for.
    Given(String),
    /// Made for this profile alone.
    Here(String),
}

async fn ask(context: &Context<'_>, options: &ClientOptions) -> Result<Made> {
    if !context.may_ask() {
        bail!("nobody to ask: give --email and --password-file, or a token in OTARU_TOKEN_FILE");
    }
    eprint!("E-mail address for {} (empty for an API token): ", options.server);
    let mut email = String::new();
    std::io::stdin().lock().read_line(&mut email)?;
    if !email.trim().is_empty() {
        return sign_in(context, options, email.trim(), None, None).await;
    }
    let token = rpassword::prompt_password("API token: ")?;
    Ok(Made::Given(token.trim().to_owned()))
}

async fn sign_in(
    context: &Context<'_>,
    options: &ClientOptions,
    email: &str,
    password_file: Option<PathBuf>,
    code: Option<String>,
) -> Result<Made> {
    let password = match password_file {
        Some(path) => {
            let text = std::fs::read_to_string(&path);
            let text = text.with_context(|| format!("could not read {}", path.display()))?;
            Zeroizing::new(text.trim_end_matches(['\r', '\n']).to_owned())
        }
        None if context.may_ask() => Zeroizing::new(rpassword::prompt_password("Password: ")?),
        None => bail!("no password: name its file in --password-file"),
    };
    let client = Client::new(options)?;
    let session = match client.sign_in(email, &password).await {
        Err(ClientError::Refused(problem)) => match problem.challenge {
            Some(challenge) => {
                client.sign_in_with_code(&challenge, &second_factor(context, code)?).await?
            }
            None => return Err(ClientError::Refused(problem).into()),
        },
        other => other?,
    };
    let new = NewToken {
        user: Some(email.to_owned()),
        expires_at: Some(after(LIFETIME)?),
        label: Some("otaru login".to_owned()),
        role: None,
    };
    let made = session.create_token(&new).await;
    session.end().await?;
    Ok(Made::Here(made?.into_inner().token))
}

/// The code of a second factor, as it was given or is typed.
fn second_factor(context: &Context<'_>, code: Option<String>) -> Result<String> {
    match code {
        Some(code) => Ok(code),
        None if context.may_ask() => {
            eprint!("Code of the second factor: ");
            let mut code = String::new();
            std::io::stdin().lock().read_line(&mut code)?;
            Ok(code.trim().to_owned())
        }
        None => bail!("this account has a second factor: give --code, or an API token"),
    }
}

/// Forgets a profile; a token that `login` made stops working.
pub(super) async fn logout(context: &Context<'_>) -> Result<()> {
    let name = &context.options.profile;
    let Some(profile) = Profile::read(name)? else {
        context.printer.line("nobody was signed in")?;
        return Ok(());
    };
    let revoked = revoke(&profile).await;
    Profile::remove(name)?;
    if let Err(error) = revoked {
        eprintln!("warning: the token could not be revoked and works until it expires: {error}");
    }
    Ok(context.printer.line(&format!("signed out of {}", profile.server))?)
}

/// Revokes the profile's token, if it was made for it.
async fn revoke(profile: &Profile) -> Result<()> {
    let id = profile.token.split('_').nth(1);
    let Some(id) = id.filter(|_| profile.made_by_login) else { return Ok(()) };
    let client = Client::new(&ClientOptions {
        server: profile.server.clone(),
        token: Some(profile.token.clone()),
        ca_pem: profile.ca_pem.clone().map(String::into_bytes),
    })?;
    match client.revoke_token(id).await {
        // It works no more already.
        Err(error) if error.status() == Some(401) => Ok(()),
        other => Ok(other?),
    }
}

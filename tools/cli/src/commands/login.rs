use anyhow::{Context as _, Result, bail};
use otaru_client::Client;

use super::Context;
use crate::connection;
use crate::profile::Profile;

/// Tries server and token and remembers them.
pub(super) async fn login(context: &Context<'_>) -> Result<()> {
    let mut options = connection::without_profile(context.options)?;
    let token = match options.token.take() {
        Some(token) => token,
        None if context.may_ask() => {
            let prompt = format!("API token for {}: ", options.server);
            rpassword::prompt_password(prompt)?.trim().to_owned()
        }
        None => bail!("no token: set OTARU_TOKEN, or name its file in OTARU_TOKEN_FILE"),
    };
    options.token = Some(token.clone());
    let who = Client::new(&options)?.whoami().await?;
    let ca_pem = options.ca_pem.map(String::from_utf8).transpose().context("the CA is not PEM")?;
    let path = Profile { server: options.server, token, ca_pem }.write()?;
    eprintln!("logged in; {} remembers it", path.display());
    super::people::print_who(context, &who)
}

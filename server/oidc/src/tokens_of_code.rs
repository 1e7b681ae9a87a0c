//! A code becomes tokens, at the provider's token endpoint.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use otaru_outbound::Ask;
use serde::Deserialize;
use serde_json::{Map, Value};
use zeroize::Zeroizing;

use crate::claims::text;
use crate::metadata::Metadata;
use crate::{Claims, Flaw, Flow, OidcError, Provider};

/// What a provider gave for a code.
#[derive(Deserialize)]
pub(crate) struct Tokens {
    pub(crate) id_token: String,
    access_token: Option<String>,
}

#[derive(Deserialize)]
struct Refused {
    error: String,
}

/// Redeems a code.
pub(crate) async fn redeem(
    provider: &Provider,
    metadata: &Metadata,
    flow: &Flow,
    code: &str,
    redirect_uri: &str,
) -> Result<Tokens, OidcError> {
    let endpoint = metadata.token_endpoint.as_ref().ok_or(OidcError::Lacks("token_endpoint"))?;
    let client = provider.client()?;
    let mut form = vec![
        ("grant_type", "authorization_code"),
        ("code", code),
        ("redirect_uri", redirect_uri),
        ("code_verifier", flow.verifier.as_str()),
    ];
    let mut authorization = None;
    match &provider.settings.client_secret {
        None => form.push(("client_id", client)),
        Some(secret) if metadata.wants_secret_in_form() => {
            form.extend([("client_id", client), ("client_secret", secret.as_str())]);
        }
        Some(secret) => authorization = Some(basic(client, secret)),
    }
    let authorization = authorization.as_ref().map(|value| value.as_str());
    let answer = provider.outbound.ask(endpoint, Ask::Form(&form), authorization).await?;
    if matches!(answer.status, 400 | 401) {
        let refused: Option<Refused> = serde_json::from_slice(&answer.body).ok();
        let why = refused.map_or_else(|| answer.status.to_string(), |refused| refused.error);
        return Err(OidcError::CodeRefused(why));
    }
    Ok(answer.json()?)
}

/// Both parts are written as in forms, first (RFC 6749, 2.3.1).
fn basic(client: &str, secret: &str) -> Zeroizing<String> {
    let part =
        |text: &str| -> String { form_urlencoded::byte_serialize(text.as_bytes()).collect() };
    let pair = Zeroizing::new(format!("{}:{}", part(client), part(secret)));
    Zeroizing::new(format!("Basic {}", STANDARD.encode(pair.as_bytes())))
}

/// Adds what the provider says of the person elsewhere, where its token says little: some tell
/// an address only there. What the token says stays.
pub(crate) async fn add_user_info(
    provider: &Provider,
    metadata: &Metadata,
    tokens: &Tokens,
    claims: &mut Claims,
) -> Result<(), OidcError> {
    let (Some(endpoint), Some(access_token)) = (&metadata.userinfo_endpoint, &tokens.access_token)
    else {
        return Ok(());
    };
    if claims.email().is_some() {
        return Ok(());
    }
    let authorization = Zeroizing::new(format!("Bearer {access_token}"));
    let answer = provider.outbound.ask(endpoint, Ask::Get, Some(&authorization)).await?;
    let more: Map<String, Value> = answer.json()?;
    // Somebody else's would be theirs (OpenID Connect Core, 5.3.2).
    if text(&more, "sub") != Some(&claims.subject) {
        return Err(Flaw::Subject.into());
    }
    for (name, value) in more {
        claims.members.entry(name).or_insert(value);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_with_a_colon_stays_one() {
        let value = basic("otaru", "a:b c");
        assert_eq!(value.as_str(), format!("Basic {}", STANDARD.encode("otaru:a%3Ab+c")));
    }
}

//! ListNamedShadowsForThing.

use axum::extract::{FromRequestParts, State};
use axum::http::request::Parts;
use axum::response::Response;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use otaru_operations::{App, list_shadow_names};
use otaru_shadow::Rejection;
use otaru_wire::{ShadowName, ThingName};
use serde::Deserialize;

use super::asker::Asked;
use super::refused::Refused;
use super::{document, thing};
use crate::extract::Query;
use crate::site::Site;

/// AWS's own limits of `pageSize`.
const MOST: u32 = 100;
const USUAL: u32 = 25;

/// What a token says before the name, so that a mistyped one is known.
const TOKEN_PREFIX: &str = "after:";

/// One page of a thing's named shadows.
pub(super) struct Wanted {
    thing: ThingName,
    limit: u32,
    /// The last name of the page before; empty at the start.
    after: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Paging {
    page_size: Option<u32>,
    next_token: Option<String>,
}

impl FromRequestParts<Site> for Wanted {
    type Rejection = Refused;

    async fn from_request_parts(parts: &mut Parts, site: &Site) -> Result<Wanted, Refused> {
        let thing = thing(parts, site).await?;
        let Query(paging) = Query::<Paging>::from_request_parts(parts, site).await?;
        let limit = paging.page_size.unwrap_or(USUAL);
        if !(1..=MOST).contains(&limit) {
            let message = format!("pageSize must be 1 to {MOST}, found {limit}");
            return Err(Rejection::invalid_request(&message).into());
        }
        let after = paging.next_token.as_deref().map(read_token).transpose()?;
        Ok(Wanted { thing, limit, after: after.unwrap_or_default() })
    }
}

fn read_token(token: &str) -> Result<String, Rejection> {
    let bytes = URL_SAFE_NO_PAD.decode(token).ok();
    let text = bytes.and_then(|bytes| String::from_utf8(bytes).ok());
    let name = text.as_deref().and_then(|text| text.strip_prefix(TOKEN_PREFIX));
    let name = name.and_then(|name| ShadowName::new(name).ok());
    name.map(|name| name.to_string()).ok_or_else(|| Rejection::invalid_request("Invalid nextToken"))
}

fn write_token(last_name: &str) -> String {
    URL_SAFE_NO_PAD.encode(format!("{TOKEN_PREFIX}{last_name}"))
}

/// ListNamedShadowsForThing
#[utoipa::path(get, path = "/api/things/shadow/ListNamedShadowsForThing/{thing}",
    operation_id = "list_shadow_names", tag = "shadows",
    params(("thing" = String, Path, description = "Thing name"),
        ("pageSize" = Option<u32>, Query, description = "1 to 100, 25 if not given"),
        ("nextToken" = Option<String>, Query, description = "`nextToken` of the answer before")),
    responses((status = 200, body = Object)))]
pub(super) async fn list(
    State(app): State<App>,
    wanted: Wanted,
    Asked { asker, .. }: Asked,
) -> Result<Response, Refused> {
    let Wanted { thing, limit, after } = wanted;
    let actor = asker.shadow_reader(&thing)?;
    // One more than asked for tells whether there is another page.
    let mut names = list_shadow_names(&app, &actor, thing, after, limit + 1).await??;
    let has_more = names.len() > limit as usize;
    names.truncate(limit as usize);
    let next_token = names.last().filter(|_| has_more).map(|last| write_token(last));
    let (now, rules) = (app.now_ms(), app.shadow_rules());
    Ok(document(otaru_shadow::name_list(&names, next_token.as_deref(), now, rules)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_leads_to_the_name_it_was_made_of() {
        assert_eq!(read_token(&write_token("cfg")).unwrap(), "cfg");
    }

    #[test]
    fn garbage_is_no_token() {
        for garbage in ["", "!", "cfg", &URL_SAFE_NO_PAD.encode("after:"), &write_token("a b")] {
            assert_eq!(read_token(garbage).unwrap_err().message, "Invalid nextToken", "{garbage}");
        }
    }
}

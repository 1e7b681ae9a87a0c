use otaru_issuer::{CLIENT, Issuer};
use otaru_oidc::{Flaw, Flow, OidcError, Provider, Returned, SignedIn};
use serde_json::{Value, json};

use crate::{NOW, claims, flaw, provider};

const BACK: &str = "https://otaru.example/app/providers/id/callback";

fn returned(query: &str) -> Returned {
    let url: url::Url = format!("{BACK}?{query}").parse().unwrap();
    let named = |wanted: &str| {
        url.query_pairs().find(|(name, _)| name == wanted).map(|(_, value)| value.into_owned())
    };
    Returned { code: named("code"), error: named("error"), issuer: named("iss") }
}

/// Somebody goes to the issuer with a browser and comes back.
struct Visit<'a> {
    issuer: &'a Issuer,
    provider: &'a Provider,
    flow: Flow,
}

impl Visit<'_> {
    async fn begin<'a>(issuer: &'a Issuer, provider: &'a Provider, is_fresh: bool) -> Visit<'a> {
        Visit { issuer, provider, flow: Flow::begin(is_fresh).unwrap() }
    }

    async fn come_back(&self, changes: Value) -> Returned {
        let url = self.provider.authorization_url(&self.flow, BACK, NOW).await.unwrap();
        let claims = claims(self.issuer.url(), CLIENT, changes);
        returned(&self.issuer.let_in(url.as_str(), claims))
    }

    async fn redeem(&self, returned: &Returned) -> Result<SignedIn, OidcError> {
        self.provider.redeem(&self.flow, returned, BACK, NOW).await
    }
}

async fn visited(issuer: &Issuer, is_fresh: bool, changes: Value) -> Result<SignedIn, OidcError> {
    let provider = provider(issuer);
    let visit = Visit::begin(issuer, &provider, is_fresh).await;
    let back = visit.come_back(changes).await;
    visit.redeem(&back).await
}

#[tokio::test]
async fn who_comes_back_is_known() {
    let issuer = Issuer::start().await;
    let signed_in = visited(&issuer, false, json!({ "email_verified": true })).await.unwrap();
    assert_eq!(signed_in.claims.subject, "ada");
    assert_eq!(signed_in.claims.verified_email(), Some("ada@example.org"));
}

#[tokio::test]
async fn a_secret_goes_into_the_form_where_the_issuer_wants_it_there() {
    let issuer = Issuer::start().await;
    issuer.describe(json!({ "token_endpoint_auth_methods_supported": ["client_secret_post"] }));
    visited(&issuer, false, json!({})).await.unwrap();
}

#[tokio::test]
async fn a_code_is_taken_once() {
    let issuer = Issuer::start().await;
    let provider = provider(&issuer);
    let visit = Visit::begin(&issuer, &provider, false).await;
    let back = visit.come_back(json!({})).await;
    visit.redeem(&back).await.unwrap();
    let again = visit.redeem(&back).await.map(|_| ()).unwrap_err();
    assert!(matches!(&again, OidcError::CodeRefused(why) if why == "invalid_grant"), "{again:?}");
}

#[tokio::test]
async fn a_code_of_another_browser_is_of_no_use() {
    let issuer = Issuer::start().await;
    let provider = provider(&issuer);
    let thief = Visit::begin(&issuer, &provider, false).await;
    let victim = Visit::begin(&issuer, &provider, false).await;
    let stolen = victim.come_back(json!({})).await;
    let refused = thief.redeem(&stolen).await.map(|_| ()).unwrap_err();
    assert!(matches!(refused, OidcError::CodeRefused(_)), "{refused:?}");
}

#[tokio::test]
async fn a_token_answers_its_own_question() {
    let issuer = Issuer::start().await;
    for nonce in [json!("another"), json!(7), json!("")] {
        let outcome = visited(&issuer, false, json!({ "nonce": nonce })).await;
        assert_eq!(flaw(outcome), Flaw::Nonce, "{nonce}");
    }
    let table = [
        (json!({ "aud": "another" }), Flaw::Audience),
        (json!({ "aud": [CLIENT, "another"] }), Flaw::AuthorizedParty),
        (json!({ "azp": "another" }), Flaw::AuthorizedParty),
        (json!({ "iss": "https://evil.example" }), Flaw::Issuer),
        (json!({ "exp": NOW / 1_000 }), Flaw::Expired),
    ];
    for (changes, expected) in table {
        assert_eq!(flaw(visited(&issuer, false, changes.clone()).await), expected, "{changes}");
    }
}

#[tokio::test]
async fn an_answer_of_another_provider_is_a_mix_up() {
    let issuer = Issuer::start().await;
    let provider = provider(&issuer);
    let visit = Visit::begin(&issuer, &provider, false).await;
    let honest = visit.come_back(json!({})).await;
    for other in [Some("https://evil.example".to_owned()), None] {
        let mixed_up = Returned { issuer: other, ..honest.clone() };
        let refused = visit.redeem(&mixed_up).await.map(|_| ()).unwrap_err();
        assert!(matches!(refused, OidcError::MixedUp), "{refused:?}");
    }
    visit.redeem(&honest).await.unwrap();
}

#[tokio::test]
async fn an_issuer_that_does_not_name_itself_is_taken_without() {
    let issuer = Issuer::start().await;
    issuer.describe(json!({ "authorization_response_iss_parameter_supported": null }));
    let provider = provider(&issuer);
    let visit = Visit::begin(&issuer, &provider, false).await;
    let back = Returned { issuer: None, ..visit.come_back(json!({})).await };
    visit.redeem(&back).await.unwrap();
}

#[tokio::test]
async fn a_refusal_is_one() {
    let issuer = Issuer::start().await;
    let provider = provider(&issuer);
    let visit = Visit::begin(&issuer, &provider, false).await;
    let honest = visit.come_back(json!({})).await;
    let denied = Returned { error: Some("access_denied".to_owned()), ..honest };
    let refused = visit.redeem(&denied).await.map(|_| ()).unwrap_err();
    assert!(matches!(&refused, OidcError::Declined(why) if why == "access_denied"));
}

#[tokio::test]
async fn a_fresh_sign_in_is_proven() {
    let issuer = Issuer::start().await;
    let s = NOW / 1_000;
    visited(&issuer, true, json!({ "auth_time": s - 10 })).await.unwrap();
    // A minute may lie between two clocks. Whatever it claims, nothing overflows.
    visited(&issuer, true, json!({ "auth_time": s + 60 })).await.unwrap();
    for ahead in [json!(s + 61), json!(i64::MAX), json!(i64::MAX / 1_000), json!(1e300)] {
        let outcome = visited(&issuer, true, json!({ "auth_time": ahead })).await;
        assert_eq!(flaw(outcome), Flaw::NotYetValid, "{ahead}");
    }
    for old in [json!(s - 301), json!(null), json!(i64::MIN), json!(-1e300)] {
        let outcome = visited(&issuer, true, json!({ "auth_time": old })).await;
        assert_eq!(flaw(outcome), Flaw::NotFresh, "{old}");
    }
}

#[tokio::test]
async fn what_the_token_does_not_tell_is_asked_for() {
    let issuer = Issuer::start().await;
    let more = json!({ "sub": "ada", "email": "a@x.org", "email_verified": true, "aud": "evil" });
    issuer.set_user_info(more);
    let signed_in = visited(&issuer, false, json!({ "email": null })).await.unwrap();
    assert_eq!(signed_in.claims.verified_email(), Some("a@x.org"));
    issuer.set_user_info(json!({ "sub": "bo", "email": "bo@x.org", "email_verified": true }));
    assert_eq!(flaw(visited(&issuer, false, json!({ "email": null })).await), Flaw::Subject);
}

#[tokio::test]
async fn a_browser_is_not_sent_to_what_is_no_page() {
    let issuer = Issuer::start().await;
    issuer.describe(json!({ "authorization_endpoint": "javascript:alert(1)" }));
    let provider = provider(&issuer);
    let flow = Flow::begin(false).unwrap();
    let refused = provider.authorization_url(&flow, BACK, NOW).await.unwrap_err();
    assert!(matches!(refused, OidcError::Lacks("authorization_endpoint")), "{refused:?}");
}

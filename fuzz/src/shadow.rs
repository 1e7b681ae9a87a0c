//! Decoders of `contract/shadow`.

use otaru_shadow::{
    Change, Document, Rejection, Rules, UpdateRequest, client_token_of, delete_accepted,
    delta_message, get_accepted,
};
use serde_json::{Value, json};

/// What the requests under attack find stored.
fn stored() -> Document {
    let state = json!({
        "desired": {"config": {"phrase_type": "poetic", "list": [1, {"a": 2}]}, "empty": {}},
        "reported": {"config": {"phrase_type": "classic"}, "timestamp": 7},
    });
    let rules = Rules::default();
    let request = UpdateRequest::from_state(state, &rules).expect("a plain state is right");
    Document::apply(None, &request, 1, &rules).expect("it is small and names no version")
}

/// Update, get and delete requests.
pub(crate) fn shadow_request(bytes: &[u8]) -> bool {
    let rules = Rules::default();
    if let Ok(Some(token)) = client_token_of(bytes, &rules) {
        assert!(token.len() <= rules.limits.token_bytes);
    }
    let request = match UpdateRequest::parse(bytes, &rules) {
        Ok(request) => request,
        Err(rejection) => {
            assert_is_json(&rejection.to_mqtt());
            return false;
        }
    };
    let state = serde_json::from_str(&request.state_to_json()).expect("a state is JSON");
    let again = UpdateRequest::from_state(state, &rules).expect("what was taken is taken again");
    assert_eq!((again.desired(), again.reported()), (request.desired(), request.reported()));
    let previous = stored();
    let tombstone = previous.delete(&rules);
    for previous in [None, Some(&previous), Some(&tombstone)] {
        let current = match Document::apply(previous, &request, 2, &rules) {
            Ok(current) => current,
            Err(rejection) => {
                assert_eq!(rejection.client_token.as_deref(), request.client_token());
                continue;
            }
        };
        assert_eq!(current.version(), previous.map_or(0, Document::version) + 1);
        assert!(current.state_bytes() <= rules.limits.document_bytes);
        answer(&Change { request: &request, previous, current: &current, at_s: 2 });
    }
    true
}

/// Get and delete requests: anything is one, and a token in it comes back.
pub(crate) fn shadow_token(bytes: &[u8]) -> bool {
    let rules = Rules::default();
    let token = match client_token_of(bytes, &rules) {
        Ok(token) => token,
        Err(rejection) => {
            assert_eq!((rejection.code, &rejection.client_token), (400, &None));
            assert_is_json(&rejection.to_mqtt());
            return false;
        }
    };
    let Some(token) = token else { return false };
    assert!(token.len() <= rules.limits.token_bytes);
    let document = stored();
    let rejected = Rejection::version_conflict().with_token(Some(&token));
    for answer in [
        get_accepted(&document, 3, Some(&token), &rules),
        delete_accepted(&document, 3, Some(&token)),
        rejected.to_mqtt(),
    ] {
        let answer: Value = serde_json::from_slice(&answer).expect("messages are JSON");
        assert_eq!(answer["clientToken"], token);
    }
    true
}

fn answer(change: &Change<'_>) {
    let rules = Rules::default();
    let document = change.current;
    assert_is_json(&change.accepted(&rules));
    assert_is_json(&change.documents(&rules));
    assert_is_json(&get_accepted(document, 3, None, &rules));
    assert_is_json(&delete_accepted(document, 3, change.request.client_token()));
    let delta = change.delta(&rules);
    assert_eq!(delta.is_some(), document.has_delta(&rules));
    if let Some(delta) = delta {
        assert_is_json(&delta);
    }
    let again = Document::from_stored(&document.to_stored());
    assert_eq!(again.ok().as_ref(), Some(document));
}

fn assert_is_json(message: &[u8]) {
    serde_json::from_slice::<Value>(message).expect("messages are JSON");
}

/// The stored form of a document, as a damaged database would give it back.
pub(crate) fn shadow_stored(bytes: &[u8]) -> bool {
    let Ok(text) = core::str::from_utf8(bytes) else { return false };
    let Ok(document) = Document::from_stored(text) else { return false };
    let rules = Rules::default();
    if let Some(message) = delta_message(&document, 3, None, &rules) {
        assert_is_json(&message);
    }
    assert_is_json(&get_accepted(&document, 3, None, &rules));
    let change = json!({"desired": {"config": {"a": 1}}, "reported": null});
    let request = UpdateRequest::from_state(change, &rules).expect("a plain state is right");
    if let Ok(current) = Document::apply(Some(&document), &request, 2, &rules) {
        assert_is_json(&get_accepted(&current, 3, None, &rules));
    }
    document.delete(&rules);
    true
}

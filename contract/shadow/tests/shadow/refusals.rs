//! What is refused, with which words, and that it leaves no trace.

use expect_test::expect;
use otaru_shadow::{Rejection, Rules, UpdateRequest};
use otaru_wire::{ShadowId, ShadowName, ThingName};

use crate::actor::Shadow;

const STORED: &str = r#"{"state":{"desired":{"a":1},"reported":{"b":2}}}"#;

/// The rejections of `payloads`, each of which must change nothing.
fn refusals(payloads: &[&[u8]]) -> String {
    let mut shadow = Shadow::after(&[STORED]);
    let before = shadow.stored.clone();
    let mut table = String::new();
    for payload in payloads {
        let answer = shadow.update_bytes(payload);
        assert_eq!(answer.lines().count(), 1, "{answer}");
        assert_eq!(shadow.stored, before, "{answer}");
        let shown =
            String::from_utf8_lossy(&payload[..payload.len().min(60)]).escape_debug().to_string();
        table +=
            &format!("{shown}\n    {}\n", answer.trim_end().trim_start_matches("update/rejected "));
    }
    table
}

#[test]
fn malformed_payloads() {
    let deep = "[".repeat(100_000);
    let nested = format!("{{\"state\":{}{}}}", "{\"a\":".repeat(200), "}".repeat(200));
    expect![[r#"

            {"code":400,"message":"Invalid JSON"}
        \0
            {"code":400,"message":"Invalid JSON"}
          \n
            {"code":400,"message":"Invalid JSON"}
        {
            {"code":400,"message":"Invalid JSON"}
        {\"state\":{}}x
            {"code":400,"message":"Invalid JSON"}
        \0{\"state\":{}}
            {"code":400,"message":"Invalid JSON"}
        7
            {"code":400,"message":"Invalid JSON"}
        null
            {"code":400,"message":"Invalid JSON"}
        []
            {"code":400,"message":"Invalid JSON"}
        \"state\"
            {"code":400,"message":"Invalid JSON"}
        {\"state\":{\"desired\":{\"a\":01}}}
            {"code":400,"message":"Invalid JSON"}
        {\"state\":{\"desired\":{\"a\":NaN}}}
            {"code":400,"message":"Invalid JSON"}
        {\"state\":{\"desired\":{\"a\":1e999}}}
            {"code":400,"message":"Invalid JSON"}
        {\"state\":{\"desired\":{\"a\":\"\\ud800\"}}}
            {"code":400,"message":"Invalid JSON"}
        ��{\0}\0
            {"code":415,"message":"Unsupported documented encoding; supported encoding is UTF-8"}
        {\"state\":{\"desired\":{\"a\":\"�\"}}}
            {"code":415,"message":"Unsupported documented encoding; supported encoding is UTF-8"}
        [[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[
            {"code":400,"message":"Invalid JSON"}
        {\"state\":{\"a\":{\"a\":{\"a\":{\"a\":{\"a\":{\"a\":{\"a\":{\"a\":{\"a\":{\"a\":{
            {"code":400,"message":"Invalid JSON"}
    "#]]
    .assert_eq(&refusals(&[
        b"",
        b"\0",
        b"  \n",
        b"{",
        b"{\"state\":{}}x",
        b"\0{\"state\":{}}",
        b"7",
        b"null",
        b"[]",
        b"\"state\"",
        b"{\"state\":{\"desired\":{\"a\":01}}}",
        b"{\"state\":{\"desired\":{\"a\":NaN}}}",
        b"{\"state\":{\"desired\":{\"a\":1e999}}}",
        b"{\"state\":{\"desired\":{\"a\":\"\\ud800\"}}}",
        b"\xff\xfe{\0}\0",
        b"{\"state\":{\"desired\":{\"a\":\"\xc3\"}}}",
        deep.as_bytes(),
        nested.as_bytes(),
    ]));
}

#[test]
fn malformed_members() {
    let token_of_65 = format!(r#"{{"clientToken":"{}","state":{{}}}}"#, "t".repeat(65));
    let token_of_65_bytes = format!(r#"{{"clientToken":"t{}","state":{{}}}}"#, "ä".repeat(32));
    let long_key = format!(r#"{{"state":{{"{}":1}}}}"#, "k".repeat(500));
    expect![[r#"
        {}
            {"code":400,"message":"Missing required node: state"}
        {\"clientToken\":\"t\"}
            {"code":400,"message":"Missing required node: state","clientToken":"t"}
        {\"state\":\"x\",\"clientToken\":\"t\"}
            {"code":400,"message":"State node must be an object","clientToken":"t"}
        {\"state\":1}
            {"code":400,"message":"State node must be an object"}
        {\"state\":true}
            {"code":400,"message":"State node must be an object"}
        {\"state\":[]}
            {"code":400,"message":"State node must be an object"}
        {\"state\":{\"desired\":1}}
            {"code":400,"message":"Desired node must be an object"}
        {\"state\":{\"reported\":[]}}
            {"code":400,"message":"Reported node must be an object"}
        {\"state\":{\"delta\":{}}}
            {"code":400,"message":"State contains an invalid node: 'delta'"}
        {\"state\":{\"desired\":{},\"wanted\":null},\"clientToken\":\"t\"}
            {"code":400,"message":"State contains an invalid node: 'wanted'","clientToken":"t"}
        {\"state\":{\"kkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkk
            {"code":400,"message":"State contains an invalid node: 'kkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkk'"}
        {\"state\":{},\"clientToken\":7}
            {"code":400,"message":"Invalid clientToken"}
        {\"state\":{},\"clientToken\":null}
            {"code":400,"message":"Invalid clientToken"}
        {\"clientToken\":\"tttttttttttttttttttttttttttttttttttttttttttt
            {"code":400,"message":"Invalid clientToken"}
        {\"clientToken\":\"täääääääääääääääääääää�
            {"code":400,"message":"Invalid clientToken"}
        {\"state\":{},\"version\":\"1\",\"clientToken\":\"t\"}
            {"code":400,"message":"Invalid version","clientToken":"t"}
        {\"state\":{},\"version\":1.0}
            {"code":400,"message":"Invalid version"}
        {\"state\":{},\"version\":-1}
            {"code":400,"message":"Invalid version"}
        {\"state\":{},\"version\":null}
            {"code":400,"message":"Invalid version"}
        {\"state\":{},\"version\":99999999999999999999}
            {"code":400,"message":"Invalid version"}
        {\"state\":{},\"version\":7,\"clientToken\":\"t\"}
            {"code":409,"message":"Version conflict","clientToken":"t"}
        {\"state\":{\"desired\":{\"a\":[null]}},\"clientToken\":\"t\"}
            {"code":400,"message":"Invalid JSON","clientToken":"t"}
        {\"state\":{\"desired\":{\"a\":[[1,{\"b\":null}]]}}}
            {"code":400,"message":"Invalid JSON"}
    "#]].assert_eq(&refusals(&[
        b"{}",
        br#"{"clientToken":"t"}"#,
        br#"{"state":"x","clientToken":"t"}"#,
        br#"{"state":1}"#,
        br#"{"state":true}"#,
        br#"{"state":[]}"#,
        br#"{"state":{"desired":1}}"#,
        br#"{"state":{"reported":[]}}"#,
        br#"{"state":{"delta":{}}}"#,
        br#"{"state":{"desired":{},"wanted":null},"clientToken":"t"}"#,
        long_key.as_bytes(),
        br#"{"state":{},"clientToken":7}"#,
        br#"{"state":{},"clientToken":null}"#,
        token_of_65.as_bytes(),
        token_of_65_bytes.as_bytes(),
        br#"{"state":{},"version":"1","clientToken":"t"}"#,
        br#"{"state":{},"version":1.0}"#,
        br#"{"state":{},"version":-1}"#,
        br#"{"state":{},"version":null}"#,
        br#"{"state":{},"version":99999999999999999999}"#,
        br#"{"state":{},"version":7,"clientToken":"t"}"#,
        br#"{"state":{"desired":{"a":[null]}},"clientToken":"t"}"#,
        br#"{"state":{"desired":{"a":[[1,{"b":null}]]}}}"#,
    ]));
}

#[test]
fn checks_come_in_their_order() {
    expect![[r#"
        {\"clientToken\":7,\"version\":\"x\"}
            {"code":400,"message":"Invalid clientToken"}
        {\"version\":\"x\"}
            {"code":400,"message":"Missing required node: state"}
        {\"state\":{\"desired\":1,\"x\":1},\"version\":\"x\"}
            {"code":400,"message":"Desired node must be an object"}
        {\"state\":{\"x\":{\"a\":[null]}},\"version\":\"x\"}
            {"code":400,"message":"State contains an invalid node: 'x'"}
        {\"state\":{\"desired\":{\"a\":[null]}},\"version\":\"x\"}
            {"code":400,"message":"Invalid version"}
        {\"state\":{\"desired\":{\"a\":[[[[[[[[null]]]]]]]]}},\"version\":9}
            {"code":400,"message":"JSON contains too many levels of nesting; maximum is 6"}
        {\"state\":{\"desired\":{\"a\":[null]}},\"version\":9}
            {"code":400,"message":"Invalid JSON"}
    "#]]
    .assert_eq(&refusals(&[
        br#"{"clientToken":7,"version":"x"}"#,
        br#"{"version":"x"}"#,
        br#"{"state":{"desired":1,"x":1},"version":"x"}"#,
        br#"{"state":{"x":{"a":[null]}},"version":"x"}"#,
        br#"{"state":{"desired":{"a":[null]}},"version":"x"}"#,
        br#"{"state":{"desired":{"a":[[[[[[[[null]]]]]]]]}},"version":9}"#,
        br#"{"state":{"desired":{"a":[null]}},"version":9}"#,
    ]));
}

#[test]
fn trailing_terminators_are_tolerated() {
    for end in ["\0", "\0\0", "\n", " \r\n\0", "\t"] {
        let answer = Shadow::fresh().update(&format!("{STORED}{end}"));
        assert!(answer.contains("update/accepted"), "{answer}");
    }
}

#[test]
fn token_of_64_bytes_is_taken() {
    let token = "ä".repeat(32);
    let payload = format!(r#"{{"state":{{}},"clientToken":"{token}"}}"#);
    assert!(Shadow::fresh().update(&payload).contains(&token));
}

#[test]
fn update_made_inside_the_service_keeps_the_same_rules() {
    let rules = Rules::default();
    let made = |state| UpdateRequest::from_state(state, &rules).map_err(|error| error.message);
    assert!(made(serde_json::json!({"desired": {"config": {"a": null}}})).is_ok());
    assert_eq!(made(serde_json::json!([])).unwrap_err(), "State node must be an object");
    assert_eq!(made(serde_json::json!({"desired": {"a": [null]}})).unwrap_err(), "Invalid JSON");
}

#[test]
fn every_code_has_its_exception() {
    let thing = ThingName::new("clock-01").unwrap();
    let named = ShadowId::named(thing.clone(), ShadowName::new("cfg").unwrap());
    let mut table = String::new();
    for rejection in [
        Rejection::invalid_request("pageSize must be 1 to 100"),
        Rejection::unauthorized(),
        Rejection::forbidden(),
        Rejection::not_found(&ShadowId::classic(thing)),
        Rejection::not_found(&named),
        Rejection::method_not_allowed(),
        Rejection::version_conflict(),
        Rejection::too_large(),
        Rejection::unsupported_encoding(),
        Rules::default().throttled(),
        Rejection::internal(),
        Rejection::service_unavailable(),
    ] {
        table += &format!("{} {rejection}\n", rejection.error_type());
    }
    expect![[r#"
        InvalidRequestException 400 pageSize must be 1 to 100
        UnauthorizedException 401 Unauthorized
        ForbiddenException 403 Forbidden
        ResourceNotFoundException 404 No shadow exists with name: 'clock-01'
        ResourceNotFoundException 404 No shadow exists with name: 'clock-01~cfg'
        MethodNotAllowedException 405 Method Not Allowed
        ConflictException 409 Version conflict
        RequestEntityTooLargeException 413 The payload exceeds the maximum size allowed
        UnsupportedDocumentEncodingException 415 Unsupported documented encoding; supported encoding is UTF-8
        ThrottlingException 429 Too Many Requests
        InternalFailureException 500 Internal service failure
        ServiceUnavailableException 503 Service Unavailable
    "#]].assert_eq(&table);
}

//! Requests as AWS's own clients sent them, recorded from the wire: boto3 1.44, the AWS CLI
//! 1.46, and the signer of AWS's common runtime in C. None of them shares code with this crate.

use std::fs;
use std::path::Path;

use http::Request;
use http::request::Parts;
use otaru_sigv4::{Flaw, Signed};

/// AWS's own example of a secret, which every one of these was signed with.
const SECRET: &str = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY";

/// 2026-11-25 22:24:25 UTC, when they were recorded.
const AT_MS: i64 = 1_795_645_465_000;

struct Recorded {
    name: String,
    head: Parts,
    body: Vec<u8>,
}

fn recorded() -> Vec<Recorded> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/recorded");
    let mut all: Vec<Recorded> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| {
            let entry = entry.unwrap();
            let name = entry.file_name().into_string().unwrap();
            let (head, body) = parse(&fs::read_to_string(entry.path()).unwrap());
            Recorded { name, head, body }
        })
        .collect();
    all.sort_by(|one, other| one.name.cmp(&other.name));
    assert_eq!(all.len(), 13);
    all
}

fn parse(text: &str) -> (Parts, Vec<u8>) {
    let (head, body) = text.split_once("\n\n").unwrap();
    let mut lines = head.lines();
    let [method, target, _] = lines.next().unwrap().split(' ').collect::<Vec<_>>()[..] else {
        panic!("no request line");
    };
    let mut request = Request::builder().method(method).uri(target);
    for line in lines {
        let (name, value) = line.split_once(": ").unwrap();
        request = request.header(name, value);
    }
    (request.body(()).unwrap().into_parts().0, body.as_bytes().to_vec())
}

fn check(head: &Parts, body: &[u8], secret: &str) -> Result<(), Flaw> {
    let signed = Signed::read(head)?.expect("it is signed");
    signed.check_time(AT_MS)?;
    signed.check(head, body, secret)
}

#[test]
fn what_real_clients_sign_holds() {
    for Recorded { name, head, body } in recorded() {
        assert_eq!(check(&head, &body, SECRET), Ok(()), "{name}");
        let key = Signed::read(&head).unwrap().unwrap();
        assert_eq!(key.access_key_id(), "OTARUEXAMPLEKEY23456", "{name}");
    }
}

#[test]
fn nothing_of_it_can_be_changed() {
    for Recorded { name, head, body } in recorded() {
        let changed = |change: &dyn Fn(&mut Parts)| {
            let mut head = head.clone();
            change(&mut head);
            check(&head, &body, SECRET)
        };
        let target = |from: &str, to: &str| {
            let text = head.uri.to_string().replacen(from, to, 1);
            assert_ne!(text, head.uri.to_string(), "{name} has no {from}");
            changed(&|head| head.uri = text.parse().unwrap())
        };
        let refused = Err(Flaw::Signature);
        assert_eq!(check(&head, &body, &SECRET.replace('w', "v")), refused, "{name}");
        assert_eq!(check(&head, &[&body[..], b" "].concat(), SECRET), refused, "{name}");
        assert_eq!(changed(&|head| head.method = http::Method::PUT), refused, "{name}");
        let host = |value: &'static str| {
            changed(&|head| drop(head.headers.insert("host", value.parse().unwrap())))
        };
        assert_eq!(host("127.0.0.1:18081"), refused, "{name}");
        assert_eq!(target("s/", "s/x"), refused, "{name}");
        match head.uri.query() {
            Some(_) => assert_eq!(target("?", "?extra=1&"), refused, "{name}"),
            None => {
                let text = format!("{}?name=x", head.uri);
                assert_eq!(changed(&|head| head.uri = text.parse().unwrap()), refused, "{name}");
            }
        }
    }
}

#[test]
fn how_the_path_and_query_are_written_does_not_matter() {
    let all = recorded();
    let of = |name: &str| all.iter().find(|recorded| recorded.name == name).unwrap();
    let written = |name: &str, from: &str, to: &str| {
        let Recorded { head, body, .. } = of(name);
        let mut head = head.clone();
        let text = head.uri.to_string().replacen(from, to, 1);
        assert_ne!(text, head.uri.to_string());
        head.uri = text.parse().unwrap();
        check(&head, body, SECRET)
    };
    assert_eq!(written("boto3-get-named", "%24cfg", "$cfg"), Ok(()));
    assert_eq!(written("botocore-presigned-devicegateway", "a%20b", "a+b"), Ok(()));
    let swapped = "?nextToken=YWZ0ZXI6Yg&pageSize=2";
    assert_eq!(written("boto3-list", "?pageSize=2&nextToken=YWZ0ZXI6Yg", swapped), Ok(()));
    // A path is signed as it was sent.
    assert_eq!(written("boto3-get", "%3A", "%3a"), Err(Flaw::Signature));
    assert_eq!(written("boto3-get", "clock%3A01", "clock:01"), Err(Flaw::Signature));
}

#[test]
fn the_digest_of_the_body_must_be_it_where_it_is_given() {
    let all = recorded();
    let update = all.iter().find(|recorded| recorded.name == "boto3-update").unwrap();
    let with = |digest: &str| {
        let mut head = update.head.clone();
        head.headers.insert("x-amz-content-sha256", digest.parse().unwrap());
        check(&head, &update.body, SECRET)
    };
    // sha256sum of the body.
    let digest = "9d4d1b910994ac1ec4898824e1d69033ad15e2ea1ddcba20224c3368c7d8768e";
    assert_eq!(with(digest), Ok(()));
    for wrong in ["UNSIGNED-PAYLOAD", "STREAMING-AWS4-HMAC-SHA256-PAYLOAD", &"0".repeat(64)] {
        assert_eq!(with(wrong), Err(Flaw::Body), "{wrong}");
    }
}

#[test]
fn a_host_beside_the_headers_is_the_host() {
    let all = recorded();
    let get = all.iter().find(|recorded| recorded.name == "boto3-get").unwrap();
    let mut head = get.head.clone();
    let host = head.headers.remove("host").unwrap();
    assert_eq!(check(&head, &get.body, SECRET), Err(Flaw::SignedHeaderMissing));
    head.uri = format!("http://{}{}", host.to_str().unwrap(), head.uri).parse().unwrap();
    assert_eq!(check(&head, &get.body, SECRET), Ok(()));
}

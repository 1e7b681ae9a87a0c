use expect_test::expect;
use http::Request;

use super::*;

const DATE: &str = "20261125T222425Z";
/// The same in milliseconds since the epoch.
const AT_MS: i64 = 1_795_645_465_000;

const SCOPE: &str = "KEY/20261125/us-east-1/iotdata/aws4_request";

fn read(path: &str, headers: &[(&str, &str)]) -> Result<Option<Signed>, Flaw> {
    let mut request = Request::builder().uri(path);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    Signed::read(&request.body(()).unwrap().into_parts().0)
}

fn header(authorization: &str) -> Result<Option<Signed>, Flaw> {
    read("/things/a/shadow", &[("authorization", authorization), ("x-amz-date", DATE)])
}

fn printed(read: Result<Option<Signed>, Flaw>) -> String {
    match read {
        Ok(None) => "not signed".to_owned(),
        Ok(Some(signed)) => {
            let Signed { access_key_id, region, service, at_s, headers, expires_s, .. } = signed;
            format!("{access_key_id} {region} {service} {at_s} {headers:?} {expires_s:?}")
        }
        Err(flaw) => flaw.to_string(),
    }
}

#[test]
fn a_header_says_who_signed_what() {
    let with = |credential: &str, headers: &str| {
        format!("AWS4-HMAC-SHA256 Credential={credential}, SignedHeaders={headers}, Signature=ab")
    };
    let all = "host;x-amz-date";
    let values = [
        with(SCOPE, all),
        format!("AWS4-HMAC-SHA256 Signature=ab,SignedHeaders={all},Credential={SCOPE}"),
        "Bearer otaru_x".to_owned(),
        "AWS4-HMAC-SHA256".to_owned(),
        "AWS4-HMAC-SHA256 ".to_owned(),
        "AWS4-ECDSA-P256-SHA256 Credential=a".to_owned(),
        format!("AWS4-HMAC-SHA256 Credential={SCOPE}, SignedHeaders={all}"),
        format!("AWS4-HMAC-SHA256 SignedHeaders={all}, Signature=ab"),
        format!("AWS4-HMAC-SHA256 Credential={SCOPE}, Signature=ab"),
        with(SCOPE, all) + ", Signature=cd",
        with(SCOPE, all) + ", Other=1",
        with("KEY/20261125/us-east-1/iotdata", all),
        with("/20261125/us-east-1/iotdata/aws4_request", all),
        with("KEY/20261125//iotdata/aws4_request", all),
        with("KEY/20261125/us east/iotdata/aws4_request", all),
        with("KEY/20261125/us-east-1/s3/aws4_request", all),
        with("KEY/20261124/us-east-1/iotdata/aws4_request", all),
        with("KEY/2026112/us-east-1/iotdata/aws4_request", all),
        with("KEY/20261125/us-east-1/iotdata/aws5_request", all),
        with(SCOPE, "x-amz-date"),
        with(SCOPE, "host"),
        with(SCOPE, ""),
        with(SCOPE, "x-amz-date;host"),
        with(SCOPE, "host;host;x-amz-date"),
        with(SCOPE, "Host;x-amz-date"),
    ];
    let table: String = values.iter().map(|value| printed(header(value)) + "\n").collect();
    expect![[r#"
        KEY us-east-1 iotdata 1795645465 ["host", "x-amz-date"] None
        KEY us-east-1 iotdata 1795645465 ["host", "x-amz-date"] None
        not signed
        Authorization cannot be read
        Authorization cannot be read
        the algorithm is not AWS4-HMAC-SHA256
        Signature is missing
        Credential is missing
        SignedHeaders is missing
        Signature is there more than once
        Authorization cannot be read
        Credential cannot be read
        Credential cannot be read
        Credential cannot be read
        Credential cannot be read
        it is signed for another service
        the scope names another day than X-Amz-Date
        the scope names another day than X-Amz-Date
        Credential cannot be read
        host is not signed
        x-amz-date is not signed
        SignedHeaders cannot be read
        SignedHeaders cannot be read
        SignedHeaders cannot be read
        SignedHeaders cannot be read
    "#]]
    .assert_eq(&table);
}

#[test]
fn a_query_says_it_too() {
    let all = [
        ("Algorithm", "AWS4-HMAC-SHA256"),
        ("Credential", &SCOPE.replace('/', "%2F")),
        ("Date", DATE),
        ("Expires", "600"),
        ("SignedHeaders", "host"),
        ("Signature", "ab"),
    ];
    let query = |change: &dyn Fn(&str, &str) -> Option<String>| {
        let pairs = all.iter().filter_map(|(name, value)| {
            change(name, value).map(|value| format!("&X-Amz-{name}={value}"))
        });
        format!("/things/a/shadow?name=cfg{}", pairs.collect::<String>())
    };
    let mut table = printed(read(&query(&|_, value| Some(value.to_owned())), &[])) + "\n";
    for missing in all.map(|(name, _)| name) {
        let keep = |name: &str, value: &str| (name != missing).then(|| value.to_owned());
        table += &format!("without {missing}: {}\n", printed(read(&query(&keep), &[])));
    }
    for (changed, to) in [
        ("Expires", "0"),
        ("Expires", "604800"),
        ("Expires", "604801"),
        ("Expires", "+5"),
        ("Expires", "5s"),
        ("Date", "20261125T222425"),
        ("Date", "20261125T2224250"),
        ("Date", "20261325T222425Z"),
        ("Date", "18001125T222425Z"),
        ("Signature", "ab&X-Amz-Signature=cd"),
        ("Signature", "ab&X-Amz-Security-Token=t"),
    ] {
        let change =
            |name: &str, value: &str| Some(if name == changed { to } else { value }.to_owned());
        table += &format!("{changed} {to}: {}\n", printed(read(&query(&change), &[])));
    }
    expect![[r#"
        KEY us-east-1 iotdata 1795645465 ["host"] Some(600)
        without Algorithm: the algorithm is not AWS4-HMAC-SHA256
        without Credential: Credential is missing
        without Date: X-Amz-Date is missing
        without Expires: X-Amz-Expires is missing
        without SignedHeaders: SignedHeaders is missing
        without Signature: Signature is missing
        Expires 0: X-Amz-Expires is not 1 to 604800 seconds
        Expires 604800: KEY us-east-1 iotdata 1795645465 ["host"] Some(604800)
        Expires 604801: X-Amz-Expires is not 1 to 604800 seconds
        Expires +5: X-Amz-Expires is not 1 to 604800 seconds
        Expires 5s: X-Amz-Expires is not 1 to 604800 seconds
        Date 20261125T222425: x-amz-date cannot be read
        Date 20261125T2224250: x-amz-date cannot be read
        Date 20261325T222425Z: x-amz-date cannot be read
        Date 18001125T222425Z: x-amz-date cannot be read
        Signature ab&X-Amz-Signature=cd: X-Amz-Signature is there more than once
        Signature ab&X-Amz-Security-Token=t: it comes with a session token, and access keys have none
    "#]].assert_eq(&table);
}

#[test]
fn what_cannot_be_told_apart_is_refused() {
    let signed =
        format!("AWS4-HMAC-SHA256 Credential={SCOPE}, SignedHeaders=host;x-amz-date, Signature=ab");
    let (authorization, date) = (("authorization", signed.as_str()), ("x-amz-date", DATE));
    let flaw = |path: &str, headers: &[(&str, &str)]| printed(read(path, headers));
    let path = "/things/a/shadow";
    let table = [
        flaw(path, &[authorization]),
        flaw(path, &[authorization, date, date]),
        flaw(path, &[authorization, authorization, date]),
        flaw(path, &[authorization, ("x-amz-date", "Wed, 25 Nov 2026 22:24:25 GMT")]),
        flaw(path, &[authorization, date, ("x-amz-security-token", "t")]),
        flaw(&format!("{path}?X-Amz-Signature=ab"), &[authorization, date]),
        flaw("/things//a/shadow", &[authorization, date]),
        flaw("/things/./a/shadow", &[authorization, date]),
        flaw("/x/../things/a/shadow", &[authorization, date]),
        flaw("/things/a/shadow/..", &[authorization, date]),
    ];
    expect![[r#"
        x-amz-date is missing
        x-amz-date is there more than once
        Authorization is there more than once
        x-amz-date cannot be read
        it comes with a session token, and access keys have none
        it is signed in its header and in its query
        the path has empty or dot segments, which the signature does not tell apart
        the path has empty or dot segments, which the signature does not tell apart
        the path has empty or dot segments, which the signature does not tell apart
        the path has empty or dot segments, which the signature does not tell apart
    "#]]
    .assert_eq(&(table.join("\n") + "\n"));
    assert!(read("/things/a/shadow/", &[authorization, date]).is_ok());
    assert!(read("/things/a../shadow", &[authorization, date]).is_ok());
}

#[test]
fn a_signature_holds_for_a_while() {
    let minute_ms = 60_000;
    let signed = |expires_s| {
        let mut signed = header(&format!(
            "AWS4-HMAC-SHA256 Credential={SCOPE}, SignedHeaders=host;x-amz-date, Signature=ab"
        ))
        .unwrap()
        .unwrap();
        signed.expires_s = expires_s;
        signed
    };
    assert_eq!(signed(None).at_s, AT_MS / 1_000);
    for minutes in [-15, 0, 15] {
        assert_eq!(signed(None).check_time(AT_MS + minutes * minute_ms), Ok(()));
    }
    for at_ms in [AT_MS - 15 * minute_ms - 1, AT_MS + 15 * minute_ms + 1_000, i64::MIN, i64::MAX] {
        assert_eq!(signed(None).check_time(at_ms), Err(Flaw::Clock), "{at_ms}");
    }
    let presigned = signed(Some(3_600));
    assert_eq!(presigned.check_time(AT_MS + 3_600_000), Ok(()));
    assert_eq!(presigned.check_time(AT_MS + 3_601_000), Err(Flaw::Expired));
    assert_eq!(presigned.check_time(AT_MS - 15 * minute_ms - 1), Err(Flaw::Clock));
    // A short life is a short life, whatever clocks may be apart.
    assert_eq!(signed(Some(60)).check_time(AT_MS + 61_000), Err(Flaw::Expired));
}

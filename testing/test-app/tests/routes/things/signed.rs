//! Requests as AWS's SDKs sign them, whole and tampered with.

use std::net::IpAddr;
use std::time::Duration;

use axum::body::Body;
use axum::http::{HeaderValue, Method, Request};
use expect_test::expect;
use otaru_test_app::{AccessKey, Answer, Client, TestApp, each_database};
use serde_json::json;

const PATH: &str = "/things/clock%3A01/shadow";
const NAMES: &str = "/api/things/shadow/ListNamedShadowsForThing/clock%3A01";
const UPDATE: &str = r#"{"state":{"desired":{"on":true}},"clientToken":"t-1"}"#;

/// Status, exception and message; the trace id is there.
fn refusal(answer: &Answer) -> String {
    let body = answer.json();
    assert_eq!(body["traceId"], answer.header("x-amzn-requestid"));
    let kind = answer.header("x-amzn-errortype");
    format!("{} {kind} {}", answer.status(), body["message"].as_str().unwrap())
}

fn signing(app: &TestApp, key: &AccessKey) -> Client {
    app.anonymous().with_access_key(key.clone())
}

fn update(key: &AccessKey) -> Request<Vec<u8>> {
    let request = Request::builder().method(Method::POST).uri(format!("{PATH}?name=%24cfg"));
    let request = request.header("content-type", "application/json").header("x-other", "1");
    key.sign(request.body(UPDATE.as_bytes().to_vec()).unwrap())
}

async fn send(app: &TestApp, request: Request<Vec<u8>>) -> Answer {
    app.anonymous().send_request(request.map(Body::from)).await
}

fn with_expiry(key: &AccessKey, expires_s: u64) -> AccessKey {
    AccessKey { expires: Some(Duration::from_secs(expires_s)), ..key.clone() }
}

each_database! {
    async fn every_operation_takes_a_signed_request(app: TestApp) {
        let key = app.access_key(json!({ "role": "operator" })).await;
        let header = signing(&app, &key);
        let query = signing(&app, &with_expiry(&key, 600));
        for program in [&header, &query] {
            for name in ["", "?name=%24cfg", "?name=$x"] {
                let path = format!("{PATH}{name}");
                let updated = program.post_text(&path, UPDATE).await.expect_status(200).json();
                assert_eq!(updated["clientToken"], "t-1");
                let got = program.get(&path).await.expect_status(200).json();
                assert_eq!(got["state"]["desired"], json!({ "on": true }));
            }
            let names = program.get(&format!("{NAMES}?pageSize=1")).await.expect_status(200).json();
            assert_eq!(names["results"], json!(["$cfg"]));
            let token = names["nextToken"].as_str().unwrap();
            let path = format!("{NAMES}?pageSize=1&nextToken={token}");
            let names = program.get(&path).await.expect_status(200).json();
            assert_eq!(names["results"], json!(["$x"]));
            program.delete(PATH).await.expect_status(200);
            let gone = program.get(PATH).await;
            assert_eq!(gone.header("x-amzn-errortype"), "ResourceNotFoundException");
        }
        // On the devices' port too, where nobody has to have a certificate.
        let device_port = app.stranger().with_access_key(key);
        device_port.get(&format!("{PATH}?name=%24cfg")).await.expect_status(200);
    }

    async fn errors_are_those_of_the_service(app: TestApp) {
        let key = app.access_key(json!({ "role": "operator" })).await;
        let program = signing(&app, &key);
        let long = "x".repeat(9_000);
        let answers = [
            program.post_text(PATH, "{").await,
            program.post(PATH, json!({ "state": { "desired": { "x": long } } })).await,
            program.post_text(PATH, &"x".repeat(300_000)).await,
            program.post(PATH, json!({ "state": {}, "version": 7 })).await,
            program.get(PATH).await,
            program.get(&format!("{NAMES}?pageSize=0")).await,
            program.put(PATH, json!({})).await,
        ];
        let table: String = answers.iter().map(|answer| refusal(answer) + "\n").collect();
        expect![[r#"
            400 InvalidRequestException Invalid JSON
            413 RequestEntityTooLargeException The payload exceeds the maximum size allowed
            413 RequestEntityTooLargeException The payload exceeds the maximum size allowed
            409 ConflictException Version conflict
            404 ResourceNotFoundException No shadow exists with name: 'clock:01'
            400 InvalidRequestException pageSize must be 1 to 100, found 0
            405 MethodNotAllowedException Method Not Allowed
        "#]].assert_eq(&table);
    }

    async fn what_was_tampered_with_is_refused_and_says_no_more(app: TestApp) {
        let key = app.access_key(json!({ "role": "operator" })).await;
        send(&app, update(&key)).await.expect_status(200);
        let set = |name: &'static str, value: &'static str| {
            let mut request = update(&key);
            request.headers_mut().insert(name, HeaderValue::from_static(value));
            request
        };
        let target = |target: &str| {
            let mut request = update(&key);
            *request.uri_mut() = target.parse().unwrap();
            request
        };
        let authorization = |from: &str, to: &str| {
            let mut request = update(&key);
            let old = request.headers()["authorization"].to_str().unwrap();
            assert!(old.contains(from), "{old}");
            let new = old.replace(from, to).parse().unwrap();
            request.headers_mut().insert("authorization", new);
            request
        };
        let without = |name: &'static str| {
            let mut request = update(&key);
            request.headers_mut().remove(name).unwrap();
            request
        };
        let with_key = |change: &dyn Fn(&mut AccessKey)| {
            let mut key = key.clone();
            change(&mut key);
            update(&key)
        };
        let (day, id) = ("20261123", key.id.clone());
        let table = [
            ("another secret", with_key(&|key| key.secret.replace_range(0..1, "!"))),
            ("an unknown id", with_key(&|key| key.id = "OTARUAAAAAAAAAAAAAAA".to_owned())),
            ("an id of AWS's", with_key(&|key| key.id = "AKIAIOSFODNN7EXAMPLE".to_owned())),
            ("another service", with_key(&|key| key.service = "s3".to_owned())),
            ("the body", update(&key).map(|_| b"{\"state\":{}}".to_vec())),
            ("no body", update(&key).map(|_| Vec::new())),
            ("another thing", target("/things/clock%3A02/shadow?name=%24cfg")),
            ("another shadow", target(&format!("{PATH}?name=%24cfh"))),
            ("no shadow", target(PATH)),
            ("one more parameter", target(&format!("{PATH}?name=%24cfg&a=1"))),
            ("a header", set("x-other", "2")),
            ("the content type", set("content-type", "text/plain")),
            ("the host", set("host", "otaru.example")),
            ("the date", set("x-amz-date", "20261123T120001Z")),
            ("a header missing", without("x-other")),
            ("the date missing", without("x-amz-date")),
            ("the host missing", without("host")),
            ("the host not signed", authorization("host;", "")),
            ("the date not signed", authorization(";x-amz-date", "")),
            ("fewer signed headers", authorization(";x-other", "")),
            ("the day of the scope", authorization(day, "20261122")),
            ("the region of the scope", authorization("us-east-1", "us-east-2")),
            ("the service of the scope", authorization("/iotdata/", "/iot/")),
            ("the end of the scope", authorization("aws4_request", "aws4_requests")),
            ("the algorithm", authorization("HMAC-SHA256", "HMAC-SHA512")),
            ("no signature", authorization(", Signature=", ", Signature2=")),
            ("an empty signature", authorization("Signature=", "Signature=, X=")),
            ("the id", authorization(&id, "OTARUAAAAAAAAAAAAAAA")),
            ("the method", {
                let mut request = update(&key);
                *request.method_mut() = Method::DELETE;
                request
            }),
            ("an unsigned body", set("x-amz-content-sha256", "UNSIGNED-PAYLOAD")),
        ];
        for (name, request) in table {
            let answer = send(&app, request).await;
            assert_eq!(refusal(&answer), "403 ForbiddenException Forbidden", "{name}");
        }
        let got = signing(&app, &key).get(&format!("{PATH}?name=%24cfg")).await.json();
        assert_eq!(got["version"], 1, "nothing of it was carried out");
    }

    async fn a_presigned_url_is_good_for_what_it_says_and_so_long(app: TestApp) {
        let key = app.access_key(json!({ "role": "operator" })).await;
        let get = |key: &AccessKey| {
            key.sign(Request::builder().uri(format!("{PATH}?name=cfg")).body(Vec::new()).unwrap())
        };
        let presigned = get(&with_expiry(&key, 3_600));
        let changed = |from: &str, to: &str| {
            let mut request = presigned.clone();
            let uri = request.uri().to_string();
            assert!(uri.contains(from), "{uri}");
            *request.uri_mut() = uri.replace(from, to).parse().unwrap();
            request
        };
        assert_eq!(send(&app, presigned.clone()).await.status(), 404);
        for (name, request) in [
            ("a longer life", changed("Expires=3600", "Expires=7200")),
            ("another shadow", changed("name=cfg", "name=other")),
            ("another id", changed(&key.id, "OTARUAAAAAAAAAAAAAAA")),
            ("no expiry", changed("X-Amz-Expires=3600&", "")),
            ("no end", get(&with_expiry(&key, 604_801))),
            ("no life", get(&with_expiry(&key, 0))),
            ("twice", changed("X-Amz-Date=", "X-Amz-Date=20261123T120000Z&X-Amz-Date=")),
            ("a body", presigned.clone().map(|_| b"{}".to_vec())),
        ] {
            let answer = send(&app, request).await;
            assert_eq!(refusal(&answer), "403 ForbiddenException Forbidden", "{name}");
        }
        let mut both = presigned.clone();
        let header = get(&key).headers().clone();
        both.headers_mut().extend(header);
        assert_eq!(send(&app, both).await.status(), 403);
        app.advance(Duration::from_secs(3_600));
        assert_eq!(send(&app, presigned.clone()).await.status(), 404);
        app.advance(Duration::from_secs(1));
        assert_eq!(send(&app, presigned.clone()).await.status(), 403);
        let week = get(&with_expiry(&key, 604_800));
        assert_eq!(send(&app, week).await.status(), 404);
    }

    async fn clocks_may_be_a_quarter_of_an_hour_apart(app: TestApp) {
        let key = app.access_key(json!({ "role": "operator" })).await;
        let (early, quarter) = (update(&key), Duration::from_secs(900));
        app.advance(quarter);
        send(&app, early).await.expect_status(200);
        let late = update(&key);
        app.advance(quarter + Duration::from_secs(1));
        assert_eq!(send(&app, late).await.status(), 403);
        let early = update(&key);
        app.clock.set_back(quarter);
        send(&app, early.clone()).await.expect_status(200);
        app.clock.set_back(Duration::from_secs(1));
        assert_eq!(send(&app, early).await.status(), 403);
    }

    async fn any_region_and_each_service_name_will_do(app: TestApp) {
        let key = app.access_key(json!({ "role": "viewer" })).await;
        for (region, service) in
            [("eu-central-1", "iotdata"), ("home", "iotdevicegateway"), ("us-gov-west-1", "iot")]
        {
            let key = AccessKey { region: region.into(), service: service.into(), ..key.clone() };
            assert_eq!(signing(&app, &key).get(PATH).await.status(), 404, "{region} {service}");
        }
    }

    async fn a_session_token_is_refused_by_its_name(app: TestApp) {
        let key = app.access_key(json!({ "role": "viewer" })).await;
        let key = AccessKey { session_token: Some("token".to_owned()), ..key };
        let expected = "403 ForbiddenException Session tokens are not taken; sign with an access key that has none";
        assert_eq!(refusal(&signing(&app, &key).get(PATH).await), expected);
        let presigned = signing(&app, &with_expiry(&key, 60));
        assert_eq!(refusal(&presigned.get(PATH).await), expected);
    }

    async fn role_and_list_of_things_hold_for_every_operation(app: TestApp) {
        let limited = json!({ "role": "operator", "things": ["clock:01"] });
        let limited = signing(&app, &app.access_key(limited).await);
        let viewer = signing(&app, &app.access_key(json!({ "role": "viewer" })).await);
        let publisher = signing(&app, &app.access_key(json!({ "role": "publisher" })).await);
        limited.post_text(PATH, UPDATE).await.expect_status(200);
        limited.get(NAMES).await.expect_status(200);
        let (other, other_names) = (PATH.replace("01", "02"), NAMES.replace("01", "02"));
        let forbidden = [
            limited.get(&other).await,
            limited.post_text(&other, UPDATE).await,
            limited.delete(&other).await,
            limited.get(&other_names).await,
            viewer.post_text(PATH, UPDATE).await,
            viewer.delete(PATH).await,
            publisher.post_text(PATH, UPDATE).await,
        ];
        for answer in forbidden {
            assert_eq!(refusal(&answer), "403 ForbiddenException Forbidden");
        }
        for reader in [viewer, publisher] {
            reader.get(PATH).await.expect_status(200);
            reader.get(&other_names).await.expect_status(200);
        }
    }

    async fn a_key_sees_nothing_of_another_organisation(app: TestApp) {
        let foreign = app.foreign_admin().await;
        let ours = app.access_key(json!({ "role": "admin" })).await;
        foreign.post_text(PATH, UPDATE).await.expect_status(200);
        foreign.post_text(&format!("{PATH}?name=cfg"), UPDATE).await.expect_status(200);
        let program = signing(&app, &ours);
        assert_eq!(program.get(PATH).await.status(), 403);
        assert_eq!(program.post_text(&format!("{PATH}?name=new"), UPDATE).await.status(), 403);
        assert_eq!(program.get(NAMES).await.json()["results"], json!([]));
    }

    async fn a_certificate_counts_more_than_a_signature(app: TestApp) {
        app.create_product("clock", "device").await;
        let device = app.add_device("clock-01", "clock").await;
        let mut key = app.access_key(json!({ "role": "admin" })).await;
        let both = device.clone().with_access_key(key.clone());
        both.post_text("/things/clock-01/shadow", UPDATE).await.expect_status(200);
        assert_eq!(both.get(PATH).await.status(), 403, "it is the device's, not the key's");
        key.secret = "x".repeat(40);
        let both = device.with_access_key(key);
        both.get("/things/clock-01/shadow").await.expect_status(200);
    }

    async fn guesses_are_slowed_and_nobody_is_locked_out(app: TestApp) {
        let key = app.access_key(json!({ "role": "viewer" })).await;
        let other = app.access_key(json!({ "role": "viewer" })).await;
        let wrong = AccessKey { secret: "x".repeat(40), ..key.clone() };
        let at = |key: &AccessKey, last: u8| {
            signing(&app, key).from_address(IpAddr::from([192, 0, 2, last]))
        };
        for _ in 0..30 {
            assert_eq!(at(&wrong, 1).get(PATH).await.status(), 403);
        }
        let slowed = at(&wrong, 1).get(PATH).await;
        assert_eq!(refusal(&slowed), "429 ThrottlingException Too Many Requests");
        assert!(slowed.header("retry-after").parse::<u32>().unwrap() > 0);
        assert_eq!(at(&key, 1).get(PATH).await.status(), 404, "the right secret");
        assert_eq!(at(&other, 1).get(PATH).await.status(), 404, "another key");
        assert_eq!(at(&wrong, 2).get(PATH).await.status(), 403, "from elsewhere");
        app.advance(Duration::from_secs(60));
        assert_eq!(at(&wrong, 1).get(PATH).await.status(), 403);
    }
}

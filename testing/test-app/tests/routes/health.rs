use axum::body::Body;
use axum::extract::ConnectInfo;
use axum::http::Request;
use otaru_http::PlainPort;
use otaru_test_app::{Client, each_database};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use tower::ServiceExt;

const HERE: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);
const ELSEWHERE: IpAddr = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 7));

/// What both routes answer, if they agree.
async fn health(client: &Client) -> u16 {
    let [live, ready] = [client.get("/healthz").await, client.get("/readyz").await];
    assert_eq!(live.status(), ready.status());
    live.status()
}

each_database! {
    async fn a_server_is_ready_when_it_says_so(app: TestApp) {
        let here = app.anonymous().from_address(HERE);
        assert_eq!(health(&here).await, 200);
        app.readiness.set(false);
        assert_eq!(here.get("/readyz").await.refusal(), "503 not_ready");
        assert_eq!(here.get("/healthz").await.status(), 200);
        assert_eq!(app.stranger().from_address(HERE).get("/healthz").await.status(), 200);
    }

    async fn health_is_for_this_machine_or_a_token(app: TestApp) {
        let mapped = IpAddr::V6(Ipv4Addr::LOCALHOST.to_ipv6_mapped());
        for here in [HERE, IpAddr::V6(Ipv6Addr::LOCALHOST), mapped] {
            assert_eq!(health(&app.anonymous().from_address(here)).await, 200, "{here}");
        }
        for port in [app.anonymous(), app.stranger()] {
            assert_eq!(health(&port).await, 401);
            assert_eq!(health(&port.from_address(ELSEWHERE)).await, 401);
        }
        assert_eq!(health(&app.operator().await.from_address(ELSEWHERE)).await, 200);
        // A proxy of this machine asks for somebody else.
        for header in ["x-forwarded-for", "forwarded", "via"] {
            let proxy = app.anonymous().from_address(HERE).with_header(header, "192.0.2.7");
            assert_eq!(health(&proxy).await, 401, "{header}");
        }
    }

    async fn behind_a_proxy_health_is_for_tokens_only(app: TestApp) {
        let (operations, readiness) = (app.operations.clone(), app.readiness.clone());
        let router = otaru_http::router(operations, readiness, PlainPort::BehindProxy);
        let mut request = Request::get("/readyz").body(Body::empty()).unwrap();
        request.extensions_mut().insert(ConnectInfo(SocketAddr::new(HERE, 40_000)));
        assert_eq!(router.oneshot(request).await.unwrap().status(), 401);
    }
}

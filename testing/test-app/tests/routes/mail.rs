//! Mails on their way to a real mail server.

use std::fs;
use std::net::TcpListener;
use std::time::{Duration, SystemTime};

use otaru_authority::Authority;
use otaru_test_app::{Database, Mailbox, TestApp};
use serde_json::json;

async fn invite(app: &TestApp, email: &str) {
    let invited = json!({ "email": email, "role": "viewer" });
    app.admin().post("/api/v1/invitations", invited).await.expect_status(201);
}

async fn app_with(url: String) -> TestApp {
    TestApp::start_with_mail(Database::Sqlite, url, None).await
}

#[tokio::test]
async fn an_invitation_arrives_with_its_link_on_sqlite() {
    let mut mailbox = Mailbox::open().await;
    let app = app_with(format!("smtp://127.0.0.1:{}", mailbox.port())).await;
    invite(&app, "bo@example.org").await;
    let mail = mailbox.next().await;
    assert_eq!((mail.to.as_str(), mail.over_tls), ("bo@example.org", false));
    assert!(mail.head.contains("From: Otaru <otaru@example.org>"), "{}", mail.head);
    let url = format!("https://otaru.example/invitation#{}", mail.code());
    assert!(mail.text.lines().any(|line| line == url), "{}", mail.text);
    app.accept(&url.into()).await.get("/app/user").await.expect_status(200);
}

#[tokio::test]
async fn a_mail_server_is_spoken_to_over_tls_and_with_a_password_on_sqlite() {
    let folder = tempfile::tempdir().unwrap();
    let authority = Authority::open_or_create(folder.path(), SystemTime::now()).unwrap();
    authority.issue_server(&["127.0.0.1".to_owned()], SystemTime::now()).unwrap();
    let (certificate, key) = (authority.server_certificate_path(), authority.server_key_path());
    let [certificate, key] = [&certificate, &key].map(|path| path.to_str().unwrap());
    let arguments = ["--user", "otaru:p@ss word", "--certificate", certificate, key];
    let mut mailbox = Mailbox::open_with(&arguments).await;
    let ca = fs::read_to_string(authority.ca_path()).unwrap();
    let url = format!("smtp://otaru:p%40ss%20word@127.0.0.1:{}", mailbox.port());
    let app = TestApp::start_with_mail(Database::Sqlite, url, Some(ca)).await;
    invite(&app, "bo@example.org").await;
    let mail = mailbox.next().await;
    assert_eq!((mail.over_tls, mail.user.as_deref()), (true, Some("otaru")));
}

#[tokio::test]
async fn what_is_refused_for_now_is_sent_again_and_what_is_refused_is_not_on_sqlite() {
    let mut mailbox = Mailbox::open_with(&["--refuse", "2"]).await;
    let app = app_with(format!("smtp://127.0.0.1:{}", mailbox.port())).await;
    // The first meets both refusals for now, or each of the first two meets one.
    invite(&app, "bo@example.org").await;
    invite(&app, "refused@example.org").await;
    invite(&app, "cleo@example.org").await;
    let mut arrived = [mailbox.next().await.to, mailbox.next().await.to];
    arrived.sort();
    assert_eq!(arrived, ["bo@example.org", "cleo@example.org"]);
}

#[tokio::test]
async fn nobody_waits_for_a_mail_server_that_is_away_on_sqlite() {
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let app = app_with(format!("smtp://127.0.0.1:{port}")).await;
    let answered = tokio::time::timeout(Duration::from_secs(5), invite(&app, "bo@example.org"));
    answered.await.expect("the answer does not wait");
    let mut mailbox = Mailbox::open_with(&["--port", &port.to_string()]).await;
    assert_eq!(mailbox.next().await.to, "bo@example.org");
}

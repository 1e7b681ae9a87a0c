//! A whole server in the test's process: database, images, broker and routes.
//!
//! Requests go through the routers without a socket, so a test is one function
//! call away from the answer; MQTT comes over real sockets, with mutual TLS, and so does
//! gRPC, whose framing is HTTP/2's.
//! Time stands still until the test moves it. HTTPS ports and processes are
//! tested elsewhere (`server/http`, `testing/real-fleet`).
//!
//! Start at [`each_database!`] and [`TestApp`].

mod access_key;
mod answer;
mod app;
mod authenticator;
mod client;
mod device;
mod events;
mod firmware;
mod fleet;
mod mailbox;
mod mqtt_session;
mod people;
mod ports;
mod server;

pub use access_key::AccessKey;
pub use answer::Answer;
pub use app::{Database, PASSWORD, TestApp};
pub use authenticator::Authenticator;
pub use client::Client;
pub use device::Device;
pub use events::{Event, Events};
pub use firmware::{Firmware, Publisher};
pub use mailbox::{Mail, Mailbox};
pub use mqtt_session::MqttSession;

/// Runs one test on SQLite and on PostgreSQL.
///
/// `UPDATE_EXPECT=1` needs `--test-threads=1`: the two runs would write the same file at once.
///
/// ```ignore
/// each_database! {
///     async fn the_description_is_for_everybody(app: TestApp) {
///         assert_eq!(app.anonymous().get("/openapi.json").await.status(), 200);
///     }
/// }
/// ```
#[macro_export]
macro_rules! each_database {
    ($($(#[$attribute:meta])* async fn $name:ident($app:ident: TestApp) $body:block)+) => {$(
        $(#[$attribute])*
        mod $name {
            #[allow(unused_imports, reason = "not every test needs what its neighbours need")]
            use super::*;

            async fn run($app: $crate::TestApp) $body

            #[tokio::test]
            async fn sqlite() {
                run($crate::TestApp::start($crate::Database::Sqlite).await).await;
            }

            #[tokio::test]
            async fn postgres() {
                run($crate::TestApp::start($crate::Database::Postgres).await).await;
            }
        }
    )+};
}

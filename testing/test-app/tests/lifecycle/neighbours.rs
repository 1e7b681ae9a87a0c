//! What another server of the same database revokes or forgets ends here, too.

use otaru_operations::read_trust;
use otaru_store::{Scope, StoreError, Tx};
use otaru_test_app::{TestApp, each_database};
use serde_json::json;

use super::batch::Batch;
use super::home::{DAY, SECOND, SHADOW};

/// Does in the database what another server would, and then what this one does each second.
async fn another_server<T: Send + 'static>(
    app: &TestApp,
    work: impl FnOnce(&mut Tx<'_>, &Scope, i64) -> Result<T, StoreError> + Send + 'static,
) {
    let scope = Scope::of(app.operations.default_organisation().clone());
    let now = app.operations.now_ms();
    app.store.write(move |tx| work(tx, &scope, now)).await.unwrap();
    read_trust(&app.operations).await.unwrap();
}

each_database! {
    async fn a_device_that_another_server_forgets_is_gone_here(app: TestApp) {
        app.create_product("clock", "device").await;
        let device = app.provision("clock-01", "clock").await;
        let mut session = device.connect_silently().await;
        let thing = "clock-01".parse().unwrap();

        another_server(&app, move |tx, scope, now| {
            otaru_store::forget_device(tx, scope, &thing, now)
        })
        .await;

        session.closed().await;
        device.refused().await;
        assert_eq!(device.https.get(SHADOW).await.status(), 401);
    }

    async fn a_claim_that_another_server_revokes_is_gone_here(app: TestApp) {
        let batch = Batch::new(app, json!({})).await;
        let mut session = batch.device("any-name").await;
        let serial = batch.claim["serial"].as_str().unwrap().to_owned();

        another_server(&batch.app, move |tx, scope, now| {
            otaru_store::revoke_claim_certificate(tx, scope, &serial, now)
        })
        .await;

        session.closed().await;
        assert!(batch.app.connect_with("any-name", &batch.claim).await.is_err());
    }

    async fn a_template_that_another_server_removes_takes_its_claims_along(app: TestApp) {
        let batch = Batch::new(app, json!({})).await;
        let mut session = batch.device("any-name").await;
        let template = "clocks".parse().unwrap();

        another_server(&batch.app, move |tx, scope, now| {
            otaru_store::delete_template(tx, scope, &template, now)
        })
        .await;

        session.closed().await;
        assert!(batch.app.connect_with("any-name", &batch.claim).await.is_err());
    }

    async fn what_was_forgotten_a_day_ago_is_kept_no_longer(app: TestApp) {
        let batch = Batch::new(app, json!({})).await;
        let template = "clocks".parse().unwrap();
        another_server(&batch.app, move |tx, scope, now| {
            otaru_store::delete_template(tx, scope, &template, now)
        })
        .await;
        let kept = async || {
            let all = |tx: &mut Tx<'_>| {
                let system = otaru_store::SystemScope::for_background();
                otaru_store::forgotten_certificates(tx, &system, 0)
            };
            batch.app.store.read(all).await.unwrap().len()
        };
        otaru_operations::trim(&batch.app.operations).await.unwrap();
        assert_eq!(kept().await, 1);
        batch.app.advance(DAY + SECOND);
        otaru_operations::trim(&batch.app.operations).await.unwrap();
        assert_eq!(kept().await, 0);
    }
}

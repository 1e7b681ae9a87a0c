//! Calls of provisioning and their answers, which go to the connection that asked.

use std::sync::Arc;

use bytes::Bytes;
use otaru_broker::{Message, Session, Turn};
use otaru_store::Notice;
use otaru_wire::{ProvisioningCall, ProvisioningPart, Topic};
use tracing::{error, info};

use super::calls::{CallFailed, answer_call};
use crate::{App, notices::Told};

/// Carries a call of provisioning out, and has it answered.
pub(crate) async fn answer_provisioning(
    app: App,
    session: Arc<Session>,
    call: ProvisioningCall,
    payload: Bytes,
    turn: Turn,
) {
    let (part, answer) = match answer_call(&app, &session, &call, &payload).await {
        Ok(answer) => (ProvisioningPart::Accepted, answer),
        Err(failed) => {
            note(&app, &session, &failed);
            (ProvisioningPart::Rejected, failed.payload())
        }
    };
    let topic = Topic::Provisioning { call, part }.format(app.namespace());
    let message = Message { topic, payload: Bytes::from(answer) };
    let told = Told { to: session, message, turn };
    // Nobody delivers any more when the server ends.
    let _ = app.inner.store.notice_sender().send(Notice::Told(Box::new(told)));
}

fn note(app: &App, session: &Session, failed: &CallFailed) {
    match failed {
        CallFailed::Fault(cause) => {
            error!(error = cause as &dyn std::error::Error, "Provisioning failed");
        }
        // Once for each connection: who asks all day must not fill the disk.
        CallFailed::Refused(_) => {
            if app.inner.noted_claims.begin(&session.session_id, app.now_ms()).is_ok() {
                info!(client.id = session.client_id, reason = %failed, "Not provisioned");
            }
        }
    }
}

//! What a server does once when it starts.

use otaru_doors::fingerprint;
use otaru_store::{Scope, SystemScope, Tx};
use serde_json::json;

use crate::audit::{Object, Who};
use crate::{
    App, OperationError, deadlines, events, roots, settle_server_authority,
    tokens::{Secret, admin_token},
};

/// Brings the database to what is true after a start: nobody is online, silence begins
/// to count anew, and it is known who signed each release. Call it before any listener opens.
///
/// With `make_admin_token` it also makes an administrator's token and returns it: for the
/// first start, when there is no other way in.
///
/// # Errors
/// [`OperationError::Store`], [`OperationError::Random`].
pub async fn start_up(app: &App, make_admin_token: bool) -> Result<Option<String>, OperationError> {
    let now = app.now_ms();
    let secret = if make_admin_token { Some(Secret::random()?) } else { None };
    let text = secret.as_ref().map(Secret::text);
    let (app_, scope) = (app.clone(), Scope::of(app.default_organisation().clone()));
    // The oldest there is: a program that names none knew of no other.
    let own = app.inner.authority.certificates();
    let own_authority = own.last().map(|der| fingerprint(der)).unwrap_or_default();
    let work = move |tx: &mut Tx<'_>| {
        otaru_store::name_first_issuer(tx, &SystemScope::for_background(), &own_authority)?;
        for device in otaru_store::close_all_sessions(tx, &SystemScope::for_background(), now)? {
            events::device_presence(tx, &device, false, now)?;
        }
        deadlines::resume_deadlines(&app_, tx)?;
        let version = json!({ "version": env!("CARGO_PKG_VERSION") });
        let server = Who::the_server(SystemScope::for_background());
        let started = server.did("server.start", Object::new("server", "server")).made(&version);
        if let Some(secret) = &secret {
            admin_token(tx, &scope, secret, now)?;
        }
        Ok::<_, OperationError>(((), started))
    };
    app.inner.store.audited(work).await?;
    roots::read_signers(app).await?;
    settle_server_authority(app).await?;
    Ok(text)
}

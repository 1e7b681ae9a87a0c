//! The server's own authorities: one signs, and those before it are believed until they are retired.
//!
//! The files of the server say which one signs, the database who is believed by all servers.

use std::sync::atomic::Ordering;

use otaru_authority::{Authority, AuthorityError};
use otaru_doors::{AuthorityCertificate, fingerprint};
use otaru_store::{ServerAuthorityRow, StandingCounts, StoreError, SystemScope, Tx};
use rustls_pki_types::CertificateDer;
use serde_json::json;
use tracing::error;

use crate::audit::{Entry, Object, Who};
use crate::organisations::require_host;
use crate::{
    Actor, App, OperationError, Page, PageRequest, Refusal, ServerAuthorityObject,
    StandingDeviceObject, clock, read_trust,
};

impl App {
    /// The authority that signs.
    ///
    /// # Errors
    /// [`Refusal::ServerAuthorityRetired`] where another server has another one and retired it.
    pub(crate) fn signing_authority(&self) -> Result<&Authority, Refusal> {
        match self.inner.signs_in_vain.load(Ordering::Relaxed) {
            true => Err(Refusal::ServerAuthorityRetired),
            false => Ok(&self.inner.authority),
        }
    }

    /// Returns once other authorities sign or are believed than when it returned last.
    pub async fn server_authority_turned(&self) {
        self.inner.authority_turned.notified().await;
    }
}

/// The server's own authorities, oldest first, retired ones too.
///
/// # Errors
/// [`Refusal::Forbidden`].
pub async fn list_server_authorities(
    app: &App,
    actor: &Actor,
) -> Result<Vec<ServerAuthorityObject>, OperationError> {
    require_host(app, actor)?;
    let (signs, now) = (app.inner.authority.fingerprint(), app.now_ms());
    let work = move |tx: &mut Tx<'_>| {
        let system = SystemScope::for_organisations();
        let rows = otaru_store::server_authorities(tx, &system)?;
        let object = |row: ServerAuthorityRow| {
            let standing =
                otaru_store::standing_on_server_authority(tx, &system, &row.fingerprint, now)?;
            Ok(ServerAuthorityObject::of(row, standing, &signs))
        };
        rows.into_iter().map(object).collect::<Result<Vec<_>, OperationError>>()
    };
    app.inner.store.read(work).await
}

/// Devices of all organisations that have a certificate of an authority, by name.
///
/// # Errors
/// [`Refusal::ServerAuthorityUnknown`], [`Refusal::Forbidden`], [`Refusal::InvalidField`],
/// [`Refusal::InvalidCursor`].
pub async fn list_devices_of_server_authority(
    app: &App,
    actor: &Actor,
    fingerprint: String,
    page: PageRequest,
) -> Result<Page<StandingDeviceObject>, OperationError> {
    require_host(app, actor)?;
    let (limit, after, now) = (page.limit()?, page.after()?, app.now_ms());
    let work = move |tx: &mut Tx<'_>| {
        let system = SystemScope::for_organisations();
        known(tx, &system, &fingerprint)?;
        let rows = otaru_store::devices_on_server_authority(
            tx,
            &system,
            &fingerprint,
            &after,
            limit,
            now,
        )?;
        Ok::<_, OperationError>(rows)
    };
    let rows = app.inner.store.read(work).await?;
    Ok(Page::of(rows, limit, |row| row.thing.to_string(), StandingDeviceObject::from))
}

/// Has a new authority sign from now on; the one before is believed until it is retired.
///
/// # Errors
/// [`Refusal::ServerAuthorityBelieved`], [`Refusal::ServerAuthorityRetired`],
/// [`Refusal::ServerAuthorityOutside`], [`Refusal::Forbidden`].
pub async fn rotate_server_authority(
    app: &App,
    actor: &Actor,
) -> Result<ServerAuthorityObject, OperationError> {
    require_host(app, actor)?;
    let _one_at_a_time = app.inner.turning_authority.lock().await;
    if app.inner.authority.is_outside() {
        return Err(Refusal::ServerAuthorityOutside.into());
    }
    settle(app).await?;
    let before = app.signing_authority()?.fingerprint();
    if let Some(other) = believed(app).await?.into_iter().find(|other| *other != before) {
        return Err(Refusal::ServerAuthorityBelieved(other).into());
    }
    let (authority, at) = (app.inner.authority.clone(), clock::time_of(app.now_ms()));
    on_disk(move || authority.rotate(at)).await?;
    let (who, now) = (Who::of(actor), app.now_ms());
    let (signs, certificate) = (app.inner.authority.fingerprint(), own_certificate(app));
    let work = move |tx: &mut Tx<'_>| {
        let system = SystemScope::for_organisations();
        otaru_store::insert_server_authority(tx, &system, &signs, &certificate, now)?;
        let row = known(tx, &system, &signs)?;
        let made =
            json!({ "fingerprint": signs, "not_after": ends(&certificate), "before": before });
        let did = who.did("server_authority.rotate", object(&signs)).made(&made);
        Ok::<_, OperationError>((
            ServerAuthorityObject::of(row, StandingCounts::default(), &signs),
            did,
        ))
    };
    let made = app.inner.store.audited(work).await;
    // The files have it already: whatever became of the entry, it is in use.
    app.inner.authority_turned.notify_one();
    let made = made?;
    read_trust(app).await?;
    Ok(made)
}

/// Believes an authority that signs no more not any longer, and ends what stands on its
/// certificates, on every server of the database within a second or two.
///
/// With `force` whatever ends with it; without only if nothing does.
///
/// # Errors
/// [`Refusal::ServerAuthorityUnknown`], [`Refusal::ServerAuthoritySigns`],
/// [`Refusal::ServerAuthorityInUse`], [`Refusal::Forbidden`].
pub async fn retire_server_authority(
    app: &App,
    actor: &Actor,
    fingerprint: String,
    force: bool,
) -> Result<(), OperationError> {
    require_host(app, actor)?;
    let _one_at_a_time = app.inner.turning_authority.lock().await;
    let signs = app.inner.authority.fingerprint();
    if fingerprint == signs {
        return Err(Refusal::ServerAuthoritySigns(fingerprint).into());
    }
    let (who, now) = (Who::of(actor), app.now_ms());
    let work = move |tx: &mut Tx<'_>| {
        let system = SystemScope::for_organisations();
        let row = known(tx, &system, &fingerprint)?;
        if row.retired_at.is_some() {
            return Err(Refusal::ServerAuthorityUnknown(fingerprint).into());
        }
        let standing = otaru_store::standing_on_server_authority(tx, &system, &fingerprint, now)?;
        let StandingCounts { devices, claim_certificates, waiting } = standing;
        if !force && standing != StandingCounts::default() {
            let refusal = Refusal::ServerAuthorityInUse {
                fingerprint,
                devices: devices + waiting,
                claim_certificates,
            };
            return Err(refusal.into());
        }
        otaru_store::retire_server_authority(tx, &system, &fingerprint, now)?;
        let did = who.did("server_authority.retire", object(&fingerprint));
        Ok::<_, OperationError>(((), did.ended(&ServerAuthorityObject::of(row, standing, &signs))))
    };
    app.inner.store.audited(work).await?;
    read_trust(app).await?;
    settle(app).await?;
    app.inner.authority_turned.notify_one();
    Ok(())
}

/// Brings the files and the database to one state: what either of them was told of while the
/// other was not, by a rotation that was cut short, by an operator or by another server.
pub async fn settle_server_authority(app: &App) -> Result<(), OperationError> {
    let _one_at_a_time = app.inner.turning_authority.lock().await;
    settle(app).await?;
    read_trust(app).await
}

async fn settle(app: &App) -> Result<(), OperationError> {
    let (authority, at) = (app.inner.authority.clone(), clock::time_of(app.now_ms()));
    on_disk(move || authority.reload(at)).await?;
    let known = known_authorities(app).await?;
    let find = |der: &[u8]| known.iter().find(|row| row.certificate == der);
    // The one before first: it is the older one.
    let own: Vec<_> = app.inner.authority.certificates().into_iter().rev().collect();
    let unknown: Vec<_> = own.iter().filter(|der| find(der).is_none()).cloned().collect();
    if !unknown.is_empty() {
        let now = app.now_ms();
        app.inner.store.audited(move |tx| add(tx, &unknown, now)).await?;
    }
    let is_retired =
        |der: &&CertificateDer<'_>| find(der).is_some_and(|row| row.retired_at.is_some());
    if own.len() > 1 && own.first().filter(is_retired).is_some() {
        let authority = app.inner.authority.clone();
        on_disk(move || authority.forget_predecessor(at)).await?;
    }
    Ok(())
}

/// Adds what the files have and the database has not.
fn add(
    tx: &mut Tx<'_>,
    certificates: &[CertificateDer<'_>],
    now: i64,
) -> Result<((), Vec<Entry>), StoreError> {
    let system = SystemScope::for_background();
    let mut entries = Vec::new();
    for der in certificates {
        let fingerprint = fingerprint(der);
        if otaru_store::insert_server_authority(tx, &system, &fingerprint, der, now)? {
            let added = json!({ "fingerprint": fingerprint, "not_after": ends(der) });
            let did = Who::the_server(system).did("server_authority.add", object(&fingerprint));
            entries.push(did.made(&added));
        }
    }
    Ok(((), entries))
}

/// Whom the ports believe of the server's own authorities: those of its files and of the
/// database, but for the retired ones.
pub(crate) fn own_believed(
    app: &App,
    known: &[ServerAuthorityRow],
) -> Vec<CertificateDer<'static>> {
    let is_retired =
        |der: &[u8]| known.iter().any(|row| row.certificate == der && row.retired_at.is_some());
    let own = app.inner.authority.certificates();
    let signs_in_vain = own.first().is_some_and(|der| is_retired(der));
    if signs_in_vain && !app.inner.signs_in_vain.swap(true, Ordering::Relaxed) {
        error!("This server's authority was retired: it needs the files of the one that signs");
    }
    app.inner.signs_in_vain.store(signs_in_vain, Ordering::Relaxed);
    let others = known.iter().map(|row| CertificateDer::from(row.certificate.clone()));
    let others: Vec<_> = others.filter(|der| !own.contains(der)).collect();
    own.into_iter().chain(others).filter(|der| !is_retired(der)).collect()
}

async fn known_authorities(app: &App) -> Result<Vec<ServerAuthorityRow>, OperationError> {
    let work =
        |tx: &mut Tx<'_>| otaru_store::server_authorities(tx, &SystemScope::for_background());
    Ok(app.inner.store.read(work).await?)
}

/// The fingerprints of those that are believed by the word of the database.
async fn believed(app: &App) -> Result<Vec<String>, OperationError> {
    let known = known_authorities(app).await?;
    let believed = known.into_iter().filter(|row| row.retired_at.is_none());
    Ok(believed.map(|row| row.fingerprint).collect())
}

fn known(
    tx: &mut Tx<'_>,
    system: &SystemScope,
    fingerprint: &str,
) -> Result<ServerAuthorityRow, OperationError> {
    let mut all = otaru_store::server_authorities(tx, system)?.into_iter();
    let found = all.find(|row| row.fingerprint == fingerprint);
    Ok(found.ok_or_else(|| Refusal::ServerAuthorityUnknown(fingerprint.to_owned()))?)
}

fn object(fingerprint: &str) -> Object {
    Object::new("server_authority", fingerprint)
}

fn own_certificate(app: &App) -> Vec<u8> {
    let certificates = app.inner.authority.certificates();
    certificates.first().expect("one of them signs").to_vec()
}

/// When an authority ends, in milliseconds since the epoch.
fn ends(certificate: &[u8]) -> Option<i64> {
    let read = AuthorityCertificate::from_der(certificate).ok()?;
    Some(clock::ms_of(read.not_after))
}

/// Files are synced, which may take as long as the disk likes.
async fn on_disk<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, AuthorityError> + Send + 'static,
) -> Result<T, OperationError> {
    let done = tokio::task::spawn_blocking(work).await;
    Ok(done.expect("work with files does not panic")?)
}

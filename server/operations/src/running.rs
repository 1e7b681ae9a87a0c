//! Which device runs which release, what that was built from and what is in it.

use otaru_fleet::{Permission, SbomFormat};
use otaru_store::{DeviceRow, Scope, StoreError, Tx};
use otaru_wire::{ProductName, ReleaseVersion};

use crate::{
    Actor, App, OperationError, Page, PageRequest, Refusal, RunningDeviceObject, devices, products,
    releases,
};

/// Devices of a product with the release each runs, by name; with a version, only those that
/// run it.
///
/// # Errors
/// [`Refusal::ProductUnknown`], [`Refusal::ReleaseUnknown`], [`Refusal::InvalidCursor`],
/// [`Refusal::Forbidden`].
pub async fn list_running(
    app: &App,
    actor: &Actor,
    product: ProductName,
    version: Option<ReleaseVersion>,
    page: PageRequest,
) -> Result<Page<RunningDeviceObject>, OperationError> {
    actor.require(Permission::ReadFleet)?;
    let (scope, limit, after) = (actor.scope.clone(), page.limit()?, page.after()?);
    let work = move |tx: &mut Tx<'_>| {
        products::known(tx, &scope, &product)?;
        let found = match &version {
            None => otaru_store::devices_of_product(tx, &scope, &product, &after, limit)?,
            Some(version) => {
                let release = releases::known(tx, &scope, &product, version)?;
                otaru_store::devices_running(tx, &scope, &release, &after, limit)?
            }
        };
        let found = found.into_iter().map(|device| with_release(tx, &scope, device));
        Ok::<_, OperationError>(found.collect::<Result<Vec<_>, _>>()?)
    };
    let rows = app.inner.store.read(work).await?;
    Ok(Page::of(rows, limit, |row| row.thing.clone(), |row| row))
}

fn with_release(
    tx: &mut Tx<'_>,
    scope: &Scope,
    device: DeviceRow,
) -> Result<RunningDeviceObject, StoreError> {
    let release = devices::running_release(tx, scope, &device)?;
    Ok(RunningDeviceObject::of(&device, release))
}

/// The software bill of materials of a release, as it was uploaded.
///
/// # Errors
/// [`Refusal::SbomUnknown`], [`Refusal::ReleaseUnknown`], [`Refusal::Forbidden`].
pub async fn show_sbom(
    app: &App,
    actor: &Actor,
    product: ProductName,
    version: ReleaseVersion,
) -> Result<(SbomFormat, Vec<u8>), OperationError> {
    actor.require(Permission::ReadFleet)?;
    let scope = actor.scope.clone();
    let work = move |tx: &mut Tx<'_>| {
        let release = releases::known(tx, &scope, &product, &version)?;
        let unknown = || Refusal::SbomUnknown(release.version.to_string());
        let sbom = release.sbom.as_ref().ok_or_else(unknown)?;
        let document = otaru_store::sbom(tx, &scope, &sbom.sha256)?;
        Ok::<_, OperationError>((sbom.format, document.ok_or_else(unknown)?))
    };
    app.inner.store.read(work).await
}

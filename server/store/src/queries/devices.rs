use otaru_fleet::{InstallChoice, Running};
use otaru_wire::{ProductName, ThingName, payload::FirmwareState};

use crate::{
    DeviceRow, ReleaseRow, Scope, StoreError, SystemScope, Tx,
    value::{FromRow, Row, params},
};

impl FromRow for DeviceRow {
    fn from_row(row: &mut Row) -> Result<DeviceRow, StoreError> {
        Ok(DeviceRow {
            thing: row.parsed("devices.thing")?,
            organisation: row.parsed("devices.organisation")?,
            product: row.parsed("devices.product")?,
            owner: row.opt_text("devices.owner")?,
            name: row.opt_text("devices.name")?,
            time_zone: row.opt_text("devices.time_zone")?,
            agent: row.flag("devices.agent")?,
            sends_progress: row.flag("devices.sends_progress")?,
            running_sha256: row.opt_parsed("devices.running_sha256")?,
            running_version: row.opt_text("devices.running_version")?,
            running_slot: row.opt_text("devices.running_slot")?,
            running_state: row.opt_parsed("devices.running_state")?,
            online: row.flag("devices.online")?,
            session_version: row.unsigned("devices.session_version")?,
            last_seen_at: row.opt_int("devices.last_seen_at")?,
            created_at: row.int("devices.created_at")?,
            install: row.parsed("devices.install")?,
            owned_at: row.opt_int("devices.owned_at")?,
            given_up_at: row.opt_int("devices.given_up_at")?,
            channel: row.opt_text("devices.channel")?.unwrap_or_else(|| "stable".to_owned()),
            certificate_ends_at: row.opt_int("devices.certificate_ends_at")?,
            decommissioned_at: row.opt_int("devices.decommissioned_at")?,
            replaced_by: row.opt_text("devices.replaced_by")?,
        })
    }
}

/// The columns of a whole row, in the order that `from_row` takes them.
macro_rules! device_columns {
    () => {
        "thing, organisation, product, owner, name, time_zone, agent, sends_progress,
         running_sha256, running_version, running_slot, running_state, online, session_version,
         last_seen_at, created_at, install, owned_at, given_up_at, channel, certificate_ends_at,
         decommissioned_at, replaced_by"
    };
}
pub(crate) use device_columns;

/// A query of whole rows.
macro_rules! select_devices {
    ($($rest:literal),+ $(,)?) => {
        concat!("SELECT ", device_columns!(), " FROM devices ", $($rest),+)
    };
}
pub(super) use select_devices;

/// Registers a device. [`StoreError::Duplicate`] when the thing name is taken on this server.
pub fn insert_device(
    tx: &mut Tx<'_>,
    scope: &Scope,
    thing: &ThingName,
    product: &ProductName,
    now: i64,
) -> Result<(), StoreError> {
    tx.execute(
        "INSERT INTO devices (thing, organisation, product, agent, online, session_version, created_at)
         VALUES ($1, $2, $3, 0, 0, 0, $4)",
        params![thing.as_str(), scope.organisation().as_str(), product.as_str(), now],
    )?;
    Ok(())
}

/// The device with this name; its row stays locked until the work ends.
pub fn device(
    tx: &mut Tx<'_>,
    scope: &Scope,
    thing: &ThingName,
) -> Result<Option<DeviceRow>, StoreError> {
    if let Some(known) = tx.known_device(thing) {
        return Ok(known.filter(|device| device.organisation == *scope.organisation()));
    }
    tx.first(
        select_devices!("WHERE organisation = $1 AND thing = $2 FOR UPDATE"),
        params![scope.organisation().as_str(), thing.as_str()],
    )
}

/// Whether the thing name is registered, and in which organisation.
pub fn organisation_of_thing(
    tx: &mut Tx<'_>,
    _: &SystemScope,
    thing: &ThingName,
) -> Result<Option<String>, StoreError> {
    tx.first("SELECT organisation FROM devices WHERE thing = $1", params![thing.as_str()])
}

/// A person's devices, by name.
pub fn devices_of_owner(
    tx: &mut Tx<'_>,
    scope: &Scope,
    owner: &str,
) -> Result<Vec<DeviceRow>, StoreError> {
    tx.all(
        select_devices!("WHERE organisation = $1 AND owner = $2 ORDER BY thing"),
        params![scope.organisation().as_str(), owner],
    )
}

/// Devices of a product after `after` (a thing name), by name.
pub fn devices_of_product(
    tx: &mut Tx<'_>,
    scope: &Scope,
    product: &ProductName,
    after: &str,
    limit: u32,
) -> Result<Vec<DeviceRow>, StoreError> {
    tx.all(
        select_devices!(
            "WHERE organisation = $1 AND product = $2 AND thing > $3 ORDER BY thing LIMIT $4"
        ),
        params![scope.organisation().as_str(), product.as_str(), after, limit],
    )
}

/// Devices of a product that run the image or, where their image is no release's, report the
/// version; after `after` (a thing name), by name.
pub fn devices_running(
    tx: &mut Tx<'_>,
    scope: &Scope,
    release: &ReleaseRow,
    after: &str,
    limit: u32,
) -> Result<Vec<DeviceRow>, StoreError> {
    tx.all(
        select_devices!(
            "WHERE organisation = $1 AND product = $2 AND thing > $3
                 AND (running_sha256 = $5 OR (running_version = $6 AND NOT EXISTS (
                     SELECT 1 FROM releases WHERE releases.product = devices.product
                         AND releases.sha256 = devices.running_sha256)))
             ORDER BY thing LIMIT $4"
        ),
        params![
            scope.organisation().as_str(),
            release.product.as_str(),
            after,
            limit,
            release.sha256.to_string(),
            release.version.as_str()
        ],
    )
}

/// Sets the channel a device follows.
pub fn set_device_channel(
    tx: &mut Tx<'_>,
    scope: &Scope,
    thing: &ThingName,
    channel: &str,
) -> Result<(), StoreError> {
    tx.execute(
        "UPDATE devices SET channel = $3 WHERE organisation = $1 AND thing = $2",
        params![scope.organisation().as_str(), thing.as_str(), channel],
    )?;
    Ok(())
}

/// Gives a device without an owner to one; false when it has an owner.
pub fn set_device_owner(
    tx: &mut Tx<'_>,
    scope: &Scope,
    thing: &ThingName,
    owner: &str,
    now: i64,
) -> Result<bool, StoreError> {
    let changed = tx.execute(
        "UPDATE devices SET owner = $3, owned_at = $4
         WHERE organisation = $1 AND thing = $2 AND owner IS NULL",
        params![scope.organisation().as_str(), thing.as_str(), owner, now],
    )?;
    Ok(changed > 0)
}

/// Takes a device from its owner, with all they said about it and everybody they shared it with.
pub fn give_up_device(
    tx: &mut Tx<'_>,
    scope: &Scope,
    thing: &ThingName,
    now: i64,
) -> Result<(), StoreError> {
    let (organisation, thing) = (scope.organisation().as_str(), thing.as_str());
    tx.execute(
        "UPDATE devices SET owner = NULL, owned_at = NULL, name = NULL, time_zone = NULL,
             install = 'ask', given_up_at = $3
         WHERE organisation = $1 AND thing = $2",
        params![organisation, thing, now],
    )?;
    tx.execute(
        "DELETE FROM shares WHERE organisation = $1 AND thing = $2",
        params![organisation, thing],
    )?;
    Ok(())
}

/// What an owner says about a device.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeviceSaid<'a> {
    /// Their name for it.
    pub name: Option<&'a str>,
    /// Where it stands.
    pub time_zone: Option<&'a str>,
    /// What is to happen with new releases.
    pub install: InstallChoice,
}

/// Stores what an owner says about a device.
pub fn set_device_said(
    tx: &mut Tx<'_>,
    scope: &Scope,
    thing: &ThingName,
    said: &DeviceSaid<'_>,
) -> Result<(), StoreError> {
    tx.execute(
        "UPDATE devices SET name = $3, time_zone = $4, install = $5
         WHERE organisation = $1 AND thing = $2",
        params![
            scope.organisation().as_str(),
            thing.as_str(),
            said.name,
            said.time_zone,
            said.install.as_str()
        ],
    )?;
    Ok(())
}

/// Stores what a device says it runs. `agent` once true stays true.
pub fn set_device_running(
    tx: &mut Tx<'_>,
    scope: &Scope,
    thing: &ThingName,
    running: &Running,
    slot: Option<&str>,
    agent: bool,
) -> Result<(), StoreError> {
    tx.execute(
        "UPDATE devices SET running_sha256 = $3, running_version = $4, running_slot = $5,
             running_state = $6, agent = CASE WHEN agent = 1 THEN 1 ELSE $7 END
         WHERE organisation = $1 AND thing = $2",
        params![
            scope.organisation().as_str(),
            thing.as_str(),
            running.sha256.map(|sha256| sha256.to_string()),
            running.version.as_deref(),
            slot,
            running.state.map(FirmwareState::as_str),
            agent
        ],
    )?;
    Ok(())
}

/// Notes that a device sends progress.
pub fn set_device_sends_progress(
    tx: &mut Tx<'_>,
    scope: &Scope,
    thing: &ThingName,
) -> Result<(), StoreError> {
    tx.execute(
        "UPDATE devices SET sends_progress = 1 WHERE organisation = $1 AND thing = $2",
        params![scope.organisation().as_str(), thing.as_str()],
    )?;
    Ok(())
}

/// Marks a device as heard of.
pub fn touch_device(
    tx: &mut Tx<'_>,
    scope: &Scope,
    thing: &ThingName,
    now: i64,
) -> Result<(), StoreError> {
    tx.execute(
        "UPDATE devices SET last_seen_at = $3 WHERE organisation = $1 AND thing = $2",
        params![scope.organisation().as_str(), thing.as_str(), now],
    )?;
    Ok(())
}

/// Opens a session of a device; false when there is no such device or a newer session is known.
pub fn open_device_session(
    tx: &mut Tx<'_>,
    scope: &Scope,
    thing: &ThingName,
    session_version: u64,
    now: i64,
) -> Result<bool, StoreError> {
    let changed = tx.execute(
        "UPDATE devices SET online = 1, session_version = $3, last_seen_at = $4
         WHERE organisation = $1 AND thing = $2 AND session_version < $3",
        params![scope.organisation().as_str(), thing.as_str(), session_version, now],
    )?;
    Ok(changed > 0)
}

/// Closes a session of a device; false when it is not the one that is open.
pub fn close_device_session(
    tx: &mut Tx<'_>,
    scope: &Scope,
    thing: &ThingName,
    session_version: u64,
    now: i64,
) -> Result<bool, StoreError> {
    let changed = tx.execute(
        "UPDATE devices SET online = 0, last_seen_at = $4
         WHERE organisation = $1 AND thing = $2 AND session_version = $3 AND online = 1",
        params![scope.organisation().as_str(), thing.as_str(), session_version, now],
    )?;
    Ok(changed > 0)
}

/// Marks every device offline and returns those that were not: after a start, no session is
/// open.
///
/// Numbers of sessions follow the clock. Those that are ahead of it were given before it was
/// set back, and would make every session to come look like an old one.
pub fn close_all_sessions(
    tx: &mut Tx<'_>,
    _: &SystemScope,
    now: i64,
) -> Result<Vec<DeviceRow>, StoreError> {
    tx.execute("UPDATE devices SET session_version = 0 WHERE session_version >= $1", params![now])?;
    tx.all(
        concat!("UPDATE devices SET online = 0 WHERE online = 1 RETURNING ", device_columns!()),
        params![],
    )
}

/// Marks a device as out of service, and says which one took its place.
pub fn decommission_device(
    tx: &mut Tx<'_>,
    scope: &Scope,
    thing: &ThingName,
    replaced_by: Option<&ThingName>,
    now: i64,
) -> Result<(), StoreError> {
    tx.execute(
        "UPDATE devices SET decommissioned_at = $3, replaced_by = $4, reprovision_until = NULL,
             certificate_ends_at = NULL
         WHERE organisation = $1 AND thing = $2",
        params![
            scope.organisation().as_str(),
            thing.as_str(),
            now,
            replaced_by.map(ThingName::as_str)
        ],
    )?;
    Ok(())
}

/// Gives a device what was said of another one: owner, name, time zone, choice and channel.
pub fn take_over_device(
    tx: &mut Tx<'_>,
    scope: &Scope,
    from: &DeviceRow,
    thing: &ThingName,
    now: i64,
) -> Result<(), StoreError> {
    tx.execute(
        "UPDATE devices SET owner = $3, owned_at = $4, name = $5, time_zone = $6, install = $7,
             channel = $8
         WHERE organisation = $1 AND thing = $2",
        params![
            scope.organisation().as_str(),
            thing.as_str(),
            from.owner.as_deref(),
            from.owner.as_ref().map(|_| now),
            from.name.as_deref(),
            from.time_zone.as_deref(),
            from.install.as_str(),
            &from.channel
        ],
    )?;
    Ok(())
}

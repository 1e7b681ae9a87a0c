//! Settings travel like the version: through desired, and back as reported.

use otaru_fleet::{Language, Permission, Setting, SettingEditor};
use otaru_store::{DeviceRow, Tx};
use otaru_wire::{ReleaseVersion, ShadowId, ThingName};
use serde_json::{Map, Value, json};

use crate::audit::{Entry, Object, Who, named_in};
use crate::{
    Actor, App, OperationError, Reach, Refusal, UserObject, When, devices, events,
    refusal::typed_text, shadow_history::By, shadows, updates, users,
};

/// Most bytes of settings in one request; the shadow's own limit holds for all together.
const SETTINGS_BYTES: usize = 4 * 1024;

/// Wishes settings (members of `config`) for a device. A `null` takes one back.
///
/// # Errors
/// [`Refusal::DeviceUnknown`], [`Refusal::InvalidField`], [`Refusal::UserRequired`],
/// [`Refusal::SettingUnknown`], [`Refusal::SettingInvalid`], [`Refusal::SettingNotYours`],
/// [`Refusal::ShadowRefused`].
pub async fn apply_settings(
    app: &App,
    actor: &Actor,
    reach: Reach,
    thing: ThingName,
    settings: Map<String, Value>,
) -> Result<(), OperationError> {
    check(&settings)?;
    let (app, actor) = (app.clone(), actor.clone());
    let work = {
        let app = app.clone();
        move |tx: &mut Tx<'_>| {
            let device = devices::reachable(tx, &actor, reach, &thing, Permission::OperateDevices)?;
            Ok(((), wish_settings(&app, tx, &actor, reach, &device, settings)?))
        }
    };
    app.inner.store.audited(work).await
}

fn check(settings: &Map<String, Value>) -> Result<(), Refusal> {
    if settings.contains_key("firmware_version") {
        let detail = "firmware_version is installed with /app/devices/{thing}/update";
        return Err(Refusal::invalid("settings", detail));
    }
    let size = serde_json::to_vec(settings).map_or(usize::MAX, |json| json.len());
    if size > SETTINGS_BYTES {
        return Err(Refusal::invalid(
            "settings",
            format!("{size} bytes are over {SETTINGS_BYTES}"),
        ));
    }
    Ok(())
}

/// What a person sets about themselves; what is `None` stays.
#[derive(Clone, Debug, Default)]
pub struct UserSettings {
    /// Install this release now.
    pub firmware_version: Option<ReleaseVersion>,
    /// The first product's phrase setting.
    pub phrase_type: Option<String>,
    /// The language they are written to in; `Some(None)` takes the choice back.
    pub language: Option<Option<Language>>,
}

/// The call of the first product's app: settings and the version as columns of the person's
/// row. With exactly one device they are wished for it; with none only the row changes.
///
/// # Errors
/// [`Refusal::DeviceRequired`] with several devices, and those of
/// [`crate::request_update`].
pub async fn set_user_settings(
    app: &App,
    actor: &Actor,
    settings: UserSettings,
) -> Result<UserObject, OperationError> {
    let (app_, actor_) = (app.clone(), actor.clone());
    let UserSettings { firmware_version, phrase_type, language } = settings;
    let work = move |tx: &mut Tx<'_>| {
        let (scope, person) = (&actor_.scope, actor_.person()?);
        let user = |tx: &mut Tx<'_>| {
            let user = otaru_store::user(tx, scope, person)?;
            user.ok_or_else(|| OperationError::from(Refusal::UserUnknown(person.to_owned())))
        };
        let (before, mut entries) = (user(tx)?, Vec::new());
        if let Some(language) = language {
            otaru_store::set_user_language(tx, scope, person, language)?;
        }
        let is_for_device = firmware_version.is_some() || phrase_type.is_some();
        let mut own = otaru_store::devices_of_owner(tx, scope, person)?;
        if own.len() > 1 && is_for_device {
            return Err(OperationError::from(Refusal::DeviceRequired));
        }
        let device = own.pop();
        if let Some(phrase_type) = phrase_type {
            let settings = Map::from_iter([("phrase_type".to_owned(), json!(phrase_type))]);
            check(&settings)?;
            typed_text("phrase_type", &phrase_type)?;
            otaru_store::set_user_phrase_type(tx, scope, person, Some(&phrase_type))?;
            if let Some(device) = &device {
                entries.push(wish_settings(&app_, tx, &actor_, Reach::Own, device, settings)?);
            }
        }
        if let Some(version) = firmware_version {
            match &device {
                Some(device) => {
                    let (reach, when) = (Reach::Own, When::Now);
                    let decided =
                        updates::request_in(&app_, tx, &actor_, reach, device, &version, when)?;
                    entries.extend(decided.entry);
                }
                None => otaru_store::set_user_firmware_version(
                    tx,
                    scope,
                    person,
                    Some(version.as_str()),
                )?,
            }
        }
        let after = user(tx)?;
        let did = Who::of(&actor_).did("user.set", Object::user(&after));
        entries.extend(did.changed(&UserObject::from(before), &after.into()));
        Ok(((), entries))
    };
    app.inner.store.audited(work).await?;
    users::show_user(app, actor).await
}

/// Refuses what the product does not describe. A product that describes nothing takes
/// anything.
fn check_described(
    described: &[Setting],
    reach: Reach,
    settings: &Map<String, Value>,
) -> Result<(), Refusal> {
    for (name, value) in settings {
        let setting = described.iter().find(|setting| setting.name == *name);
        let setting = setting.ok_or_else(|| Refusal::SettingUnknown(name.clone()))?;
        if reach == Reach::Own && setting.edit == SettingEditor::Operator {
            return Err(Refusal::SettingNotYours(name.clone()));
        }
        if value.is_null() {
            continue;
        }
        let invalid = |detail| Refusal::SettingInvalid { name: name.clone(), detail };
        setting.check(value).map_err(invalid)?;
    }
    Ok(())
}

fn wish_settings(
    app: &App,
    tx: &mut Tx<'_>,
    actor: &Actor,
    reach: Reach,
    device: &DeviceRow,
    settings: Map<String, Value>,
) -> Result<Entry, OperationError> {
    let product = otaru_store::product(tx, &actor.scope, &device.product)?;
    if let Some(described) = product.and_then(|product| product.settings) {
        check_described(&described, reach, &settings)?;
    }
    let now = app.now_ms();
    let did = Who::of(actor).did("device.set_settings", Object::device(&device.thing));
    let shadow = ShadowId::classic(device.thing.clone());
    let wished_before = shadows::read(tx, &actor.scope, &shadow)?.ok();
    let before = wished_before.as_ref().and_then(|document| document.desired().get("config"));
    let after = Value::Object(settings.clone());
    let wished = did.wrote(before.map(|config| named_in(&after, config)), after);
    let body = json!({ "thing": device.thing, "settings": settings });
    let patch = json!({ "desired": { "config": settings } });
    updates::shadow_patch(app, tx, &actor.scope, &device.thing, patch, By::Settings, now)?
        .map_err(|rejection| Refusal::shadow(&device.thing, &rejection))?;
    let people = events::People::of(tx, device)?;
    events::emit(tx, &actor.scope, &people, "settings_changed", &body, now)?;
    Ok(wished)
}

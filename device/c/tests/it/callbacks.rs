//! The callbacks: each does to the [`World`] what a board does, and notes it.
#![expect(unsafe_code, reason = "the functions are C's")]
#![expect(
    clippy::undocumented_unsafe_blocks,
    reason = "one promise for all: the library calls with the context it was given, and with good pointers"
)]

use std::ffi::{CStr, c_char, c_void};

use embedded_storage::nor_flash::{NorFlash, ReadNorFlash};
use otaru_c::{Board, Response, api};
use serde_json::{Value, json};

use crate::server::NOW_S;
use crate::world::{SHADOW, World};

/// The board, with every function there is.
pub(crate) fn board(context: *mut c_void) -> Board {
    Board {
        context,
        flash_read: Some(flash_read),
        flash_write: Some(flash_write),
        flash_erase: Some(flash_erase),
        uptime_ms: Some(uptime_ms),
        wall_ms: Some(wall_ms),
        random: Some(random),
        publish: Some(publish),
        subscribe: Some(subscribe),
        disconnect: Some(disconnect),
        http_get: Some(http_get),
        http_read: Some(http_read),
        http_close: Some(http_close),
        self_test: Some(self_test),
        apply_setting: Some(apply_setting),
        ask: Some(ask),
        show_offer: Some(show_offer),
        restart: Some(restart),
        log: Some(log),
    }
}

/// The world behind a context.
///
/// # Safety
/// It is one that [`World::boot`] passed, and nobody else uses the world meanwhile.
unsafe fn world<'a>(context: *mut c_void) -> &'a mut World {
    unsafe { &mut *context.cast::<World>() }
}

/// # Safety
/// It ends with a zero byte.
unsafe fn text<'a>(text: *const c_char) -> &'a str {
    unsafe { CStr::from_ptr(text) }.to_str().expect("UTF-8")
}

unsafe extern "C" fn flash_read(context: *mut c_void, at: u32, to: *mut u8, length: u32) -> i32 {
    let bytes = unsafe { std::slice::from_raw_parts_mut(to, length as usize) };
    unsafe { world(context) }.flash.read(at, bytes).map_or(-1, |()| 0)
}

unsafe extern "C" fn flash_write(
    context: *mut c_void,
    at: u32,
    from: *const u8,
    length: u32,
) -> i32 {
    let bytes = unsafe { std::slice::from_raw_parts(from, length as usize) };
    unsafe { world(context) }.flash.write(at, bytes).map_or(-1, |()| 0)
}

unsafe extern "C" fn flash_erase(context: *mut c_void, at: u32, length: u32) -> i32 {
    unsafe { world(context) }.flash.erase(at, at + length).map_or(-1, |()| 0)
}

unsafe extern "C" fn uptime_ms(context: *mut c_void) -> u64 {
    let world = unsafe { world(context) };
    world.uptime_ms += 1;
    world.uptime_ms
}

unsafe extern "C" fn wall_ms(context: *mut c_void) -> i64 {
    NOW_S * 1000 + unsafe { world(context) }.uptime_ms as i64
}

unsafe extern "C" fn random(context: *mut c_void, to: *mut u8, length: u32) -> i32 {
    let bytes = unsafe { std::slice::from_raw_parts_mut(to, length as usize) };
    bytes.copy_from_slice(&unsafe { world(context) }.random.bytes(length as usize));
    0
}

unsafe extern "C" fn publish(
    context: *mut c_void,
    topic: *const c_char,
    payload: *const u8,
    length: u32,
    _qos: u8,
) -> i32 {
    let (world, topic) = unsafe { (world(context), text(topic)) };
    let payload = unsafe { std::slice::from_raw_parts(payload, length as usize) };
    match topic.strip_prefix(SHADOW) {
        Some("get") => {
            let state = json!({"desired": world.desired, "reported": world.reported});
            world.hear("get/accepted", &json!({"state": state, "version": 1}));
        }
        Some("update") => {
            let mut update: Value = serde_json::from_slice(payload).expect("JSON");
            merge(&mut world.reported, &update["state"]["reported"]);
            update["version"] = 2.into();
            world.hear("update/accepted", &update);
        }
        _ => {}
    }
    0
}

/// A merge as the shadow service does it: null takes away.
fn merge(into: &mut Value, from: &Value) {
    let (Some(target), Some(members)) = (into.as_object_mut(), from.as_object()) else {
        *into = from.clone();
        return;
    };
    for (name, value) in members {
        match value {
            Value::Null => drop(target.remove(name)),
            value => merge(target.entry(name).or_insert(json!({})), value),
        }
    }
}

unsafe extern "C" fn subscribe(context: *mut c_void, _: *const *const c_char, count: u32) -> i32 {
    unsafe { world(context) }.wants_subscribed = count > 0;
    0
}

unsafe extern "C" fn disconnect(context: *mut c_void) {
    unsafe { world(context) }.notes.push("disconnect".into());
}

unsafe extern "C" fn http_get(
    context: *mut c_void,
    path: *const c_char,
    offset: u32,
    _etag: *const c_char,
    response: *mut Response,
) -> i32 {
    let (world, path, response) = unsafe { (world(context), text(path), &mut *response) };
    world.notes.push(format!("get {path} {offset}"));
    let Some(bytes) = world.server.get(path) else {
        response.status = 404;
        return 0;
    };
    let total = bytes.len();
    world.body = bytes.into_iter().skip(offset as usize).collect();
    response.status = if offset > 0 { 206 } else { 200 };
    response.content_length = world.body.len() as i64;
    if path.ends_with(".manifest") && std::mem::take(&mut world.cuts_manifest) {
        world.body.truncate(100);
    }
    let range = format!("bytes {offset}-{}/{total}", total - 1);
    if offset > 0 {
        response
            .content_range
            .iter_mut()
            .zip(range.bytes())
            .for_each(|(to, byte)| *to = byte as c_char);
    }
    0
}

/// Whether the link breaks in the body before the next bytes.
unsafe extern "C" fn http_read(context: *mut c_void, to: *mut u8, length: u32) -> i32 {
    let world = unsafe { world(context) };
    let bytes = unsafe { std::slice::from_raw_parts_mut(to, length as usize) };
    let is_image = world.body.len() > 8192;
    match &mut world.breaks_after {
        Some(left) if is_image && *left < bytes.len() => {
            world.breaks_after = None;
            return world.breaks_with;
        }
        Some(left) if is_image => *left -= bytes.len(),
        _ => {}
    }
    let (takes_ms, most) = world.trickles.filter(|_| is_image).unwrap_or((0, bytes.len()));
    world.uptime_ms += takes_ms;
    let read = most.min(bytes.len()).min(world.body.len());
    bytes.iter_mut().zip(world.body.drain(..read)).for_each(|(to, byte)| *to = byte);
    read as i32
}

unsafe extern "C" fn http_close(context: *mut c_void) {
    unsafe { world(context) }.body.clear();
}

unsafe extern "C" fn self_test(context: *mut c_void) {
    unsafe { world(context) }.wants_test = true;
}

unsafe extern "C" fn apply_setting(
    context: *mut c_void,
    name: *const c_char,
    value: *const c_char,
) -> i32 {
    let (world, name, value) = unsafe { (world(context), text(name), text(value)) };
    world.notes.push(format!("setting {name} {value}"));
    if world.takes_settings { 0 } else { -1 }
}

unsafe extern "C" fn ask(context: *mut c_void, before: u8, version: *const c_char, size: u64) {
    let (world, version) = unsafe { (world(context), text(version)) };
    world.notes.push(format!("asked {before} {version} {size}"));
    world.asked_at_ms.push(world.uptime_ms);
    world.questions += 1;
}

unsafe extern "C" fn show_offer(context: *mut c_void, version: *const c_char, size: u64) {
    let world = unsafe { world(context) };
    let version = (!version.is_null()).then(|| unsafe { CStr::from_ptr(version) });
    world.notes.push(format!("offer {version:?} {size}"));
    world.offered = version.map(CStr::to_owned);
}

unsafe extern "C" fn restart(context: *mut c_void) {
    unsafe { world(context) }.notes.push("restart".into());
}

unsafe extern "C" fn log(context: *mut c_void, _level: u8, reason: u8, message: *const c_char) {
    let (world, message) = unsafe { (world(context), text(message)) };
    world.notes.push(format!("log {reason} {message}"));
    if !world.otaru.is_null() {
        let otaru = world.otaru;
        world.answers_within.push(unsafe { api::otaru_poll(otaru) });
        world.answers_within.push(unsafe { api::otaru_input_decision_changed(otaru) });
    }
}

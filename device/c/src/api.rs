//! The functions of `include/otaru.h`, which says what each does.
//!
//! Every function takes pointers from C. That they are good is the promise of whoever calls, as
//! the header states it; a null pointer and a call from within a callback are answered with an error.
#![expect(unsafe_code, reason = "pointers come from C, and names must be C's")]

use alloc::boxed::Box;
use core::cell::RefCell;
use core::ffi::{CStr, c_char};

use otaru_agent::{DailyWindow, Decision, Hold, Input, ResetCause};
use otaru_host::start_slot;
use otaru_release::{Chip, PublicKey};
use otaru_slots::{Layout, Slot};
use otaru_wire::payload::OfferDecision;
use otaru_wire::{Namespace, ProductName, Reason, ReleaseVersion, ThingName};

use crate::board::{Board, BoardFlash};
use crate::device::{Device, Failure, Identity, Next};

pub use crate::numbers::*;

/// `otaru`: a device between power-on and restart.
pub struct Otaru(RefCell<Device>);

/// `otaru_config`: what the device is.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
#[expect(missing_docs, reason = "the header documents them, once")]
pub struct Config {
    pub thing: *const c_char,
    pub name_space: *const c_char,
    pub product: *const c_char,
    pub chip: *const c_char,
    pub root_key: *const u8,
    pub root_key_length: u32,
    pub flash_bytes: u32,
    pub built_at_s: i64,
    pub chip_revision: i32,
    pub slot: u8,
    pub reset: u8,
    pub full_images: u8,
    pub restart_opens_minute: u16,
    pub restart_closes_minute: u16,
    pub ahead_of_utc_minutes: i16,
}

fn number(failure: Failure) -> i32 {
    match failure {
        Failure::Table => TABLE,
        Failure::Flash => FLASH,
        Failure::NoImage => NO_IMAGE,
    }
}

/// # Safety
/// `text` is null or ends with a zero byte.
unsafe fn text<'a>(text: *const c_char) -> Option<&'a str> {
    // SAFETY: the caller's promise.
    (!text.is_null()).then(|| unsafe { CStr::from_ptr(text) })?.to_str().ok()
}

/// # Safety
/// `bytes` is null, or so many bytes are there.
unsafe fn bytes<'a>(bytes: *const u8, length: u32) -> Option<&'a [u8]> {
    match (bytes.is_null(), length) {
        (_, 0) => Some(&[]),
        (true, _) => None,
        // SAFETY: the caller's promise.
        (false, length) => Some(unsafe { core::slice::from_raw_parts(bytes, length as usize) }),
    }
}

/// # Safety
/// The pointers in `config` are good.
unsafe fn identity(config: &Config) -> Option<Identity> {
    // SAFETY: the caller's promise, for every pointer here.
    let (thing, name_space, product, chip, root_key) = unsafe {
        (
            text(config.thing)?,
            text(config.name_space)?,
            text(config.product)?,
            text(config.chip)?,
            bytes(config.root_key, config.root_key_length)?,
        )
    };
    Some(Identity {
        thing: ThingName::parse(thing)?,
        namespace: Namespace::parse(name_space)?,
        product: ProductName::parse(product)?,
        root_key: PublicKey::from_bytes(root_key).ok()?,
        chip: chip.parse().ok()?,
        revision: config.chip_revision.try_into().ok(),
        built_at_s: config.built_at_s,
        takes_patches: config.full_images == 0,
        restart_window: restart_window(config)?,
    })
}

/// `None` for times that no clock shows. A window that closes as it opens is open all day.
fn restart_window(config: &Config) -> Option<DailyWindow> {
    let window = DailyWindow {
        opens_minute: config.restart_opens_minute,
        closes_minute: config.restart_closes_minute,
        ahead_of_utc_minutes: config.ahead_of_utc_minutes,
    };
    let is_of_a_day = window.opens_minute.max(window.closes_minute) < 1440;
    (is_of_a_day && (-720..=840).contains(&window.ahead_of_utc_minutes)).then_some(window)
}

fn slot_of(number: u8) -> Option<Slot> {
    [Slot::Ota0, Slot::Ota1].get(usize::from(number)).copied()
}

/// # Safety
/// As the header says of `otaru_new`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn otaru_new(
    board: *const Board,
    config: *const Config,
    out: *mut *mut Otaru,
) -> i32 {
    if out.is_null() {
        return INVALID;
    }
    // SAFETY: the caller's promise; null is looked for.
    let (board, config) = unsafe {
        out.write(core::ptr::null_mut());
        (board.as_ref(), config.as_ref())
    };
    let (Some(board), Some(config)) = (board.filter(|board| board.is_complete()), config) else {
        return INVALID;
    };
    let reset = match config.reset {
        RESET_POWER_ON => ResetCause::PowerOn,
        RESET_SOFTWARE => ResetCause::Software,
        RESET_PANIC => ResetCause::Panic,
        RESET_WATCHDOG => ResetCause::Watchdog,
        _ => return INVALID,
    };
    // SAFETY: the caller's promise.
    let (Some(identity), Some(slot)) = (unsafe { identity(config) }, slot_of(config.slot)) else {
        return INVALID;
    };
    match Device::start(*board, identity, config.flash_bytes, slot, reset) {
        Ok(device) => {
            let device = Box::new(Otaru(RefCell::new(device)));
            // SAFETY: it is not null, and the caller's promise.
            unsafe { out.write(Box::into_raw(device)) };
            IDLE
        }
        Err(failure) => number(failure),
    }
}

/// # Safety
/// As the header says of `otaru_free`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn otaru_free(otaru: *mut Otaru) {
    if !otaru.is_null() {
        // SAFETY: `otaru_new` made it, and the caller does not use it any more.
        drop(unsafe { Box::from_raw(otaru) });
    }
}

/// Does something with the device unless a callback of it is running.
///
/// # Safety
/// `otaru` is null or a handle that was not freed.
unsafe fn with(otaru: *const Otaru, work: impl FnOnce(&mut Device) -> i32) -> i32 {
    // SAFETY: the caller's promise.
    let Some(otaru) = (unsafe { otaru.as_ref() }) else { return INVALID };
    match otaru.0.try_borrow_mut() {
        Ok(mut device) => work(&mut device),
        Err(_) => BUSY,
    }
}

/// # Safety
/// `otaru` is null or a handle that was not freed.
unsafe fn hear(otaru: *const Otaru, input: Input<'static>) -> i32 {
    let heard = |device: &mut Device| {
        device.hear(input);
        IDLE
    };
    // SAFETY: the caller's promise.
    unsafe { with(otaru, heard) }
}

/// # Safety
/// As the header says of every function that takes a handle.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn otaru_input_link_up(otaru: *const Otaru) -> i32 {
    // SAFETY: the caller's promise.
    unsafe { hear(otaru, Input::LinkUp) }
}

/// # Safety
/// As the header says of every function that takes a handle.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn otaru_input_link_down(otaru: *const Otaru) -> i32 {
    // SAFETY: the caller's promise.
    unsafe { hear(otaru, Input::LinkDown) }
}

/// # Safety
/// As the header says of every function that takes a handle.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn otaru_input_subscribed(otaru: *const Otaru) -> i32 {
    // SAFETY: the caller's promise.
    unsafe { hear(otaru, Input::Subscribed) }
}

/// # Safety
/// As the header says of `otaru_input_message`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn otaru_input_message(
    otaru: *const Otaru,
    topic: *const c_char,
    payload: *const u8,
    length: u32,
) -> i32 {
    // SAFETY: the caller's promise.
    let (topic, payload) = unsafe { (text(topic), bytes(payload, length)) };
    let (Some(topic), Some(payload)) = (topic, payload) else { return INVALID };
    let heard = |device: &mut Device| {
        device.hear_message(topic, payload);
        IDLE
    };
    // SAFETY: the caller's promise.
    unsafe { with(otaru, heard) }
}

/// # Safety
/// As the header says of every function that takes a handle.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn otaru_input_self_test(otaru: *const Otaru, reason: u8) -> i32 {
    let result = match Reason::from_number(reason) {
        _ if reason == 0 => Ok(()),
        Some(reason) => Err(reason),
        None => Err(Reason::SelfTestFailed),
    };
    // SAFETY: the caller's promise.
    unsafe { hear(otaru, Input::SelfTestEnded(result)) }
}

/// # Safety
/// As the header says of every function that takes a handle.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn otaru_input_decision(
    otaru: *const Otaru,
    decision: u8,
    wait_ms: u64,
) -> i32 {
    let later = |hold| Decision::Later { wait_ms, hold };
    let decision = match decision {
        DECISION_NOW => Decision::Now,
        DECISION_REFUSE => Decision::Refuse,
        DECISION_LATER => later(Hold::NotNow),
        DECISION_LATER_BATTERY => later(Hold::LowBattery),
        DECISION_LATER_BUSY => later(Hold::Busy),
        _ => return INVALID,
    };
    // SAFETY: the caller's promise.
    unsafe { hear(otaru, Input::ProductDecided(decision)) }
}

/// # Safety
/// As the header says of every function that takes a handle.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn otaru_input_decision_changed(otaru: *const Otaru) -> i32 {
    // SAFETY: the caller's promise.
    unsafe { hear(otaru, Input::DecisionChanged) }
}

/// # Safety
/// As the header says of `otaru_input_offer`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn otaru_input_offer(
    otaru: *const Otaru,
    version: *const c_char,
    decision: u8,
) -> i32 {
    let decision = match decision {
        OFFER_NOW => OfferDecision::Now,
        OFFER_LATER => OfferDecision::Later,
        OFFER_TONIGHT => OfferDecision::Tonight,
        _ => return INVALID,
    };
    // SAFETY: the caller's promise.
    let Some(version) = (unsafe { text(version) }).and_then(ReleaseVersion::parse) else {
        return INVALID;
    };
    // SAFETY: the caller's promise.
    unsafe { hear(otaru, Input::OfferDecided { version, decision }) }
}

/// # Safety
/// As the header says of `otaru_poll`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn otaru_poll(otaru: *const Otaru) -> i32 {
    let poll = |device: &mut Device| match device.poll() {
        Ok(Next::Idle) => IDLE,
        Ok(Next::Again) => AGAIN,
        Ok(Next::Restart) => {
            device.board.restart();
            RESTART
        }
        Err(failure) => number(failure),
    };
    // SAFETY: the caller's promise.
    unsafe { with(otaru, poll) }
}

/// # Safety
/// As the header says of every function that takes a handle.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn otaru_wake_at_ms(otaru: *const Otaru) -> u64 {
    // SAFETY: the caller's promise.
    let otaru = unsafe { otaru.as_ref() };
    let device = otaru.and_then(|otaru| otaru.0.try_borrow().ok());
    device.and_then(|device| device.wake_at_ms()).unwrap_or(u64::MAX)
}

/// # Safety
/// As the header says of `otaru_choose_slot`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn otaru_choose_slot(
    board: *const Board,
    flash_bytes: u32,
    chip: *const c_char,
    slot: *mut u8,
) -> i32 {
    // SAFETY: the caller's promise; null is looked for.
    let (board, chip) = unsafe { (board.as_ref(), text(chip)) };
    let board = board.filter(|board| board.has_flash());
    let chip: Option<Chip> = chip.and_then(|chip| chip.parse().ok());
    let (Some(board), Some(chip), false) = (board, chip, slot.is_null()) else { return INVALID };
    let mut flash = BoardFlash { board: *board, bytes: flash_bytes };
    let layout = match Layout::read(&mut flash) {
        Ok(layout) => layout,
        Err(error) => return number(error.into()),
    };
    match start_slot(&mut flash, &layout, Some(chip)) {
        Ok(found) => {
            // SAFETY: it is not null, and the caller's promise.
            unsafe { slot.write(found.index() as u8) };
            IDLE
        }
        Err(error) => number(error.into()),
    }
}

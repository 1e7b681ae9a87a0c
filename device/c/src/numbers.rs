//! The numbers of `include/otaru.h`, which says what each means.

/// `OTARU_IDLE`.
pub const IDLE: i32 = 0;
/// `OTARU_AGAIN`.
pub const AGAIN: i32 = 1;
/// `OTARU_RESTART`.
pub const RESTART: i32 = 2;
/// `OTARU_ERROR_INVALID`.
pub const INVALID: i32 = -1;
/// `OTARU_ERROR_BUSY`.
pub const BUSY: i32 = -2;
/// `OTARU_ERROR_FLASH`.
pub const FLASH: i32 = -3;
/// `OTARU_ERROR_NO_IMAGE`.
pub const NO_IMAGE: i32 = -4;
/// `OTARU_ERROR_TABLE`.
pub const TABLE: i32 = -5;

/// `OTARU_RESET_POWER_ON`.
pub const RESET_POWER_ON: u8 = 0;
/// `OTARU_RESET_SOFTWARE`.
pub const RESET_SOFTWARE: u8 = 1;
/// `OTARU_RESET_PANIC`.
pub const RESET_PANIC: u8 = 2;
/// `OTARU_RESET_WATCHDOG`.
pub const RESET_WATCHDOG: u8 = 3;

/// `OTARU_LOG_ERROR`.
pub const LOG_ERROR: u8 = 1;
/// `OTARU_LOG_WARN`.
pub const LOG_WARN: u8 = 2;
/// `OTARU_LOG_INFO`.
pub const LOG_INFO: u8 = 3;
/// `OTARU_LOG_DEBUG`.
pub const LOG_DEBUG: u8 = 4;

/// `OTARU_DECISION_NOW`.
pub const DECISION_NOW: u8 = 0;
/// `OTARU_DECISION_REFUSE`.
pub const DECISION_REFUSE: u8 = 1;
/// `OTARU_DECISION_LATER`.
pub const DECISION_LATER: u8 = 2;
/// `OTARU_DECISION_LATER_BATTERY`.
pub const DECISION_LATER_BATTERY: u8 = 3;
/// `OTARU_DECISION_LATER_BUSY`.
pub const DECISION_LATER_BUSY: u8 = 4;

/// `OTARU_OFFER_NOW`.
pub const OFFER_NOW: u8 = 0;
/// `OTARU_OFFER_LATER`.
pub const OFFER_LATER: u8 = 1;
/// `OTARU_OFFER_TONIGHT`.
pub const OFFER_TONIGHT: u8 = 2;

//! The callbacks of the firmware, as safe functions.
#![expect(unsafe_code, reason = "the firmware's functions are C")]

use alloc::ffi::CString;
use alloc::string::String;
use alloc::vec::Vec;
use core::ffi::{CStr, c_char, c_void};

use embedded_storage::nor_flash::{
    ErrorType, NorFlash, NorFlashError, NorFlashErrorKind, ReadNorFlash,
};
use otaru_agent::{Answer, LogLine, Moment, Question};
use otaru_wire::payload::{LogLevel, UpdateOffer};
use otaru_wire::{Reason, ReleaseVersion};

use crate::numbers::{LOG_DEBUG, LOG_ERROR, LOG_INFO, LOG_WARN};

/// `otaru_response`: the head of an answer. Every member has a value that says there is none.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct Response {
    /// HTTP status.
    pub status: u16,
    /// `Content-Length`, or -1.
    pub content_length: i64,
    /// `Retry-After` in seconds, or -1.
    pub retry_after_s: i64,
    /// `Content-Range`, or empty.
    pub content_range: [c_char; 64],
    /// `Content-Encoding`, or empty.
    pub content_encoding: [c_char; 16],
    /// `ETag`, or empty.
    pub etag: [c_char; 80],
}

impl Response {
    fn new() -> Response {
        Response {
            status: 0,
            content_length: -1,
            retry_after_s: -1,
            content_range: [0; 64],
            content_encoding: [0; 16],
            etag: [0; 80],
        }
    }

    /// The entity tag that came with it.
    pub(crate) fn etag(&self) -> Option<&str> {
        text(&self.etag)
    }

    /// The head as the agent judges it.
    pub(crate) fn answer(&self) -> Answer<'_> {
        Answer {
            status: self.status,
            content_range: text(&self.content_range),
            content_length: self.content_length.try_into().ok(),
            content_encoding: text(&self.content_encoding),
            retry_after_s: self.retry_after_s.try_into().ok(),
        }
    }
}

fn text(field: &[c_char]) -> Option<&str> {
    // SAFETY: characters are bytes, and the slice is as long as before.
    let bytes = unsafe { core::slice::from_raw_parts(field.as_ptr().cast::<u8>(), field.len()) };
    let text = CStr::from_bytes_until_nul(bytes).ok()?.to_str().ok()?;
    (!text.is_empty()).then_some(text)
}

/// `otaru_board`: what the firmware brings. The header says what each function does.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
#[expect(missing_docs, reason = "the header documents them, once")]
pub struct Board {
    pub context: *mut c_void,
    pub flash_read: Option<unsafe extern "C" fn(*mut c_void, u32, *mut u8, u32) -> i32>,
    pub flash_write: Option<unsafe extern "C" fn(*mut c_void, u32, *const u8, u32) -> i32>,
    pub flash_erase: Option<unsafe extern "C" fn(*mut c_void, u32, u32) -> i32>,
    pub uptime_ms: Option<unsafe extern "C" fn(*mut c_void) -> u64>,
    pub wall_ms: Option<unsafe extern "C" fn(*mut c_void) -> i64>,
    pub random: Option<unsafe extern "C" fn(*mut c_void, *mut u8, u32) -> i32>,
    pub publish:
        Option<unsafe extern "C" fn(*mut c_void, *const c_char, *const u8, u32, u8) -> i32>,
    pub subscribe: Option<unsafe extern "C" fn(*mut c_void, *const *const c_char, u32) -> i32>,
    pub disconnect: Option<unsafe extern "C" fn(*mut c_void)>,
    pub http_get: Option<
        unsafe extern "C" fn(*mut c_void, *const c_char, u32, *const c_char, *mut Response) -> i32,
    >,
    pub http_read: Option<unsafe extern "C" fn(*mut c_void, *mut u8, u32) -> i32>,
    pub http_close: Option<unsafe extern "C" fn(*mut c_void)>,
    pub self_test: Option<unsafe extern "C" fn(*mut c_void)>,
    pub apply_setting:
        Option<unsafe extern "C" fn(*mut c_void, *const c_char, *const c_char) -> i32>,
    pub ask: Option<unsafe extern "C" fn(*mut c_void, u8, *const c_char, u64)>,
    pub show_offer: Option<unsafe extern "C" fn(*mut c_void, *const c_char, u64)>,
    pub restart: Option<unsafe extern "C" fn(*mut c_void)>,
    pub log: Option<unsafe extern "C" fn(*mut c_void, u8, u8, *const c_char)>,
}

/// Calls one function of the board, if it is there.
macro_rules! call {
    ($board:expr, $function:ident $(, $argument:expr)*) => {
        // SAFETY: whoever made the handle promised that the functions may be called with its
        // context for as long as it lives; pointers handed on are good until they return.
        $board.$function.map(|function| unsafe { function($board.context $(, $argument)*) })
    };
}

/// The driver failed.
const FAILED: i32 = -1;

impl Board {
    /// Whether every function is there that has to be.
    pub(crate) fn is_complete(&self) -> bool {
        self.has_flash()
            && self.uptime_ms.is_some()
            && self.random.is_some()
            && self.publish.is_some()
            && self.subscribe.is_some()
            && self.disconnect.is_some()
            && self.http_get.is_some()
            && self.http_read.is_some()
            && self.http_close.is_some()
            && self.self_test.is_some()
            && self.restart.is_some()
    }

    /// Whether the functions of flash are there.
    pub(crate) fn has_flash(&self) -> bool {
        self.flash_read.is_some() && self.flash_write.is_some() && self.flash_erase.is_some()
    }

    /// Milliseconds since this boot.
    pub(crate) fn uptime_ms(&self) -> u64 {
        call!(self, uptime_ms).unwrap_or(0)
    }

    /// Milliseconds since 1970, where the clock is set.
    pub(crate) fn wall_ms(&self) -> Option<i64> {
        call!(self, wall_ms).filter(|&ms| ms >= 0)
    }

    /// Fills with random bytes; whether there were any.
    pub(crate) fn random(&self, bytes: &mut [u8]) -> bool {
        call!(self, random, bytes.as_mut_ptr(), bytes.len() as u32) == Some(0)
    }

    pub(crate) fn moment(&self) -> Moment {
        let mut random = [0; 8];
        // Only spreads retries: without chance they are not spread.
        let _ = self.random(&mut random);
        Moment {
            uptime_ms: self.uptime_ms(),
            wall_ms: self.wall_ms(),
            random: u64::from_le_bytes(random),
        }
    }

    /// A message that is not sent is one that was lost: the agent says it again.
    pub(crate) fn publish(&self, topic: &str, payload: &[u8], qos: u8) {
        if let Ok(topic) = CString::new(topic) {
            call!(self, publish, topic.as_ptr(), payload.as_ptr(), payload.len() as u32, qos);
        }
    }

    pub(crate) fn subscribe(&self, topics: &[String]) {
        let topics: Vec<CString> =
            topics.iter().filter_map(|topic| CString::new(topic.as_str()).ok()).collect();
        let pointers: Vec<*const c_char> = topics.iter().map(|topic| topic.as_ptr()).collect();
        call!(self, subscribe, pointers.as_ptr(), pointers.len() as u32);
    }

    pub(crate) fn disconnect(&self) {
        call!(self, disconnect);
    }

    /// Begins a request. `etag` goes with a range: the part of the file that is asked for.
    pub(crate) fn get(
        &self,
        path: &str,
        offset: u32,
        etag: Option<&str>,
        down: Reason,
    ) -> Result<Response, Reason> {
        let path = CString::new(path).map_err(|_| Reason::Internal)?;
        let etag = etag.and_then(|etag| CString::new(etag).ok());
        let etag = etag.as_ref().map_or(core::ptr::null(), |etag| etag.as_ptr());
        let mut response = Response::new();
        let begun = call!(self, http_get, path.as_ptr(), offset, etag, &raw mut response);
        match begun.unwrap_or(FAILED) {
            0 => Ok(response),
            failed => Err(reason_of(failed, down)),
        }
    }

    /// More of the body; empty at its end.
    pub(crate) fn read<'a>(&self, buffer: &'a mut [u8], down: Reason) -> Result<&'a [u8], Reason> {
        let read = call!(self, http_read, buffer.as_mut_ptr(), buffer.len() as u32);
        let read = read.unwrap_or(FAILED);
        let length = usize::try_from(read).map_err(|_| reason_of(read, down))?;
        // A function that says it wrote more than it was given has written elsewhere already.
        buffer.get(..length).ok_or(Reason::Internal)
    }

    pub(crate) fn close(&self) {
        call!(self, http_close);
    }

    pub(crate) fn self_test(&self) {
        call!(self, self_test);
    }

    /// Whether the product took the setting.
    pub(crate) fn apply_setting(&self, name: &str, value: &str) -> bool {
        let (Ok(name), Ok(value)) = (CString::new(name), CString::new(value)) else {
            return false;
        };
        call!(self, apply_setting, name.as_ptr(), value.as_ptr()) == Some(0)
    }

    /// Whether the product decides about download and restart.
    pub(crate) fn decides(&self) -> bool {
        self.ask.is_some()
    }

    /// Whether the product shows what is offered.
    pub(crate) fn shows_offers(&self) -> bool {
        self.show_offer.is_some()
    }

    /// Whether an update may go on.
    pub(crate) fn ask(&self, question: &Question) {
        let version = c_version(&question.version);
        call!(self, ask, question.before as u8, version.as_ptr().cast(), question.size_bytes);
    }

    /// What can be installed, or nothing any more.
    pub(crate) fn show_offer(&self, offer: Option<&UpdateOffer>) {
        let version = offer.map(|offer| c_version(&offer.version));
        let pointer = version.as_ref().map_or(core::ptr::null(), |version| version.as_ptr());
        call!(self, show_offer, pointer.cast(), offer.map_or(0, |offer| offer.size));
    }

    pub(crate) fn restart(&self) {
        call!(self, restart);
    }

    pub(crate) fn log(&self, line: &LogLine<'_>) {
        let level = match line.level {
            LogLevel::Error => LOG_ERROR,
            LogLevel::Warn => LOG_WARN,
            LogLevel::Info => LOG_INFO,
            LogLevel::Debug => LOG_DEBUG,
        };
        let reason = line.reason.map_or(0, Reason::number);
        if let Ok(message) = CString::new(line.message.concat()) {
            call!(self, log, level, reason, message.as_ptr());
        }
    }
}

/// A version as C's text.
fn c_version(version: &ReleaseVersion) -> [u8; ReleaseVersion::MAX + 1] {
    let mut text = [0; ReleaseVersion::MAX + 1];
    text.iter_mut().zip(version.as_str().bytes()).for_each(|(to, byte)| *to = byte);
    text
}

/// A request's failure is one of these, negated; any other is a dead link: it may well be a number
/// of the network library's own.
fn reason_of(failed: i32, down: Reason) -> Reason {
    const TOLD: [Reason; 6] = [
        Reason::DownloadStalled,
        Reason::ServerError,
        Reason::TlsRootMissing,
        Reason::TlsRootExpired,
        Reason::TlsUntrusted,
        Reason::LowMemory,
    ];
    TOLD.into_iter().find(|told| failed == -i32::from(told.number())).unwrap_or(down)
}

/// The chip, behind the board's functions.
#[derive(Clone, Copy, Debug)]
pub(crate) struct BoardFlash {
    pub(crate) board: Board,
    pub(crate) bytes: u32,
}

/// The board's driver failed, or was asked for what is not there.
#[derive(Clone, Copy, Debug)]
pub(crate) struct DriverFailed(NorFlashErrorKind);

impl NorFlashError for DriverFailed {
    fn kind(&self) -> NorFlashErrorKind {
        self.0
    }
}

impl BoardFlash {
    fn check(&self, offset: u32, length: usize) -> Result<u32, DriverFailed> {
        let outside = DriverFailed(NorFlashErrorKind::OutOfBounds);
        let length = u32::try_from(length).map_err(|_| outside)?;
        let end = offset.checked_add(length).ok_or(outside)?;
        if end > self.bytes { Err(outside) } else { Ok(length) }
    }
}

fn driver(result: Option<i32>) -> Result<(), DriverFailed> {
    if result == Some(0) { Ok(()) } else { Err(DriverFailed(NorFlashErrorKind::Other)) }
}

impl ErrorType for BoardFlash {
    type Error = DriverFailed;
}

impl ReadNorFlash for BoardFlash {
    const READ_SIZE: usize = 4;

    fn read(&mut self, offset: u32, bytes: &mut [u8]) -> Result<(), DriverFailed> {
        let length = self.check(offset, bytes.len())?;
        driver(call!(self.board, flash_read, offset, bytes.as_mut_ptr(), length))
    }

    fn capacity(&self) -> usize {
        self.bytes as usize
    }
}

impl NorFlash for BoardFlash {
    const WRITE_SIZE: usize = 4;
    const ERASE_SIZE: usize = 4096;

    fn erase(&mut self, from: u32, to: u32) -> Result<(), DriverFailed> {
        let length = self.check(from, to.saturating_sub(from) as usize)?;
        driver(call!(self.board, flash_erase, from, length))
    }

    fn write(&mut self, offset: u32, bytes: &[u8]) -> Result<(), DriverFailed> {
        let length = self.check(offset, bytes.len())?;
        driver(call!(self.board, flash_write, offset, bytes.as_ptr(), length))
    }
}

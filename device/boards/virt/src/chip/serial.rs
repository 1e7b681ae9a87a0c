//! The serial port, one JSON object a line.

use core::fmt::{self, Write};

use otaru_firmware::Escaped;

use super::{peek, poke};

const UART: usize = 0x1000_0000;
const LINE_STATUS: usize = UART + 5;
const CAN_SEND: u8 = 1 << 5;

/// The port. Whoever writes writes whole lines: nothing here is interrupted by another line.
#[derive(Clone, Copy, Debug)]
pub struct Serial;

impl Write for Serial {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        for byte in text.bytes() {
            while peek::<u8>(LINE_STATUS) & CAN_SEND == 0 {}
            poke(UART, byte);
        }
        Ok(())
    }
}

/// Writes a line: `say!("info", "BOOTED", "slot": "ota_0")`.
#[macro_export]
macro_rules! say {
    ($level:literal, $code:literal $(, $name:literal: $value:expr)* $(,)?) => {{
        use core::fmt::Write as _;
        let mut serial = $crate::chip::serial::Serial;
        // The port takes everything.
        let _ = write!(
            serial,
            concat!("{{\"uptime_ms\":{},\"level\":\"", $level, "\",\"code\":\"", $code, "\""),
            $crate::chip::time::uptime_ms()
        );
        $(let _ = write!(serial, concat!(",\"", $name, "\":{}"), $crate::chip::serial::Json(&$value));)*
        let _ = serial.write_str("}\n");
    }};
}

/// A value of a line.
#[derive(Clone, Copy, Debug)]
pub struct Json<'a, T: ?Sized>(pub &'a T);

impl fmt::Display for Json<'_, &str> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "\"{}\"", Escaped(self.0))
    }
}

macro_rules! numbers {
    ($($number:ty)*) => {
        $(impl fmt::Display for Json<'_, $number> {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        })*
    };
}

numbers!(u8 u16 u32 u64 usize i64);

//! The log, one JSON object a line.

use otaru_agent::LogLine;
use otaru_firmware::Line;
use otaru_wire::payload::LogLevel;

use embassy_time::Instant;

/// Writes a line.
pub fn write(line: &LogLine<'_>) {
    let line = Line { uptime_ms: Instant::now().as_millis(), line };
    esp_println::println!("{line}");
}

/// Writes a line of the board's own.
pub fn say(level: LogLevel, code: &'static str, message: &[&str]) {
    write(&LogLine { level, code: Some(code), message, reason: None });
}

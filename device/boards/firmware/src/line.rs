//! A line of the log as one JSON object, for whatever port a board has.

use core::fmt;

use otaru_agent::LogLine;
use otaru_wire::payload::LogLevel;

/// A line, when it was written.
#[derive(Clone, Copy, Debug)]
pub struct Line<'a> {
    /// Milliseconds since the start.
    pub uptime_ms: u64,
    /// What it says.
    pub line: &'a LogLine<'a>,
}

impl fmt::Display for Line<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let level = match self.line.level {
            LogLevel::Error => "error",
            LogLevel::Warn => "warn",
            LogLevel::Info => "info",
            _ => "debug",
        };
        write!(f, "{{\"uptime_ms\":{},\"level\":\"{level}\"", self.uptime_ms)?;
        if let Some(code) = self.line.code {
            write!(f, ",\"code\":\"{code}\"")?;
        }
        f.write_str(",\"message\":\"")?;
        for piece in self.line.message {
            Escaped(piece).fmt(f)?;
        }
        f.write_str("\"")?;
        if let Some(reason) = self.line.reason {
            write!(f, ",\"reason\":\"{}\"", reason.name())?;
        }
        f.write_str("}")
    }
}

/// What is shown, as it stands in JSON between quotes.
#[derive(Clone, Copy, Debug)]
pub struct Escaped<T>(pub T);

impl<T: fmt::Display> fmt::Display for Escaped<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        use fmt::Write;
        write!(Escaping(f), "{}", self.0)
    }
}

struct Escaping<'f, 'b>(&'f mut fmt::Formatter<'b>);

impl fmt::Write for Escaping<'_, '_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        for character in text.chars() {
            match character {
                '"' | '\\' => write!(self.0, "\\{character}")?,
                '\0'..=' ' if character != ' ' => write!(self.0, "\\u{:04x}", character as u32)?,
                _ => self.0.write_char(character)?,
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use alloc::string::ToString;

    use otaru_wire::Reason;

    use super::*;

    #[test]
    fn a_line_is_one_object() {
        let message = &["it said \"no\"", "\n"][..];
        let reason = Some(Reason::FlashFailed);
        let line = LogLine { level: LogLevel::Warn, code: Some("LINK"), message, reason };
        assert_eq!(
            Line { uptime_ms: 7, line: &line }.to_string(),
            "{\"uptime_ms\":7,\"level\":\"warn\",\"code\":\"LINK\",\
             \"message\":\"it said \\\"no\\\"\\u000a\",\"reason\":\"flash_failed\"}"
        );
    }
}

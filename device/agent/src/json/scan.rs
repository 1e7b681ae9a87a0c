//! What is JSON and what is not (RFC 8259).

use super::{Json, Text};

/// A place in a text.
#[derive(Clone, Debug)]
pub(super) struct Scanner<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Scanner<'a> {
    pub(super) fn new(text: &'a str) -> Scanner<'a> {
        Scanner { text, at: 0 }
    }

    fn byte(&self) -> u8 {
        self.text.as_bytes().get(self.at).copied().unwrap_or(0)
    }

    fn skip_space(&mut self) {
        // Messages have hardly any.
        if self.byte() <= b' ' {
            self.skip_spaces();
        }
    }

    #[inline(never)]
    fn skip_spaces(&mut self) {
        while matches!(self.byte(), b' ' | b'\t' | b'\r' | b'\n') {
            self.at += 1;
        }
    }

    pub(super) fn is_at_end(&mut self) -> bool {
        self.skip_space();
        self.at >= self.text.len()
    }

    /// Goes behind that byte, if it comes next.
    pub(super) fn eat(&mut self, byte: u8) -> bool {
        self.skip_space();
        self.take(byte)
    }

    pub(super) fn expect(&mut self, byte: u8) -> Option<()> {
        self.eat(byte).then_some(())
    }

    fn take(&mut self, byte: u8) -> bool {
        let is_there = self.at < self.text.len() && self.byte() == byte;
        self.at += usize::from(is_there);
        is_there
    }

    /// The value that comes next, with at most that many levels.
    pub(super) fn json(&mut self, levels: u8) -> Option<Json<'a>> {
        self.skip_space();
        let start = self.at;
        self.value(levels)?;
        self.text.get(start..self.at).map(Json)
    }

    /// The string that comes next.
    pub(super) fn text(&mut self) -> Option<Text<'a>> {
        self.skip_space();
        let start = self.at + 1;
        self.string()?;
        self.text.get(start..self.at - 1).map(Text)
    }

    fn value(&mut self, levels: u8) -> Option<()> {
        self.skip_space();
        match self.byte() {
            b'{' => self.container(b'}', levels.checked_sub(1)?),
            b'[' => self.container(b']', levels.checked_sub(1)?),
            b'"' => self.string(),
            b't' => self.word("true"),
            b'f' => self.word("false"),
            b'n' => self.word("null"),
            _ => self.number(),
        }
    }

    fn container(&mut self, end: u8, levels: u8) -> Option<()> {
        self.at += 1;
        if self.eat(end) {
            return Some(());
        }
        loop {
            if end == b'}' {
                self.skip_space();
                self.string()?;
                self.expect(b':')?;
            }
            self.value(levels)?;
            if !self.eat(b',') {
                return self.expect(end);
            }
        }
    }

    fn word(&mut self, word: &str) -> Option<()> {
        let rest = self.text.as_bytes().get(self.at..)?;
        self.at += word.len();
        rest.starts_with(word.as_bytes()).then_some(())
    }

    #[inline(never)]
    fn string(&mut self) -> Option<()> {
        self.take(b'"').then_some(())?;
        loop {
            let mut rest = self.text.as_bytes().get(self.at..)?.iter();
            let byte = rest.find(|byte| matches!(byte, b'"' | b'\\' | 0..=31))?;
            self.at = self.text.len() - rest.as_slice().len();
            match byte {
                b'"' => return Some(()),
                b'\\' => self.escape()?,
                _ => return None,
            }
        }
    }

    fn escape(&mut self) -> Option<()> {
        let byte = self.byte();
        self.at += 1;
        match byte {
            b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't' => Some(()),
            b'u' => match self.hex()? & 0xFC00 {
                // Half of a character must have its other half behind it.
                0xD800 => {
                    self.word("\\u")?;
                    (self.hex()? & 0xFC00 == 0xDC00).then_some(())
                }
                0xDC00 => None,
                _ => Some(()),
            },
            _ => None,
        }
    }

    #[inline(never)]
    fn hex(&mut self) -> Option<u32> {
        let mut value = 0;
        for _ in 0..4 {
            value = value << 4 | char::from(self.byte()).to_digit(16)?;
            self.at += 1;
        }
        Some(value)
    }

    fn number(&mut self) -> Option<()> {
        self.take(b'-');
        if !self.take(b'0') {
            self.digits()?;
        }
        if self.take(b'.') {
            self.digits()?;
        }
        if self.take(b'e') || self.take(b'E') {
            let _ = self.take(b'+') || self.take(b'-');
            self.digits()?;
        }
        Some(())
    }

    fn digits(&mut self) -> Option<()> {
        let start = self.at;
        while self.byte().is_ascii_digit() {
            self.at += 1;
        }
        (self.at > start).then_some(())
    }
}

//! Strings, with their escapes.

use core::str::Chars;

use arrayvec::ArrayString;

/// What is between the quotes of a string, as it stands there.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Text<'a>(pub(super) &'a str);

impl<'a> Text<'a> {
    /// The text with its escapes.
    pub(crate) fn raw(self) -> &'a str {
        self.0
    }

    pub(crate) fn chars(self) -> Decoded<'a> {
        Decoded(self.0.chars())
    }

    pub(crate) fn is(self, other: &str) -> bool {
        self.chars().eq(other.chars())
    }

    pub(crate) fn same(self, other: Text<'_>) -> bool {
        self.chars().eq(other.chars())
    }

    /// The text without its escapes, if it has room.
    pub(crate) fn decode<const MAX: usize>(self) -> Option<ArrayString<MAX>> {
        let mut decoded = ArrayString::new();
        for char in self.chars() {
            decoded.try_push(char).ok()?;
        }
        Some(decoded)
    }
}

/// See [`Text::chars`].
#[derive(Clone, Debug)]
pub(crate) struct Decoded<'a>(Chars<'a>);

impl Decoded<'_> {
    fn hex(&mut self) -> Option<u32> {
        let mut value = 0;
        for _ in 0..4 {
            value = value << 4 | self.0.next()?.to_digit(16)?;
        }
        Some(value)
    }

    fn unicode(&mut self) -> Option<char> {
        let high = self.hex()?;
        if high & 0xFC00 != 0xD800 {
            return char::from_u32(high);
        }
        // Behind the first half comes `\u` and the other.
        self.0.next()?;
        self.0.next()?;
        char::from_u32(0x1_0000 + ((high & 0x3FF) << 10) + (self.hex()? & 0x3FF))
    }
}

impl Iterator for Decoded<'_> {
    type Item = char;

    #[inline(never)]
    fn next(&mut self) -> Option<char> {
        match self.0.next()? {
            '\\' => match self.0.next()? {
                'b' => Some('\u{8}'),
                'f' => Some('\u{c}'),
                'n' => Some('\n'),
                'r' => Some('\r'),
                't' => Some('\t'),
                'u' => self.unicode(),
                other => Some(other),
            },
            plain => Some(plain),
        }
    }
}

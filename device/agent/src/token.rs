use arrayvec::ArrayString;

use crate::json::{Decimal, Text};

/// A client token that no other boot or message uses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Token {
    pub(crate) random: u64,
    pub(crate) number: u32,
}

impl Token {
    /// The random number in hex, and the other.
    pub(crate) fn text(self) -> ArrayString<27> {
        let mut text = ArrayString::new();
        // There is room for sixteen digits, the dash and ten digits.
        for place in (0..16).rev() {
            let digit = (self.random >> (4 * place)) & 15;
            let _ = text.try_push(char::from_digit(digit as u32, 16).unwrap_or('0'));
        }
        let _ = text.try_push('-');
        let _ = text.try_push_str(Decimal::new(self.number.into()).as_str());
        text
    }

    pub(crate) fn is(self, text: Text<'_>) -> bool {
        text.is(&self.text())
    }
}

//! Writing JSON piece by piece.

/// Where pieces of text go.
pub(crate) type Out<'a> = dyn FnMut(&str) + 'a;

/// Writes a string, quotes and escapes included.
pub(crate) fn write_text(text: &str, out: &mut Out<'_>) {
    out("\"");
    let mut from = 0;
    for (at, byte) in text.bytes().enumerate() {
        let escape = match byte {
            b'"' => "\\\"",
            b'\\' => "\\\\",
            0..16 => "\\u000",
            16..32 => "\\u001",
            _ => continue,
        };
        out(text.get(from..at).unwrap_or_default());
        out(escape);
        if byte < 32 {
            let digit = usize::from(byte & 15);
            out("0123456789abcdef".get(digit..=digit).unwrap_or_default());
        }
        from = at + 1;
    }
    out(text.get(from..).unwrap_or_default());
    out("\"");
}

/// The powers of ten, the highest first.
const POWERS: [u64; 20] = {
    let (mut powers, mut place) = ([1; 20], 19);
    while place > 0 {
        place -= 1;
        powers[place] = powers[place + 1] * 10;
    }
    powers
};

/// A number in digits.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Decimal {
    digits: [u8; 20],
    length: usize,
}

impl Decimal {
    #[inline(never)]
    pub(crate) fn new(number: u64) -> Decimal {
        let mut decimal = Decimal { digits: [b'0'; 20], length: 0 };
        let mut left = number;
        // A chip of this size divides 64 bits by a kilobyte of code.
        for (place, &power) in POWERS.iter().enumerate() {
            let mut digit = b'0';
            while left >= power {
                left -= power;
                digit += 1;
            }
            if (digit > b'0' || decimal.length > 0 || place == POWERS.len() - 1)
                && let Some(room) = decimal.digits.get_mut(decimal.length)
            {
                *room = digit;
                decimal.length += 1;
            }
        }
        decimal
    }

    #[inline(never)]
    pub(crate) fn as_str(&self) -> &str {
        let digits = self.digits.get(..self.length).unwrap_or_default();
        core::str::from_utf8(digits).unwrap_or_default()
    }
}

/// A number in digits, behind its sign.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Signed {
    pub(crate) sign: &'static str,
    pub(crate) digits: Decimal,
}

impl Signed {
    pub(crate) fn new(number: i64) -> Signed {
        let sign = if number < 0 { "-" } else { "" };
        Signed { sign, digits: Decimal::new(number.unsigned_abs()) }
    }
}

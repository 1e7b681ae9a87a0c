//! Writing JSON piece by piece.

/// Where pieces of text go.
pub(crate) type Out<'a> = dyn FnMut(&str) + 'a;

/// Writes a string, quotes and escapes included.
pub(crate) fn write_text(text: &str, out: &mut Out<'_>) {
    out("\"");
    let mut rest = text;
    while let Some(at) = rest.find(|char| matches!(char, '"' | '\\' | '\0'..='\u{1f}')) {
        let (plain, special) = rest.split_at(at);
        out(plain);
        let byte = special.as_bytes().first().copied().unwrap_or(0);
        match byte {
            b'"' => out("\\\""),
            b'\\' => out("\\\\"),
            _ => {
                out(if byte < 16 { "\\u000" } else { "\\u001" });
                let digit = usize::from(byte & 15);
                out(&"0123456789abcdef"[digit..=digit]);
            }
        }
        rest = &special[1..];
    }
    out(rest);
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

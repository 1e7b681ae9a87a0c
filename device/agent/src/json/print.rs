//! What a value says, in eight bytes: two that say the same have the same print, however each is
//! written. Numbers count by value, so 1 is 1.0, and members in any order.

use super::Json;

/// FNV-1a.
#[derive(Clone, Copy)]
struct Print(u64);

impl Print {
    fn of(kind: u8) -> Print {
        Print(0xCBF2_9CE4_8422_2325).with(kind)
    }

    fn with(self, byte: u8) -> Print {
        Print((self.0 ^ u64::from(byte)).wrapping_mul(0x0100_0000_01B3))
    }

    #[inline(never)]
    fn with_number(self, number: u64) -> Print {
        number.to_le_bytes().into_iter().fold(self, Print::with)
    }

    /// Every bit spread over all (the finalizer of MurmurHash3): the sum of plain prints would
    /// often stay the same where two members change values.
    fn spread(self) -> u64 {
        let mut bits = self.0;
        for factor in [0xFF51_AFD7_ED55_8CCD, 0xC4CE_B9FE_1A85_EC53] {
            bits = (bits ^ bits >> 33).wrapping_mul(factor);
        }
        bits ^ bits >> 33
    }

    /// 0 stands for a value that is not there.
    fn end(self) -> u64 {
        self.0.max(1)
    }
}

pub(crate) fn print_of_text(text: impl Iterator<Item = char>) -> u64 {
    text.fold(Print::of(b'"'), |print, char| print.with_number(char.into())).end()
}

/// Of `true`, `false` or `null`.
pub(crate) fn print_of_word(word: &str) -> u64 {
    word.bytes().fold(Print::of(b't'), Print::with).end()
}

/// Of a number as JSON writes it.
#[inline(never)]
pub(crate) fn print_of_number(text: &str) -> u64 {
    let mut print = Print::of(b'0');
    let (mut is_fraction, mut is_zero, mut zeros, mut exponent) = (false, true, 0i32, 0i32);
    let mut bytes = text.bytes();
    for byte in &mut bytes {
        match byte {
            b'.' => is_fraction = true,
            b'e' | b'E' => break,
            b'0'..=b'9' => {
                exponent = exponent.saturating_sub(is_fraction.into());
                // Zeros in front say nothing, those at the end only what the exponent is.
                match byte {
                    b'0' => zeros = zeros.saturating_add((!is_zero).into()),
                    digit => {
                        is_zero = false;
                        for _ in 0..core::mem::take(&mut zeros) {
                            print = print.with(b'0');
                        }
                        print = print.with(digit);
                    }
                }
            }
            _ => {}
        }
    }
    if is_zero {
        return print.end();
    }
    let (mut is_negative, mut written) = (false, 0i32);
    for byte in bytes {
        match byte {
            b'-' => is_negative = true,
            b'0'..=b'9' => {
                written = written.saturating_mul(10).saturating_add((byte - b'0').into());
            }
            _ => {}
        }
    }
    let written = if is_negative { -written } else { written };
    let exponent = exponent.saturating_add(zeros).saturating_add(written);
    print = print.with_number(exponent.cast_unsigned().into());
    print.with(u8::from(text.starts_with('-'))).end()
}

impl Json<'_> {
    /// See the module. A member that is `null` counts as none, but within arrays.
    pub(crate) fn print(self) -> u64 {
        self.print_in(false)
    }

    #[inline(never)]
    fn print_in(self, is_in_array: bool) -> u64 {
        match self.first() {
            b'{' => {
                let members = self.parts().filter(|(_, value)| is_in_array || !value.is_null());
                let sum = members.fold(0u64, |sum, (name, value)| {
                    let pair = Print(print_of_text(name.chars()));
                    sum.wrapping_add(pair.with_number(value.print_in(is_in_array)).spread())
                });
                Print::of(b'{').with_number(sum).end()
            }
            b'[' => {
                let items = self.parts();
                let print = items.fold(Print::of(b'['), |print, (_, value)| {
                    print.with_number(value.print_in(true))
                });
                print.end()
            }
            b'"' => self.as_text().map_or(1, |text| print_of_text(text.chars())),
            b't' | b'f' | b'n' => print_of_word(self.0),
            _ => print_of_number(self.0),
        }
    }

    /// Whether two values say the same.
    pub(crate) fn same(self, other: Json<'_>) -> bool {
        self.print() == other.print()
    }
}

//! Serial numbers of certificates, as people copy them.

use crate::Refusal;

/// The one form that serial numbers are kept in: lower-case hexadecimal without leading zeros.
/// Reads what openssl prints as well: upper case, pairs with colons, `0x` or `serial=` in front.
pub(crate) fn serial_number(text: &str) -> Result<String, Refusal> {
    let lower = text.trim().to_ascii_lowercase();
    let number = lower.strip_prefix("serial=").unwrap_or(&lower);
    let digits = number.strip_prefix("0x").unwrap_or(number).replace(':', "");
    if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        let detail = format!("`{}` is no hexadecimal number", text.escape_debug());
        return Err(Refusal::invalid("serial", detail));
    }
    match digits.trim_start_matches('0') {
        "" => Ok("0".to_owned()),
        kept => Ok(kept.to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_way_to_write_a_number_is_read_as_one() {
        for (text, kept) in [
            ("a1b2c3", "a1b2c3"),
            ("serial=0A1B2C", "a1b2c"),
            ("0a:1b:2C", "a1b2c"),
            ("0x0a", "a"),
            (" 0X7\n", "7"),
            ("0", "0"),
            ("00:00", "0"),
        ] {
            assert_eq!(serial_number(text).as_deref(), Ok(kept), "{text}");
        }
    }

    #[test]
    fn what_is_no_number_is_refused_by_what_it_says() {
        for text in ["", "0x", ":", "serial=", "clock-01", "0x0x1", "-7", "a b", "７"] {
            let refused = serial_number(text).unwrap_err().to_string();
            assert!(refused.contains(&format!("`{text}` is no hexadecimal")), "{refused}");
        }
    }
}

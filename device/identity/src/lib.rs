//! Who a board is, as it stands in its partition `identity`: written where the device is made.
//!
//! `OTID`, the length of what follows in four bytes, and fields: a tag, the length in two bytes,
//! the bytes. All numbers are little-endian. A tag that is not known is left out; of the first nine
//! a missing one makes the device one that is nobody. No heap and no copy: what is read points
//! into what was given.
#![no_std]

use core::fmt;

const MAGIC: [u8; 4] = *b"OTID";
const HEAD_BYTES: usize = 8;

/// What the partition says.
///
/// | tag | |
/// | --- | --- |
/// | 1 | name of the device |
/// | 2 | first level of its topics |
/// | 3 | product |
/// | 4 | host of the server, and port in two bytes behind a zero byte |
/// | 5 | host of the broker, likewise |
/// | 6 | when it was made: seconds since 1970, eight bytes |
/// | 7 | certificate of the device, DER |
/// | 8 | its private key on P-256, 32 bytes |
/// | 9 | certificate of the authority, DER |
/// | 10 | name of the Wi-Fi network, for a board that needs one |
/// | 11 | its password; missing for an open network |
/// | 12 | the root key, for a board without memory that cannot be written |
#[derive(Clone, Copy, PartialEq, Eq)]
#[expect(missing_docs, reason = "the table says what each is")]
pub struct Identity<'a> {
    pub thing: &'a str,
    pub namespace: &'a str,
    pub product: &'a str,
    pub https: (&'a str, u16),
    pub mqtt: (&'a str, u16),
    pub made_at: i64,
    pub certificate: &'a [u8],
    pub key: &'a [u8; 32],
    pub authority: &'a [u8],
    /// Name and password; an empty password for an open network.
    pub wifi: Option<(&'a str, &'a str)>,
    pub root_key: Option<&'a [u8]>,
}

impl<'a> Identity<'a> {
    /// Reads the partition. `None` where a field is missing, or is none.
    pub fn read(bytes: &'a [u8]) -> Option<Identity<'a>> {
        let (head, rest) = bytes.split_first_chunk::<HEAD_BYTES>()?;
        let length = u32::from_le_bytes([head[4], head[5], head[6], head[7]]);
        let mut rest = rest.get(..usize::try_from(length).ok()?)?;
        let mut fields: [Option<&[u8]>; 13] = [None; 13];
        while let Some((tag, after)) = rest.split_first() {
            let (length, after) = after.split_first_chunk::<2>()?;
            let (field, after) = after.split_at_checked(u16::from_le_bytes(*length).into())?;
            if let Some(place) = fields.get_mut(usize::from(*tag)) {
                *place = Some(field);
            }
            rest = after;
        }
        let text = |tag: usize| core::str::from_utf8(fields[tag]?).ok();
        Some(Identity {
            thing: text(1)?,
            namespace: text(2)?,
            product: text(3)?,
            https: place(fields[4]?)?,
            mqtt: place(fields[5]?)?,
            made_at: i64::from_le_bytes(fields[6]?.try_into().ok()?),
            certificate: fields[7]?,
            key: fields[8]?.try_into().ok()?,
            authority: fields[9]?,
            wifi: match fields[10] {
                Some(_) => Some((text(10)?, if fields[11].is_some() { text(11)? } else { "" })),
                None => None,
            },
            root_key: fields[12],
        })
        .filter(|_| head[..4] == MAGIC)
    }

    /// Writes it, as [`Identity::read`] reads it; answers its length. `None` where it has no room.
    pub fn write(&self, out: &mut [u8]) -> Option<usize> {
        let mut at = HEAD_BYTES;
        let mut put = |tag: u8, pieces: &[&[u8]]| -> Option<usize> {
            let length: usize = pieces.iter().map(|piece| piece.len()).sum();
            let field = out.get_mut(at..at + 3 + length)?;
            field[0] = tag;
            field[1..3].copy_from_slice(&u16::try_from(length).ok()?.to_le_bytes());
            let mut to = 3;
            for piece in pieces {
                field[to..to + piece.len()].copy_from_slice(piece);
                to += piece.len();
            }
            at += to;
            Some(at)
        };
        put(1, &[self.thing.as_bytes()])?;
        put(2, &[self.namespace.as_bytes()])?;
        put(3, &[self.product.as_bytes()])?;
        put(4, &[self.https.0.as_bytes(), &[0], &self.https.1.to_le_bytes()])?;
        put(5, &[self.mqtt.0.as_bytes(), &[0], &self.mqtt.1.to_le_bytes()])?;
        put(6, &[&self.made_at.to_le_bytes()])?;
        put(7, &[self.certificate])?;
        put(8, &[self.key])?;
        let mut end = put(9, &[self.authority])?;
        if let Some((name, password)) = self.wifi {
            end = put(10, &[name.as_bytes()])?;
            if !password.is_empty() {
                end = put(11, &[password.as_bytes()])?;
            }
        }
        if let Some(key) = self.root_key {
            end = put(12, &[key])?;
        }
        out[..4].copy_from_slice(&MAGIC);
        out[4..HEAD_BYTES].copy_from_slice(&((end - HEAD_BYTES) as u32).to_le_bytes());
        Some(end)
    }
}

/// Without the key and the network's password.
impl fmt::Debug for Identity<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Identity").field("thing", &self.thing).finish_non_exhaustive()
    }
}

fn place(field: &[u8]) -> Option<(&str, u16)> {
    let (rest, port) = field.split_last_chunk::<2>()?;
    let (zero, host) = rest.split_last()?;
    let host = core::str::from_utf8(host).ok().filter(|_| *zero == 0)?;
    Some((host, u16::from_le_bytes(*port)))
}

#[cfg(test)]
mod tests {
    use super::*;

    const CLOCK: Identity<'static> = Identity {
        thing: "clock-01",
        namespace: "acme",
        product: "clock",
        https: ("10.0.2.2", 8444),
        mqtt: ("broker.example", 8883),
        made_at: 1_795_430_400,
        certificate: &[1; 700],
        key: &[2; 32],
        authority: &[3; 500],
        wifi: None,
        root_key: None,
    };

    #[test]
    fn it_is_read_as_it_was_written() {
        let mut bytes = [0xFF; 2048];
        CLOCK.write(&mut bytes).unwrap();
        assert_eq!(Identity::read(&bytes), Some(CLOCK));
        assert_eq!(CLOCK.write(&mut [0; 1200]), None);
    }

    #[test]
    fn a_network_may_be_open_and_a_key_may_be_elsewhere() {
        let mut bytes = [0xFF; 2048];
        for wifi in [None, Some(("home", "secret 12")), Some(("cafe", ""))] {
            for root_key in [None, Some(&[4; 33][..])] {
                let clock = Identity { wifi, root_key, ..CLOCK };
                clock.write(&mut bytes).unwrap();
                assert_eq!(Identity::read(&bytes), Some(clock));
            }
        }
    }

    #[test]
    fn what_is_cut_off_is_nobody() {
        let mut bytes = [0xFF; 2048];
        let length = CLOCK.write(&mut bytes).unwrap();
        for end in 0..length {
            assert_eq!(Identity::read(&bytes[..end]), None, "{end}");
        }
        assert_eq!(Identity::read(&[0xFF; 64]), None);
    }
}

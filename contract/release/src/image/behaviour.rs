use super::{ImageHead, segments::Segments};

/// How simulated firmware behaves once it runs.
///
/// Carried by a marker segment that ESP-IDF's loader skips. A real device
/// ignores it: real firmware behaves as its code does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Behaviour {
    /// Passes its self-test.
    Pass,
    /// Runs, and fails its self-test.
    Fail,
    /// Restarts at once, every time.
    Crash,
    /// Runs and never comes to an end of its self-test.
    Hang,
}

/// Below 0x1000_0000 ESP-IDF's loader neither loads nor maps a segment.
pub(super) const LOAD_ADDRESS: u32 = 0x0000_4F54;
/// Bytes of the marker segment.
pub(super) const MARKER_BYTES: usize = 16;

const MARKER_MAGIC: [u8; 8] = *b"OTARUSIM";
const MARKER_FORMAT: u8 = 1;

impl Behaviour {
    const ALL: [Behaviour; 4] =
        [Behaviour::Pass, Behaviour::Fail, Behaviour::Crash, Behaviour::Hang];

    /// The number in the marker segment.
    pub const fn number(self) -> u8 {
        match self {
            Behaviour::Pass => 0,
            Behaviour::Fail => 1,
            Behaviour::Crash => 2,
            Behaviour::Hang => 3,
        }
    }

    /// What the marker segment of an image says; without one it is [`Behaviour::Pass`].
    ///
    /// `image` may have bytes behind it, as in a slot. A marker of a newer
    /// format or with an unknown number is [`Behaviour::Fail`], so a test
    /// that asks for something else than a pass never gets one.
    pub fn of(image: &[u8]) -> Behaviour {
        let Ok(head) = ImageHead::parse(image) else { return Behaviour::Pass };
        let marker = Segments::of(image, head.segments)
            .map_while(Result::ok)
            .find(|segment| {
                segment.load_address == LOAD_ADDRESS && segment.data.starts_with(&MARKER_MAGIC)
            })
            .map(|segment| segment.data);
        match marker {
            None => Behaviour::Pass,
            Some([_, _, _, _, _, _, _, _, MARKER_FORMAT, number, ..]) => Behaviour::ALL
                .into_iter()
                .find(|behaviour| behaviour.number() == *number)
                .unwrap_or(Behaviour::Fail),
            Some(_) => Behaviour::Fail,
        }
    }

    pub(super) fn marker(self) -> [u8; MARKER_BYTES] {
        let mut marker = [0; MARKER_BYTES];
        marker[..8].copy_from_slice(&MARKER_MAGIC);
        marker[8] = MARKER_FORMAT;
        marker[9] = self.number();
        marker
    }
}

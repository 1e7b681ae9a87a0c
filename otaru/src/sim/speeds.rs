//! Speeds of links, as people type them.

use std::str::FromStr;

use otaru_linux::Chance;

/// Between which speeds each device has its own, in kilobits a second.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Speeds {
    least: u32,
    most: u32,
}

impl Speeds {
    /// One of them: half of all devices are slower than the geometric middle.
    pub(super) fn draw(self, chance: &Chance) -> u32 {
        let part = chance.below(1_001) as f64 / 1_000.0;
        let (least, most) = (f64::from(self.least), f64::from(self.most));
        (least * (most / least).powf(part)).round() as u32
    }
}

impl FromStr for Speeds {
    type Err = String;

    /// Reads `256` or `64-2048`.
    fn from_str(text: &str) -> Result<Speeds, String> {
        let (least, most) = text.split_once('-').unwrap_or((text, text));
        let speeds = least.parse().ok().zip(most.parse().ok());
        let speeds = speeds.map(|(least, most)| Speeds { least, most });
        speeds
            .filter(|speeds| speeds.least > 0 && speeds.least <= speeds.most)
            .ok_or_else(|| format!("{text:?} is not a speed such as 256 or 64-2048"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_device_has_a_speed_of_the_range() {
        let speeds: Speeds = "64-2048".parse().unwrap();
        let mut drawn: Vec<u32> =
            (0..1_000).map(|number| speeds.draw(&Chance::new(1, number))).collect();
        drawn.sort_unstable();
        assert!(drawn[0] >= 64 && drawn[999] <= 2_048, "{} to {}", drawn[0], drawn[999]);
        assert!((300..440).contains(&drawn[500]), "{} in the middle", drawn[500]);
        assert_eq!("256".parse::<Speeds>().unwrap().draw(&Chance::new(1, 1)), 256);
        for wrong in ["", "0", "-5", "5-", "2048-64", "fast", "1-99999999999"] {
            assert!(wrong.parse::<Speeds>().is_err(), "{wrong}");
        }
    }
}

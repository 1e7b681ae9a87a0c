//! A network that does everything a network can, to every message and every request.

use super::{Suite, quiet_life};
use crate::{Geometry, Gust, Life, Weather, live};

/// One gust at every message and request of a quiet life, and pairs of them.
#[derive(Debug)]
pub struct HostileNetwork {
    life: Life,
    cases: Vec<Vec<Gust>>,
}

impl HostileNetwork {
    /// All of a life whose images are two chunks.
    pub fn new() -> HostileNetwork {
        let life = quiet_life(Geometry::TwoChunks, false);
        // Until its gust a life is the quiet one: what that has is what there is to be hit.
        let quiet = live(&life).expect("a life without a fault breaks nothing");
        let (messages, requests_of_it) = (quiet.messages, quiet.requests);
        let of_messages = [
            Weather::Drop,
            Weather::Duplicate,
            Weather::Delay { ms: 50 },
            Weather::Delay { ms: 15_000 },
            Weather::Disconnect,
        ];
        let mut of_requests = vec![
            Weather::Whole,
            Weather::OtherRange,
            Weather::OtherFile,
            Weather::Longer,
            Weather::OtherLength,
            Weather::Encoded,
            Weather::Forged,
            Weather::OtherManifest,
            Weather::Trickle { part: 7 },
            Weather::Trickle { part: 1 },
            // As slow as a link may be.
            Weather::Trickle { part: 60 },
        ];
        of_requests.extend([302, 400, 401, 404, 412, 416, 429, 500, 503].map(Weather::Status));
        for after in [0, 1, 287, 288, 4096, 5000, 65_535, 65_536, 65_537, 69_000] {
            of_requests.push(Weather::Stall { after });
            of_requests.push(Weather::Truncate { after });
        }
        of_requests.extend([0, 40, 4095, 65_535, 65_540, 69_000].map(|at| Weather::Flip { at }));

        let mut singles = Vec::new();
        for at in 0..messages {
            singles.extend(of_messages.map(|what| Gust { at, what }));
        }
        let mut requests = Vec::new();
        for at in 0..requests_of_it {
            requests.extend(of_requests.iter().map(|&what| Gust { at, what }));
        }
        let mut cases: Vec<Vec<Gust>> =
            singles.iter().chain(&requests).map(|&gust| vec![gust]).collect();
        // A transfer that breaks, and whatever may come of the next one.
        let breaks =
            |gust: &&Gust| matches!(gust.what, Weather::Truncate { .. } | Weather::Stall { .. });
        for &first in requests.iter().filter(breaks) {
            for &what in &of_requests {
                for at in [first.at + 1, first.at + 2] {
                    cases.push(vec![first, Gust { at, what }]);
                }
            }
        }
        // A message that is late by as long as the one before it took to come to nothing.
        for at in 0..messages {
            for ms in [5_000, 12_000, 21_000] {
                for what in [Weather::Stall { after: 4096 }, Weather::Truncate { after: 4096 }] {
                    for request in [0, 1, 2] {
                        let late = Gust { at, what: Weather::Delay { ms } };
                        cases.push(vec![late, Gust { at: request, what }]);
                    }
                }
            }
        }
        HostileNetwork { life, cases }
    }
}

impl Default for HostileNetwork {
    fn default() -> Self {
        HostileNetwork::new()
    }
}

impl Suite for HostileNetwork {
    fn name(&self) -> String {
        "hostile-network".to_owned()
    }

    fn count(&self) -> u64 {
        self.cases.len() as u64
    }

    fn life(&self, number: u64) -> Life {
        Life { seed: number, gusts: self.cases[number as usize].clone(), ..self.life.clone() }
    }
}

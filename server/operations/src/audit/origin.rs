use std::net::IpAddr;

use crate::{BrowserMark, Remote};

/// Most characters of a program's name that are kept.
const CHARACTERS: usize = 200;

/// Where a request comes from.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Origin {
    /// The client's address, as far as a proxy that is trusted says.
    pub address: Option<IpAddr>,
    /// What its program calls itself.
    pub user_agent: Option<String>,
    /// The id that the server gave the request.
    pub request: Option<String>,
    /// What its browser says it is known by; kept nowhere.
    pub browser: Option<BrowserMark>,
}

impl Origin {
    /// The origin of a request; of what its program calls itself one short line is kept.
    pub fn new(
        address: Option<IpAddr>,
        user_agent: Option<&str>,
        request: Option<String>,
    ) -> Origin {
        let line = |text: &str| -> String {
            text.chars().filter(|c| !c.is_control()).take(CHARACTERS).collect()
        };
        Origin { address, user_agent: user_agent.map(line), request, browser: None }
    }

    /// This one, with what its browser sent to be known by.
    pub fn of_browser(self, browser: Option<BrowserMark>) -> Origin {
        Origin { browser, ..self }
    }

    /// The place, as limits see it.
    pub fn remote(&self) -> Remote {
        Remote::of(self.address)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_program_calls_itself_is_one_short_line() {
        let long = "a\u{7}".repeat(1_000);
        let origin = Origin::new(None, Some(&long), None);
        assert_eq!(origin.user_agent, Some("a".repeat(CHARACTERS)));
    }
}

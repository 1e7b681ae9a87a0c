//! Who delivers mail.

use anyhow::bail;
use otaru_operations::MailSettings;
use serde::Deserialize;

#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct MailSection {
    url: Option<String>,
    from: Option<String>,
    ca: Option<String>,
}

impl MailSection {
    pub(super) fn settings(self) -> anyhow::Result<Option<MailSettings>> {
        match self {
            MailSection { url: Some(url), from: Some(from), ca: ca_pem } => {
                Ok(Some(MailSettings { url, from, ca_pem }))
            }
            MailSection { url: None, from: None, ca: None } => Ok(None),
            _ => bail!("mail needs both mail.url and mail.from"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mail_needs_a_server_and_a_sender() {
        let section = |url: Option<&str>, from: Option<&str>| MailSection {
            url: url.map(str::to_owned),
            from: from.map(str::to_owned),
            ca: None,
        };
        assert!(section(None, None).settings().unwrap().is_none());
        assert!(section(Some("smtp://localhost"), Some("o@x.org")).settings().unwrap().is_some());
        assert!(section(Some("smtp://localhost"), None).settings().is_err());
        assert!(section(None, Some("o@x.org")).settings().is_err());
    }
}

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

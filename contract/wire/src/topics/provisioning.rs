//! Topics of AWS's fleet provisioning: how a device without a certificate of its own gets one.

use crate::TemplateName;

const FROM_CSR: &str = "$aws/certificates/create-from-csr/json";
const KEYS: &str = "$aws/certificates/create/json";
const TEMPLATES: &str = "$aws/provisioning-templates/";
const PROVISION: &str = "/provision/json";

/// What a claim certificate can be used to ask.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum ProvisioningCall {
    /// A certificate for the key of a request that comes with it: `CreateCertificateFromCsr`.
    CreateFromCsr,
    /// A certificate and its key: `CreateKeysAndCertificate`.
    CreateKeys,
    /// To become a thing with such a certificate: `RegisterThing`.
    RegisterThing {
        /// By which template.
        template: TemplateName,
    },
}

/// The topics of a call. Clients publish on the first, only the service on the others.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ProvisioningPart {
    /// The request.
    Request,
    /// It was carried out.
    Accepted,
    /// It was not, and why.
    Rejected,
}

impl ProvisioningPart {
    const ALL: [ProvisioningPart; 3] =
        [ProvisioningPart::Request, ProvisioningPart::Accepted, ProvisioningPart::Rejected];

    fn suffix(self) -> &'static str {
        match self {
            ProvisioningPart::Request => "",
            ProvisioningPart::Accepted => "/accepted",
            ProvisioningPart::Rejected => "/rejected",
        }
    }
}

impl ProvisioningCall {
    /// The topic's name in pieces, one behind the other.
    pub(super) fn topic_pieces(&self, part: ProvisioningPart) -> [&str; 6] {
        let suffix = part.suffix();
        match self {
            ProvisioningCall::CreateFromCsr => [FROM_CSR, suffix, "", "", "", ""],
            ProvisioningCall::CreateKeys => [KEYS, suffix, "", "", "", ""],
            ProvisioningCall::RegisterThing { template } => {
                [TEMPLATES, template.as_str(), PROVISION, suffix, "", ""]
            }
        }
    }

    pub(super) fn parse(topic: &str) -> Option<(ProvisioningCall, ProvisioningPart)> {
        let part =
            |rest: &str| ProvisioningPart::ALL.into_iter().find(|part| part.suffix() == rest);
        if let Some(rest) = topic.strip_prefix(FROM_CSR) {
            return Some((ProvisioningCall::CreateFromCsr, part(rest)?));
        }
        if let Some(rest) = topic.strip_prefix(KEYS) {
            return Some((ProvisioningCall::CreateKeys, part(rest)?));
        }
        let (template, rest) = topic.strip_prefix(TEMPLATES)?.split_once('/')?;
        let rest = rest.strip_prefix(&PROVISION[1..])?;
        let template = TemplateName::parse(template)?;
        Some((ProvisioningCall::RegisterThing { template }, part(rest)?))
    }
}

//! Names of servers: in certificates, and as the limits of an authority.

use std::collections::BTreeSet;
use std::net::IpAddr;

use rcgen::{CertificateParams, CidrSubnet, GeneralSubtree, NameConstraints, SanType};
use x509_parser::extensions::GeneralName;
use x509_parser::prelude::X509Certificate;

use crate::AuthorityError;

/// The alternative names of a certificate for these names.
pub(crate) fn alternative_names(names: &[String]) -> Result<Vec<SanType>, AuthorityError> {
    if names.is_empty() {
        return Err(AuthorityError::NoServerName);
    }
    let mut all = Vec::new();
    for name in names {
        let params = CertificateParams::new(vec![name.clone()])
            .map_err(|_| AuthorityError::ServerName { name: name.clone() })?;
        all.extend(params.subject_alt_names);
    }
    Ok(all)
}

/// Names as [`names_of`] gives them back.
pub(crate) fn canonical(names: &[String]) -> BTreeSet<String> {
    let canonical = |name: &String| match name.parse::<IpAddr>() {
        Ok(address) => address.to_string(),
        Err(_) => name.to_ascii_lowercase(),
    };
    names.iter().map(canonical).collect()
}

/// The names a certificate is for.
pub(crate) fn names_of(certificate: &X509Certificate<'_>) -> BTreeSet<String> {
    let Ok(Some(names)) = certificate.subject_alternative_name() else { return BTreeSet::new() };
    let name = |name: &GeneralName<'_>| match name {
        GeneralName::DNSName(name) => Some(name.to_ascii_lowercase()),
        GeneralName::IPAddress(octets) => address(octets),
        _ => None,
    };
    names.value.general_names.iter().filter_map(name).collect()
}

/// What an authority is limited to that shall sign for these names only, and for what is below them.
pub(crate) fn limits(names: &[String]) -> NameConstraints {
    let (mut permitted, mut excluded) = (Vec::new(), Vec::new());
    let (mut has_dns, mut has_v4, mut has_v6) = (false, false, false);
    for name in limit_names(names) {
        permitted.push(match name.parse::<IpAddr>() {
            Ok(address) => {
                has_v4 |= address.is_ipv4();
                has_v6 |= address.is_ipv6();
                let bits = if address.is_ipv4() { 32 } else { 128 };
                GeneralSubtree::IpAddress(CidrSubnet::from_addr_prefix(address, bits))
            }
            Err(_) => {
                has_dns = true;
                GeneralSubtree::DnsName(name)
            }
        });
    }
    // A kind of name of which none is permitted would have no limit at all.
    if !has_dns {
        excluded.push(GeneralSubtree::DnsName(String::new()));
    }
    if !has_v4 {
        excluded.push(GeneralSubtree::IpAddress(CidrSubnet::from_v4_prefix([0; 4], 0)));
    }
    if !has_v6 {
        excluded.push(GeneralSubtree::IpAddress(CidrSubnet::from_v6_prefix([0; 16], 0)));
    }
    NameConstraints { permitted_subtrees: permitted, excluded_subtrees: excluded }
}

/// Whether an authority may sign for all of these names.
pub(crate) fn is_limited_to(authority: &X509Certificate<'_>, names: &[String]) -> bool {
    limit_names(names).is_subset(&limited_to(authority))
}

/// The names that an authority may sign for; none if it has no limits.
pub(crate) fn limited_to(authority: &X509Certificate<'_>) -> BTreeSet<String> {
    let Ok(Some(limits)) = authority.name_constraints() else { return BTreeSet::new() };
    let permitted = limits.value.permitted_subtrees.iter().flatten();
    permitted
        .filter_map(|subtree| match &subtree.base {
            GeneralName::DNSName(name) => Some((*name).to_owned()),
            // The second half is the mask.
            GeneralName::IPAddress(octets) => address(&octets[..octets.len() / 2]),
            _ => None,
        })
        .collect()
}

/// Limits have no wildcards: each covers what is below it.
fn limit_names(names: &[String]) -> BTreeSet<String> {
    let name = |name: String| name.strip_prefix("*.").map(str::to_owned).unwrap_or(name);
    canonical(names).into_iter().map(name).collect()
}

fn address(octets: &[u8]) -> Option<String> {
    let v4 = <[u8; 4]>::try_from(octets).ok().map(IpAddr::from);
    let v6 = || <[u8; 16]>::try_from(octets).ok().map(IpAddr::from);
    v4.or_else(v6).map(|address| address.to_string())
}

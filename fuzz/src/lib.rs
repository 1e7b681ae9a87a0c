//! Every decoder of bytes that come from outside, under attack.
//!
//! A [`Decoder`] is fed anything at all. It must never panic, and what it takes
//! must keep its promises: written again it reads the same, applied it answers.
//! Each says whether it took the input, so that a corpus that went stale shows.
//!
//! `corpus/<decoder>/` is replayed and mutated by this crate's test, by its
//! binary for as long as wished, and by `libfuzzer/` with coverage.

mod agent;
mod authority;
mod contract;
pub mod corpus;
mod device;
mod doors;
mod download;
mod flash;
mod fleet;
mod headers;
pub mod mutate;
mod oidc;
mod patch;
mod provisioning;
mod release;
mod sealed;
pub mod seeds;
mod shadow;
mod sigv4;

/// A decoder of outside bytes.
#[derive(Clone, Copy, Debug)]
pub struct Decoder {
    /// Its name, and that of its corpus folder.
    pub name: &'static str,
    /// Feeds it one input; answers whether it took it.
    pub decode: fn(&[u8]) -> bool,
}

impl Decoder {
    /// The decoder with this name.
    pub fn named(name: &str) -> Option<&'static Decoder> {
        DECODERS.iter().find(|decoder| decoder.name == name)
    }
}

macro_rules! decoders {
    ($($module:ident::$name:ident,)+) => {
        /// Every decoder.
        pub const DECODERS: &[Decoder] =
            &[$(Decoder { name: stringify!($name), decode: $module::$name },)+];
    };
}

decoders! {
    agent::content_range,
    agent::journal,
    agent::shadow_messages,
    agent::stored_settings,
    agent::stored_target,
    agent::stored_trust,
    authority::certificate_request,
    contract::audit_chain,
    contract::device_config,
    contract::firmware_members,
    contract::listen_updates,
    contract::log_records,
    contract::names,
    contract::presence,
    contract::progress,
    contract::topic_filters,
    contract::topics,
    device::otadata,
    device::partition_table,
    device::records,
    device::slot_image,
    doors::authority_certificate,
    doors::certificate_chain,
    doors::peer_certificate,
    download::patch_answers,
    fleet::product_settings,
    headers::cookies,
    headers::range,
    headers::upload_metadata,
    oidc::issuer_metadata,
    oidc::key_set,
    oidc::logout_claims,
    oidc::token,
    oidc::token_claims,
    patch::patch,
    patch::patch_records,
    provisioning::thing_name_pattern,
    release::image,
    release::key_file,
    release::manifest_envelope,
    release::manifest_payload,
    release::order_envelope,
    release::order_payload,
    release::root_document,
    release::root_payload,
    release::timestamp_envelope,
    release::timestamp_payload,
    shadow::shadow_request,
    shadow::shadow_stored,
    shadow::shadow_token,
    sigv4::signed_request,
}

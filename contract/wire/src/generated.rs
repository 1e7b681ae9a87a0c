//! The messages of `proto/otaru/v1`.
#![expect(unreachable_pub, reason = "config.rs and notifications.rs name what is public")]

include!(concat!(env!("OUT_DIR"), "/otaru.v1.rs"));

//! What the device remembers of signatures, as far as it is judged: read from its bytes alone.

use std::collections::BTreeMap;

use super::journal::Input;

/// What that memory says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TrustSeen {
    /// The least that each signer's manifests may say, by the signer's key: sequence and security
    /// counter.
    pub floors: BTreeMap<u64, (u64, u32)>,
}

impl TrustSeen {
    /// Reads such a memory; `None` where it is none.
    pub fn read(bytes: &[u8]) -> Option<TrustSeen> {
        let mut input = Input(bytes);
        if input.byte()? != 1 {
            return None;
        }
        let count = input.byte()?;
        let floor = |input: &mut Input<'_>| {
            let key = input.number(8)?;
            Some((key, (input.number(8)?, input.number(4)? as u32)))
        };
        let floors: Option<BTreeMap<u64, (u64, u32)>> =
            (0..count).map(|_| floor(&mut input)).collect();
        Some(TrustSeen { floors: floors? })
    }
}

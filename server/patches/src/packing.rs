//! Packs the records of a segment.

use std::io::{self, Write};

use lzma_rust2::{EncodeMode, LzmaOptions, LzmaWriter, MfType};
use otaru_release::patch::Codec;

/// Matches looked at per byte: 64 are 1.6 % larger on program code, more than 256 no smaller.
const DEPTH: i32 = 256;

/// How hard the encoder tries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Effort {
    /// To tell which of several streams packs best: a fifth of the time.
    Compare,
    Best,
}

/// The records of one segment as raw LZMA1 without header or end marker.
pub fn pack_records(records: &[u8], codec: Codec) -> io::Result<Vec<u8>> {
    pack(records, codec, Effort::Best)
}

pub(crate) fn pack(records: &[u8], codec: Codec, effort: Effort) -> io::Result<Vec<u8>> {
    let (mode, mf, nice_len, depth_limit) = match effort {
        Effort::Compare => (EncodeMode::Fast, MfType::Hc4, 64, 8),
        Effort::Best => (EncodeMode::Normal, MfType::Bt4, LzmaOptions::NICE_LEN_MAX, DEPTH),
    };
    let options = LzmaOptions {
        dict_size: codec.dictionary_bytes() as u32,
        lc: 0,
        lp: 0,
        pb: 0,
        mode,
        nice_len,
        mf,
        depth_limit,
        preset_dict: None,
    };
    let mut writer = LzmaWriter::new_no_header(Vec::new(), &options, false)?;
    writer.write_all(records)?;
    writer.finish()
}

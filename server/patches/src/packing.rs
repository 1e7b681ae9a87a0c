//! Packs the records of a segment.

use std::io::{self, Write};

use lzma_rust2::{EncodeMode, LzmaOptions, LzmaWriter, MfType};
use otaru_release::patch::Codec;

/// Matches the encoder looks at per byte: as many as a small dictionary can hold that help.
const DEPTH: i32 = 256;

/// The records of one segment as raw LZMA1 without header or end marker.
pub fn pack_records(records: &[u8], codec: Codec) -> io::Result<Vec<u8>> {
    let options = LzmaOptions {
        dict_size: codec.dictionary_bytes() as u32,
        lc: 0,
        lp: 0,
        pb: 0,
        mode: EncodeMode::Normal,
        nice_len: LzmaOptions::NICE_LEN_MAX,
        mf: MfType::Bt4,
        depth_limit: DEPTH,
        preset_dict: None,
    };
    let mut writer = LzmaWriter::new_no_header(Vec::new(), &options, false)?;
    writer.write_all(records)?;
    writer.finish()
}

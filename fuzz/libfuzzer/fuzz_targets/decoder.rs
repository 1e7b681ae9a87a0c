//! One target for all decoders: `OTARU_DECODER` names the one under attack.

#![no_main]

use std::sync::OnceLock;

use libfuzzer_sys::fuzz_target;
use otaru_fuzz::Decoder;

fn decoder() -> &'static Decoder {
    static DECODER: OnceLock<&Decoder> = OnceLock::new();
    DECODER.get_or_init(|| {
        let name = std::env::var("OTARU_DECODER").expect("OTARU_DECODER names a decoder");
        Decoder::named(&name).expect("OTARU_DECODER names a decoder of otaru-fuzz")
    })
}

fuzz_target!(|bytes: &[u8]| {
    (decoder().decode)(bytes);
});

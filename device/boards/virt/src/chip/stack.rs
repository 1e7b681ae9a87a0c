//! How much of the stack was ever in use: what lies below it is painted at the start.

unsafe extern "C" {
    /// The lowest address that the linker gives to the stack.
    #[link_name = "__estack"]
    static LOWEST: u32;
    /// Where it begins, downwards.
    #[link_name = "__sstack"]
    static HIGHEST: u32;
}

const PAINT: u32 = 0x5AC3_5AC3;
/// What is in use below the caller while it paints, and more.
const OURS_BYTES: usize = 1024;

/// Paints what nobody uses yet.
pub fn paint() {
    let here = 0_u32;
    let end = (&raw const here).addr() - OURS_BYTES;
    for at in (lowest()..end).step_by(4) {
        super::poke(at, PAINT);
    }
}

/// The most bytes that were in use at once, since it was painted.
pub fn peak_bytes() -> usize {
    let highest = (&raw const HIGHEST).addr();
    let painted = (lowest()..highest).step_by(4).take_while(|&at| super::peek::<u32>(at) == PAINT);
    highest - lowest() - 4 * painted.count()
}

fn lowest() -> usize {
    (&raw const LOWEST).addr().next_multiple_of(4)
}

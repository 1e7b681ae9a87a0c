//! A claim code as a QR code: for a terminal, or to be printed and put into the box.

use std::path::Path;

use anyhow::{Context, Result};
use qrcode::QrCode;
use qrcode::render::{svg, unicode};

/// Side of a printed code in pixels, its quiet zone included.
const SIDE: u32 = 240;

/// The code in block characters, two rows of it in one of text.
pub(super) fn text(url: &str) -> Result<String> {
    Ok(code(url)?.render::<unicode::Dense1x2>().build())
}

/// Writes the code as SVG.
pub(super) fn write_svg(url: &str, path: &Path) -> Result<()> {
    let drawn = code(url)?.render::<svg::Color<'_>>().min_dimensions(SIDE, SIDE).build();
    std::fs::write(path, drawn).with_context(|| format!("could not write {}", path.display()))
}

fn code(url: &str) -> Result<QrCode> {
    QrCode::new(url).context("the link does not fit into a QR code")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_is_drawn_for_the_terminal_and_for_paper() {
        let url = "https://ota.example/claim#ABCD-EFGH-JKLM";
        // 29 modules and a quiet zone of four on each side, two rows in a line.
        assert_eq!(text(url).unwrap().lines().count(), 19);
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("code.svg");
        write_svg(url, &file).unwrap();
        assert!(std::fs::read_to_string(&file).unwrap().contains("<svg"));
        assert!(write_svg(url, &folder.path().join("none/code.svg")).is_err());
        assert!(text(&"x".repeat(3_000)).is_err());
    }
}

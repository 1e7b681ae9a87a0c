//! The test vector printed in `docs/formats.md`, read from that file.

use otaru_release::{Chip, ImageBuilder, Manifest, RootDocument, SecretKey};
use otaru_wire::{Digest, ProductName, ReleaseVersion};

const FORMATS: &str = include_str!("../../../../docs/formats.md");

/// The bytes of the fenced block that follows a line `vector: name`.
fn vector(name: &str) -> Vec<u8> {
    let heading = format!("```text vector-{name}\n");
    let start = FORMATS.find(&heading).expect("docs/formats.md has the vector") + heading.len();
    let block = &FORMATS[start..start + FORMATS[start..].find("```").unwrap()];
    let digits: Vec<u8> = block
        .chars()
        .filter(|character| !character.is_whitespace())
        .map(|digit| digit.to_digit(16).expect("a hex digit") as u8)
        .collect();
    digits.chunks(2).map(|pair| pair[0] << 4 | pair[1]).collect()
}

fn hex_lines(bytes: &[u8]) -> String {
    let line = |bytes: &[u8]| bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
    bytes.chunks(40).map(line).collect::<Vec<_>>().join("\n")
}

#[test]
fn documents_are_the_published_bytes() {
    let root_key = SecretKey::from_seed(&[1; 32]);
    let release_key = SecretKey::from_seed(&[2; 32]);
    let image = ImageBuilder::new(Chip::Esp32C3).size_bytes(4096).version("1.0.5").build();

    let root = RootDocument::first(root_key.public_key(), release_key.public_key());
    let manifest = Manifest::for_image(
        &image,
        ProductName::new("clock").unwrap(),
        ReleaseVersion::new("1.0.5").unwrap(),
        1,
    )
    .unwrap();

    assert!(FORMATS.contains(&root_key.public_key().to_string()), "{}", root_key.public_key());
    assert!(FORMATS.contains(&Digest::of(&image).to_string()), "{}", Digest::of(&image));
    let (signed_root, signed_manifest) = (root.sign(&root_key), manifest.sign(&release_key));
    assert_eq!(hex_lines(&vector("root")), hex_lines(&signed_root));
    assert_eq!(hex_lines(&vector("manifest")), hex_lines(&signed_manifest));

    let read = RootDocument::verify(&vector("root"), &[root_key.public_key()]).unwrap();
    assert_eq!(Manifest::verify(&vector("manifest"), &read, None), Ok(manifest));
}

//! For this machine: checks the same documents as often as it is told, to be counted from outside.
//! `host COUNT ROOT_KEY_HEX NONCE_HEX ROOT MANIFEST ORDER`.

fn main() {
    use otaru_verifier::{Documents, installs};

    let arguments: Vec<String> = std::env::args().collect();
    let unhex = |text: &str| -> Vec<u8> {
        let digit = |at: usize| u8::from_str_radix(&text[at..at + 2], 16).expect("hex digits");
        (0..text.len()).step_by(2).map(digit).collect()
    };
    let read = |at: usize| std::fs::read(&arguments[at]).expect("a file");
    let count: u32 = arguments[1].parse().expect("a count");
    let (key, nonce) = (unhex(&arguments[2]), unhex(&arguments[3]));
    let nonce: [u8; 16] = nonce.try_into().expect("16 bytes");
    let (root, manifest, order) = (read(4), read(5), read(6));
    for _ in 0..count {
        let documents = Documents { root: &root, manifest: &manifest, order: Some(&order) };
        assert!(std::hint::black_box(installs(&key, &documents, &nonce)), "it installs");
    }
}

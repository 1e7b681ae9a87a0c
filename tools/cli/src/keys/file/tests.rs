use std::convert::Infallible;

use expect_test::expect;

use otaru_release::Algorithm;

use super::*;

fn sevens() -> KeySecret {
    KeySecret::new(Algorithm::Ed25519, &[7; 32]).unwrap()
}

fn read(text: &str, passphrase: Option<&str>) -> Result<(KeyRole, SecretKey), KeyFileError> {
    let passphrase = passphrase.map(Passphrase::new);
    let Ok(read) = read_secret_key(text, || Ok::<_, Infallible>(passphrase));
    read
}

fn told(text: &str, passphrase: Option<&str>) -> String {
    match read(text, passphrase) {
        Ok((role, key)) => format!("{} {}", role.as_str(), key.public_key().id()),
        Err(error) => error.to_string(),
    }
}

#[test]
fn open_key_file_is_plain_to_see() {
    let text = secret_key_to_text(KeyRole::Root, &sevens(), None, |_| unreachable!());
    expect![[r##"
        # Otaru root key, key id fe812c12f3ab4ce6. Keep it secret.
        # Not sealed: whoever reads this file has the key.
        format = 1
        role = "root"
        public_key = "ed25519:ea4a6c63e29c520abef5507b132ec5f9954776aebebe7b92421eea691446d22c"
        secret = "0707070707070707070707070707070707070707070707070707070707070707"
    "##]]
    .assert_eq(&text);
    expect!["root fe812c12f3ab4ce6"].assert_eq(&told(&text, None));
}

#[test]
fn sealed_key_opens_with_its_passphrase_only() {
    let passphrase = Passphrase::new("correct horse");
    let text =
        secret_key_to_text(KeyRole::Release, &sevens(), Some(&passphrase), |fresh| fresh.fill(9));
    expect![[r##"
        # Otaru release key, key id fe812c12f3ab4ce6. Keep it secret.
        format = 1
        role = "release"
        public_key = "ed25519:ea4a6c63e29c520abef5507b132ec5f9954776aebebe7b92421eea691446d22c"
        secret = "4829d27d72df06edb1b4113adb9deffb03510253fee2474c69bb59d11bde308fcede7e40692ca4c884cafbcf50cb4b19"

        [sealed]
        kdf = "argon2id"
        memory_kib = 65536
        passes = 3
        lanes = 4
        salt = "09090909090909090909090909090909"
        cipher = "xchacha20poly1305"
        nonce = "090909090909090909090909090909090909090909090909"
    "##]].assert_eq(&text);
    expect!["release fe812c12f3ab4ce6"].assert_eq(&told(&text, Some("correct horse")));
    expect!["the passphrase is wrong, or the key file is damaged"]
        .assert_eq(&told(&text, Some("wrong horse")));
    expect!["the key is sealed by a passphrase and none was given"].assert_eq(&told(&text, None));
    // Neither the role nor the public key can be exchanged under the seal.
    expect!["the passphrase is wrong, or the key file is damaged"]
        .assert_eq(&told(&text.replace("\"release\"", "\"root\""), Some("correct horse")));
}

#[test]
fn damaged_key_files_are_named() {
    let text = secret_key_to_text(KeyRole::Root, &sevens(), None, |_| unreachable!());
    let damaged = |from: &str, to: &str| told(&text.replacen(from, to, 1), None);
    expect!["not an Otaru key file: missing field `format`"].assert_eq(&told("", None));
    expect!["not an Otaru key file: key with no value, expected `=`"]
        .assert_eq(&told("-----BEGIN PRIVATE KEY-----", None));
    expect!["key file format 2, expected 1"].assert_eq(&damaged("format = 1", "format = 2"));
    expect!["`secret` in the key file is not hex digits"]
        .assert_eq(&damaged("secret = \"07", "secret = \"zz"));
    expect!["`secret` in the key file is not 32 bytes"]
        .assert_eq(&damaged("secret = \"07", "secret = \""));
    expect!["`public_key` in the key file is not the public half of the key"]
        .assert_eq(&damaged("secret = \"07", "secret = \"08"));
}

#[test]
fn key_file_cannot_ask_for_endless_work() {
    let passphrase = Passphrase::new("correct horse");
    let text =
        secret_key_to_text(KeyRole::Release, &sevens(), Some(&passphrase), |fresh| fresh.fill(9));
    let greedy = text.replace("65536", "4294967295");
    expect!["`memory_kib` in the key file is not at most 1 GiB, with at most 16 passes"]
        .assert_eq(&told(&greedy, Some("correct horse")));
}

#[test]
fn a_p256_key_is_sealed_and_opened_like_any_other() {
    let secret = KeySecret::new(Algorithm::P256, &[7; 32]).unwrap();
    let passphrase = Passphrase::new("correct horse");
    for passphrase in [None, Some(&passphrase)] {
        let text = secret_key_to_text(KeyRole::Release, &secret, passphrase, |fresh| fresh.fill(9));
        assert!(text.contains("public_key = \"p256:04"), "{}", *text);
        let (_, key) = read(&text, Some("correct horse")).unwrap();
        assert_eq!(key.public_key(), secret.key().public_key());
    }
    assert!(KeySecret::new(Algorithm::P256, &[0xFF; 32]).is_err());
}

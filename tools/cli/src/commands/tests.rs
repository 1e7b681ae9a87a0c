use clap::{CommandFactory, Parser};
use expect_test::expect;

use super::*;

#[derive(Parser, Debug)]
#[command(name = "otaru", version, propagate_version = true)]
struct Program {
    #[command(flatten)]
    options: Options,
    #[command(subcommand)]
    command: ClientCommand,
}

fn parse(line: &str) -> Result<Program, clap::Error> {
    Program::try_parse_from(std::iter::once("otaru").chain(line.split_whitespace()))
}

#[test]
fn command_line_is_well_formed() {
    Program::command().debug_assert();
}

/// The lines of scripts: they may gain options, and none of these may ever stop working.
#[test]
fn documented_command_lines_are_understood() {
    let lines = [
        "login --server https://ota.example",
        "whoami -o json",
        "-o json --no-input key new --out keys --no-passphrase",
        "key show keys/root.pub",
        "key show --server-key",
        "key new --out keys --algorithm p256",
        "key new --out keys --signer hsm --signer-key root.pem --release-key release.pem",
        "key rotate --root r.cbor --key root.key --out keys --release --keep-release --expires 365d",
        "key rotate --root r.cbor --key root.key --out keys --server-key --product clock --product lamp",
        "key rotate --root r.cbor --signer hsm --signer-key root.pub --out keys --server-key=s.pub",
        "key rotate --root r.cbor --key root.key --out keys --new-root --no-server-key --never-expires",
        "key revoke 0123456789abcdef --root r.cbor --key root.key --out keys --release-key k.pub",
        "release publish f.bin --product clock --version 1 --signer hsm --signer-key release.pub",
        "release publish --waiting --product clock --version 1 --key release.key --draft",
        "release waiting --look -o json",
        "product create clock --chip esp32c3 --flash 4M --root root.cbor",
        "product create clock --chip esp32 --flash 4M --slot-size 0x1F0000 --root r --download public",
        "product list --all",
        "product show clock",
        "product consent clock",
        "product consent clock --mode deadline --deadline-days 14",
        "product consent clock --mode forced",
        "product settings clock -o json",
        "product settings clock --schema settings.json",
        "product settings clock --no-schema",
        "release publish f.bin --product clock --version 1.0.5 --key release.key",
        "release publish f.bin --product clock --version 1.0.5 --key k --channel stable --notes x --sequence 7",
        "release publish f.bin --product clock --manifest f.manifest --channel beta",
        "release publish f.bin --product clock --version 1 --key k --notes-file n --notes-in ja=静か",
        "release publish f.bin --product clock --manifest m --notes-file-in ja=n.ja --notes-in de=Leiser",
        "release publish f.bin --product clock --manifest m --safety Hot --safety-in ja=x --deadline-hours 48",
        "release sign f.bin --product clock --version 1.0.5 --key k --sequence 7 --out f.manifest",
        "release sign f.bin --product clock --version 1 --key k --sequence 7 --root r --downgrade --out m",
        "release list --product clock --limit 10",
        "release show 1.0.5 --product clock",
        "release yank 1.0.5 --product clock --yes",
        "release verify f.bin --manifest m --root root.cbor --root-key root.pub",
        "release verify f.bin --manifest m --root 1.cbor --root 2.cbor --root-key root.pub",
        "release verify --product clock --version 1.0.5 --root-key root.pub",
        "release publish f.bin --product clock --version 1 --key k --draft --sbom b --source https://e.org/c@0123456",
        "release publish f.bin --product clock --version 1 --key k --raw nrf52840 --security-counter 3",
        "release publish f.bin --product clock --manifest m --accept flash_mode_differs --project clock",
        "release publish-draft 1.0.5 --product clock",
        "release yank 1.0.5 --product clock --reason Hot --yes",
        "release delete 1.0.5 --product clock --yes",
        "release running --product clock",
        "release running 1.0.5 --product clock --all",
        "release sbom 1.0.5 --product clock",
        "release patch list 1.0.5 --product clock",
        "release patch export --esp-delta-ota --from 1.0.4 --to 1.0.5 --product clock",
        "release patch export --esp-delta-ota --from old.bin --to new.bin --out delta.bin",
        "device channel clock-01 beta",
        "product create lamp --chip nrf52840 --images raw --flash 1M --root r",
        "product create clock --chip esp32c3 --flash 4M --root r --chip-revisions 0.3-1.1",
        "product chip-revisions clock 0.3-1.1",
        "product chip-revisions clock --unknown",
        "device add clock-01 --product clock --out clock-01",
        "product approval clock on",
        "release approve 1.0.5 --product clock --comment tested",
        "release reject 1.0.5 --product clock --comment hot --yes",
        "device renew clock-01 --out clock-01 --yes",
        "device list -o ndjson",
        "device list --certificate-ends-within-days 30 --all",
        "device show clock-01",
        "device settings clock-01",
        "device settings clock-01 phrase_type=poetic dim=3 --unset heat",
        "device logs clock-01 -f --tail 10",
        "device claim-code clock-01",
        "shadow get clock-01 --name cfg",
        r#"shadow set clock-01 {"state":{}} --name cfg"#,
        "shadow delete clock-01",
        "shadow list clock-01 --all",
        "shadow history clock-01 --name cfg --limit 5",
        "shadow watch clock-01 --name cfg -o ndjson --timeout 5m",
        "update start clock-01 1.0.5 --watch --timeout 5m",
        "update show clock-01 --watch",
        "update cancel clock-01",
        "login --email ada@example.com --password-file pass --profile work",
        "login --email ada@example.com --password-file pass --code 287082",
        "logout",
        "user add ada@example.com --role owner",
        "user invite ada@example.com --role publisher",
        "user list --all",
        "user role ada@example.com admin",
        "user remove ada@example.com --yes",
        "user reset-link ada@example.com",
        "user sessions ada@example.com",
        "user sign-out ada@example.com --yes",
        "user sign-out ada@example.com --session 0123456789abcdef",
        "user reset-second-factor ada@example.com --yes",
        "invitation list",
        "invitation revoke abc",
        "organisation add clockworks --admin ada@example.com",
        "organisation list -o json",
        "token create --user ada@example.com",
        "token create --role publisher --expires 90d --label ci",
        "token create --aws",
        "token create --aws --thing clock-01 --thing clock:02 --role operator --expires 90d --label app",
        "token create --expires-at 2027-01-31T00:00:00Z",
        "token list",
        "token revoke abc",
        "audit list --actor ada@example.com --action release --object clock/1.0.5 --all",
        "audit list --since 2027-01-31T00:00:00Z --until 2027-02-01T00:00:00Z --log server -o json",
        "audit export --after 100",
        "audit verify",
        "audit verify a.ndjson b.ndjson --head 0000000000000000000000000000000000000000000000000000000000000000",
        "completion bash",
    ];
    for line in lines {
        if let Err(error) = parse(line) {
            panic!("{line}\n{error}");
        }
    }
}

#[test]
fn wrong_command_lines_are_named() {
    let first_line = |line: &str| {
        let error = parse(line).expect_err(line);
        assert_eq!(error.exit_code(), 2, "{line}");
        error.to_string().lines().next().unwrap_or_default().to_owned() + "\n"
    };
    let lines = [
        "product create Clock --chip esp32c3 --flash 4M --root r",
        "product create clock --chip esp8266 --flash 4M --root r",
        "product create clock --chip esp32c3 --flash 4G --root r",
        "release publish f.bin --product clock --version /etc --key k",
        "release publish f.bin --product clock --version 1",
        "release publish f.bin --product clock --manifest m --key k",
        "release publish f.bin --product clock --manifest m --notes-in ja-JP=x",
        "release publish f.bin --product clock --manifest m --notes-in x",
        "release publish f.bin --product clock --manifest m --notes a --notes-file b",
        "release publish f.bin --product clock --manifest m --safety Hot",
        "release publish f.bin --product clock --manifest m --deadline-hours 3",
        "release sign f.bin --product clock --version 1 --key k --out m",
        "release patch export --from 1.0.4 --to 1.0.5 --product clock",
        "product consent clock --mode sometimes",
        "product consent clock --mode deadline",
        "product consent clock --deadline-days 14",
        "product settings clock --schema f --no-schema",
        "device settings clock-01 dim",
        "user add ada@example.com --role king",
        "device list --limit 0",
        "update start clock-01",
        "whoami --timeout soon",
        "token create --expires soon",
        "token create --thing clock-01",
        "login --password secret",
        "frobnicate",
    ];
    expect![[r#"
        error: invalid value 'Clock' for '<NAME>': product name must be 1 to 32 of [a-z0-9-], found "Clock"
        error: invalid value 'esp8266' for '--chip <CHIP>': not a chip name; known are esp32 esp32s2 esp32c3 esp32s3 esp32c2 esp32c6 esp32h2 esp32p4 esp32c61 esp32c5 esp32h21 esp32h4 esp32s31
        error: invalid value '4G' for '--flash <SIZE>': "4G" is not a size such as 4M, 1536K, 0x1F0000 or 2031616
        error: invalid value '/etc' for '--version <VERSION>': release version must be a letter or digit, then up to 63 of [A-Za-z0-9._+-], found "/etc"
        error: the following required arguments were not provided:
        error: the argument '--manifest <FILE>' cannot be used with '--key <FILE>'
        error: invalid value 'ja-JP=x' for '--notes-in <LANGUAGE=TEXT>': "ja-JP" is no language code such as en, ja or de
        error: invalid value 'x' for '--notes-in <LANGUAGE=TEXT>': "x" does not begin with a language, as in ja=x
        error: the argument '--notes <TEXT>' cannot be used with '--notes-file <FILE>'
        error: the following required arguments were not provided:
        error: the following required arguments were not provided:
        error: the following required arguments were not provided:
        error: the following required arguments were not provided:
        error: invalid value 'sometimes' for '--mode <MODE>'
        error: the following required arguments were not provided:
        error: the following required arguments were not provided:
        error: the argument '--schema <FILE>' cannot be used with '--no-schema'
        error: invalid value 'dim' for '[NAME=VALUE]...': "dim" is not NAME=VALUE
        error: invalid value 'king' for '--role <ROLE>'
        error: invalid value '0' for '--limit <N>': 0 is not in 1..=200
        error: the following required arguments were not provided:
        error: invalid value 'soon' for '--timeout <TIME>': "soon" is not a time such as 30s, 5m or 2h
        error: invalid value 'soon' for '--expires <TIME>': "soon" is not a time such as 90d, 12h or 30m
        error: the following required arguments were not provided:
        error: unexpected argument '--password' found
        error: unrecognized subcommand 'frobnicate'
    "#]].assert_eq(&lines.map(first_line).concat());
}

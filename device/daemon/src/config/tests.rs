use expect_test::{Expect, expect};

use super::*;

const LEAST: &str = r#"
    provisioning = "/etc/otaru-device"
    state = "/var/lib/otaru-device"
    [product]
    run = ["/var/lib/otaru-device/current"]
"#;

#[test]
fn the_least_there_is_has_defaults() {
    let config = Config::parse(LEAST).unwrap();
    assert_eq!((config.slots.max_mib, config.product.self_test_limit_s), (64, 60));
    assert!(config.options().patches);
    let without = Config::parse(&format!("{LEAST}[download]\npatches = false")).unwrap();
    assert!(!without.options().patches);
}

#[test]
fn certificates_are_renewed_unless_somebody_says_otherwise() {
    let renewal = |text: &str| {
        let config = Config::parse(&format!("{LEAST}{text}")).unwrap();
        config.options().renewal.map(|renewal| renewal.before)
    };
    assert_eq!(renewal(""), Some(None));
    assert_eq!(renewal("[certificate]\nrenew = false"), None);
    let week = Duration::from_secs(7 * 24 * 3_600);
    assert_eq!(renewal("[certificate]\nrenew_before_days = 7"), Some(Some(week)));
    for days in [0, 9_126] {
        let text = format!("{LEAST}[certificate]\nrenew_before_days = {days}");
        let error = Config::parse(&text).unwrap_err().to_string();
        assert!(error.starts_with(&format!("certificate.renew_before_days: found {days}, ")));
    }
}

/// What the page for integrators shows is what this program takes.
#[test]
fn examples_of_the_documentation_are_read() {
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/device-linux.md");
    let page = std::fs::read_to_string(page).unwrap();
    let blocks = page.split("```toml\n").skip(1).map(|rest| rest.split("```").next().unwrap());
    let blocks: Vec<&str> = blocks.collect();
    assert!(blocks.len() >= 2, "found {} examples", blocks.len());
    for block in blocks {
        Config::parse(block).unwrap_or_else(|error| panic!("{error:#}\n{block}"));
    }
}

fn refused(change: impl FnOnce(String) -> String, expected: Expect) {
    let error = Config::parse(&change(LEAST.to_owned())).unwrap_err();
    expected.assert_eq(&format!("{error:#}"));
}

#[test]
fn errors_name_key_found_expected_and_what_to_do() {
    refused(
        |text| text.replace("/var/lib/otaru-device\"\n    [", "state\"\n    ["),
        expect![[
            r#"state: found "state", expected an absolute path: a service has no folder of its own to start from"#
        ]],
    );
    refused(
        |text| text.replace("run = ", "self_test = "),
        expect![[
            r#"product.run: found nothing, expected a command such as ["/var/lib/otaru-device/current"]: or name a command in product.restart that starts the product again"#
        ]],
    );
    refused(
        |text| text + "restart = [\"systemctl\", \"restart\", \"clock\"]",
        expect![
            "product.run and product.restart: found both, expected one: keep `run` where this service starts the product, `restart` where something else does"
        ],
    );
    refused(
        |text| text.replace("run = ", "restart = "),
        expect![
            "product.self_test: found nothing, expected a command: with `restart` nobody else can say that new firmware works"
        ],
    );
    refused(
        |text| text + "self_test = []",
        expect![
            "product.self_test: found no program, expected a path and its arguments, each a text of its own: leave the key out where there is none"
        ],
    );
    refused(
        |text| text.replace("run = [\"/var/lib/otaru-device/current\"]", "run = [\"current\"]"),
        expect![[
            r#"product.run: found "current", expected the program's absolute path: a service has no folder of its own to start from; `command -v current` says where it is"#
        ]],
    );
    refused(
        |text| text + "[slots]\nfirst_image = \"clock-1.0.4\"",
        expect![[
            r#"slots.first_image: found "clock-1.0.4", expected an absolute path: a service has no folder of its own to start from"#
        ]],
    );
    refused(
        |text| text + "[update]\ndecision_file = \"decision\"",
        expect![[
            r#"update.decision_file: found "decision", expected an absolute path: a service has no folder of its own to start from"#
        ]],
    );
    refused(
        |text| text + "[update]\nrestart_window = \"2 am\"",
        expect![[r#"
        TOML parse error at line 7, column 18
          |
        7 | restart_window = "2 am"
          |                  ^^^^^^
        found "2 am", expected two times of a day, as "02:00-05:00": leave the key out where any time is right
    "#]],
    );
    refused(
        |text| text + "[slots]\nmax_mib = 500",
        expect![
            "slots.max_mib: found 500, expected 1 to 127: take the longest image the product will ever have"
        ],
    );
    refused(
        |text| text + "[update]\nretry_base_s = 60\nretry_cap_s = 30",
        expect![
            "update.retry_cap_s: found 30, expected at least update.retry_base_s (60): raise it"
        ],
    );
}

#[test]
fn unknown_keys_and_wrong_types_are_shown_where_they_are() {
    let refused = |line: &str| Config::parse(&(LEAST.to_owned() + line)).unwrap_err().to_string();
    let unknown = refused("selftest = []");
    assert!(unknown.contains("line 6"), "{unknown}");
    assert!(unknown.contains("unknown field `selftest`, expected one of `run`, `restart`"));
    let wrong = refused("stop_limit_s = \"ten\"");
    assert!(wrong.contains("invalid type: string \"ten\", expected u64"), "{wrong}");
    let missing = Config::parse("state = \"/var/lib\"").unwrap_err().to_string();
    assert!(missing.contains("missing field `provisioning`"), "{missing}");
}

use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use expect_test::expect;

use super::*;

/// Which of `texts` the type takes.
fn taken<T: core::str::FromStr>(texts: &[&str]) -> String {
    let taken: Vec<&str> = texts.iter().copied().filter(|text| text.parse::<T>().is_ok()).collect();
    taken.join(" ")
}

#[test]
fn each_name_has_its_own_alphabet() {
    let texts = [
        "clock-01",
        "Clock_01",
        "a:b",
        "$next",
        "1.0.5+esp.2",
        "-x",
        ".5",
        "",
        "ä",
        "a b",
        "a/b",
        "+",
        "#",
    ];
    let table = format!(
        "thing        {}\nshadow       {}\nproduct      {}\nversion      {}\nnamespace    {}\nupdate       {}\norganisation {}\n",
        taken::<ThingName>(&texts),
        taken::<ShadowName>(&texts),
        taken::<ProductName>(&texts),
        taken::<ReleaseVersion>(&texts),
        taken::<Namespace>(&texts),
        taken::<UpdateId>(&texts),
        taken::<OrganisationId>(&texts),
    );
    expect![[r#"
        thing        clock-01 Clock_01 a:b -x
        shadow       clock-01 Clock_01 a:b $next -x
        product      clock-01 -x
        version      clock-01 Clock_01 1.0.5+esp.2
        namespace    clock-01 Clock_01 -x
        update       clock-01 -x
        organisation clock-01 -x
    "#]]
    .assert_eq(&table);
}

#[test]
fn names_end_at_their_longest() {
    let of = |length: usize| "a".repeat(length);
    assert!(ThingName::new(&of(128)).is_ok() && ThingName::new(&of(129)).is_err());
    assert!(ShadowName::new(&of(64)).is_ok() && ShadowName::new(&of(65)).is_err());
    assert!(ProductName::new(&of(32)).is_ok() && ProductName::new(&of(33)).is_err());
    assert!(ReleaseVersion::new(&of(64)).is_ok() && ReleaseVersion::new(&of(65)).is_err());
    assert!(Namespace::new(&of(32)).is_ok() && Namespace::new(&of(33)).is_err());
    assert!(UpdateId::new(&of(40)).is_ok() && UpdateId::new(&of(41)).is_err());
    assert!(OrganisationId::new(&of(40)).is_ok() && OrganisationId::new(&of(41)).is_err());
}

#[test]
fn thing_of_65_characters_has_shadows_but_no_certificate() {
    assert!(ThingName::new(&"a".repeat(64)).unwrap().is_registrable());
    assert!(!ThingName::new(&"a".repeat(65)).unwrap().is_registrable());
}

#[test]
fn refusal_names_what_was_found_and_expected() {
    let error = ThingName::new("clock/01").unwrap_err();
    expect![[r#"thing name must be 1 to 128 of [a-zA-Z0-9:_-], found "clock/01""#]]
        .assert_eq(&error.to_string());
    assert_eq!(ThingName::new(&"?".repeat(5000)).unwrap_err().found().len(), 80);
}

#[test]
fn names_are_json_strings_checked_on_the_way_in() {
    let name: ThingName = serde_json::from_str(r#""clock-01""#).unwrap();
    assert_eq!(serde_json::to_string(&name).unwrap(), r#""clock-01""#);
    assert!(serde_json::from_str::<ThingName>(r#""clock/01""#).is_err());
    assert_eq!(Namespace::default().as_str(), "mia");
    assert_eq!(OrganisationId::default().as_str(), "default");
}

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use expect_test::expect;
use proptest::prelude::*;

use super::*;
use crate::TemplateName;

fn thing(name: &str) -> ThingName {
    ThingName::new(name).unwrap()
}

fn parse(topic: &str) -> Option<Topic> {
    Topic::parse(&Namespace::default(), topic)
}

#[test]
fn every_topic_of_a_device() {
    let classic = ShadowId::classic(thing("clock-01"));
    let named = ShadowId::named(thing("clock-01"), ShadowName::new("cfg").unwrap());
    let mut topics = Vec::new();
    for shadow in [classic, named] {
        topics
            .extend(ShadowTopic::ALL.map(|topic| Topic::Shadow { shadow: shadow.clone(), topic }));
    }
    topics.push(Topic::Logs { thing: thing("clock-01") });
    topics.push(Topic::Progress { thing: thing("clock-01") });
    for &event in PresenceEvent::ALL {
        topics.push(Topic::Presence { event, client_id: "clock-01".into() });
    }
    for &event in SubscriptionEvent::ALL {
        topics.push(Topic::Subscription { event, client_id: "clock-01".into() });
    }
    let template = TemplateName::new("clocks_2026").unwrap();
    let calls = [
        ProvisioningCall::CreateFromCsr,
        ProvisioningCall::CreateKeys,
        ProvisioningCall::RegisterThing { template },
    ];
    for call in calls {
        use ProvisioningPart::{Accepted, Rejected, Request};
        topics.extend(
            [Request, Accepted, Rejected]
                .map(|part| Topic::Provisioning { call: call.clone(), part }),
        );
    }

    let mut table = String::new();
    for topic in topics {
        let name = topic.format(&Namespace::default());
        assert_eq!(parse(&name).as_ref(), Some(&topic), "{name}");
        table += &format!(
            "{name} {}\n",
            if topic.is_for_clients_to_publish() { "from clients" } else { "from the service" }
        );
    }
    expect![[r#"
        $aws/things/clock-01/shadow/get from clients
        $aws/things/clock-01/shadow/get/accepted from the service
        $aws/things/clock-01/shadow/get/rejected from the service
        $aws/things/clock-01/shadow/update from clients
        $aws/things/clock-01/shadow/update/accepted from the service
        $aws/things/clock-01/shadow/update/rejected from the service
        $aws/things/clock-01/shadow/update/delta from the service
        $aws/things/clock-01/shadow/update/documents from the service
        $aws/things/clock-01/shadow/delete from clients
        $aws/things/clock-01/shadow/delete/accepted from the service
        $aws/things/clock-01/shadow/delete/rejected from the service
        $aws/things/clock-01/shadow/name/cfg/get from clients
        $aws/things/clock-01/shadow/name/cfg/get/accepted from the service
        $aws/things/clock-01/shadow/name/cfg/get/rejected from the service
        $aws/things/clock-01/shadow/name/cfg/update from clients
        $aws/things/clock-01/shadow/name/cfg/update/accepted from the service
        $aws/things/clock-01/shadow/name/cfg/update/rejected from the service
        $aws/things/clock-01/shadow/name/cfg/update/delta from the service
        $aws/things/clock-01/shadow/name/cfg/update/documents from the service
        $aws/things/clock-01/shadow/name/cfg/delete from clients
        $aws/things/clock-01/shadow/name/cfg/delete/accepted from the service
        $aws/things/clock-01/shadow/name/cfg/delete/rejected from the service
        mia/things/clock-01/logs from clients
        mia/things/clock-01/update/progress from clients
        $aws/events/presence/connected/clock-01 from the service
        $aws/events/presence/disconnected/clock-01 from the service
        $aws/events/presence/connect_failed/clock-01 from the service
        $aws/events/subscriptions/subscribed/clock-01 from the service
        $aws/events/subscriptions/unsubscribed/clock-01 from the service
        $aws/certificates/create-from-csr/json from clients
        $aws/certificates/create-from-csr/json/accepted from the service
        $aws/certificates/create-from-csr/json/rejected from the service
        $aws/certificates/create/json from clients
        $aws/certificates/create/json/accepted from the service
        $aws/certificates/create/json/rejected from the service
        $aws/provisioning-templates/clocks_2026/provision/json from clients
        $aws/provisioning-templates/clocks_2026/provision/json/accepted from the service
        $aws/provisioning-templates/clocks_2026/provision/json/rejected from the service
    "#]]
    .assert_eq(&table);
}

#[test]
fn near_misses_are_not_shadow_topics() {
    for topic in [
        "",
        "$aws",
        "$aws/things/clock-01/shadow",
        "$aws/things/clock-01/shadow/",
        "$aws/things/clock-01/shadow/name/cfg",
        "$aws/things/clock-01/shadow/name/cfg/",
        "$aws/things/clock-01/shadow/name//get",
        "$aws/things//shadow/get",
        "$aws/things/clock-01/shadow/Update",
        "$aws/things/clock-01/shadow/update/accepted/more",
        "$aws/things/clock-01/shadow/get/delta",
        "$aws/things/clock-01/shadow/get/",
        "$aws/things/clock-01//shadow/get",
        "$aws/things/+/shadow/get",
        "$aws/things/clock-01/shadow/#",
        "$aws/things/clock-01/shadow/name/+/get",
        "/$aws/things/clock-01/shadow/get",
        "$AWS/things/clock-01/shadow/get",
        "mia/things/clock-01",
        "mia/things/clock-01/Logs",
        "mia/things/clock-01/logs/",
        "mia/things/clock-01/update",
        "mia/things//logs",
        "miax/things/clock-01/logs",
        "other/things/clock-01/logs",
        "$aws/events/presence/connected",
        "$aws/events/presence/connected/",
        "$aws/events/presence/connected/a+b",
        "$aws/events/presence/gone/clock-01",
        "$aws/certificates/create/cbor",
        "$aws/certificates/create/json/",
        "$aws/certificates/+/json/accepted",
        "$aws/certificates/create/json/+",
        "$aws/provisioning-templates/+/provision/json",
        "$aws/provisioning-templates/a/b/provision/json",
        "$aws/provisioning-templates/clocks/provision/json/more",
    ] {
        assert_eq!(parse(topic), None, "{topic}");
    }
}

#[test]
fn shadow_may_be_named_like_a_verb() {
    for name in ["update", "get", "delete", "name", "clock-01", "$x"] {
        let shadow = ShadowId::named(thing("clock-01"), ShadowName::new(name).unwrap());
        let topic = ShadowTopic::Request(ShadowVerb::Get);
        let text = shadow.topic_name(topic);
        assert_eq!(parse(&text), Some(Topic::Shadow { shadow, topic }), "{text}");
    }
}

#[test]
fn display_is_the_id_of_the_404() {
    let classic = ShadowId::classic(thing("clock-01"));
    assert_eq!(classic.to_string(), "clock-01");
    let named = ShadowId { name: Some(ShadowName::new("cfg").unwrap()), ..classic };
    assert_eq!(named.to_string(), "clock-01~cfg");
}

#[test]
fn namespace_may_be_called_like_a_level_of_ours() {
    let namespace = Namespace::new("things").unwrap();
    let topic = Topic::Logs { thing: thing("things") };
    assert_eq!(Topic::parse(&namespace, &topic.format(&namespace)), Some(topic));
}

proptest! {
    #[test]
    fn what_parses_formats_back(text in "(\\$aws/things/|mia/things/|\\$aws/events/presence/)?[a-z$:/+#]{0,30}(shadow/)?(name/x/)?(update|get|logs|delta)?(/accepted|/progress)?") {
        if let Some(topic) = parse(&text) {
            prop_assert_eq!(topic.format(&Namespace::default()), text);
        }
    }
}

#[test]
fn a_shadow_knows_its_own_topics() {
    let classic = ShadowId::classic(thing("clock-01"));
    let named = ShadowId::named(thing("clock-01"), ShadowName::new("cfg").unwrap());
    for topic in ShadowTopic::ALL {
        assert_eq!(classic.topic_of(&classic.topic_name(topic)), Some(topic));
        assert_eq!(named.topic_of(&named.topic_name(topic)), Some(topic));
        assert_eq!(classic.topic_of(&named.topic_name(topic)), None);
        assert_eq!(named.topic_of(&classic.topic_name(topic)), None);
    }
    assert_eq!(classic.topic_of("$aws/things/clock-011/shadow/get"), None);
    assert_eq!(classic.topic_of("$aws/things/clock-01/shadow/get/x"), None);
}

use otaru_wire::{OrganisationId, TemplateName, ThingName};

use super::*;

fn device() -> Principal {
    let organisation = OrganisationId::default();
    Principal::Device { thing: ThingName::new("clock-01").unwrap(), organisation }
}

fn backend() -> Principal {
    Principal::Backend { organisation: OrganisationId::default() }
}

fn claim() -> Principal {
    Principal::Claim {
        organisation: OrganisationId::default(),
        template: TemplateName::new("clocks").unwrap(),
    }
}

fn publishing(principal: &Principal, topic: &str) -> Result<bool, Denied> {
    publish(principal, &Namespace::default(), topic, false).map(|executed| executed.is_some())
}

#[test]
fn device_publishes_only_its_own_requests_logs_and_progress() {
    let executed = [
        "$aws/things/clock-01/shadow/get",
        "$aws/things/clock-01/shadow/update",
        "$aws/things/clock-01/shadow/delete",
        "$aws/things/clock-01/shadow/name/cfg/get",
        "$aws/things/clock-01/shadow/name/$cfg/update",
        "$aws/things/clock-01/shadow/name/update/delete",
        "mia/things/clock-01/logs",
        "mia/things/clock-01/update/progress",
    ];
    for topic in executed {
        assert_eq!(publishing(&device(), topic), Ok(true), "{topic}");
    }
    let refused = [
        ("$aws/things/clock-02/shadow/get", Denied::ForeignThing),
        ("$aws/things/Clock-01/shadow/get", Denied::ForeignThing),
        ("mia/things/clock-02/logs", Denied::ForeignThing),
        ("$aws/things/clock-01/shadow/Update", Denied::UnknownTopic),
        ("$aws/things/clock-01/shadow/update/", Denied::UnknownTopic),
        ("$aws/things/clock-01/shadow/name/cfg", Denied::UnknownTopic),
        ("$aws/things/clock-01/shadow/name//get", Denied::UnknownTopic),
        ("$aws/things/clock-01/jobs/get", Denied::UnknownTopic),
        ("$aws/things/+/shadow/get", Denied::UnknownTopic),
        ("$aws/rules/any", Denied::UnknownTopic),
        ("$SYS/brokers", Denied::UnknownTopic),
        ("zuse/things/clock-01/logs", Denied::UnknownTopic),
        ("mia/things/clock-01/anything", Denied::UnknownTopic),
        ("clock-01", Denied::UnknownTopic),
        ("", Denied::UnknownTopic),
    ];
    for (topic, why) in refused {
        assert_eq!(publishing(&device(), topic), Err(why), "{topic}");
    }
}

#[test]
fn nobody_publishes_what_the_service_says() {
    for topic in [
        "$aws/things/clock-01/shadow/get/accepted",
        "$aws/things/clock-01/shadow/get/rejected",
        "$aws/things/clock-01/shadow/update/accepted",
        "$aws/things/clock-01/shadow/update/delta",
        "$aws/things/clock-01/shadow/update/documents",
        "$aws/things/clock-01/shadow/name/cfg/delete/rejected",
        "$aws/events/presence/connected/clock-01",
        "$aws/events/presence/disconnected/clock-01",
    ] {
        assert_eq!(publishing(&device(), topic), Err(Denied::ServiceOnly), "{topic}");
        assert_eq!(publishing(&backend(), topic), Err(Denied::ServiceOnly), "{topic}");
    }
}

#[test]
fn backend_publishes_requests_of_any_thing_and_free_topics() {
    for (topic, executed) in [
        ("$aws/things/clock-01/shadow/update", true),
        ("$aws/things/clock-02/shadow/name/cfg/get", true),
        ("mia/things/clock-02/logs", true),
        ("home/kitchen", false),
        ("mia/things/clock-02/anything", false),
    ] {
        assert_eq!(publishing(&backend(), topic), Ok(executed), "{topic}");
    }
    for topic in ["$aws/things/clock-01/shadow/Update", "$SYS/x", "$x", "home/+", "home/#", ""] {
        assert_eq!(publishing(&backend(), topic), Err(Denied::UnknownTopic), "{topic}");
    }
}

#[test]
fn nothing_under_aws_is_retained() {
    let namespace = Namespace::default();
    for principal in [device(), backend()] {
        let topic = "$aws/things/clock-01/shadow/update";
        assert_eq!(publish(&principal, &namespace, topic, true), Err(Denied::Retained));
        let topic = "mia/things/clock-01/logs";
        assert!(publish(&principal, &namespace, topic, true).is_ok());
    }
}

#[test]
fn device_subscribes_only_below_its_own_prefixes() {
    let allowed = [
        "$aws/things/clock-01/shadow/#",
        "$aws/things/clock-01/shadow/get/+",
        "$aws/things/clock-01/shadow/update/delta",
        "$aws/things/clock-01/shadow/name/+/update/delta",
        "$aws/things/clock-01/shadow/update",
        "mia/things/clock-01/#",
        "mia/things/clock-01/logs",
    ];
    for filter in allowed {
        assert!(subscribe(&device(), &Namespace::default(), filter), "{filter}");
    }
    let refused = [
        "#",
        "+/things/clock-01/shadow/#",
        "$aws/#",
        "$aws/things/#",
        "$aws/things/+/shadow/#",
        "$aws/things/+/shadow/update/delta",
        "$aws/things/clock-01/#",
        "$aws/things/clock-01/shadow",
        "$aws/things/clock-01/shadow/",
        "$aws/things/clock-01/jobs/notify",
        "$aws/things/clock-02/shadow/#",
        "$aws/things/clock-01x/shadow/#",
        "$aws/things/Clock-01/shadow/#",
        "$aws/events/presence/connected/clock-01",
        "$share/group/$aws/things/clock-01/shadow/#",
        "$aws/things/clock-01/shadow/#/x",
        "$aws/things/clock-01/shadow/x+",
        "mia/things/+/logs",
        "mia/#",
        "zuse/things/clock-01/logs",
    ];
    for filter in refused {
        assert!(!subscribe(&device(), &Namespace::default(), filter), "{filter}");
    }
}

#[test]
fn backend_subscribes_to_everything_well_formed() {
    for filter in ["#", "$aws/#", "$aws/things/+/shadow/update/accepted", "home/+"] {
        assert!(subscribe(&backend(), &Namespace::default(), filter), "{filter}");
    }
    for filter in ["", "a/#/b", "a+"] {
        assert!(!subscribe(&backend(), &Namespace::default(), filter), "{filter}");
    }
}

#[test]
fn claim_asks_to_become_a_thing_by_its_template_and_nothing_else() {
    let calls = [
        "$aws/certificates/create-from-csr/json",
        "$aws/certificates/create/json",
        "$aws/provisioning-templates/clocks/provision/json",
    ];
    for topic in calls {
        assert_eq!(publishing(&claim(), topic), Ok(true), "{topic}");
        // Who is somebody already has nothing to ask there.
        for other in [device(), backend()] {
            assert!(publishing(&other, topic).is_err(), "{topic}");
        }
    }
    let refused = [
        ("$aws/provisioning-templates/others/provision/json", Denied::ForeignTemplate),
        ("$aws/provisioning-templates/clocks/provision/json/accepted", Denied::ServiceOnly),
        ("$aws/certificates/create/json/accepted", Denied::ServiceOnly),
        ("$aws/certificates/create/cbor", Denied::UnknownTopic),
        ("$aws/things/clock-01/shadow/get", Denied::UnknownTopic),
        ("$aws/things/clock-01/shadow/update", Denied::UnknownTopic),
        ("mia/things/clock-01/logs", Denied::UnknownTopic),
        ("mia/things/clock-01/update/progress", Denied::UnknownTopic),
        ("home/kitchen", Denied::UnknownTopic),
    ];
    for (topic, why) in refused {
        assert_eq!(publishing(&claim(), topic), Err(why), "{topic}");
    }
}

#[test]
fn claim_hears_the_answers_to_its_own_calls_alone() {
    let hears = |filter: &str| subscribe(&claim(), &Namespace::default(), filter);
    for call in [
        "certificates/create-from-csr",
        "certificates/create",
        "provisioning-templates/clocks/provision",
    ] {
        for answer in ["accepted", "rejected"] {
            assert!(hears(&format!("$aws/{call}/json/{answer}")), "{call}");
        }
        assert!(!hears(&format!("$aws/{call}/json")), "the requests of others");
    }
    for filter in [
        "#",
        "+/#",
        "$aws/#",
        "$aws/certificates/#",
        "$aws/certificates/+/json/accepted",
        "$aws/certificates/create/json/+",
        "$aws/provisioning-templates/+/provision/json/accepted",
        "$aws/provisioning-templates/others/provision/json/accepted",
        "$aws/things/clock-01/shadow/#",
        "$aws/things/clock-01/shadow/update/delta",
        "$aws/events/presence/connected/clock-01",
        "mia/things/clock-01/logs",
        "home/kitchen",
    ] {
        assert!(!hears(filter), "{filter}");
    }
}

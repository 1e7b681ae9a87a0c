//! Settings in a bounded room: many at once, long ones, objects that lose members.

use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use otaru_wire::{Reason, ShadowTopic, ShadowVerb, Topic};
use serde_json::{Map, Value, json};

use super::flash::{Flash, boot_facts};
use super::product::Product;
use super::world::{Event, World, config};
use crate::{Agent, Effect, Input, Moment, ResetCause, SettingId, Stored};

fn numbered(count: u32) -> Value {
    (0..count).map(|n| (format!("setting{n:02}"), n.into())).collect::<Map<_, _>>().into()
}

#[test]
fn an_id_is_the_same_behind_its_number() {
    for number in [0, 1, 7, u32::MAX] {
        assert_eq!(SettingId::from_number(number).number(), number);
    }
}

#[test]
fn more_settings_than_are_handed_over_at_once_are_all_applied() {
    let mut world = World::connected();
    world.desire(json!({"config": numbered(30)}));
    world.run();
    for (name, value) in numbered(30).as_object().unwrap() {
        assert_eq!(&world.service.reported["config"][name], value, "{}", world.transcript);
    }
    let kept: Value = serde_json::from_slice(&world.flash.settings).unwrap();
    assert_eq!(kept, numbered(30));
}

#[test]
fn a_member_that_goes_from_an_object_goes_from_reported() {
    let mut world = World::connected();
    world.desire(json!({"config": {"display": {"dim": 3, "on": true}}}));
    world.run();
    world.desire(json!({"config": {"display": {"on": null}}}));
    world.run();
    assert_eq!(world.service.reported["config"]["display"], json!({"dim": 3}));
}

/// Numbers and order are the service's business.
#[test]
fn what_says_the_same_is_not_applied_again() {
    let mut world = World::connected();
    world.desire(json!({"config": {"volume": 3, "display": {"a": [1], "b": 2}}}));
    world.run();
    world.transcript.clear();
    world.desire(json!({"config": {"volume": 3.0, "display": {"a": [1.0]}}}));
    world.run();
    assert_eq!(world.transcript, "");
}

/// Prints of objects are sums, which must not stay the same then.
#[test]
fn members_that_change_values_are_a_change() {
    let mut world = World::connected();
    for (day, night) in [(80, 20), (20, 80)] {
        let brightness = json!({"day": day, "night": night});
        world.desire(json!({"config": {"brightness": brightness}}));
        world.run();
        assert_eq!(world.service.reported["config"]["brightness"], brightness);
    }
}

#[test]
fn a_name_written_otherwise_is_the_same_setting() {
    let mut agent = connected();
    for (version, payload, settings) in [
        (6, r#""config":{"a":1,"b":2}"#, r#"{"a":1,"b":2}"#),
        (7, r#""config":{"\u0062":3}"#, r#"{"a":1,"\u0062":3}"#),
    ] {
        let payload = format!(r#"{{"version":{version},"state":{{{payload}}}}}"#);
        let (topic, payload) = (ShadowTopic::Delta, payload.as_bytes());
        let mut ids = Vec::new();
        agent.step(Moment::default(), Input::ShadowArrived { topic, payload }, &mut |effect| {
            if let Effect::ApplySetting { id, .. } = effect {
                ids.push(id);
            }
        });
        for id in ids {
            agent.step(Moment::default(), Input::SettingApplied(id), &mut |_| {});
        }
        assert_eq!(agent.settings(), settings);
    }
}

/// One more than wait at a time: what made place for another is not forgotten.
#[test]
fn every_refused_setting_is_tried_again() {
    for name in NINE {
        let mut world = World::connected();
        world.refused = NINE.to_vec();
        world.desire(json!({"config": numbered(9)}));
        let mut passes = 0..600;
        while passes.next().is_some() && world.service.reported["config"][name].is_null() {
            world.pass();
            if passes.start == 300 {
                world.refused.retain(|refused| *refused != name);
            }
        }
        assert!(!passes.is_empty(), "{name}: {}", world.transcript);
    }
}

const NINE: [&str; 9] = [
    "setting00",
    "setting01",
    "setting02",
    "setting03",
    "setting04",
    "setting05",
    "setting06",
    "setting07",
    "setting08",
];

#[test]
fn kept_settings_that_have_no_room_are_lost_with_their_reason() {
    let kept = json!({"a": "x".repeat(700), "b": "y".repeat(700), "c": 3}).to_string();
    let facts = boot_facts(&Flash::factory(), ResetCause::PowerOn);
    let stored = Stored { settings: kept.as_bytes(), ..Stored::default() };
    let (mut said, mut restored) = (Vec::new(), Vec::new());
    let agent: Agent =
        Agent::start(config(), &facts, stored, Moment::default(), &mut |effect| match effect {
            Effect::Log(line) => said.push(line.reason),
            Effect::RestoreSetting { name, .. } => restored.push(String::from(name)),
            _ => {}
        });
    assert_eq!(said, [Some(Reason::StorageFull)]);
    assert_eq!(restored, ["a", "c"]);
    assert!(serde_json::from_str::<Value>(agent.settings()).is_ok());
}

/// The product is started later than the agent, say.
#[test]
fn settings_that_are_not_taken_behind_a_boot_are_handed_over_again() {
    let kept = json!({"a": 1, "b": 2}).to_string();
    let facts = boot_facts(&Flash::factory(), ResetCause::PowerOn);
    let stored = Stored { settings: kept.as_bytes(), ..Stored::default() };
    let mut restored = Vec::new();
    let mut hear = |effect: Effect<'_>| {
        if let Effect::RestoreSetting { name, value } = effect {
            restored.push(format!("{name} = {value}"));
        }
    };
    let mut agent: Agent = Agent::start(config(), &facts, stored, Moment::default(), &mut hear);
    for _ in 0..2 {
        let now = Moment { random: u64::MAX / 2, ..Moment::default() };
        agent.step(now, Input::RestoreRefused, &mut hear);
    }
    assert_eq!(restored, ["a = 1", "b = 2"]);
    let uptime_ms = agent.wake_at_ms().expect("they wait");
    agent.step(Moment { uptime_ms, ..Moment::default() }, Input::TimePassed, &mut |effect| {
        if let Effect::RestoreSetting { name, .. } = effect {
            restored.push(String::from(name));
        }
    });
    assert_eq!(restored, ["a = 1", "b = 2", "a", "b"]);
    assert_eq!(agent.settings(), kept);
    assert_eq!(agent.wake_at_ms(), None, "taken, they wait no more");
}

/// The agent without a world: what it asks for, and what it answers.
fn connected() -> Agent {
    let facts = boot_facts(&Flash::factory(), ResetCause::PowerOn);
    let now = Moment::default();
    let mut agent = Agent::start(config(), &facts, Stored::default(), now, &mut |_| {});
    for input in [Input::LinkUp, Input::Subscribed] {
        agent.step(now, input, &mut |_| {});
    }
    hear(&mut agent, ShadowTopic::Accepted(ShadowVerb::Get), &json!({"version": 5, "state": {}}));
    agent
}

/// Ids of the settings that are handed over, and whether the shadow is asked for.
fn hear(agent: &mut Agent, topic: ShadowTopic, message: &Value) -> (Vec<SettingId>, bool) {
    let payload = message.to_string().into_bytes();
    let (mut ids, mut asks) = (Vec::new(), false);
    let input = Input::ShadowArrived { topic, payload: &payload };
    agent.step(Moment::default(), input, &mut |effect| match effect {
        Effect::ApplySetting { id, .. } => ids.push(id),
        Effect::Publish { topic: Topic::Shadow { topic, .. }, .. } => {
            asks |= topic == ShadowTopic::Request(ShadowVerb::Get);
        }
        _ => {}
    });
    (ids, asks)
}

#[test]
fn an_answer_is_about_the_value_that_was_handed_over() {
    let mut agent = connected();
    let wish =
        |version, volume| json!({"version": version, "state": {"config": {"volume": volume}}});
    let (first, _) = hear(&mut agent, ShadowTopic::Delta, &wish(6, 1));
    let (second, _) = hear(&mut agent, ShadowTopic::Delta, &wish(7, 2));
    let now = Moment::default();
    agent.step(now, Input::SettingRefused(first[0]), &mut |_| {});
    assert_eq!(agent.settings(), "{}");
    agent.step(now, Input::SettingApplied(second[0]), &mut |_| {});
    assert_eq!(agent.settings(), r#"{"volume":2}"#);
    agent.step(now, Input::SettingApplied(second[0]), &mut |_| {});
    agent.step(now, Input::SettingApplied(first[0]), &mut |_| {});
    assert_eq!(agent.settings(), r#"{"volume":2}"#);
}

/// A delta leaves out what reported has already, and the agent keeps no copy of that.
#[test]
fn a_delta_that_leaves_out_what_is_not_known_is_read_in_full() {
    let mut agent = connected();
    let wish = json!({"version": 6, "state": {"update": {"id": "u-2"}}});
    let (_, asks) = hear(&mut agent, ShadowTopic::Delta, &wish);
    assert!(asks);
}

/// Whatever others keep in the shadow: the device reads on, and takes what is its own.
#[test]
fn a_shadow_of_any_size_is_read() {
    let mut agent = connected();
    let others: Map<String, Value> =
        (0..2000).map(|n| (format!("others{n}"), json!({"a": ["x".repeat(50), n]}))).collect();
    let mut desired = others.clone();
    desired.insert("config".into(), json!({"poem": "x".repeat(20_000), "volume": 3}));
    let state = json!({"desired": desired, "reported": others});
    let (ids, _) = hear(
        &mut agent,
        ShadowTopic::Documents,
        &json!({"current": {"version": 6, "state": state}}),
    );
    agent.step(Moment::default(), Input::SettingApplied(ids[0]), &mut |_| {});
    assert_eq!((ids.len(), agent.settings()), (1, r#"{"volume":3}"#));
}

#[test]
fn what_is_in_hand_or_waits_is_not_wanted_twice() {
    let mut product: Product<64> = Product::new(10, "");
    // The second has no room.
    for settings in [r#""a":1,"b":"x""#, r#""a":1.0,"b":"x""#] {
        product.want(settings);
        assert_eq!(product.in_hand(), [r#""a":1"#]);
        assert_eq!(product.said.len(), 1, "{:?}", product.said);
    }
}

#[test]
fn what_was_refused_is_not_tried_again_once_something_else_is_wanted() {
    let mut product: Product<64> = Product::new(32, "");
    product.want(r#""a":1"#);
    product.answer(0, false);
    product.want(r#""a":2"#);
    product.answer(0, true);
    product.wait();
    assert_eq!(product.in_hand(), [""; 0]);
    assert_eq!(product.agent.settings(), r#"{"a":2}"#);
}

#[test]
fn what_was_refused_is_tried_again_only_while_it_is_wanted() {
    for (read, again) in [(r#""a":1,"b":2"#, &[r#""b":2"#][..]), (r#""a":1"#, &[])] {
        let mut product: Product<64> = Product::new(32, "");
        product.want(r#""a":1,"b":2"#);
        product.answer(0, true);
        product.answer(0, false);
        product.read(read, "");
        product.wait();
        assert_eq!(product.in_hand(), again);
        assert_eq!(product.asked, 0, "what it shall be is known");
    }
}

/// Its text has no room: it is read again when it is due, and was taken back by then.
#[test]
fn what_waits_to_be_read_again_makes_place() {
    let mut product: Product<64> = Product::new(32, "");
    let settings: Vec<_> = (0..8).map(|n| format!(r#""{n}":"{}""#, "x".repeat(40))).collect();
    product.want(&settings.join(","));
    assert_eq!((product.said.len(), product.asked), (8, 0));
    product.wait();
    assert!(product.asked > 0);
    product.read(r#""a":1"#, "");
    assert_eq!(product.in_hand(), [r#""a":1"#]);
}

#[test]
fn what_cannot_be_kept_is_read_again_when_it_is_due() {
    let mut product: Product<64> = Product::new(10, "");
    product.want(r#""a":"longer""#);
    assert_eq!(product.asked, 0);
    product.wait();
    assert_eq!((product.asked, product.said.len()), (1, 1), "{:?}", product.said);
}

#[test]
fn more_is_looked_at_when_nothing_is_in_hand_any_more() {
    let mut product: Product<512> = Product::new(256, "");
    let settings: Vec<_> = (0..9).map(|n| format!(r#""{n}":1"#)).collect();
    product.want(&settings.join(","));
    for left in (0..8).rev() {
        product.answer(0, true);
        assert_eq!(product.asked, u32::from(left == 0));
    }
}

/// However many there are: a product of before them refuses every one, for ever.
#[test]
fn settings_that_are_always_refused_are_ever_longer_waits() {
    const DAY_MS: u64 = 86_400_000;
    let names: [&str; 40] = core::array::from_fn(|n| &*format!("n{n:02}").leak());
    for count in [8, 9, 16, 17, 40] {
        let mut world = World::connected();
        world.refused.extend(names);
        let wanted = names.iter().take(count).map(|name| ((*name).into(), json!(1)));
        let wanted = serde_json::Map::from_iter(wanted);
        world.desire(json!({"config": wanted}));
        let before = world.service.reads;
        for _ in 0..20_000 {
            if world.uptime_ms < DAY_MS {
                world.pass();
            }
        }
        assert!(world.uptime_ms >= DAY_MS, "{count}: after {} ms", world.uptime_ms);
        let (reads, lines) =
            (world.service.reads - before, world.transcript.matches("was not applied").count());
        assert!(reads < 200 && lines < 1_000, "{count}: {reads} reads, {lines} lines");
        assert!(names.iter().take(count).all(|name| world.transcript.contains(*name)), "{count}");
    }
}

/// No member of a shadow is null: whoever says so means none.
#[test]
fn a_setting_that_is_null_is_none() {
    let mut world = World::connected();
    let state = r#"{"state":{"desired":{"config":{"volume":null,"tone":2}}},"version":900}"#;
    let read = ShadowTopic::Accepted(ShadowVerb::Get);
    world.queue.push_back(Event::Message(read, state.as_bytes().to_vec()));
    world.run_until(|_| false);
    assert_eq!(world.flash.settings, br#"{"tone":2}"#);
}

//! What happens to a shadow, and to those who hold it.

use proptest::collection::{btree_map, vec};
use proptest::prelude::*;
use serde_json::{Value, json};

/// One step; a run does one after the other.
#[derive(Clone, Debug)]
pub(crate) enum Operation {
    /// The app writes.
    Update { is_named: bool, state: Value, guard: Guard, is_sent_twice: bool },
    /// The app deletes.
    Delete { is_named: bool },
    /// The app reads.
    Get { is_named: bool },
    /// Something was changed at the device itself, which reports it.
    Change(Value),
    /// The device handles what has come.
    Hear(Vec<Fate>),
    /// The device's connection breaks, and it comes again.
    Break { is_lasting: bool, leaves_unacknowledged: bool },
    /// The device's connection breaks, and it stays away until it breaks again.
    Leave { is_lasting: bool },
    /// The app's connection breaks, and it comes again.
    BreakApp,
    /// The server ends and starts again; nobody hears how an update before it was answered.
    Crash { open: Option<Value> },
}

/// The `version` of an update.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Guard {
    None,
    Right,
    Wrong,
}

/// What becomes of a message on its way through the device.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fate {
    Handled,
    Lost,
    Twice,
    /// After all others.
    Late,
}

/// One run.
#[derive(Clone, Debug)]
pub(crate) struct Scenario {
    /// Whether the device reads the shadow when it connects, or relies on being told.
    pub(crate) reads: bool,
    /// Whether it comes back to a stored session when all is over.
    pub(crate) is_lasting_at_the_end: bool,
    pub(crate) operations: Vec<Operation>,
}

pub(crate) fn scenario() -> impl Strategy<Value = Scenario> {
    (any::<bool>(), any::<bool>(), vec(operation(), 1..40)).prop_map(
        |(reads, is_lasting_at_the_end, operations)| Scenario {
            reads,
            is_lasting_at_the_end,
            operations,
        },
    )
}

fn operation() -> impl Strategy<Value = Operation> {
    let update = (any::<bool>(), guard(), prop::bool::weighted(0.1)).prop_flat_map(
        |(is_named, guard, is_sent_twice)| {
            app_state(is_named).prop_map(move |state| Operation::Update {
                is_named,
                state,
                guard,
                is_sent_twice,
            })
        },
    );
    let breaks = (any::<bool>(), any::<bool>()).prop_map(|(is_lasting, leaves_unacknowledged)| {
        Operation::Break { is_lasting, leaves_unacknowledged }
    });
    let open = prop::option::of(app_state(false));
    prop_oneof![
        40 => update,
        4 => any::<bool>().prop_map(|is_named| Operation::Delete { is_named }),
        4 => any::<bool>().prop_map(|is_named| Operation::Get { is_named }),
        8 => section().prop_map(Operation::Change),
        20 => vec(fate(), 0..6).prop_map(Operation::Hear),
        8 => breaks,
        4 => any::<bool>().prop_map(|is_lasting| Operation::Leave { is_lasting }),
        3 => Just(Operation::BreakApp),
        3 => open.prop_map(|open| Operation::Crash { open }),
    ]
}

fn guard() -> impl Strategy<Value = Guard> {
    prop_oneof![6 => Just(Guard::None), 2 => Just(Guard::Right), 1 => Just(Guard::Wrong)]
}

fn fate() -> impl Strategy<Value = Fate> {
    prop_oneof![
        3 => Just(Fate::Handled),
        1 => Just(Fate::Lost),
        1 => Just(Fate::Twice),
        1 => Just(Fate::Late),
    ]
}

/// In the named shadow the app writes what it likes. In the classic one only the device reports:
/// an app that reports in its place makes both believe the wrong thing, whatever the service does.
fn app_state(is_named: bool) -> BoxedStrategy<Value> {
    let desired = section_or_null().prop_map(|section| json!({ "desired": section }));
    if !is_named {
        return prop_oneof![10 => desired, 1 => Just(Value::Null), 1 => Just(json!({}))].boxed();
    }
    let reported = section_or_null().prop_map(|section| json!({ "reported": section }));
    let both = (section_or_null(), section_or_null())
        .prop_map(|(desired, reported)| json!({ "desired": desired, "reported": reported }));
    prop_oneof![4 => desired, 4 => reported, 4 => both, 1 => Just(Value::Null)].boxed()
}

fn section_or_null() -> impl Strategy<Value = Value> {
    prop_oneof![12 => section(), 1 => Just(Value::Null)]
}

/// Few keys and values, so that they meet; some keys are to be removed.
fn section() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        3 => (0..3_u8).prop_map(Value::from),
        2 => Just(Value::Null),
        1 => any::<bool>().prop_map(Value::from),
        1 => Just(json!("x")),
        1 => vec(0..2_u8, 0..3).prop_map(Value::from),
    ];
    let value = leaf.prop_recursive(3, 12, 3, object);
    object(value)
}

fn object(value: impl Strategy<Value = Value>) -> impl Strategy<Value = Value> {
    btree_map("[a-c]", value, 0..3).prop_map(|members| members.into_iter().collect())
}

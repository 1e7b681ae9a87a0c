//! Every recorded input, and thousands like it, against every decoder.

use std::panic::{AssertUnwindSafe, catch_unwind};

use otaru_fuzz::mutate::{Random, mutated};
use otaru_fuzz::{DECODERS, Decoder, corpus, seeds};

/// Damaged inputs per decoder: a few seconds in all.
const MUTATIONS: u64 = 3000;

/// Replays and mutates the corpus of one decoder.
fn check(name: &str) {
    let decoder = Decoder::named(name).unwrap();
    let recorded = corpus::load(decoder).unwrap();
    let mut taken = 0;
    for (file, input) in &recorded {
        taken += usize::from(survives(decoder, input, file));
    }
    assert!(taken > 0, "nothing in the corpus of {name} is valid any more");

    let inputs: Vec<Vec<u8>> = recorded.into_iter().map(|(_, input)| input).collect();
    for seed in 0..MUTATIONS {
        let input = mutated(&inputs, &mut Random::new(seed));
        survives(decoder, &input, &format!("seed {seed}"));
    }
}

fn survives(decoder: &Decoder, input: &[u8], from: &str) -> bool {
    match catch_unwind(AssertUnwindSafe(|| (decoder.decode)(input))) {
        Ok(taken) => taken,
        Err(_) => {
            let shown = &input[..input.len().min(2000)];
            panic!(
                "{} panicked on {} bytes from {from}: {}",
                decoder.name,
                input.len(),
                shown.escape_ascii()
            )
        }
    }
}

macro_rules! replay {
    ($($name:ident,)+) => {
        $(#[test]
        fn $name() {
            check(stringify!($name));
        })+

        #[test]
        fn every_decoder_is_replayed() {
            let listed: Vec<&str> = DECODERS.iter().map(|decoder| decoder.name).collect();
            assert_eq!(listed, [$(stringify!($name)),+]);
        }
    };
}

replay! {
    content_range,
    journal,
    shadow_messages,
    stored_settings,
    stored_target,
    stored_trust,
    certificate_request,
    audit_chain,
    device_config,
    firmware_members,
    listen_updates,
    log_records,
    names,
    presence,
    progress,
    topic_filters,
    topics,
    otadata,
    partition_table,
    records,
    slot_image,
    authority_certificate,
    certificate_chain,
    peer_certificate,
    patch_answers,
    product_settings,
    cookies,
    range,
    upload_metadata,
    issuer_metadata,
    key_set,
    logout_claims,
    token,
    token_claims,
    patch,
    patch_records,
    thing_name_pattern,
    image,
    key_file,
    manifest_envelope,
    manifest_payload,
    order_envelope,
    order_payload,
    root_document,
    root_payload,
    timestamp_envelope,
    timestamp_payload,
    shadow_request,
    shadow_stored,
    shadow_token,
    signed_request,
}

#[test]
fn todays_seeds_are_taken() {
    for seed in seeds::all() {
        let decoder = Decoder::named(seed.decoder).unwrap();
        assert!((decoder.decode)(&seed.input), "{}/{}", seed.decoder, seed.name);
    }
}

#[test]
fn same_seed_makes_the_same_input() {
    let corpus = [b"{\"state\":{}}".to_vec(), vec![0; 40]];
    let made = |seed| mutated(&corpus, &mut Random::new(seed));
    assert_eq!(made(5), made(5));
    assert_ne!(made(5), made(6));
}

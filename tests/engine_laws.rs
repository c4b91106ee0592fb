//! The laws of the policy language, held by random policies and calls.
//!
//! What is made, and what is held of it, stands in `fuzz/targets_shared/engine.rs`, where the fuzz
//! target finds it too.
#![cfg(test)]

#[path = "../fuzz/targets_shared/engine.rs"]
mod engine;

use engine::Case;
use proptest::prelude::{any, prop};

/// As many bytes as a policy of three layers and a dozen calls take.
const BYTES: std::ops::Range<usize> = 0..3_000;

macro_rules! laws {
    ($($law:ident)*) => {
        proptest::proptest! {
            // Few policies, since compiling one takes longest, and a dozen calls for each.
            #![proptest_config(proptest::prelude::ProptestConfig::with_cases(150))]
            $(
                #[test]
                fn $law(bytes in prop::collection::vec(any::<u8>(), BYTES)) {
                    Case::of(&bytes).$law();
                }
            )*
        }
    };
}

laws! {
    is_as_the_oracle_says
    order_never_matters
    a_deny_more_never_lets_more_through
    a_maybe_never_allows
    layers_below_only_tighten_unless_they_are_let
    taints_only_tighten_and_proofs_only_loosen
    another_place_that_a_path_leads_to_never_lets_more_through
}

#[test]
fn nothing_at_all_holds() {
    engine::hold(&[]);
}

/// As long as one wants: `TOOLGATE_LAWS_SECONDS=600 cargo test --release --test engine_laws -- --ignored`.
#[test]
#[ignore = "runs for as long as it is told to"]
fn for_a_while() {
    let seconds = std::env::var("TOOLGATE_LAWS_SECONDS").map_or(60, |text| text.parse().unwrap());
    let until = std::time::Instant::now() + std::time::Duration::from_secs(seconds);
    let mut state =
        std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_nanos()
            as u64
            | 1;
    let mut rounds = 0_u64;
    while std::time::Instant::now() < until {
        let mut next = || {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            state
        };
        let length = next() as usize % BYTES.end;
        let seed = next();
        let mut inner = seed | 1;
        let bytes: Vec<u8> = (0..length)
            .map(|_| {
                inner ^= inner << 13;
                inner ^= inner >> 7;
                inner ^= inner << 17;
                (inner >> 32) as u8
            })
            .collect();
        if std::panic::catch_unwind(|| engine::hold(&bytes)).is_err() {
            let file = std::env::temp_dir().join(format!("engine-{seed:016x}"));
            std::fs::write(&file, &bytes).unwrap();
            panic!("round {rounds}: the input lies in {}", file.display());
        }
        rounds += 1;
    }
    println!("{rounds} policies");
}

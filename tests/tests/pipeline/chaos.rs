//! Promises 1 to 3 under everything at once; how it is done is in `muster_tests::chaos`.

use std::time::Duration;

use muster_runtime::now_ms;
use muster_tests::chaos::{Chaos, run};
use tokio::time::timeout;

/// Each of seven parts is killed, paused and stopped about once in this time.
const DURATION: Duration = Duration::from_secs(70);

/// With the start and the reckoning, on a busy machine.
const LIMIT: Duration = Duration::from_secs(180);

#[tokio::test]
async fn whatever_dies_all_that_was_published_is_stored_exactly_once() {
    let given = std::env::var("MUSTER_CHAOS_SEED").ok();
    let seed = given.and_then(|seed| seed.parse().ok()).unwrap_or_else(|| now_ms() as u64);
    println!("the seed of this run: MUSTER_CHAOS_SEED={seed}");
    let running = timeout(LIMIT, run(Chaos { seed, duration: DURATION, hosts: 12 }));
    let Ok(ended) = running.await else {
        panic!("with MUSTER_CHAOS_SEED={seed}: no end within {LIMIT:?}")
    };
    let verdict = ended.unwrap_or_else(|error| panic!("with MUSTER_CHAOS_SEED={seed}: {error:#}"));
    println!("{verdict:?}");
    assert!(verdict.blows >= 15, "{verdict:?}");
    assert!(verdict.messages >= 500, "{verdict:?}");
}

use otaru_agent::SettingId;

use super::*;

/// Nothing here takes a tenth of it.
const LONG: Duration = Duration::from_secs(60);
const SHORT: Duration = Duration::from_millis(300);

fn hangs() -> Option<Vec<String>> {
    Some(vec!["/bin/sleep".to_owned(), "600".to_owned()])
}

fn commands() -> Commands {
    Commands {
        self_test_limit: SHORT,
        stop_limit: SHORT,
        restart_limit: SHORT,
        apply_settings_limit: SHORT,
        ..Commands::default()
    }
}

fn product(commands: Commands, is_in_force: bool) -> Product {
    Product::Commands(Running::of(commands, Arc::default(), is_in_force))
}

async fn finish(job: Job) -> Finished {
    tokio::time::timeout(LONG, job).await.expect("it has a limit")
}

/// Who hangs on one setting holds up no other.
#[tokio::test]
async fn a_setting_that_is_not_taken_over_in_time_is_refused() {
    let product = product(Commands { apply_settings: hangs(), ..commands() }, true);
    let id = SettingId::from_number(7);
    let finished = finish(product.apply("{\"volume\":7}".to_owned(), Some(id))).await;
    assert!(matches!(finished, Finished::Answer(Input::SettingRefused(found)) if found == id));
    let restored = finish(product.apply("{\"volume\":7}".to_owned(), None)).await;
    assert!(matches!(restored, Finished::Answer(Input::RestoreRefused)));
}

#[tokio::test]
async fn a_self_test_that_hangs_times_out() {
    let product = product(Commands { self_test: hangs(), ..commands() }, true);
    let timed_out = Err(Reason::SelfTestTimedOut);
    let finished = finish(product.self_test()).await;
    assert!(matches!(finished, Finished::Answer(Input::SelfTestEnded(end)) if end == timed_out));
}

#[tokio::test]
async fn a_product_that_could_not_be_restarted_is_told_of_once() {
    let mut product = product(Commands { restart: hangs(), ..commands() }, false);
    let ended = tokio::time::timeout(LONG, product.ended()).await.expect("it is told of");
    assert_eq!(ended, Ended::NotStarted);
    assert!(tokio::time::timeout(SHORT, product.ended()).await.is_err(), "and once");
}

#[tokio::test]
async fn a_program_that_ends_is_started_again() {
    let run = Some(vec!["/bin/false".to_owned()]);
    let mut product = product(Commands { run, ..commands() }, true);
    for _ in 0..2 {
        let ended = tokio::time::timeout(LONG, product.ended()).await.expect("it ends at once");
        assert_eq!(ended, Ended::ByItself);
    }
    product.stop().await;
}

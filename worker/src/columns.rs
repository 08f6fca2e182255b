//! Columns made anew where events have come: what most questions are answered from.

use std::time::{Duration, Instant};

use analytics_host::failure::causes as cause;
use analytics_store::Refreshed;
use tokio_util::sync::CancellationToken;
use tracing::{debug, warn};

use crate::work::Work;

/// How long nothing is looked at, at least. A quarter that gets events all the time is made anew so often at most; until then
/// questions read its raw rows.
const PAUSE: Duration = Duration::from_secs(2);

/// Making columns takes one part in so many of the time, so that it leaves the store to events and questions.
const SHARE: u32 = 20;

/// The same while there is a backlog, as after an import: questions read raw rows only until it is worked off.
const SHARE_OF_BACKLOG: u32 = 2;

/// The longest pause.
const LONGEST: Duration = Duration::from_secs(60);

/// Makes columns until told to stop.
pub async fn run(work: &Work, stopping: CancellationToken) {
    loop {
        let began = Instant::now();
        let left = refresh(work).await;
        let pause = pause(began.elapsed(), left);
        tokio::select! {
            () = stopping.cancelled() => return,
            () = tokio::time::sleep(pause) => {}
        }
    }
}

/// Makes columns anew once, for a bounded number of quarters; whether there is more to do at once. A failure is logged.
pub async fn refresh(work: &Work) -> bool {
    match work.store.refresh().await {
        Ok(Refreshed { quarters: 0, left, .. }) => left,
        Ok(Refreshed { quarters, events, left }) => {
            debug!(quarters, events, left, "columns were made anew");
            left
        }
        Err(error) => {
            warn!(error = %error, cause = cause(&error), "columns could not be made anew; raw rows are read until then");
            false
        }
    }
}

fn pause(took: Duration, left: bool) -> Duration {
    if left {
        took.saturating_mul(SHARE_OF_BACKLOG - 1).min(LONGEST)
    } else {
        took.saturating_mul(SHARE - 1).clamp(PAUSE, LONGEST)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_pause_grows_with_the_work() {
        let millis = Duration::from_millis;
        assert_eq!(pause(millis(10), false), PAUSE);
        assert_eq!(pause(millis(500), false), millis(9_500));
        assert_eq!(pause(millis(500), true), millis(500));
        assert_eq!(pause(Duration::from_secs(90), false), LONGEST);
    }
}

//! Requests of up to ten entries, of which SQS answers each by itself.

use std::time::Duration;

use aws_sdk_sqs::types::BatchResultErrorEntry;
use tokio::time::{Instant, sleep, timeout_at};

use super::fault::{Fault, may_pass};

/// The pause before failed entries are sent again, at first; it doubles.
const FIRST_PAUSE: Duration = Duration::from_millis(50);

/// What SQS said to a batch request.
#[derive(Debug, Default)]
pub(super) struct Answer {
    /// The ids of entries that succeeded.
    pub(super) done: Vec<String>,
    /// Entries that did not, and why.
    pub(super) failed: Vec<BatchResultErrorEntry>,
}

/// The id of an entry within its request: its index.
pub(super) fn id(index: usize) -> String {
    index.to_string()
}

/// Makes a batch request of `count` entries, and again with those that failed by no fault of ours, until `deadline`.
///
/// `request` is given the indexes to send; `told` hears of each entry once, as soon as its outcome is known. Gives back the
/// fault that ended it, where the request as a whole did not succeed.
pub(super) async fn settle<F>(
    count: usize,
    deadline: Instant,
    mut request: impl FnMut(Vec<usize>) -> F,
    mut told: impl FnMut(usize, Result<(), Fault>),
) -> Result<(), Fault>
where
    F: Future<Output = Result<Answer, Fault>>,
{
    let mut open: Vec<usize> = (0..count).collect();
    let mut pause = FIRST_PAUSE;
    loop {
        let answered = timeout_at(deadline, request(open.clone())).await;
        let answer = match answered.unwrap_or_else(|_| Err(Fault::Unanswered("the time for it was over".to_owned()))) {
            Ok(answer) => answer,
            Err(fault) => {
                open.into_iter().for_each(|index| told(index, Err(fault.clone())));
                return Err(fault);
            }
        };
        let last_try = Instant::now() + pause >= deadline;
        let mut again = Vec::new();
        for index in open {
            let id = id(index);
            // Only what SQS says it has done is done.
            if answer.done.contains(&id) {
                told(index, Ok(()));
                continue;
            }
            match answer.failed.iter().find(|failed| failed.id() == id) {
                Some(failed) if last_try || !may_pass(failed) => told(index, Err(Fault::of_entry(failed))),
                None if last_try => told(index, Err(Fault::Unanswered("the entry was not spoken of".to_owned()))),
                _ => again.push(index),
            }
        }
        if again.is_empty() {
            return Ok(());
        }
        sleep(pause).await;
        pause *= 2;
        open = again;
    }
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;

    use super::*;

    fn failed(index: usize, sender: bool) -> BatchResultErrorEntry {
        BatchResultErrorEntry::builder().id(id(index)).sender_fault(sender).code("Broken").build().unwrap()
    }

    #[tokio::test]
    async fn each_entry_is_told_of_once_and_sent_again_while_that_may_help() {
        let (requests, outcomes) = (RefCell::new(Vec::new()), RefCell::new(Vec::new()));
        let deadline = Instant::now() + Duration::from_millis(400);
        let settled = settle(
            5,
            deadline,
            |open| {
                let first = requests.borrow().is_empty();
                requests.borrow_mut().push(open);
                async move {
                    Ok(match first {
                        // 4 is left out altogether.
                        true => Answer {
                            done: vec![id(0)],
                            failed: vec![failed(1, true), failed(2, false), failed(3, false)],
                        },
                        false => Answer { done: vec![id(2), id(4)], failed: vec![failed(3, false)] },
                    })
                }
            },
            |index, outcome| outcomes.borrow_mut().push((index, outcome.is_ok())),
        );
        settled.await.unwrap();
        let requests = requests.into_inner();
        assert_eq!(requests[..2], [vec![0, 1, 2, 3, 4], vec![2, 3, 4]]);
        assert!(requests.len() > 2 && requests[2..].iter().all(|open| *open == [3]), "{requests:?}");
        let mut outcomes = outcomes.into_inner();
        outcomes.sort_unstable();
        assert_eq!(outcomes, [(0, true), (1, false), (2, true), (3, false), (4, true)]);
    }
}

//! How the queue is set up, and what of it loses events.

use std::collections::HashMap;

use aws_sdk_sqs::types::QueueAttributeName as Name;

use super::fault::Fault;
use super::link::Link;
use crate::queue::QueueError;

/// Most bytes of a message, and of all messages of a request: what SQS allows.
const SIZE_MAX: usize = 1 << 20;

/// The size that is taken where a queue does not tell its own: what every queue took before larger ones were allowed.
const SIZE_UNTOLD: usize = 256 << 10;

/// The size that every queue has to take: the largest event with all that goes with it has 37 KiB, as text 49.
const SIZE_NEEDED: usize = 64 << 10;

/// Seconds of retention below which an outage of the processor over a weekend loses events.
const RETENTION_WANTED: u64 = 4 * 86_400;

/// Seconds of visibility below which a message comes again while it is worked on.
const VISIBILITY_WANTED: u64 = 10;

/// How a queue is set up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Setup {
    /// Most bytes of a message.
    pub(super) size_max: usize,
    /// Whether these credentials may not ask for the attributes.
    pub(super) is_denied: bool,
}

/// Asks the queue how it is set up; warns of what is unwise, refuses what cannot work.
pub(super) async fn inspect(link: &Link) -> Result<Setup, QueueError> {
    let url = &link.queue_url;
    if url.ends_with(".fifo") {
        return Err(QueueError::Misconfigured {
            problem: format!("the queue {url} is a FIFO queue"),
            mend: "make a standard queue and name that: events need no order, and are counted once without its help"
                .to_owned(),
        });
    }
    let names = [Name::MaximumMessageSize, Name::VisibilityTimeout, Name::MessageRetentionPeriod, Name::RedrivePolicy];
    match link.attributes(&names).await {
        Ok(attributes) => judge(url, &attributes),
        Err(fault) if fault.is_denied() => {
            tracing::warn!(
                queue = url,
                error = %fault,
                "the queue's attributes may not be read, so messages are held to {SIZE_UNTOLD} bytes and its depth is not \
                 known; allow sqs:GetQueueAttributes"
            );
            Ok(Setup { size_max: SIZE_UNTOLD, is_denied: true })
        }
        Err(fault) if fault.is_no_queue() => Err(QueueError::Misconfigured {
            problem: format!("there is no queue {url}"),
            mend: "make it, or mend the URL, the region or the account".to_owned(),
        }),
        Err(fault) => Err(fault.while_it_should("tell its attributes")),
    }
}

fn judge(url: &str, attributes: &HashMap<Name, String>) -> Result<Setup, QueueError> {
    let size_max = number(attributes, &Name::MaximumMessageSize)
        .map_or(SIZE_UNTOLD, |bytes| usize::try_from(bytes).unwrap_or(SIZE_MAX).min(SIZE_MAX));
    if size_max < SIZE_NEEDED {
        return Err(QueueError::Misconfigured {
            problem: format!("the queue {url} takes messages of up to {size_max} bytes, and one event may need more"),
            mend: format!("set its MaximumMessageSize to at least {SIZE_NEEDED}, best to {SIZE_MAX}"),
        });
    }
    for warning in warnings(attributes) {
        tracing::warn!(queue = url, "{warning}");
    }
    Ok(Setup { size_max, is_denied: false })
}

/// What is unwise about a queue, each with its mend.
fn warnings(attributes: &HashMap<Name, String>) -> Vec<String> {
    let mut warnings = Vec::new();
    if !attributes.contains_key(&Name::RedrivePolicy) {
        warnings.push(
            "the queue has no dead-letter queue: a message that fails again and again is tried until its retention is over, \
             and is lost then; give the queue a RedrivePolicy"
                .to_owned(),
        );
    }
    if let Some(seconds) = number(attributes, &Name::MessageRetentionPeriod).filter(|told| *told < RETENTION_WANTED) {
        warnings.push(format!(
            "the queue forgets messages after {seconds} s, and with them events that no processor has stored by then; set \
             its MessageRetentionPeriod to 1209600"
        ));
    }
    if let Some(seconds) = number(attributes, &Name::VisibilityTimeout).filter(|told| *told < VISIBILITY_WANTED) {
        warnings.push(format!(
            "the queue hands a message out again after {seconds} s, so a function works on it twice; set its \
             VisibilityTimeout to six times the function's timeout"
        ));
    }
    warnings
}

/// An attribute that is a number.
pub(super) fn number(attributes: &HashMap<Name, String>, name: &Name) -> Option<u64> {
    attributes.get(name)?.parse().ok()
}

/// The sum of attributes that are numbers.
pub(super) fn sum(attributes: &HashMap<Name, String>, names: &[Name]) -> u64 {
    names.iter().filter_map(|name| number(attributes, name)).sum()
}

/// Whether the queue answers at all; without the right to look, that it says so is an answer.
pub(super) async fn check(link: &Link, setup: Setup) -> Result<(), Fault> {
    match link.attributes(&[Name::QueueArn]).await {
        Err(fault) if !(setup.is_denied && fault.is_denied()) => Err(fault),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn attributes(of: &[(Name, &str)]) -> HashMap<Name, String> {
        of.iter().map(|(name, value)| (name.clone(), (*value).to_owned())).collect()
    }

    #[test]
    fn the_size_is_what_the_queue_takes_and_no_more_than_sqs() {
        let judged =
            |size: &str| judge("q", &attributes(&[(Name::MaximumMessageSize, size)])).map(|setup| setup.size_max);
        assert_eq!(judged("262144").unwrap(), 256 << 10);
        assert_eq!(judged("1048576").unwrap(), SIZE_MAX);
        assert_eq!(judged("9000000").unwrap(), SIZE_MAX);
        assert_eq!(judge("q", &HashMap::new()).unwrap().size_max, SIZE_UNTOLD);
        let refusal = judged("1024").unwrap_err().to_string();
        assert!(refusal.contains("1024 bytes") && refusal.contains("65536"), "{refusal}");
    }

    #[test]
    fn what_is_unwise_is_warned_of() {
        let wise =
            [(Name::RedrivePolicy, "{}"), (Name::MessageRetentionPeriod, "1209600"), (Name::VisibilityTimeout, "60")];
        assert!(warnings(&attributes(&wise)).is_empty());
        let unwise = [(Name::MessageRetentionPeriod, "3600"), (Name::VisibilityTimeout, "0")];
        let told = warnings(&attributes(&unwise));
        for word in ["RedrivePolicy", "3600 s", "0 s"] {
            assert!(told.iter().any(|warning| warning.contains(word)), "{word}: {told:?}");
        }
    }
}

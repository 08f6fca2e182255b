//! What SQS or the way to it said, without what it must not say.

use std::error::Error;
use std::fmt::Debug;

use aws_sdk_sqs::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_sqs::types::BatchResultErrorEntry;
use thiserror::Error;

use crate::queue::QueueError;
use crate::reason::sentence;

/// Most characters of a message: some repeat the whole request, its security token included, after the first line.
const MESSAGE_MAX: usize = 300;

/// Why a request, or one entry of it, did not succeed.
#[derive(Debug, Clone, Error)]
pub(super) enum Fault {
    /// SQS answered, and said no.
    #[error("SQS answered {code}: {message}")]
    Refused {
        /// The code of the error.
        code: String,
        /// Its first line.
        message: String,
    },
    /// No answer, so that the outcome is unknown.
    #[error("SQS did not answer: {0}")]
    Unanswered(String),
}

impl Fault {
    /// What a request ended with.
    pub(super) fn of<E, R>(error: &SdkError<E, R>) -> Self
    where
        E: ProvideErrorMetadata + Error + 'static,
        R: Debug,
    {
        match error {
            SdkError::ServiceError(told) => {
                Self::refused(told.err().code().unwrap_or("an error without a code"), told.err().message())
            }
            SdkError::TimeoutError(_) => Self::Unanswered("the time for it was over".to_owned()),
            SdkError::DispatchFailure(failure) => Self::Unanswered(
                failure
                    .as_connector_error()
                    .map_or_else(|| "the request was not sent".to_owned(), |error| first_line(&sentence(error))),
            ),
            SdkError::ResponseError(_) => Self::Unanswered("the answer could not be read".to_owned()),
            SdkError::ConstructionFailure(_) => Self::Unanswered("the request could not be made".to_owned()),
            _ => Self::Unanswered("the request failed".to_owned()),
        }
    }

    /// What one entry of a batch request was refused for.
    pub(super) fn of_entry(entry: &BatchResultErrorEntry) -> Self {
        Self::refused(entry.code(), entry.message())
    }

    fn refused(code: &str, message: Option<&str>) -> Self {
        Self::Refused { code: code.to_owned(), message: first_line(message.unwrap_or("no message")) }
    }

    /// Whether these credentials may not do this.
    pub(super) fn is_denied(&self) -> bool {
        matches!(self, Self::Refused { code, .. } if code.contains("AccessDenied"))
    }

    /// Whether there is no such queue.
    pub(super) fn is_no_queue(&self) -> bool {
        matches!(self, Self::Refused { code, .. }
            if ["QueueDoesNotExist", "NonExistentQueue"].iter().any(|name| code.ends_with(name)))
    }

    /// Whether a receipt is none, or no longer one: its entry is gone, or in another consumer's hands.
    pub(super) fn is_void_receipt(&self) -> bool {
        matches!(self, Self::Refused { code, .. }
            if ["ReceiptHandleIsInvalid", "MessageNotInflight", "InvalidParameterValue"].iter().any(|name| code.ends_with(name)))
    }

    /// As the port's error.
    pub(super) fn while_it_should(self, doing: &'static str) -> QueueError {
        QueueError::Unavailable { doing, source: Box::new(self) }
    }
}

/// Whether an entry may succeed when it is sent again: the fault is the server's, or there was too much at once.
pub(super) fn may_pass(entry: &BatchResultErrorEntry) -> bool {
    !entry.sender_fault() || entry.code().contains("Throttl")
}

fn first_line(text: &str) -> String {
    text.lines().next().unwrap_or_default().chars().take(MESSAGE_MAX).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_is_its_first_line() {
        let told = Fault::refused("SignatureDoesNotMatch", Some("It differs.\n\nx-amz-security-token:SECRET"));
        assert_eq!(told.to_string(), "SQS answered SignatureDoesNotMatch: It differs.");
        assert!(!told.is_denied() && Fault::refused("KMS.AccessDeniedException", None).is_denied());
        assert!(Fault::refused("AWS.SimpleQueueService.NonExistentQueue", None).is_no_queue());
    }

    #[test]
    fn what_is_the_servers_fault_may_pass() {
        let entry = |sender, code: &str| {
            BatchResultErrorEntry::builder().id("0").sender_fault(sender).code(code).build().unwrap()
        };
        assert!(may_pass(&entry(false, "InternalError")) && may_pass(&entry(true, "RequestThrottled")));
        assert!(!may_pass(&entry(true, "InvalidMessageContents")));
    }
}

//! Which rules of [`crate::queue_contract`] an adapter of the queue is held to.

/// Stamps the contract on an adapter: one test a rule. `of_a_service` leaves out what a queue can only keep that is ours: it
/// counts events, refuses at a limit, knows consumers by name and carries a word beside the entries.
macro_rules! stamp {
    ($name:ident, $bed:ty) => {
        mod $name {
            $crate::queue_stamp::stamp!(@every $bed);
            $crate::queue_stamp::stamp!(@rules $bed:
                the_depth_is_exact_a_project a_full_queue_says_so_and_takes_more_once_drained
                a_restarted_consumer_finds_its_own the_retention_is_told_to_everybody
                the_keys_that_send_are_told_to_everybody);
        }
    };
    ($name:ident, $bed:ty, of_a_service) => {
        mod $name {
            $crate::queue_stamp::stamp!(@every $bed);
        }
    };
    (@every $bed:ty) => {
        $crate::queue_stamp::stamp!(@rules $bed:
            entries_outlive_a_death entries_come_back_after_the_visibility_timeout
            a_released_entry_is_free_at_once an_extended_lease_keeps_others_away
            acknowledging_twice_counts_once every_entry_is_acknowledged_once receiving_wakes_with_the_first_entry
            tidying_hurts_nothing a_dropped_receive_loses_nothing a_late_holder_changes_nothing
            an_empty_batch_is_delivered a_large_entry_passes);
    };
    (@rules $bed:ty: $($rule:ident)*) => {
        $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
        async fn $rule() {
            $crate::queue_contract::$rule::<$bed>().await;
        })*
    };
}
pub(crate) use stamp;

//! The collector: takes events, checks them and puts them on the queue.

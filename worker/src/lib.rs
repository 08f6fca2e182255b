//! The processor: drains the queue into the store.

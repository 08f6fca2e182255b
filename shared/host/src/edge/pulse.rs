//! What a connection shows of itself, and what it is told, without a lock.

use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU32, AtomicU64, Ordering};
use std::task::Waker;

use futures::task::AtomicWaker;

/// What a connection is to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub(super) enum Order {
    /// Go on.
    Run = 0,
    /// End after the request in flight; at once where there is none.
    Finish = 1,
    /// End now.
    Cut = 2,
}

/// What a connection shows of itself. Written by the connection's task and read by the loop, both without waiting; an
/// answer that is a moment old is as good as any.
#[derive(Debug, Default)]
pub(super) struct Pulse {
    moved: AtomicU64,
    requests: AtomicU64,
    busy: AtomicU32,
    uploads: AtomicU32,
    awaited: AtomicU32,
    head_sent: AtomicBool,
    multiplexed: AtomicBool,
    write_blocked: AtomicBool,
    done: AtomicBool,
    order: AtomicU8,
    waker: AtomicWaker,
}

/// A look at a [`Pulse`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Glance {
    /// Bytes read and written so far.
    pub(super) moved: u64,
    /// Requests begun so far.
    pub(super) requests: u64,
    /// Whether a request waits for its answer to begin.
    pub(super) busy: bool,
    /// Whether all that goes on waits for bytes of a request's body.
    pub(super) body_awaited: bool,
    /// Whether a head is awaited or has begun to come and is not whole.
    pub(super) head_open: bool,
    /// Whether there are bytes to write that the client does not take.
    pub(super) write_blocked: bool,
    /// Whether the connection has ended or was handed to another protocol.
    pub(super) done: bool,
}

impl Pulse {
    /// Notes bytes that came. Between requests they are the beginning of a head.
    pub(super) fn read(&self, bytes: usize) {
        self.add(bytes);
        let between = self.busy.load(Ordering::Relaxed) == 0 && self.uploads.load(Ordering::Relaxed) == 0;
        if between && !self.head_sent.load(Ordering::Relaxed) {
            self.head_sent.store(true, Ordering::Relaxed);
        }
    }

    /// Notes a request whose body is yet to come; it may come after the answer.
    pub(super) fn upload_began(&self) {
        self.uploads.fetch_add(1, Ordering::Relaxed);
    }

    /// Notes whether somebody waits for more of a body.
    pub(super) fn upload_awaited(&self, awaited: bool) {
        if awaited {
            self.awaited.fetch_add(1, Ordering::Relaxed);
        } else {
            self.awaited.fetch_sub(1, Ordering::Relaxed);
        }
    }

    /// Notes that a body is whole, or that nobody reads on.
    pub(super) fn upload_ended(&self) {
        self.uploads.fetch_sub(1, Ordering::Relaxed);
    }

    /// Notes bytes that went.
    pub(super) fn wrote(&self, bytes: usize) {
        self.add(bytes);
        if self.write_blocked.load(Ordering::Relaxed) {
            self.write_blocked.store(false, Ordering::Relaxed);
        }
    }

    /// Notes that the client takes no more bytes for now.
    pub(super) fn blocked(&self) {
        self.write_blocked.store(true, Ordering::Relaxed);
    }

    /// Only the connection's own task writes, so that no locked instruction is needed.
    fn add(&self, bytes: usize) {
        self.moved.store(self.moved.load(Ordering::Relaxed).wrapping_add(bytes as u64), Ordering::Relaxed);
    }

    /// Notes a request whose head is whole.
    pub(super) fn began(&self, multiplexed: bool) {
        self.requests.fetch_add(1, Ordering::Relaxed);
        self.busy.fetch_add(1, Ordering::Relaxed);
        self.head_sent.store(false, Ordering::Relaxed);
        if multiplexed {
            self.multiplexed.store(true, Ordering::Relaxed);
        }
    }

    /// Notes that an answer begins, or that its request was given up.
    pub(super) fn answered(&self) {
        self.busy.fetch_sub(1, Ordering::Relaxed);
    }

    /// Notes that the connection is nobody's concern any more.
    pub(super) fn done(&self) {
        self.done.store(true, Ordering::Relaxed);
    }

    /// The state now.
    pub(super) fn glance(&self) -> Glance {
        let requests = self.requests.load(Ordering::Relaxed);
        // Frames of HTTP/2 come between requests too, and its library bounds the heads.
        let multiplexed = self.multiplexed.load(Ordering::Relaxed);
        let (busy, awaited) = (self.busy.load(Ordering::Relaxed), self.awaited.load(Ordering::Relaxed));
        Glance {
            moved: self.moved.load(Ordering::Relaxed),
            requests,
            busy: busy > 0,
            body_awaited: awaited > 0 && awaited >= busy,
            head_open: !multiplexed && (requests == 0 || self.head_sent.load(Ordering::Relaxed)),
            write_blocked: self.write_blocked.load(Ordering::Relaxed),
            done: self.done.load(Ordering::Relaxed),
        }
    }

    /// Tells the connection what to do; an order is only ever followed by a sterner one.
    pub(super) fn tell(&self, order: Order) {
        if self.order.fetch_max(order as u8, Ordering::AcqRel) < order as u8 {
            self.waker.wake();
        }
    }

    /// What to do now; `waker` is woken by the next order.
    pub(super) fn order(&self, waker: &Waker) -> Order {
        self.waker.register(waker);
        match self.order.load(Ordering::Acquire) {
            0 => Order::Run,
            1 => Order::Finish,
            _ => Order::Cut,
        }
    }
}

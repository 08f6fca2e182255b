//! Looks over the open connections: who is slow, who is idle, who is to go.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::limits::EdgeLimits;
use super::pulse::{Glance, Order, Pulse};

/// How long a connection without any request is kept while the process stops: one may just be on its way.
const FIRST_REQUEST_GRACE: Duration = Duration::from_secs(1);

/// The open connections of an edge.
#[derive(Debug, Default)]
pub(super) struct Watch(Vec<Watched>);

#[derive(Debug)]
struct Watched {
    pulse: Arc<Pulse>,
    accepted: Instant,
    last: Glance,
    /// Since when no byte has moved.
    still_since: Instant,
    /// Since when the present head is awaited.
    head_since: Instant,
}

impl Watch {
    /// Looks after one more.
    pub(super) fn add(&mut self, pulse: Arc<Pulse>, now: Instant) {
        let last = pulse.glance();
        self.0.push(Watched { pulse, accepted: now, last, still_since: now, head_since: now });
    }

    /// Ends who is over a bound and forgets who has gone; returns how many were cut for slowness.
    pub(super) fn look(&mut self, now: Instant, limits: &EdgeLimits) -> u64 {
        let mut cut = 0;
        self.0.retain_mut(|watched| {
            let glance = watched.update(now);
            if let Some(order) = watched.verdict(glance, now, limits) {
                cut += u64::from(order == Order::Cut);
                watched.pulse.tell(order);
            }
            !glance.done
        });
        // A burst leaves a large list behind.
        if self.0.capacity() > 1_024 && self.0.len() < self.0.capacity() / 4 {
            self.0.shrink_to(self.0.len() * 2);
        }
        cut
    }

    /// Counts every client's time anew: other bounds hold from `now` on.
    pub(super) fn begin_anew(&mut self, now: Instant) {
        for watched in &mut self.0 {
            (watched.still_since, watched.head_since) = (now, now);
        }
    }

    /// Lets every connection end after the request it is at.
    pub(super) fn finish(&mut self, now: Instant) {
        for watched in &self.0 {
            let waits_for_the_first = watched.pulse.glance().requests == 0;
            if !waits_for_the_first || now.duration_since(watched.accepted) >= FIRST_REQUEST_GRACE {
                watched.pulse.tell(Order::Finish);
            }
        }
    }

    /// Ends every connection now.
    pub(super) fn cut(&mut self) {
        self.0.iter().for_each(|watched| watched.pulse.tell(Order::Cut));
    }
}

impl Watched {
    fn update(&mut self, now: Instant) -> Glance {
        let glance = self.pulse.glance();
        if glance.moved != self.last.moved {
            self.still_since = now;
        }
        let same_head = glance.head_open && self.last.head_open && glance.requests == self.last.requests;
        if !same_head {
            self.head_since = now;
        }
        self.last = glance;
        glance
    }

    fn verdict(&self, glance: Glance, now: Instant, limits: &EdgeLimits) -> Option<Order> {
        let still = now.duration_since(self.still_since);
        if glance.head_open && now.duration_since(self.head_since) >= limits.head_time {
            // A connection that nobody has used yet ends without a word, one in the middle of a head is cut.
            return Some(Order::Cut);
        }
        if (glance.write_blocked || glance.body_awaited) && still >= limits.stalled_time {
            return Some(Order::Cut);
        }
        (!glance.busy && still >= limits.idle_time).then_some(Order::Finish)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(pulse: &Pulse) -> Order {
        pulse.order(futures::task::noop_waker_ref())
    }

    /// Looks once a second for `seconds`, after letting `each` happen.
    fn run(watch: &mut Watch, begin: Instant, seconds: u64, mut each: impl FnMut(u64)) {
        for second in 1..=seconds {
            each(second);
            watch.look(begin + Duration::from_secs(second), &EdgeLimits::default());
        }
    }

    #[test]
    fn a_head_has_ten_seconds_however_it_dribbles() {
        for dribbles in [false, true] {
            let (pulse, begin, mut watch) = (Arc::new(Pulse::default()), Instant::now(), Watch::default());
            watch.add(Arc::clone(&pulse), begin);
            let each = |_| {
                if dribbles {
                    pulse.read(1)
                }
            };
            run(&mut watch, begin, 9, each);
            assert_eq!(told(&pulse), Order::Run);
            run(&mut watch, begin + Duration::from_secs(9), 1, each);
            assert_eq!(told(&pulse), Order::Cut, "dribbles: {dribbles}");
        }
    }

    #[test]
    fn a_second_head_is_held_to_the_same_bound() {
        let (pulse, begin, mut watch) = (Arc::new(Pulse::default()), Instant::now(), Watch::default());
        watch.add(Arc::clone(&pulse), begin);
        pulse.read(100);
        pulse.began(false);
        pulse.answered();
        pulse.wrote(100);
        run(&mut watch, begin, 30, |_| {});
        assert_eq!(told(&pulse), Order::Run, "an idle connection may stay");
        run(&mut watch, begin + Duration::from_secs(30), 12, |_| pulse.read(1));
        assert_eq!(told(&pulse), Order::Cut);
    }

    #[test]
    fn busy_and_idle_connections_are_told_apart() {
        let (pulse, begin, mut watch) = (Arc::new(Pulse::default()), Instant::now(), Watch::default());
        watch.add(Arc::clone(&pulse), begin);
        pulse.read(100);
        pulse.began(false);
        run(&mut watch, begin, 300, |_| {});
        assert_eq!(told(&pulse), Order::Run, "a handler may take its time");
        pulse.answered();
        pulse.wrote(10);
        run(&mut watch, begin + Duration::from_secs(300), 74, |_| {});
        assert_eq!(told(&pulse), Order::Run);
        run(&mut watch, begin + Duration::from_secs(374), 2, |_| {});
        assert_eq!(told(&pulse), Order::Finish);
    }

    #[test]
    fn a_body_that_does_not_come_is_cut_and_sooner_while_the_process_stops() {
        let (pulse, begin, mut watch) = (Arc::new(Pulse::default()), Instant::now(), Watch::default());
        watch.add(Arc::clone(&pulse), begin);
        pulse.read(100);
        pulse.began(false);
        pulse.upload_began();
        pulse.upload_awaited(true);
        run(&mut watch, begin, 59, |_| {});
        assert_eq!(told(&pulse), Order::Run);
        let (stop, limits) = (begin + Duration::from_secs(59), EdgeLimits::default().while_stopping());
        watch.begin_anew(stop);
        watch.look(stop + Duration::from_millis(2_900), &limits);
        assert_eq!(told(&pulse), Order::Run, "its time begins anew");
        pulse.read(1);
        watch.look(stop + Duration::from_millis(2_950), &limits);
        watch.look(stop + Duration::from_millis(5_900), &limits);
        assert_eq!(told(&pulse), Order::Run, "it moves");
        pulse.upload_awaited(false);
        watch.look(stop + Duration::from_secs(15), &limits);
        assert_eq!(told(&pulse), Order::Run, "its handler works");
        pulse.upload_awaited(true);
        watch.look(stop + Duration::from_secs(16), &limits);
        assert_eq!(told(&pulse), Order::Cut);
    }

    #[test]
    fn what_comes_of_a_body_after_the_answer_is_no_head() {
        let (pulse, begin, mut watch) = (Arc::new(Pulse::default()), Instant::now(), Watch::default());
        watch.add(Arc::clone(&pulse), begin);
        pulse.read(100);
        pulse.began(false);
        pulse.upload_began();
        pulse.answered();
        pulse.read(1_000);
        pulse.upload_ended();
        run(&mut watch, begin, 30, |_| {});
        assert_eq!(told(&pulse), Order::Run);
        pulse.read(1);
        run(&mut watch, begin + Duration::from_secs(30), 12, |_| {});
        assert_eq!(told(&pulse), Order::Cut);
    }

    #[test]
    fn an_answer_that_nobody_reads_is_cut() {
        let (pulse, begin, mut watch) = (Arc::new(Pulse::default()), Instant::now(), Watch::default());
        watch.add(Arc::clone(&pulse), begin);
        pulse.began(false);
        pulse.answered();
        run(&mut watch, begin, 200, |second| {
            pulse.blocked();
            if second % 30 == 0 {
                pulse.wrote(1);
                pulse.blocked();
            }
        });
        assert_eq!(told(&pulse), Order::Run, "it is slow, and it moves");
        run(&mut watch, begin + Duration::from_secs(200), 61, |_| {});
        assert_eq!(told(&pulse), Order::Cut);
    }

    #[test]
    fn the_list_forgets_who_has_gone() {
        let (begin, mut watch) = (Instant::now(), Watch::default());
        for _ in 0..10_000 {
            let pulse = Arc::new(Pulse::default());
            watch.add(Arc::clone(&pulse), begin);
            pulse.done();
        }
        watch.look(begin, &EdgeLimits::default());
        assert!(watch.0.is_empty() && watch.0.capacity() <= 1_024);
    }
}

//! Threads that take the quarters of one answer side by side, each into a taker of its own.
//!
//! A quarter is taken by the thread of its lane, so that quarters of a lane are taken in the order in which they come. What waits
//! is bounded by its bytes: who hands in waits until there is room.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{Builder, JoinHandle, panicking};

use super::lane::lane_of;
use super::part::Part;
use super::reader::{Quarterly, Stop};
use super::threads::{Hired, NAME};

/// Most bytes that wait or are being taken; a part that is larger is alone.
const WAITING_BYTES: usize = 16 << 20;

/// The threads, and what waits for them. They end with it.
#[derive(Debug)]
pub(super) struct Crew<T> {
    line: Arc<Line>,
    threads: Vec<JoinHandle<(T, Result<(), Stop>)>>,
    hired: Hired,
}

/// What a crew leaves.
#[derive(Debug)]
pub(super) struct Left<T> {
    /// What took quarters.
    pub(super) takers: Vec<T>,
    /// Those that nobody took, each lane's in order: only where all together held more than they may.
    pub(super) parts: Vec<Part>,
    pub(super) hired: Hired,
}

impl<T: Quarterly> Crew<T> {
    /// Starts threads; `None` where that cannot be.
    pub(super) fn start(hired: Hired, taker: &T, changed: &Arc<HashMap<u32, u32>>) -> Option<Self> {
        let line = Arc::new(Line::new(hired.count(), taker.most().saturating_sub(taker.weight())));
        let mut crew = Self { line, threads: Vec::with_capacity(hired.count()), hired };
        for place in 0..crew.hired.count() {
            let (taker, line, changed) = (taker.beside(), Arc::clone(&crew.line), Arc::clone(changed));
            let thread = Builder::new().name(NAME.to_owned()).spawn(move || work(place, taker, &line, &changed));
            crew.threads.push(thread.ok()?);
        }
        Some(crew)
    }

    /// Hands a part in. It comes back where no more are taken: then [`Crew::end`] tells why.
    pub(super) fn hand_in(&self, part: Part) -> Result<(), Box<Part>> {
        self.line.hand_in(part)
    }

    /// Waits until all is taken, or, where it was stopped, until nobody works any more.
    pub(super) fn end(mut self) -> Result<Left<T>, Stop> {
        self.line.close();
        let mut takers = Vec::with_capacity(self.threads.len());
        let mut outcome = Ok(());
        for thread in self.threads.drain(..) {
            match thread.join() {
                Ok((taker, taken)) => {
                    takers.push(taker);
                    outcome = outcome.and(taken);
                }
                Err(_) => outcome = Err(Stop::Lost),
            }
        }
        outcome?;
        let parts = self.line.left();
        let hired = std::mem::replace(&mut self.hired, Hired::nobody());
        Ok(Left { takers, parts, hired })
    }
}

impl<T> Drop for Crew<T> {
    fn drop(&mut self) {
        self.line.stop();
        for thread in self.threads.drain(..) {
            // A panic was told where it was.
            let _ = thread.join();
        }
    }
}

/// What a thread does.
fn work<T: Quarterly>(place: usize, mut taker: T, line: &Line, changed: &HashMap<u32, u32>) -> (T, Result<(), Stop>) {
    let _watch = Watch(line);
    while let Some(part) = line.next(place) {
        let bytes = part.bytes();
        let taken = taker.take(&part.segment(), changed);
        if taken.is_err() {
            line.stop();
            return (taker, taken);
        }
        line.done(place, bytes, taker.weight());
    }
    taker.settle();
    (taker, Ok(()))
}

/// Stops all where a thread panics: nobody waits for it.
struct Watch<'l>(&'l Line);

impl Drop for Watch<'_> {
    fn drop(&mut self) {
        if panicking() {
            self.0.stop();
        }
    }
}

/// Where parts wait.
#[derive(Debug)]
struct Line {
    /// Most that all takers may weigh.
    most: usize,
    state: Mutex<State>,
    /// For each thread: something waits for it, or nothing comes any more.
    work: Vec<Condvar>,
    /// Less waits, or nothing is taken any more.
    room: Condvar,
}

#[derive(Debug)]
struct State {
    /// What waits for each thread.
    waiting: Vec<VecDeque<Part>>,
    /// The bytes of what waits and of what is being taken.
    bytes: usize,
    /// What each taker weighs.
    weights: Vec<usize>,
    /// Somebody waits for room.
    is_awaited: bool,
    /// No more come.
    is_closed: bool,
    /// No more are taken.
    is_stopped: bool,
}

impl Line {
    fn new(threads: usize, most: usize) -> Self {
        let waiting = (0..threads).map(|_| VecDeque::new()).collect();
        let state = State {
            waiting,
            bytes: 0,
            weights: vec![0; threads],
            is_awaited: false,
            is_closed: false,
            is_stopped: false,
        };
        let work = (0..threads).map(|_| Condvar::new()).collect();
        Self { most, state: Mutex::new(state), work, room: Condvar::new() }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn hand_in(&self, part: Part) -> Result<(), Box<Part>> {
        let bytes = part.bytes();
        let is_full = |state: &State| !state.is_stopped && state.bytes > 0 && state.bytes + bytes > WAITING_BYTES;
        let mut state = self.state();
        while is_full(&state) {
            state.is_awaited = true;
            state = self.room.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        state.is_awaited = false;
        let place = lane_of(part.quarter()) % state.waiting.len().max(1);
        let is_stopped = state.is_stopped;
        let Some(waiting) = state.waiting.get_mut(place).filter(|_| !is_stopped) else { return Err(Box::new(part)) };
        waiting.push_back(part);
        let is_first = waiting.len() == 1;
        state.bytes += bytes;
        drop(state);
        // Whoever has something waiting does not sleep.
        if let Some(work) = self.work.get(place).filter(|_| is_first) {
            work.notify_one();
        }
        Ok(())
    }

    /// The next part for a thread, once it is there; `None` where none comes.
    fn next(&self, place: usize) -> Option<Part> {
        let has_none = |state: &mut State| {
            !state.is_stopped && !state.is_closed && state.waiting.get(place).is_none_or(VecDeque::is_empty)
        };
        let work = self.work.get(place)?;
        let mut state = work.wait_while(self.state(), has_none).unwrap_or_else(PoisonError::into_inner);
        if state.is_stopped { None } else { state.waiting.get_mut(place)?.pop_front() }
    }

    /// Notes that a thread has taken so many bytes, and what its taker weighs now.
    fn done(&self, place: usize, bytes: usize, weight: usize) {
        let mut state = self.state();
        state.bytes = state.bytes.saturating_sub(bytes);
        if let Some(known) = state.weights.get_mut(place) {
            *known = weight;
        }
        let is_heavy = state.weights.iter().sum::<usize>() > self.most;
        let is_awaited = state.is_awaited;
        drop(state);
        if is_heavy {
            self.stop();
        } else if is_awaited {
            self.room.notify_all();
        }
    }

    fn close(&self) {
        self.state().is_closed = true;
        self.work.iter().for_each(Condvar::notify_all);
    }

    fn stop(&self) {
        self.state().is_stopped = true;
        self.work.iter().for_each(Condvar::notify_all);
        self.room.notify_all();
    }

    /// What nobody took.
    fn left(&self) -> Vec<Part> {
        self.state().waiting.iter_mut().flat_map(std::mem::take).collect()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::sync::mpsc::channel;
    use std::time::Duration;

    use analytics_columns::{Quarter, Segment};

    use super::*;
    use crate::columns::reader::ColumnReader;
    use crate::columns::threads::Threads;
    use crate::{Cell, QueryError, QueryErrorCode};

    /// Notes the quarters that it takes, and holds the last digit of each once.
    #[derive(Debug, Clone)]
    struct Probe {
        seen: Vec<i64>,
        digits: BTreeSet<i64>,
        most: usize,
        panics_at: i64,
        refuses: i64,
        rest: Duration,
        /// So many there are.
        alive: Arc<()>,
    }

    impl Probe {
        fn new() -> Self {
            let (seen, digits, rest) = (Vec::new(), BTreeSet::new(), Duration::ZERO);
            Self { seen, digits, most: 100, panics_at: -1, refuses: -1, rest, alive: Arc::new(()) }
        }
    }

    impl Quarterly for Probe {
        fn columns(&self) -> Vec<String> {
            Vec::new()
        }

        fn take(&mut self, segment: &Segment, _: &HashMap<u32, u32>) -> Result<(), Stop> {
            let Quarter(quarter) = segment.quarter;
            std::thread::sleep(self.rest);
            assert_ne!(quarter, self.panics_at, "the probe was told to panic here");
            if quarter == self.refuses {
                return Err(Stop::TooLarge("refused".to_owned()));
            }
            self.seen.push(quarter);
            self.digits.insert(quarter % 10);
            self.check()
        }

        fn beside(&self) -> Self {
            Self { seen: Vec::new(), digits: BTreeSet::new(), ..self.clone() }
        }

        fn join(&mut self, other: Self) -> Result<(), Stop> {
            self.seen.extend(other.seen);
            self.digits.extend(other.digits);
            Ok(())
        }

        fn weight(&self) -> usize {
            self.digits.len()
        }

        fn most(&self) -> usize {
            self.most
        }

        fn check(&self) -> Result<(), Stop> {
            if self.digits.len() > self.most { Err(Stop::TooLarge("too many digits".to_owned())) } else { Ok(()) }
        }
    }

    fn push(reader: &mut ColumnReader<Probe>, quarter: i64) -> Result<(), QueryError> {
        let cells = [Cell::Int(quarter), Cell::Int(0), Cell::Text("actors".to_owned()), Cell::Bytes(vec![0; 8])];
        reader.push(3, cells.to_vec())
    }

    /// What was seen of so many quarters.
    fn seen(probe: Probe, quarters: i64, threads: Threads) -> Result<Vec<i64>, QueryError> {
        let mut reader = ColumnReader::new(probe, threads);
        (0..quarters).try_for_each(|quarter| push(&mut reader, quarter))?;
        Ok(reader.finish()?.0.seen)
    }

    #[test]
    fn each_quarter_is_taken_once_and_those_of_a_lane_in_order() {
        for most in 1..=4 {
            let threads = Threads::of_test(most);
            let mut all = seen(Probe::new(), 500, threads).unwrap();
            for lane in 0..4 {
                let of_lane: Vec<_> = all.iter().filter(|quarter| lane_of(Quarter(**quarter)) == lane).collect();
                assert!(of_lane.is_sorted(), "{most} threads, lane {lane}: {of_lane:?}");
            }
            assert_eq!(all.is_sorted(), most == 1);
            all.sort_unstable();
            assert_eq!(all, (0..500).collect::<Vec<_>>());
            assert_eq!(threads.at_work(), 0);
        }
    }

    #[test]
    fn who_hands_in_learns_of_a_panic_and_of_a_refusal() {
        for most in 2..=4 {
            let threads = Threads::of_test(most);
            // So late that some are handed in after it, and so late that none is.
            for quarter in [20, 1_999] {
                let error = seen(Probe { panics_at: quarter, ..Probe::new() }, 2_000, threads).unwrap_err();
                assert_eq!(error.code, QueryErrorCode::Unreadable, "{error}");
                let error = seen(Probe { refuses: quarter, ..Probe::new() }, 2_000, threads).unwrap_err();
                assert_eq!((error.code, error.message.as_str()), (QueryErrorCode::QueryTooLarge, "refused"));
            }
            assert_eq!(threads.at_work(), 0);
        }
    }

    #[test]
    fn threads_end_with_a_reader_that_is_dropped() {
        let (told, ended) = channel();
        std::thread::spawn(move || {
            let probe = Probe { rest: Duration::from_millis(5), ..Probe::new() };
            let (alive, threads) = (Arc::clone(&probe.alive), Threads::of_test(3));
            let mut reader = ColumnReader::new(probe, threads);
            (0..400).for_each(|quarter| push(&mut reader, quarter).unwrap());
            let before = (Arc::strong_count(&alive), threads.at_work());
            drop(reader);
            told.send((before, (Arc::strong_count(&alive), threads.at_work()))).unwrap();
        });
        // 400 quarters would take most of a second each.
        let (before, after) = ended.recv_timeout(Duration::from_secs(20)).unwrap();
        assert_eq!((before, after), ((5, 3), (1, 0)));
    }

    #[test]
    fn together_they_hold_no_more_than_one_may() {
        for most in 1..=4 {
            let threads = Threads::of_test(most);
            // Each holds the same ten digits: as one they are ten.
            let mut all = seen(Probe { most: 10, ..Probe::new() }, 500, threads).unwrap();
            all.sort_unstable();
            assert_eq!(all, (0..500).collect::<Vec<_>>());
            let refused = seen(Probe { most: 9, ..Probe::new() }, 500, threads).unwrap_err();
            assert_eq!(refused.message, "too many digits");
        }
    }

    #[test]
    fn who_hands_in_waits_where_much_is_not_taken_yet() {
        let probe = Probe { rest: Duration::from_millis(2), ..Probe::new() };
        let crew = Crew::start(Threads::of_test(2).hire().unwrap(), &probe, &Arc::default()).unwrap();
        let size = WAITING_BYTES / 5 - 1;
        let mut peak = 0;
        for quarter in 0..60 {
            crew.hand_in(Part::Kept(Segment::new(Quarter(quarter), []), size)).unwrap();
            peak = peak.max(crew.line.state().bytes);
        }
        // One that is larger than all that may wait goes alone.
        crew.hand_in(Part::Kept(Segment::new(Quarter(60), []), WAITING_BYTES * 2)).unwrap();
        assert!(peak <= WAITING_BYTES && peak > size, "{peak}");
        let left = crew.end().unwrap();
        assert_eq!(left.takers.iter().map(|taker| taker.seen.len()).sum::<usize>(), 61);
        assert!(left.parts.is_empty());
    }

    #[test]
    fn no_more_is_taken_where_all_together_hold_too_much() {
        let line = Line::new(2, 10);
        let part = || Part::Kept(Segment::new(Quarter(0), []), 1);
        line.done(0, 0, 6);
        line.hand_in(part()).unwrap();
        line.done(1, 0, 4);
        line.hand_in(part()).unwrap();
        line.done(1, 0, 5);
        assert!(line.hand_in(part()).is_err());
        assert!(line.next(0).is_none());
        assert_eq!(line.left().len(), 2);
    }

    #[test]
    fn nobody_waits_for_room_that_a_panic_has_left() {
        let (told, ended) = channel();
        std::thread::spawn(move || {
            let probe = Probe { panics_at: 1, ..Probe::new() };
            let crew = Crew::start(Threads::of_test(2).hire().unwrap(), &probe, &Arc::default()).unwrap();
            let part = |quarter| Part::Kept(Segment::new(Quarter(quarter), []), WAITING_BYTES);
            let taken = (0..5).try_for_each(|quarter| crew.hand_in(part(quarter)));
            let is_stopped = taken.is_err();
            told.send((is_stopped, matches!(crew.end(), Err(Stop::Lost)))).unwrap();
        });
        assert_eq!(ended.recv_timeout(Duration::from_secs(20)), Ok((true, true)));
    }
}

//! How long a measurement will still take, and what ends before a deadline.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use crate::probe::Contender;

/// What takes time, each at a pace of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// Probes fitted to features.
    Probed,
    /// Sources that learn from each draw.
    Learned,
}

impl Kind {
    pub(super) fn of(contender: &Contender<'_>) -> Kind {
        match contender.learns() {
            true => Kind::Learned,
            false => Kind::Probed,
        }
    }
}

/// Work of each kind, in units of its own: all, done, and the seconds that took.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Pace([Sum; 2]);

#[derive(Clone, Copy, Debug, Default)]
struct Sum {
    all: f64,
    done: f64,
    seconds: f64,
}

impl Sum {
    fn expected(&self, weight: f64) -> Duration {
        let seconds = match self.done > 0.0 {
            true => weight * self.seconds / self.done,
            false => 0.0,
        };
        Duration::try_from_secs_f64(seconds).unwrap_or(Duration::MAX)
    }
}

/// Which draws may begin on threads that share a deadline: those that end before it at the pace of the draws so far. The first ones, whose
/// pace is not known, may end after it.
pub(in crate::probe) struct Schedule {
    deadline: Option<Instant>,
    /// Seconds of single draws by themselves.
    pace: Mutex<Sum>,
}

impl Schedule {
    pub(super) fn new(deadline: Option<Instant>) -> Schedule {
        Schedule {
            deadline,
            pace: Mutex::new(Sum::default()),
        }
    }

    /// A draw took this time on its thread.
    pub(in crate::probe) fn did(&self, weight: f64, time: Duration) {
        let mut pace = self.pace.lock().unwrap_or_else(PoisonError::into_inner);
        pace.done += weight;
        pace.seconds += time.as_secs_f64();
    }

    /// Whether a draw may begin now.
    pub(in crate::probe) fn allows(&self, weight: f64) -> bool {
        let pace = self.pace.lock().unwrap_or_else(PoisonError::into_inner);
        ends_before(self.deadline, pace.expected(weight))
    }
}

/// Whether what begins now and takes so long ends before the deadline, if there is one.
pub(super) fn ends_before(deadline: Option<Instant>, expected: Duration) -> bool {
    let left = deadline.map(|deadline| deadline.saturating_duration_since(Instant::now()));
    left.is_none_or(|left| expected < left)
}

impl Pace {
    /// There is so much more to do.
    pub(super) fn expect(&mut self, kind: Kind, weight: f64) {
        self.0[kind as usize].all += weight;
    }

    /// So much was done in this time.
    pub(super) fn did(&mut self, kind: Kind, weight: f64, time: Duration) {
        let sum = &mut self.0[kind as usize];
        sum.done += weight;
        sum.seconds += time.as_secs_f64();
    }

    /// How long so much more takes at the pace so far; zero where that is not known.
    pub(super) fn expected(&self, kind: Kind, weight: f64) -> Duration {
        self.0[kind as usize].expected(weight)
    }

    /// `, 2:05 left`; `, more than 2:05 left` as long as the pace of some of it is not known; empty where nothing is known.
    pub(super) fn left(&self) -> String {
        let (mut seconds, mut known, mut unknown) = (0.0, false, false);
        for sum in &self.0 {
            let left = sum.all - sum.done;
            match sum.done > 0.0 {
                true => {
                    known = true;
                    seconds += left.max(0.0) * sum.seconds / sum.done;
                }
                false => unknown |= left > 0.0,
            }
        }
        if !known {
            return String::new();
        }
        let s = seconds.round() as u64;
        let clock = match s / 3600 {
            0 => format!("{}:{:02}", s / 60, s % 60),
            hours => format!("{hours}:{:02}:{:02}", s / 60 % 60, s % 60),
        };
        let more = if unknown { "more than " } else { "" };
        format!(", {more}{clock} left")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn time_left_is_the_work_left_at_the_pace_so_far() {
        let mut pace = Pace::default();
        assert_eq!(pace.left(), "");
        pace.expect(Kind::Probed, 30.0);
        pace.expect(Kind::Learned, 4.0);
        pace.did(Kind::Probed, 10.0, Duration::from_secs(60));
        assert_eq!(pace.left(), ", more than 2:00 left");
        pace.did(Kind::Learned, 1.0, Duration::from_secs(3000));
        assert_eq!(pace.left(), ", 2:32:00 left");
    }

    #[test]
    fn no_draw_begins_that_would_end_after_the_deadline() {
        let hour = Duration::from_secs(3600);
        let schedule = Schedule::new(Some(Instant::now() + hour));
        assert!(schedule.allows(1e9), "no pace is known");
        // Ten minutes for each unit, whatever the threads did meanwhile.
        for _ in 0..2 {
            schedule.did(2.0, hour / 3);
        }
        assert!(schedule.allows(5.0) && !schedule.allows(7.0));
        assert!(!Schedule::new(Some(Instant::now())).allows(0.0));
        let without = Schedule::new(None);
        without.did(1.0, hour);
        assert!(without.allows(1e300));

        let mut pace = Pace::default();
        assert_eq!(pace.expected(Kind::Probed, 3.0), Duration::ZERO);
        pace.did(Kind::Probed, 2.0, hour);
        assert_eq!(pace.expected(Kind::Probed, 3.0), hour * 3 / 2);
        assert_eq!(pace.expected(Kind::Learned, 3.0), Duration::ZERO);
    }
}

//! How long a measurement will still take.

use std::time::Duration;

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
        match contender {
            Contender::PerDraw { .. } => Kind::Learned,
            Contender::Fixed(_) | Contender::Seeds { .. } | Contender::Maps { .. } => Kind::Probed,
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
}

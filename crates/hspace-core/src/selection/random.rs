//! Rows at random: what every rule has to beat. A pick's score is 0.

use super::{Pick, Rule};
use crate::list::Entry;
use crate::random::{mix, shuffled};

/// The line in the list.
pub(super) const ENTRY: Entry<Rule> = Entry {
    name: "random",
    summary: "rows at random, which other rules are compared with",
    source: "",
    item: Rule {
        needs_head: false,
        choose: |pool, n| {
            let order = shuffled(pool.open.to_vec(), mix(&[pool.seed, 1]));
            let pick = |row| Pick { row, score: 0.0 };
            order.into_iter().take(n).map(pick).collect()
        },
    },
};

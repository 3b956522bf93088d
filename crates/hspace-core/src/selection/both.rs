//! Core-set weighted by uncertainty: rows that a head is unsure of and that are far from all others that are labelled or chosen.
//!
//! ```text
//! repeat n times: s ← s ∪ {argmax_i u_i · min_{j ∈ s} ‖x_i − x_j‖}       s: labelled rows at first, u as in `uncertainty`
//! ```
//!
//! The greedy algorithm for the k-centre problem with weighted vertices: Dyer & Frieze 1985, "A simple heuristic for the p-centre problem",
//! Operations Research Letters 3. With uncertainty as the weight it serves the end of Ramalingam, Awasthi & Kumar 2023, "A weighted k-center
//! algorithm for data subset selection", arXiv:2312.10602, who add the two instead: a product needs no factor that balances them, and does not
//! depend on the unit of the features. A pick's score is the product.

use super::Rule;
use super::coreset::k_centre;
use crate::list::Entry;

/// The line in the list.
pub(super) const ENTRY: Entry<Rule> = Entry {
    name: "both",
    summary: "greedy k-centre with each row's distance multiplied by its uncertainty",
    source: "Dyer & Frieze 1985; cf. Ramalingam et al. 2023, arXiv:2312.10602",
    item: Rule {
        needs_head: true,
        choose: |pool, n| {
            let u = pool.uncertainty.unwrap_or_default();
            k_centre(pool, n, |place| u[place])
        },
    },
};

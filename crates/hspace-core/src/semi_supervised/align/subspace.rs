//! Subspace alignment: the principal components of the source are turned towards those of the target.
//!
//! Rows of the source become `(x − μ_s) P_s P_sᵀ P_t`, those of the target `(x − μ_t) P_t`, P the first `dims` principal components of each domain
//! (Fernando et al. 2013, ICCV, equation 5).
//!
//! Deviations: `dims` is 50 by default, or half of what the smaller domain has (the paper bounds it by the eigenvalues' consistency).

use super::{Aligned, Moved, as_matrix, last_columns, moments};
use crate::auto::Auto;
use crate::error::Result;
use crate::list::Entry;
use crate::matrix::{Matrix, eigen};
use crate::semi_supervised::Method;

/// Principal components where nothing else is said.
const DIMS: usize = 50;

/// The line in the list.
pub(in crate::semi_supervised) const ENTRY: Entry<Method> = Entry {
    name: "align_subspace",
    summary: "domain adaptation: principal components of the labelled rows are turned to those of the others, then the linear probe",
    source: "Fernando et al. 2013, ICCV",
    item: Method {
        prepare: |train, test, options| {
            let own = options.align_subspace;
            Ok(Box::new(Aligned {
                train,
                test,
                c: own.c,
                align: move |source: &Matrix, target: &Matrix, test: &Matrix| {
                    turned(source, target, test, own.dims)
                },
            }))
        },
        draws: 10,
    },
};

pub(super) fn turned(
    source: &Matrix,
    target: &Matrix,
    test: &Matrix,
    dims: Auto<usize>,
) -> Result<Moved> {
    let most = source.cols.min(source.rows).min(target.rows).max(1);
    let dims = match dims {
        Auto::Set(dims) => dims.min(most),
        Auto::Auto => DIMS.min(most.div_ceil(2)),
    };
    let ((mean_s, c_s), (mean_t, c_t)) = (moments(source), moments(target));
    let of_source = last_columns(&eigen(&c_s, true)?.1, dims);
    let of_target = last_columns(&eigen(&c_t, true)?.1, dims);
    let turn = &of_source * (of_source.transpose() * &of_target);
    Ok(Moved {
        source: source.minus(&mean_s).times(&as_matrix(&turn)),
        kept: None,
        test: test.minus(&mean_t).times(&as_matrix(&of_target)),
    })
}

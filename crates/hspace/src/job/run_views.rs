//! The random views of a run, ready to be taken: one [`Views`] a recipe.

use std::collections::BTreeMap;

use crate::error::{Error, Result};
use crate::objective::Stream;
use crate::views::{InputSpec, Marginals, Recipe, Recipes, Views, ViewsConfig};

/// Views by recipe.
pub struct RunViews {
    /// The views of `[views]`; as they are evaluated, too.
    pub random: Views,
    /// Small views of small parts.
    pub local: Views,
    named: BTreeMap<Recipe, Views>,
}

impl RunViews {
    /// The views of samples that become `input`; small ones fill patches of `patch` pixels, if the encoder has them.
    ///
    /// # Errors
    /// As [`Views::new`], for each recipe.
    pub fn new(
        recipes: &Recipes,
        input: InputSpec,
        reference: Option<Marginals>,
        patch: Option<usize>,
    ) -> Result<RunViews> {
        let made =
            |views: &ViewsConfig| Views::new(views.clone(), input.clone(), reference.clone());
        let random = made(&recipes.random)?;
        let mut named = BTreeMap::new();
        for (&recipe, views) in &recipes.named {
            let path = format!("views.{}.", recipe.name());
            let views = made(views).map_err(|error| match error {
                Error::Config(problems) => Error::Config(
                    problems
                        .iter()
                        .map(|problem| problem.replacen("views.", &path, 1))
                        .collect(),
                ),
                other => other,
            })?;
            named.insert(recipe, views);
        }
        let local = named.remove(&Recipe::Local);
        Ok(RunViews {
            local: local.as_ref().unwrap_or(&random).local(patch),
            random,
            named,
        })
    }

    /// The views of each view of `stream`.
    pub fn of_stream(&self, stream: &Stream) -> Vec<&Views> {
        let of = |nth: usize| match stream.recipe(nth) {
            Some(Recipe::Local) => &self.local,
            Some(recipe) => self.named.get(&recipe).unwrap_or(&self.random),
            None => &self.random,
        };
        (0..stream.view_kinds.len()).map(of).collect()
    }
}

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

    /// The views by this recipe, if the run has them: small ones it always has, others where `[views.NAME]` says how.
    pub fn by_recipe(&self, recipe: Recipe) -> Option<&Views> {
        match recipe {
            Recipe::Local => Some(&self.local),
            recipe => self.named.get(&recipe),
        }
    }

    /// The views of each view of `stream`: those of `[views]` where it has no recipe, or the run none of that name.
    pub fn of_stream(&self, stream: &Stream) -> Vec<&Views> {
        let of = |nth| stream.recipe(nth).and_then(|recipe| self.by_recipe(recipe));
        let all = (0..stream.view_kinds.len()).map(of);
        all.map(|views| views.unwrap_or(&self.random)).collect()
    }
}

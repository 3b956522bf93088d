//! `[views]` and the recipes within it.

use toml::{Table, Value};

use super::{AUTO, overlay, parse};
use crate::dataset::Kind;
use crate::error::unknown;
use crate::list::Entry;
use crate::objective::{Stream, ViewKind};
use crate::views::recipes::Preset;
use crate::views::{PRESETS, Recipe, Recipes, ViewsConfig};

/// The random views that `streams` take of data of `kind`, of pictures `side` pixels high: the preset's with `user`'s settings over them.
pub(super) fn views(
    preset: &str,
    streams: &[Stream],
    (kind, side): (Kind, usize),
    mut user: Table,
    problems: &mut Vec<String>,
) -> Recipes {
    let mut recipes = match find(preset, streams, kind) {
        Ok(preset) => (preset.make)(kind, side),
        Err(problem) => {
            problems.push(problem);
            Recipes::default()
        }
    };
    let own: Vec<(Recipe, Option<Value>)> = Recipe::ALL
        .into_iter()
        .map(|recipe| (recipe, user.remove(recipe.name())))
        .collect();
    recipes.random = settled("views", &recipes.random, user, problems);
    let taken: Vec<Recipe> = streams.iter().flat_map(Stream::recipes).collect();
    for (recipe, own) in own {
        let path = format!("views.{}", recipe.name());
        let own = match own {
            None => None,
            Some(Value::Table(own)) => Some(own),
            Some(other) => {
                problems.push(format!("{path}={other}: must be a table of views"));
                continue;
            }
        };
        if !taken.contains(&recipe) {
            recipes.named.remove(&recipe);
            if own.is_some() {
                problems.push(format!(
                    "{path}: the objective takes no such views; leave it out, or set views.*"
                ));
            }
            continue;
        }
        let always = matches!(recipe, Recipe::Weak | Recipe::Strong);
        let default = match recipes.named.remove(&recipe) {
            Some(preset) => preset,
            None if own.is_some() || always => recipes.default_of(recipe, kind),
            None => continue,
        };
        let views = settled(&path, &default, own.unwrap_or_default(), problems);
        recipes.named.insert(recipe, views);
    }
    recipes
}

/// The preset of that name; of `auto` `strong` where several random views of a sample are compared, else `weak`.
fn find(name: &str, streams: &[Stream], kind: Kind) -> Result<&'static Entry<Preset>, String> {
    let compares = |stream: &Stream| {
        let random = stream
            .view_kinds
            .iter()
            .filter(|&&kind| kind == ViewKind::Random);
        random.count() > 1
    };
    let wanted = match (name, streams.iter().any(compares)) {
        (AUTO, true) => "strong",
        (AUTO, false) => "weak",
        (name, _) => name,
    };
    let names = || [AUTO].into_iter().chain(PRESETS.iter().map(|p| p.name));
    let found = PRESETS.iter().find(|preset| preset.name == wanted);
    let preset = found.ok_or_else(|| format!("view_set: {}", unknown("preset", name, names())))?;
    match (preset.of_photos, kind) {
        (true, Kind::Digits | Kind::Vectors) => Err(format!(
            "view_set={name}: for images that may be mirrored, which the data are not; use strong or weak"
        )),
        _ => Ok(preset),
    }
}

/// `default` with the user's settings over it.
fn settled(
    path: &str,
    default: &ViewsConfig,
    user: Table,
    problems: &mut Vec<String>,
) -> ViewsConfig {
    let mut table = Table::try_from(default).expect("plain settings serialise");
    overlay(&mut table, user, path, problems);
    let views: ViewsConfig =
        parse(&format!("{path}."), table, problems).unwrap_or_else(|| default.clone());
    let wrong = views.validate().into_iter();
    problems.extend(wrong.map(|problem| problem.replacen("views", path, 1)));
    views
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::objective::Subset;

    fn resolved(preset: &str, view_kinds: &[ViewKind], user: &str) -> (Recipes, Vec<String>) {
        let streams = [Stream::new(Subset::All, view_kinds.to_vec())];
        let mut problems = vec![];
        let user = user.parse().expect("TOML");
        let of = (Kind::Photo, 32);
        (views(preset, &streams, of, user, &mut problems), problems)
    }

    const TWO: [ViewKind; 2] = [ViewKind::Random; 2];

    #[test]
    fn a_second_recipe_is_made_where_there_is_a_second_view() {
        let (byol, problems) = resolved("byol", &TWO, "second.blur.p = 0.3");
        assert_eq!(problems, Vec::<String>::new());
        let second = &byol.named[&Recipe::Second];
        assert_eq!((second.blur.p, second.solarize.p), (0.3, 0.2));
        let (alone, _) = resolved("byol", &TWO[..1], "");
        assert!(alone.named.is_empty());
        // Without a preset's, it is as the first but for what is said.
        let (own, _) = resolved("strong", &TWO, "crop.scale = [0.5, 1]\nsecond.blur.p = 1");
        let second = &own.named[&Recipe::Second];
        assert_eq!((second.crop.scale, second.blur.p), ([0.5, 1.0], 1.0));
        assert_eq!(own.random.blur.p, 0.0);
    }

    #[test]
    fn auto_is_strong_where_views_are_compared() {
        let strong = resolved("auto", &TWO, "").0;
        assert_eq!(strong.random, ViewsConfig::preset(Kind::Photo, 32));
        let weak = resolved("auto", &[ViewKind::Random], "").0;
        assert_eq!(weak.random, ViewsConfig::weak(Kind::Photo));
    }

    #[test]
    fn weak_and_strong_views_have_recipes_of_their_own() {
        let (recipes, problems) = resolved("auto", &[ViewKind::Weak, ViewKind::Strong], "");
        assert_eq!(problems, Vec::<String>::new());
        assert_eq!(recipes.named[&Recipe::Strong].rand_augment.operations, 2);
        assert_eq!(recipes.named[&Recipe::Weak].rand_augment.operations, 0);
    }

    #[test]
    fn what_makes_no_sense_is_named() {
        for (preset, user, named) in [
            ("strong", "second = 3", "views.second=3"),
            ("strong", "weak.blur.p = 1", "views.weak: the objective"),
            ("strong", "second.blur.p = 2", "views.second.blur.p: "),
            ("strong", "second.blurr.p = 1", "views.second"),
            ("bjol", "", "byol"),
        ] {
            let problems = resolved(preset, &TWO, user).1;
            assert!(
                problems.len() == 1 && problems[0].contains(named),
                "{user}: {problems:?}"
            );
        }
    }
}

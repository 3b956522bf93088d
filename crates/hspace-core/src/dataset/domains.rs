//! Several datasets as the domains of one.

use super::joined::Parts;
use super::{Column, Dataset, Kind, Role, Shape, Values, task};
use crate::error::{Error, Result};

/// Name of the column that says which dataset a sample is of.
pub const DOMAIN: &str = "domain";

impl Dataset {
    /// The datasets `parts`, one after the other, each under a name, as the domains of one dataset: a column `domain` says which one a
    /// sample is of. Each keeps its split. Columns that all have, of one kind, are kept, and the names of their classes are united; others are left
    /// out. Images are of the size of the largest and have its channels: grey ones are repeated where others have colours. Ids get the name and a slash.
    ///
    /// ```
    /// use hspace_core::dataset::{Dataset, OpenOptions, Role};
    ///
    /// let shapes = || Dataset::open("builtin:shapes", &OpenOptions::default());
    /// let both = Dataset::of_domains(vec![("a".into(), shapes()?), ("b".into(), shapes()?)])?;
    /// assert_eq!((both.len(), both.column("domain")?.role), (3200, Role::Domain));
    /// assert_eq!(both.task().map(|task| task.name.as_str()), Some("shape"));
    /// assert!(both.ids[1600].starts_with("b/"));
    /// # Ok::<(), hspace_core::Error>(())
    /// ```
    ///
    /// # Errors
    /// When two have the same name, when some have images and others vectors, or vectors of another length, when channels are neither one number nor
    /// that and 1, when they have no label column in common, or when one has a column `domain` already.
    pub fn of_domains(parts: Vec<(String, Dataset)>) -> Result<Dataset> {
        let shape = common_shape(&parts)?;
        for (place, (name, part)) in parts.iter().enumerate() {
            if parts[..place].iter().any(|other| other.0 == *name) {
                return Err(Error::config(format!("two datasets are called `{name}`")));
            }
            if part.columns.iter().any(|c| c.name == DOMAIN) {
                return Err(Error::config(format!(
                    "{name} has a column `{DOMAIN}` already; compare its domains by `--data {name} --domain {DOMAIN}`, or rename it"
                )));
            }
        }
        let mut columns = common_columns(&parts);
        if !columns.iter().any(|c| c.role == Role::Label) {
            let of = |(name, part): &(String, Dataset)| {
                let titles: Vec<&str> = part.columns.iter().map(|c| c.name.as_str()).collect();
                format!("{name}: {}", titles.join(", "))
            };
            let titles: Vec<String> = parts.iter().map(of).collect();
            return Err(Error::data(format!(
                "the datasets have no label column of the same name and kind ({}); rename one",
                titles.join("; ")
            )));
        }
        let index = parts.iter().enumerate();
        let index =
            index.flat_map(|(d, (_, part))| std::iter::repeat_n(Some(d as u32), part.len()));
        columns.push(Column {
            name: DOMAIN.into(),
            role: Role::Domain,
            values: Values::Classes {
                names: parts.iter().map(|part| part.0.clone()).collect(),
                index: index.collect(),
            },
        });
        let name = Vec::from_iter(parts.iter().map(|part| part.0.as_str())).join(" + ");
        let (kind, reading) = (common_kind(&parts), parts[0].1.reading.clone());
        let (mut ids, mut split, mut bad) = (Vec::new(), Vec::new(), Vec::new());
        let mut samples = Vec::new();
        for (name, part) in parts {
            samples.push((part.samples, part.ids.len()));
            ids.extend(part.ids.iter().map(|id| format!("{name}/{id}")));
            split.extend(part.split);
            bad.extend(part.bad);
        }
        let channels = match shape {
            Shape::Image { channels, .. } => channels,
            Shape::Vector { .. } => 1,
        };
        Ok(Dataset {
            name,
            kind,
            shape,
            ids,
            columns,
            split,
            bad,
            reading,
            samples: Box::new(Parts::new(samples, channels)),
        })
    }
}

impl Dataset {
    /// Makes the classes of the task unknown of which some domain that the column `domain` names has fewer than `least` labelled samples, and
    /// returns their names. Of another kind of task nothing is changed.
    ///
    /// ```
    /// use hspace_core::dataset::{Dataset, OpenOptions};
    ///
    /// let mut shapes = Dataset::open("builtin:shapes", &OpenOptions::default())?;
    /// assert!(shapes.forget_rare_classes("colour", 5)?.is_empty());
    /// assert_eq!(shapes.forget_rare_classes("colour", 1_000_000)?.len(), 2);
    /// # Ok::<(), hspace_core::Error>(())
    /// ```
    ///
    /// # Errors
    /// When there is no such column, or it names no domains.
    pub fn forget_rare_classes(&mut self, domain: &str, least: usize) -> Result<Vec<String>> {
        let Values::Classes {
            names: domains,
            index: domain_of,
        } = self.column(domain)?.values.clone()
        else {
            return Err(Error::config(format!(
                "`{domain}` does not name domains, one a sample"
            )));
        };
        let Some(task) = task(&self.columns) else {
            return Ok(Vec::new());
        };
        let Values::Classes { names, index } = &mut self.columns[task].values else {
            return Ok(Vec::new());
        };
        let mut counts = vec![vec![0; domains.len()]; names.len()];
        for (class, domain) in index.iter().zip(&domain_of) {
            if let (Some(class), Some(domain)) = (class, domain) {
                counts[*class as usize][*domain as usize] += 1;
            }
        }
        // Domains without any label have none of every class.
        let has_labels = |&d: &usize| counts.iter().any(|of| of[d] > 0);
        let labelled: Vec<usize> = (0..domains.len()).filter(has_labels).collect();
        let is_rare = |&class: &usize| labelled.iter().any(|&d| counts[class][d] < least);
        let rare: Vec<usize> = (0..names.len()).filter(is_rare).collect();
        for class in index.iter_mut() {
            *class = class.filter(|&own| !rare.contains(&(own as usize)));
        }
        Ok(rare.into_iter().map(|class| names[class].clone()).collect())
    }
}

/// The shape of the largest images, with the channels of those that have most; of vectors that of all.
fn common_shape(parts: &[(String, Dataset)]) -> Result<Shape> {
    let Some((first, part)) = parts.first() else {
        return Err(Error::config("there is no dataset to join"));
    };
    let mut shape = part.shape;
    for (name, part) in &parts[1..] {
        shape = match (shape, part.shape) {
            (
                Shape::Image {
                    channels,
                    height,
                    width,
                },
                Shape::Image {
                    channels: c,
                    height: h,
                    width: w,
                },
            ) => {
                if channels != c && channels.min(c) != 1 {
                    return Err(Error::data(format!(
                        "{first} has images of {channels} channels, {name} of {c}: one encoder cannot take both"
                    )));
                }
                let [height, width] = match height * width >= h * w {
                    true => [height, width],
                    false => [h, w],
                };
                Shape::Image {
                    channels: channels.max(c),
                    height,
                    width,
                }
            }
            (same, other) if same == other => same,
            (one, other) => {
                return Err(Error::data(format!(
                    "{first} has {}, {name} has {}: one encoder cannot take both",
                    one.what(),
                    other.what()
                )));
            }
        };
    }
    Ok(shape)
}

/// What the samples of all show: digits, which no view mirrors, where any are digits; else photographs where any are.
fn common_kind(parts: &[(String, Dataset)]) -> Kind {
    let has = |kind: Kind| parts.iter().any(|part| part.1.kind == kind);
    let kinds = [Kind::Digits, Kind::Photo];
    let found = kinds.into_iter().find(|&kind| has(kind));
    found.unwrap_or(parts[0].1.kind)
}

/// The columns that all have under one name, with values of one kind, joined. Where each has one label column, of whatever name, these are one.
fn common_columns(parts: &[(String, Dataset)]) -> Vec<Column> {
    let mut found = Vec::new();
    for column in &parts[0].1.columns {
        let same = |(_, part): &(String, Dataset)| {
            let own = part.columns.iter();
            let named = own.clone().find(|c| c.name == column.name);
            let only = || {
                let mut labels = own.filter(|c| c.role == Role::Label);
                let first = labels.next();
                first.filter(|_| labels.next().is_none() && column.role == Role::Label)
            };
            named.or_else(only).cloned()
        };
        let all: Option<Vec<Column>> = parts.iter().map(same).collect();
        found.extend(all.and_then(joined));
    }
    found
}

/// Columns one after the other; `None` where their values are of different kinds.
fn joined(columns: Vec<Column>) -> Option<Column> {
    let first = columns.first()?;
    let (name, role) = (first.name.clone(), first.role);
    let unite = |known: &mut Vec<String>, names: &[String]| -> Vec<u32> {
        let place = |name: &String| match known.iter().position(|own| own == name) {
            Some(place) => place as u32,
            None => {
                known.push(name.clone());
                known.len() as u32 - 1
            }
        };
        names.iter().map(place).collect()
    };
    let mut values = first.values.clone();
    for column in &columns[1..] {
        match (&mut values, &column.values) {
            (Values::Classes { names, index }, Values::Classes { names: n, index: i }) => {
                let places = unite(names, n);
                index.extend(i.iter().map(|class| class.map(|c| places[c as usize])));
            }
            (Values::Numbers(all), Values::Numbers(more)) => all.extend(more),
            (Values::MultiLabel { names, sets }, Values::MultiLabel { names: n, sets: s }) => {
                let places = unite(names, n);
                let of = |set: &Vec<u32>| {
                    let mut own: Vec<u32> = set.iter().map(|&l| places[l as usize]).collect();
                    own.sort_unstable();
                    own
                };
                sets.extend(s.iter().map(|set| set.as_ref().map(of)));
            }
            _ => return None,
        }
    }
    Some(Column { name, role, values })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dataset::{OpenOptions, Sample, Split};

    fn folder(parts: &[(&str, &str)]) -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        for (name, text) in parts {
            std::fs::write(folder.path().join(name), text).unwrap();
        }
        folder
    }

    fn open(path: &std::path::Path) -> Dataset {
        Dataset::open(path.to_str().unwrap(), &OpenOptions::default()).unwrap()
    }

    #[test]
    fn classes_are_united_by_name_and_values_follow_one_another() {
        let text = "u,v,label\n1,2,cat\n3,4,dog\n5,6,cat\n";
        let other = "u,v,label:animal,label\n7,8,z,dog\n9,1,z,emu\n";
        let files = folder(&[("a.csv", text), ("b.csv", other)]);
        let parts =
            ["a", "b"].map(|n| (n.to_owned(), open(&files.path().join(format!("{n}.csv")))));
        let both = Dataset::of_domains(parts.into()).unwrap();
        let Values::Classes { names, index } = &both.column("label").unwrap().values else {
            panic!("classes");
        };
        assert_eq!(*names, ["cat", "dog", "emu"]);
        assert_eq!(*index, [0, 1, 0, 1, 2].map(Some));
        assert!(both.column("animal").is_err());
        assert_eq!(both.ids[3], "b/".to_owned() + &both.ids[3][2..]);
        assert_eq!(
            both.samples.get(4).unwrap(),
            Sample::Vector(vec![9.0, 1.0].into())
        );
    }

    #[test]
    fn grey_images_get_the_channels_of_the_others_and_the_larger_size() {
        let open = |name: &str| Dataset::open(name, &OpenOptions::default()).unwrap();
        let parts = ["builtin:mnist-mini", "builtin:shapes"];
        let parts = parts.map(|name| {
            let mut part = open(name);
            part.columns.truncate(1);
            part.columns[0].name = "label".into();
            (name.to_owned(), part)
        });
        let [digits, shapes] = parts;
        let (count, split) = (digits.1.len(), digits.1.indices(Split::Test));
        let both = Dataset::of_domains(vec![digits, shapes]).unwrap();
        let (channels, height, width) = (3, 28, 28);
        assert_eq!(
            both.shape,
            Shape::Image {
                channels,
                height,
                width
            }
        );
        let image = |index| match both.samples.get(index).unwrap() {
            Sample::Image(image) => (image.channels, image.height),
            Sample::Vector(_) => panic!("an image"),
        };
        assert_eq!((image(0), image(count)), ((3, 28), (3, 24)));
        assert_eq!(both.indices(Split::Test)[..split.len()], split);
    }

    #[test]
    fn what_cannot_be_joined_is_refused_with_names() {
        let files = folder(&[
            ("a.csv", "u,v,label\n1,2,cat\n3,4,dog\n"),
            ("b.csv", "u,v,w,label\n1,2,3,cat\n3,4,5,dog\n"),
            ("c.csv", "u,v,target:weight\n1,2,3\n3,4,5\n"),
        ]);
        let part = |n: &str| (n.to_owned(), open(&files.path().join(format!("{n}.csv"))));
        let refused = |parts: Vec<(String, Dataset)>| {
            let error = Dataset::of_domains(parts).err();
            error.map_or(String::new(), |e| e.to_string())
        };
        let text = refused(vec![part("a"), part("b")]);
        assert!(text.contains("vectors of 3 numbers"), "{text}");
        let text = refused(vec![part("a"), part("a")]);
        assert!(text.contains("two datasets are called `a`"), "{text}");
        let text = refused(vec![part("a"), part("c")]);
        assert!(text.contains("no label column"), "{text}");
    }
}

//! Which objectives are for which encoders and data, and what is answered where they are not.

use hspace::dataset::Shape;
use hspace::encoder::ENCODERS;
use hspace::objective::{DataSpec, OBJECTIVES};

use crate::case::{Case, Choice, IMAGE, OF_IMAGES, VECTOR, spec};

#[test]
fn objectives_meet_the_encoders_and_data_that_they_are_for_and_no_others() {
    for choice in Choice::all() {
        let cases = Case::each(choice);
        let update_groups: Vec<&str> = cases.iter().map(|case| &*case.trains.name).collect();
        let wanted: &[&str] = match (choice.suits(), choice.objective) {
            (false, _) => &[],
            (true, "factor_vae") => &["model", "discriminator"],
            (true, "gan") => &["discriminator", "generator"],
            (true, "stacked_autoencoder") => &["layer2"],
            (true, "dbn") => &["layer0"],
            (true, "tent") => &["target"],
            (true, _) => &["all"],
        };
        assert_eq!(update_groups, wanted, "{choice:?}");
    }
}

#[test]
fn what_does_not_fit_is_answered_with_a_way_out() {
    for choice in Choice::all().into_iter().filter(|choice| !choice.suits()) {
        for problem in choice.problems(&spec(choice.shape)) {
            let way_out = ["use ", "set "].iter().any(|word| problem.contains(word));
            assert!(way_out, "{choice:?}: {problem}");
        }
    }
    let square = |side| Shape::Image {
        channels: 1,
        height: side,
        width: side,
    };
    let on = Choice::new;
    // What was asked for, a part of the answer, and what it leads to.
    let mut asked = vec![
        (
            on("scarf", "", "cnn", IMAGE),
            "use `simclr`",
            on("simclr", "", "cnn", IMAGE),
        ),
        (
            on("mae", "", "cnn", IMAGE),
            "use vit_tiny",
            on("mae", "", "vit_tiny", IMAGE),
        ),
        (
            on("mae", "", "vit_tiny", square(4)),
            "raise train.image_size",
            on("mae", "", "vit_tiny", square(8)),
        ),
        (
            on("simclr", "", "vit_tiny", square(6)),
            "train.image_size to a multiple of 4",
            on("simclr", "", "vit_tiny", square(8)),
        ),
        (
            on("tent", "", "vit_tiny", IMAGE),
            "use cnn",
            on("tent", "", "cnn", IMAGE),
        ),
        (
            on("autoencoder", OF_IMAGES[0], "mlp", VECTOR),
            "use masking or gaussian",
            on("autoencoder", "corruption = \"masking\"", "mlp", VECTOR),
        ),
    ];
    for entry in OBJECTIVES {
        let defaults = (entry.defaults)();
        // A setting, the value that does not fit, a part of the answer, and the value that it leads to.
        for (key, shape, wrong, answer, right) in [
            (
                "decoder",
                VECTOR,
                "decoder = \"cnn\"",
                "objective.decoder=cnn draws images, and these are vectors; set mlp or auto",
                "decoder = \"auto\"",
            ),
            (
                "likelihood",
                VECTOR,
                "likelihood = \"bernoulli\"",
                "set gaussian or auto",
                "likelihood = \"gaussian\"",
            ),
            (
                "local_views",
                IMAGE,
                "",
                "set objective.local_views=0",
                "local_views = 0",
            ),
        ] {
            if defaults.contains_key(key) {
                let with = |form| on(entry.name, form, "mlp", shape);
                asked.push((with(wrong), answer, with(right)));
            }
        }
    }
    for entry in ENCODERS.iter().filter(|entry| entry.name != "mlp") {
        let with = |encoder, shape| on("simclr", "", encoder, shape);
        asked.push((with(entry.name, VECTOR), "use `mlp`", with("mlp", VECTOR)));
        if !entry.name.starts_with("vit_") {
            let (wrong, right) = (with(entry.name, square(4)), with(entry.name, square(8)));
            asked.push((wrong, "set train.image_size=8", right));
        }
    }
    for (choice, answer, right) in asked {
        let problems = choice.problems(&spec(choice.shape)).join("\n");
        assert!(problems.contains(answer), "{choice:?}: {problems}");
        let none: [&str; 0] = [];
        assert_eq!(right.problems(&spec(right.shape)), none, "{right:?}");
    }
    let unlabelled = DataSpec {
        task: None,
        ..spec(IMAGE)
    };
    for objective in ["supervised", "supcon"] {
        let problems = on(objective, "", "cnn", IMAGE)
            .problems(&unlabelled)
            .join("\n");
        assert!(problems.contains("use `simclr`"), "{problems}");
    }
    for (side, answer) in [
        (6, "(views.crop.local_size): patches of 4x4"),
        (16, "views.crop.local_size=16 is larger than the images"),
    ] {
        let cropped = DataSpec {
            local: square(side),
            ..spec(IMAGE)
        };
        for objective in ["swav", "dino"] {
            let choice = on(objective, "", "vit_tiny", IMAGE);
            let problems = choice.problems(&cropped).join("\n");
            assert!(problems.contains(answer), "{objective}: {problems}");
        }
    }
}

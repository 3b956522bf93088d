//! A mask probe: a linear classifier of every place of a middle stage's maps. Places are samples that belong to their image, so draws and
//! intervals take whole images.

use burn_tensor::{Tensor, TensorData};
use hspace::dataset::{Column, Role, Shape, Split, Values};
use hspace::device::Device;
use hspace::encoder::Features;
use hspace::matrix::Matrix;
use hspace::network::{Mode, Pass};
use hspace::probe::{Contender, Labels, ProbeOptions, measure};
use hspace::representation::Representation;

const SIDE: usize = 14;

/// Of each place `[SIDE, SIDE]` of an image of 28 × 28 whether it has ink.
fn mask(pixels: &[f32]) -> impl Iterator<Item = Option<u32>> {
    let bright = |at: usize| [0, 1, 28, 29].map(|d| pixels[at + d]).iter().sum::<f32>() > 1.0;
    let place = move |i: usize| Some(u32::from(bright(2 * (i / SIDE) * 28 + 2 * (i % SIDE))));
    (0..SIDE * SIDE).map(place)
}

#[test]
fn places_of_a_stage_answer_for_themselves() {
    let dataset = super::digits();
    let rows = |split| dataset.indices(split).into_iter().take(60);
    let rows: Vec<usize> = rows(Split::Train).chain(rows(Split::Test)).collect();
    let images: Vec<Vec<f32>> = rows
        .iter()
        .map(|&row| super::pixels(&dataset, row))
        .collect();
    let (device, n) = (Device::cpu(), rows.len());
    let encoder = hspace::encoder::make("cnn", hspace::toml::Table::new()).expect("it is listed");
    let shape = Shape::Image {
        channels: 1,
        height: 28,
        width: 28,
    };
    let weights = hspace::encoder::init(&*encoder, shape, 0, &device)
        .0
        .prefixed("encoder");
    let pass = Pass::new(&weights, Mode::Eval, &device);
    let scope = pass.at("encoder");
    let x = Tensor::from_data(TensorData::new(images.concat(), [n, 1, 28, 28]), &device);
    let maps = encoder
        .forward(&scope, Features::Samples(x), 0..1)
        .into_maps(&scope);
    let [_, channels, _, _] = maps.dims();
    let places = n * SIDE * SIDE;
    let by_place = maps
        .into_images()
        .permute([0, 2, 3, 1])
        .reshape([places, channels]);
    let features: Matrix = hspace::embed::to_matrix(by_place);
    let image_of = |place: usize| place / (SIDE * SIDE);
    let column = |name: &str, role, names: Vec<String>, index| Column {
        name: name.into(),
        role,
        values: Values::Classes { names, index },
    };
    let ink = images.iter().flat_map(|pixels| mask(pixels)).collect();
    let group = (0..places)
        .map(|place| Some(image_of(place) as u32))
        .collect();
    let source = Representation {
        name: "random:cnn@conv0".into(),
        features,
        ids: (0..places).map(|place| place.to_string()).collect(),
        columns: vec![
            column("ink", Role::Label, vec!["paper".into(), "ink".into()], ink),
            column(
                "image",
                Role::Group,
                (0..n).map(|i| i.to_string()).collect(),
                group,
            ),
        ],
        split: (0..places)
            .map(|place| dataset.split[rows[image_of(place)]])
            .collect(),
        origin: String::new(),
        shift: vec![],
    };
    let options = ProbeOptions {
        labels: vec![Labels::PerClass(50)],
        draws: 3,
        ..ProbeOptions::default()
    };
    let found = measure(
        vec![Contender::Fixed(source)],
        &options,
        "digits",
        &mut |_| (),
    );
    let found = found.expect("it is measured");
    let row = found
        .rows
        .iter()
        .find(|row| row.probe == "linear")
        .expect("a linear probe");
    assert!(row.scores[0].1.mean > 0.9, "{:?}", row.scores[0]);
    assert_eq!(row.answers.as_ref().expect("answers").units(), 60);
}

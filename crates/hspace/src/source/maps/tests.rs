use super::*;
use crate::dataset::{Dataset, OpenOptions};
use crate::device::Device;

fn shapes() -> Dataset {
    Dataset::open("builtin:shapes", &OpenOptions::default()).unwrap()
}

fn sources(dataset: &Dataset) -> MapSources<'_> {
    let sources = Sources::new(dataset, Device::cpu(), 3).only((0..100).collect());
    MapSources::new(sources).unwrap()
}

fn all(source: &MapSource<'_>, rows: &[usize]) -> Vec<f32> {
    let mut found = Vec::new();
    let mut seen = Vec::new();
    let mut keep = |batch: &[usize], maps: &[f32]| {
        seen.extend_from_slice(batch);
        found.extend_from_slice(maps);
        Ok(())
    };
    source.maps.each(rows, &mut keep).unwrap();
    assert_eq!(seen, rows);
    found
}

#[test]
fn the_mean_of_a_stage_s_maps_is_its_pooled_features() {
    let dataset = shapes();
    for name in [
        "random:cnn:width=4@conv1",
        "random:resnet18:width=4@layer2",
        "random:resnet18:width=4",
        // Twice as large: the mean stays.
        "random:cnn:width=4@conv1+conv0",
    ] {
        let source = Source::parse(name).unwrap();
        let maps = sources(&dataset).maps(name, &source).unwrap();
        let [height, width, d] = maps.maps.dims();
        let rows: Vec<usize> = (0..70).collect();
        let found = all(&maps, &rows);
        assert_eq!(found.len(), 70 * height * width * d);
        let plain = Sources::new(&dataset, Device::cpu(), 3).only(rows.clone());
        let pooled = { plain }.represent(name, &source, &mut |_| ()).unwrap();
        assert_eq!(pooled.features.cols, d);
        for (row, map) in found.chunks_exact(height * width * d).enumerate() {
            for c in 0..d {
                let sum: f32 = map.iter().skip(c).step_by(d).sum();
                let mean = sum / (height * width) as f32;
                let wanted = pooled.features.row(row)[c];
                assert!(
                    (mean - wanted).abs() < 1e-4 * (1.0 + wanted.abs()),
                    "{name}"
                );
            }
        }
    }
}

#[test]
fn tokens_lie_on_their_grid_and_vectors_have_no_places() {
    let dataset = shapes();
    let mut sources = sources(&dataset);
    let vit = Source::parse("random:vit_tiny:width=16:depth=2").unwrap();
    let maps = sources.maps("vit", &vit).unwrap();
    let [height, width, d] = maps.maps.dims();
    assert_eq!((height, d), (width, 16));
    assert_eq!(all(&maps, &[5, 7]).len(), 2 * height * width * d);
    assert_eq!(sources.stages(&vit).unwrap().len(), 3);
    for (name, why) in [
        ("random:mlp:width=8", "one vector a sample"),
        ("random:mlp:width=8@0", "one vector a sample"),
        ("pca:5", "no feature maps"),
        ("supervised:cnn", "no feature maps"),
    ] {
        let found = sources.maps(name, &Source::parse(name).unwrap());
        let text = found.err().map_or(String::new(), |e| e.to_string());
        assert!(text.contains(name) && text.contains(why), "{text}");
    }
}

#[test]
fn several_stages_are_one_map_as_fine_as_the_finest() {
    let dataset = shapes();
    let mut sources = sources(&dataset);
    let mut maps = |name: &str| sources.maps(name, &Source::parse(name).unwrap());
    let alone = ["conv0", "conv2"].map(|stage| {
        let maps = maps(&format!("random:cnn:width=4@{stage}")).unwrap();
        (maps.maps.dims(), all(&maps, &[3, 8]))
    });
    let both = maps("random:cnn:width=4@conv2+conv0").unwrap();
    assert_eq!(both.maps.dims(), [12, 12, 4 + 16]);
    let found = all(&both, &[3, 8]);
    let [(_, fine), ([3, 3, 16], coarse)] = &alone else {
        panic!("other maps")
    };
    for (place, row) in found.chunks_exact(20).enumerate() {
        assert_eq!(row[..4], fine[4 * place..][..4]);
    }
    // The corners of a map are those of the finer one.
    let (image, corner) = (12 * 12 * 20, 3 * 3 * 16);
    assert_eq!(found[image + 4..][..16], coarse[corner..][..16]);
    assert_eq!(found[2 * image - 16..], coarse[2 * corner - 16..]);
    let dims = maps("random:cnn:width=4@all").unwrap().maps.dims();
    assert_eq!(dims, [12, 12, 4 + 8 + 16 + 32]);
    for (name, why) in [
        ("random:cnn@conv1+conv1", "twice"),
        ("random:cnn@conv1+conv9", "conv9"),
        ("random:mlp@all", "one vector a sample"),
    ] {
        let error = maps(name).err().unwrap().to_string();
        assert!(error.contains(why), "{error}");
    }
}

#[test]
fn pixels_have_their_neighbours_colours() {
    let dataset = shapes();
    let maps = sources(&dataset).maps("pixels", &Source::Pixels).unwrap();
    assert_eq!(maps.maps.dims(), [24, 24, 27]);
    let found = all(&maps, &[42]);
    let crate::dataset::Sample::Image(image) = dataset.samples.get(42).unwrap() else {
        panic!("an image")
    };
    let crate::dataset::Pixels::U8(bytes) = &image.pixels else {
        panic!("of 8 bits")
    };
    let colour = |y: usize, x: usize, c: usize| f32::from(bytes[(y * 24 + x) * 3 + c]) / 255.0;
    for (y, x) in [(12, 11), (0, 23)] {
        for (i, value) in found[(y * 24 + x) * 27..][..27].iter().enumerate() {
            let near = |at: usize, step: usize| (at + step).saturating_sub(1).min(23);
            let wanted = colour(near(y, i / 9), near(x, i / 3 % 3), i % 3);
            assert!((value - wanted).abs() < 1e-6, "{y} {x} {i}");
        }
    }
}

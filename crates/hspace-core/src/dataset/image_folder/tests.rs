use super::*;
use crate::dataset::Split;
use crate::dataset::Values;

/// A PNG of a colour of its own.
fn png(colour: u8) -> Vec<u8> {
    let image = image::RgbImage::from_pixel(3, 2, image::Rgb([colour, 0, 0]));
    let mut bytes = std::io::Cursor::new(Vec::new());
    image.write_to(&mut bytes, image::ImageFormat::Png).unwrap();
    bytes.into_inner()
}

fn folder(files: &[(&str, &[u8])]) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    for (name, bytes) in files {
        let path = folder.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, bytes).unwrap();
    }
    folder
}

fn images(names: &[&str]) -> tempfile::TempDir {
    let bytes: Vec<Vec<u8>> = (0..).take(names.len()).map(png).collect();
    let files: Vec<(&str, &[u8])> = names
        .iter()
        .zip(&bytes)
        .map(|(n, b)| (*n, &b[..]))
        .collect();
    folder(&files)
}

fn open(folder: &tempfile::TempDir) -> Result<Dataset> {
    Dataset::open(folder.path().to_str().unwrap(), &OpenOptions::default())
}

/// The label of each sample, `-` where unknown.
fn labels(dataset: &Dataset) -> Vec<&str> {
    let Some(Column {
        values: Values::Classes { names, index },
        ..
    }) = dataset.task()
    else {
        return Vec::new();
    };
    index
        .iter()
        .map(|i| i.map_or("-", |i| &names[i as usize]))
        .collect()
}

fn test_ids(dataset: &Dataset) -> Vec<&str> {
    dataset
        .indices(Split::Test)
        .into_iter()
        .map(|i| dataset.ids[i].as_str())
        .collect()
}

#[test]
fn layouts_by_folders() {
    let classes = open(&images(&["cat/b.png", "ant/deep/a.PNG", "cat/.hidden.png"])).unwrap();
    assert_eq!(classes.ids, ["ant/deep/a.PNG", "cat/b.png"]);
    assert_eq!(labels(&classes), ["ant", "cat"]);

    let none = open(&images(&["a.png", "deep/b.png"])).unwrap();
    assert!(none.columns.is_empty() && none.len() == 2);
    let one = open(&images(&["images/a.png", "images/b.png"])).unwrap();
    assert!(one.columns.is_empty(), "one folder says no class");

    let names = [
        "train/x/a.png",
        "validation/y/b.png",
        "test/x/c.png",
        "test/y/d.png",
    ];
    for wrapper in ["", "photos/", "a/b/"] {
        let names = names.map(|name| format!("{wrapper}{name}"));
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        let own = open(&images(&names)).unwrap();
        assert_eq!(test_ids(&own), [names[2], names[3]]);
        // In the order of their paths.
        assert_eq!(labels(&own), ["x", "y", "x", "y"]);
        assert_eq!(own.indices(Split::Val), [3]);
    }

    let half = open(&images(&["train/a.png", "train/b.png", "test/x/c.png"])).unwrap();
    assert_eq!(labels(&half), ["x", "-", "-"]);
}

#[test]
fn stray_images_do_not_cost_the_labels() {
    for (names, expected, left_out) in [
        (
            &["cat/a.png", "cat/b.png", "dog/c.png", "banner.png"][..],
            &["cat", "cat", "dog"][..],
            "banner.png",
        ),
        (
            &["train/a/1.png", "test/b/2.png", "grid.png"],
            &["b", "a"],
            "grid.png",
        ),
        (
            &["train/a/1.png", "train/b/2.png", "train/x.png"],
            &["a", "b"],
            "train/x.png",
        ),
        (
            &["train/a/1.png", "test/b/2.png", "docs/x.png"],
            &["b", "a"],
            "docs/x.png",
        ),
        (
            &["train/a/1.png", "test/b/2.png", "eval/a/x.png"],
            &["b", "a"],
            "eval/a/x.png",
        ),
    ] {
        let dataset = open(&images(names)).unwrap();
        assert_eq!(labels(&dataset), expected, "{names:?}");
        let bad: Vec<&str> = dataset.bad.iter().map(|b| b.path.as_str()).collect();
        assert_eq!(bad, [left_out]);
        assert!(
            dataset
                .reading
                .notes
                .iter()
                .any(|n| n.contains("1 images fit into no folder"))
        );
    }
}

#[test]
fn a_table_of_another_name_is_found_and_matched() {
    let (a, b) = (png(1), png(2));
    let table = b"image,sender_id,label,kids\na,7,Hat,False\nb,9,Shoe,True\nc,9,Shoe,True\n";
    let folder = folder(&[
        ("images/a.png", &a),
        ("images/b.png", &b),
        ("images.csv", table),
    ]);
    for root in [folder.path().to_owned(), folder.path().join("images")] {
        let dataset = Dataset::open(root.to_str().unwrap(), &OpenOptions::default()).unwrap();
        assert_eq!(labels(&dataset), ["Hat", "Shoe"]);
        assert_eq!(dataset.bad.len(), 1);
        assert!(
            dataset.bad[0]
                .reason
                .contains("no such file (line 4 of images.csv)")
        );
        assert!(dataset.reading.notes[0].contains("images.csv"));
        let none = OpenOptions {
            label_file: "none".into(),
            ..OpenOptions::default()
        };
        let dataset = Dataset::open(root.to_str().unwrap(), &none).unwrap();
        assert!(dataset.columns.is_empty());
    }
}

#[test]
fn masks_are_neither_samples_nor_bad() {
    let (a, m) = (png(1), png(2));
    let dataset = open(&folder(&[
        ("a.png", &a),
        ("masks/a.png", &m),
        (
            "labels.csv",
            b"path,label:k,mask:parts\na.png,x,masks/a.png\n",
        ),
    ]))
    .unwrap();
    assert_eq!(dataset.ids, ["a.png"]);
    assert!(dataset.bad.is_empty(), "{:?}", dataset.bad);
    assert_eq!(dataset.columns[1].role, Role::Mask);
}

#[test]
fn broken_files_are_left_out_with_a_reason() {
    let good = png(1);
    let cut = &good[..20];
    let dataset = open(&folder(&[
        ("good.png", &good),
        ("cut.png", cut),
        ("empty.jpg", b""),
        ("text.webp", b"this is no image"),
        ("moving.gif", b"GIF89a"),
        ("notes.txt", b"nothing to see"),
    ]))
    .unwrap();
    assert_eq!(dataset.ids, ["good.png"]);
    let bad: Vec<&str> = dataset.bad.iter().map(|b| b.path.as_str()).collect();
    assert_eq!(bad, ["cut.png", "empty.jpg", "moving.gif", "text.webp"]);
    let text = dataset.bad_files_csv();
    for why in [
        "cut short",
        "0 bytes",
        "moving.gif,damaged or cut short",
        "not an image",
    ] {
        assert!(text.contains(why), "{text}");
    }
}

#[test]
fn a_file_that_breaks_later_is_named() {
    let folder = images(&["a.png", "b.png"]);
    let dataset = open(&folder).unwrap();
    std::fs::remove_file(folder.path().join("b.png")).unwrap();
    assert!(dataset.samples.get(0).is_ok());
    let text = dataset.samples.get(1).err().unwrap().to_string();
    assert!(
        text.contains("b.png") && text.contains("cannot be read"),
        "{text}"
    );
}

#[test]
fn nothing_usable_is_an_error() {
    let text = open(&folder(&[("a.txt", b"x")])).err().unwrap().to_string();
    assert!(
        text.contains("no usable image; we looked for PNG"),
        "{text}"
    );
    let text = open(&folder(&[("a.png", b"")])).err().unwrap().to_string();
    assert!(
        text.contains("1 files cannot be used, such as a.png: empty"),
        "{text}"
    );
}

#[test]
fn old_samples_keep_their_side_when_files_are_added() {
    let names: Vec<String> = (0..40).map(|i| format!("c{}/{i}.png", i % 2)).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let (few, all) = (
        open(&images(&names[..20])).unwrap(),
        open(&images(&names)).unwrap(),
    );
    let expected = test_ids(&all);
    let kept: Vec<&str> = expected
        .into_iter()
        .filter(|id| few.ids.iter().any(|i| i == id))
        .collect();
    assert_eq!(test_ids(&few), kept);
}

fn with_table(table: &str) -> Result<Dataset> {
    let (a, b, c) = (png(1), png(2), png(3));
    let files: [(&str, &[u8]); 5] = [
        ("x/a.png", &a),
        ("b.png", &b),
        ("c.png", &c),
        ("broken.png", b"?"),
        ("labels.csv", table.as_bytes()),
    ];
    open(&folder(&files))
}

#[test]
fn a_table_gives_labels_roles_and_split() {
    let table = "\u{feff}path,kind,nuisance:site,target:age,split\n\
                 ./x\\a.png,dog,north,7,train\nb.png,,south,8,test\nc.png,cat,north,9,val\n";
    let dataset = with_table(table).unwrap();
    assert_eq!(dataset.ids, ["b.png", "c.png", "x/a.png"]);
    assert_eq!(test_ids(&dataset), ["b.png"]);
    assert_eq!(labels(&dataset), ["-", "cat", "dog"]);
    assert_eq!(dataset.columns[1].role, Role::Nuisance);
    let ages = Values::Numbers(vec![Some(8.0), Some(9.0), Some(7.0)]);
    assert_eq!(dataset.columns[2].values, ages);
    assert_eq!(dataset.bad.len(), 1, "{:?}", dataset.bad);
}

#[test]
fn a_table_with_faults_is_reported() {
    let table = "path,kind\nb.png,dog\nb.png,dog\ngone.png,cat\nbroken.png,cat\n";
    let dataset = with_table(table).unwrap();
    assert_eq!(dataset.ids, ["b.png"]);
    let bad: Vec<String> = dataset
        .bad
        .iter()
        .map(|b| format!("{}: {}", b.path, b.reason))
        .collect();
    assert_eq!(bad.len(), 5, "{bad:?}");
    assert!(bad[0].starts_with("broken.png: not an image"), "{bad:?}");
    assert_eq!(bad[1], "c.png: not listed in labels.csv");
    assert_eq!(bad[2], "gone.png: no such file (line 4 of labels.csv)");
    assert_eq!(
        bad[3],
        "labels.csv: line 3 repeats line 2 (b.png); counted once"
    );
    assert_eq!(bad[4], "x/a.png: not listed in labels.csv");
    for (table, why) in [
        (
            "path,kind\nb.png,dog\nb.png,cat\n",
            "line 3 contradicts line 2 about b.png",
        ),
        (
            "size,kind\nlarge,dog\n",
            "no column names an image of the folder",
        ),
        ("path,split\nb.png,eval\n", "unknown split `eval`"),
        (
            "path,kind\nb.png\n",
            "line 2 has 1 cells and the lines before 2",
        ),
    ] {
        let text = with_table(table).err().unwrap().to_string();
        assert!(text.contains("labels.csv") && text.contains(why), "{text}");
    }
}

//! Models of the Hugging Face Hub through the binary, from a server in this test that answers as the
//! Hub does.

use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::{Command, Output};

use hspace::toml::Table;
use sha2::{Digest, Sha256};

const COMMIT: &str = "0123456789abcdef0123456789abcdef01234567";

/// Files of one model, by name.
#[derive(Clone)]
struct Model(Vec<(&'static str, Vec<u8>)>);

impl Model {
    /// Serves the model for as long as the test runs; answers with the server's address.
    fn serve(self) -> String {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let (model, stream) = (self.clone(), stream.unwrap());
                std::thread::spawn(move || model.answer(stream));
            }
        });
        address
    }

    fn answer(&self, mut stream: TcpStream) -> Option<()> {
        let mut lines = BufReader::new(stream.try_clone().unwrap()).lines();
        // One connection may bring several requests.
        loop {
            let first = lines.next()?.ok()?;
            let mut from = 0;
            let mut until = None;
            for line in lines.by_ref() {
                let line = line.ok()?;
                if line.is_empty() {
                    break;
                }
                if let Some(range) = line.to_lowercase().strip_prefix("range: bytes=") {
                    let (a, b) = range.split_once('-')?;
                    (from, until) = (a.parse().ok()?, b.parse::<usize>().ok());
                }
            }
            let path = first.split(' ').nth(1)?;
            let name = path.strip_prefix("/test/tiny/resolve/main/");
            let file = name.and_then(|name| self.0.iter().find(|(own, _)| *own == name));
            let Some((_, bytes)) = file else {
                write!(
                    stream,
                    "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n"
                )
                .ok()?;
                continue;
            };
            let end = until.map_or(bytes.len(), |last| last + 1);
            write!(
                stream,
                "HTTP/1.1 206 Partial Content\r\nContent-Length: {}\r\nContent-Range: bytes {from}-{}/{}\r\n\
                 ETag: \"{}\"\r\nX-Repo-Commit: {COMMIT}\r\n\r\n",
                end - from,
                end - 1,
                bytes.len(),
                hash(bytes)
            )
            .ok()?;
            stream.write_all(&bytes[from..end]).ok()?;
        }
    }
}

fn hash(bytes: &[u8]) -> String {
    let digest = Sha256::digest(bytes);
    digest.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn hspace(at: &Path, server: &str, home: &str, args: &str) -> Output {
    let mut command = crate::command(at, args);
    command
        .env("HF_ENDPOINT", server)
        .env("HF_HOME", at.join(home));
    command.output().unwrap()
}

fn ok(at: &Path, server: &str, home: &str, args: &str) -> String {
    crate::succeeded(hspace(at, server, home, args), args)
}

fn fails(at: &Path, server: &str, home: &str, args: &str) -> String {
    crate::failed(hspace(at, server, home, args), args)
}

/// 24 pictures in two classes by sub-folder.
fn pictures(at: &Path) {
    for i in 0..24u32 {
        let folder = at.join("data").join(["a", "b"][i as usize % 2]);
        std::fs::create_dir_all(&folder).unwrap();
        let value = |x: u32, y: u32| ((x * (1 + i % 2 * 3) + y * i) % 17 * 15) as u8;
        let picture =
            image::RgbImage::from_fn(32, 32, |x, y| image::Rgb([value(x, y), value(y, x), 90]));
        picture.save(folder.join(format!("{i}.png"))).unwrap();
    }
}

#[test]
fn a_model_of_the_hub_is_fetched_once_checked_and_used_like_a_run() {
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path();
    pictures(at);
    // A vision transformer, and what timm would put next to its weights.
    let train =
        "train --data data --encoder vit_tiny --set encoder.patch=16 --steps 1 --batch-size 4";
    let nowhere = "http://127.0.0.1:9";
    ok(at, nowhere, "empty", &format!("{train} --out own"));
    ok(at, nowhere, "empty", "export own --out tiny.safetensors");
    let about: Table = std::fs::read_to_string(at.join("own/encoder.toml"))
        .unwrap()
        .parse()
        .unwrap();
    let input = &about["input"];
    let config = format!(
        "{{\"architecture\": \"vit_tiny_patch16_32\", \"pretrained_cfg\": {{\"input_size\": [3, 32, 32], \
         \"mean\": {}, \"std\": {}, \"crop_pct\": 0.9}}}}",
        input["mean"], input["std"]
    );
    let weights = std::fs::read(at.join("tiny.safetensors")).unwrap();
    let model = Model(vec![
        ("config.json", config.into()),
        ("model.safetensors", weights),
    ]);
    let server = &model.clone().serve();

    // Both give the same features, so the same numbers.
    let probe = |server: &str| {
        let args = "probe hf:test/tiny own --data data --no-baselines --json -";
        let text = ok(at, server, "cache", args);
        let found: serde_json::Value = serde_json::from_str(&text).unwrap();
        let rows = found["rows"].as_array().unwrap();
        let of = |name: &str| -> Vec<serde_json::Value> {
            let rows = rows.iter().filter(|row| row["representation"] == name);
            rows.map(|row| row["scores"].clone()).collect()
        };
        assert!(!of("own").is_empty());
        assert_eq!(of("own"), of("hf:test/tiny"));
    };
    probe(server);
    // What was fetched is there without a network.
    probe(nowhere);
    // It is compared with the same network trained on the labels alone, if there is time.
    let args = "transfer hf:test/tiny --data data --labels 4 --minutes 0.000001 --answers t.jsonl --json -";
    let found: serde_json::Value = serde_json::from_str(&ok(at, nowhere, "cache", args)).unwrap();
    let left_out = found["left_out"].as_array().unwrap();
    assert!(
        left_out.contains(&"supervised:vit_tiny:patch=16".into()),
        "{left_out:?}"
    );
    ok(at, nowhere, "cache", "import hf:test/tiny --out imported");
    ok(
        at,
        nowhere,
        "cache",
        &format!("{train} --out fresh --init-from hf:test/tiny"),
    );

    // So it is where PyTorch's file is all there is; what lies in it is known by its bytes.
    let Model(mut files) = model;
    files[1].0 = "pytorch_model.bin";
    let other = &Model(files).serve();
    ok(at, other, "torch", "import hf:test/tiny --out by-torch");
    ok(at, nowhere, "torch", "import hf:test/tiny --out again");

    // What cannot be had is said, with what to do.
    let error = fails(at, nowhere, "empty", "probe hf:test/tiny --data data");
    assert!(
        error.contains("offline") && error.contains("hf:test/tiny"),
        "{error}"
    );
    let error = fails(at, server, "cache", "probe hf:test/other --data data");
    assert!(error.contains("config.json"), "{error}");
    let error = fails(
        at,
        server,
        "cache",
        "import hf:test/tiny --out x --encoder mlp",
    );
    assert!(error.contains("leave out --encoder"), "{error}");

    // A file that changed on disk is not believed.
    let hub = at.join("cache/hub");
    let found = Command::new("find")
        .args([hub.to_str().unwrap(), "-size", "+1M", "-type", "f"])
        .output();
    let found = String::from_utf8(found.unwrap().stdout).unwrap();
    let blob = found.lines().next().expect("the weights are in the cache");
    let mut bytes = std::fs::read(blob).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    std::fs::write(blob, bytes).unwrap();
    let error = fails(at, nowhere, "cache", "probe hf:test/tiny --data data");
    assert!(
        error.contains("SHA-256") && error.contains("delete it"),
        "{error}"
    );
}

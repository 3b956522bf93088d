//! Files that are damaged, of another kind or made to harm.

use std::io::Read as _;

use zip::CompressionMethod;

use super::archive::archive;
use super::*;

fn error(network: &Network, bytes: &[u8]) -> String {
    network.read_bytes(bytes).unwrap_err().to_string()
}

#[test]
fn files_of_other_kinds_are_answered_with_what_to_do() {
    let network = Network::cnn();
    let legacy = b"\x80\x02\x8a\nl\xfc\x9cF\xf9 j\xa8P\x19.\x80\x02M";
    let cases: [(&[u8], &str); 8] = [
        (legacy, "before 1.6"),
        (b"\x80\x04\x95", "a pickle that torch.save did not write"),
        (
            b"version https://git-lfs.github.com/spec/v1\n",
            "git lfs pull",
        ),
        (b"<!DOCTYPE html>", "web page"),
        (b"\x1f\x8b\x08", "gzip"),
        (b"", "take another copy"),
        (b"PK\x03\x04 and nothing", "take another copy"),
        (b"some text that is long enough", "take another copy"),
    ];
    for (bytes, part) in cases {
        let error = error(&network, bytes);
        assert!(error.contains("/w: ") && error.contains(part), "{error}");
    }
    let empty = archive(b"\x80\x02}.", &[], CompressionMethod::Stored);
    let error = error(&network, &empty);
    assert!(
        error.ends_with("/w: there are no named tensors in it"),
        "{error}"
    );
}

#[test]
fn a_file_cut_short_anywhere_is_an_error() {
    let archive = std::fs::read(golden("checkpoints/torchvision.pth")).unwrap();
    let flat = Network::cnn().safetensors("", |_, _| {});
    for bytes in [archive, flat] {
        for keep in 0..bytes.len() {
            assert!(tensors(&bytes[..keep]).is_err(), "{keep} bytes were read");
        }
    }
}

/// No panic, whatever byte is changed; and where it is read still, no more numbers than the file holds.
#[test]
fn a_file_with_a_changed_byte_is_an_error_or_read() {
    let archive = std::fs::read(golden("checkpoints/mmpretrain.pth")).unwrap();
    let flat = Network::cnn().safetensors("", |_, _| {});
    for whole in [archive, flat] {
        let mut errors = 0;
        for at in 0..whole.len() {
            for change in [0x01, 0x80, 0xff] {
                let mut bytes = whole.clone();
                bytes[at] ^= change;
                match tensors(&bytes) {
                    Ok(named) => {
                        let most = |(.., values): &Named| 4 * values.len() <= whole.len();
                        assert!(named.iter().all(most), "byte {at}");
                    }
                    Err(_) => errors += 1,
                }
            }
        }
        assert!(errors > 0);
    }
}

/// As above, within the pickle, which the checksum of the archive protects otherwise.
#[test]
fn a_pickle_with_a_changed_byte_is_an_error_or_read() {
    let file = std::fs::File::open(golden("checkpoints/protocol_5.pt")).unwrap();
    let mut zip = zip::ZipArchive::new(file).unwrap();
    let (mut whole, mut files) = (Vec::new(), Vec::new());
    for i in 0..zip.len() {
        let mut file = zip.by_index(i).unwrap();
        let name = file.name().unwrap().into_owned();
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes).unwrap();
        match name.split_once('/').unwrap().1 {
            "data.pkl" => whole = bytes,
            name => files.push((name.to_owned(), bytes)),
        }
    }
    let (mut read, mut refused) = (0, 0);
    for at in 0..whole.len() {
        for value in [0xff, b'u', whole[at] ^ 0x01, whole[at] ^ 0x80] {
            let mut bytes = whole.clone();
            bytes[at] = value;
            if let Ok(pickle) = pickle::read(&bytes) {
                assert!(pickle.maps.len() + pickle.sequences.len() <= whole.len());
            }
            match tensors(&archive(&bytes, &files, CompressionMethod::Stored)) {
                Ok(_) => read += 1,
                Err(_) => refused += 1,
            }
        }
    }
    assert!(read > 0 && refused > 0);
}

/// Nothing here needs more than the file's length times a constant, or a deep stack.
#[test]
fn files_made_to_exhaust_memory_are_harmless() {
    let of = |pickle: &[u8]| {
        let bytes = archive(pickle, &[], CompressionMethod::Stored);
        tensors(&bytes)
    };
    // A tuple in a tuple, a million times; a dictionary likewise.
    let deep = [&b"\x80\x02)"[..], &vec![0x85; 1_000_000], b"."].concat();
    assert_eq!(of(&deep), Ok(vec![]));
    let deep = [
        &b"\x80\x02"[..],
        &b"}U\x01a".repeat(300_000),
        b"N",
        &b"s".repeat(300_000),
        b".",
    ]
    .concat();
    assert_eq!(of(&deep), Ok(vec![]));
    // 2²⁰⁰ references to one tuple; a dictionary in itself.
    let doubled = [&b"\x80\x02)"[..], &b"2\x86".repeat(200), b"."].concat();
    assert_eq!(of(&doubled), Ok(vec![]));
    assert_eq!(of(b"\x80\x02}q\x00U\x01ah\x00s."), Ok(vec![]));
    assert_eq!(of(b"\x80\x02}q\x00h\x00bh\x00b."), Ok(vec![]));
    // Lengths beyond the end.
    for long in [
        &b"\x80\x02X\xff\xff\xff\xff"[..],
        b"\x80\x04\x8e\xff\xff\xff\xff\xff\xff\xff\xff",
    ] {
        assert!(of(long).unwrap_err().contains("cut short"));
    }
    // Numbers that the file does not hold: it has one.
    let start = b"\x80\x02}U\x01actorch._utils\n_rebuild_tensor_v2\n((U\x07storagectorch\nFloatStorage\nU\x010U\x03cpuK\x01tQK\x00";
    let shapes: [(&[u8], bool); 4] = [
        (b"(K\x01t(K\x01t", true),
        (b"(K\x02K\x04t(K\x04K\x01t", false),
        (b"(K\x01K\x01t(K\x01t", false),
        (
            b"(J\xff\xff\xff\x7fJ\xff\xff\xff\x7fJ\xff\xff\xff\x7ft(K\x00K\x00K\x00t",
            false,
        ),
    ];
    for (shape, fits) in shapes {
        let pickle = [&start[..], shape, b"tRs."].concat();
        let files = [("data/0".to_owned(), 0.5f32.to_le_bytes().to_vec())];
        let bytes = archive(&pickle, &files, CompressionMethod::Stored);
        let found = tensors(&bytes).is_ok_and(|named| named.len() == 1);
        assert_eq!(found, fits, "{shape:?}");
    }
    // A pickle that expands to a hundred times the file.
    let zeros = [&b"\x80\x02"[..], &vec![b'N'; 3_000_000], b"."].concat();
    let bytes = archive(&zeros, &[], CompressionMethod::Deflated);
    let problem = tensors(&bytes).unwrap_err();
    assert!(problem.contains("expands to more"), "{problem}");
}

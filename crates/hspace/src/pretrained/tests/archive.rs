//! Archives in the layout of `torch.save`, with pickles that tests write.

use std::io::{Cursor, Write};

use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, ZipWriter};

/// What a checkpoint has.
pub enum Node {
    Dict(Vec<(String, Node)>),
    /// Shape and numbers.
    Tensor(Vec<usize>, Vec<f32>),
}

/// The checkpoint as `torch.save` writes it.
pub fn checkpoint(of: &Node) -> Vec<u8> {
    let (mut pickle, mut storages) = (b"\x80\x02".to_vec(), Vec::new());
    write(of, &mut pickle, &mut storages);
    pickle.push(b'.');
    let names = (0..storages.len()).map(|i| format!("data/{i}"));
    let files: Vec<(String, Vec<u8>)> = names.zip(storages).collect();
    archive(&pickle, &files, CompressionMethod::Stored)
}

/// An archive with that pickle and these files.
pub fn archive(pickle: &[u8], files: &[(String, Vec<u8>)], method: CompressionMethod) -> Vec<u8> {
    let options = SimpleFileOptions::default().compression_method(method);
    let mut made = ZipWriter::new(Cursor::new(Vec::new()));
    let pickle = ("data.pkl".to_owned(), pickle.to_vec());
    for (name, content) in std::iter::once(&pickle).chain(files) {
        made.start_file(format!("archive/{name}"), options).unwrap();
        made.write_all(content).unwrap();
    }
    made.finish().unwrap().into_inner()
}

fn write(node: &Node, pickle: &mut Vec<u8>, storages: &mut Vec<Vec<u8>>) {
    match node {
        Node::Dict(items) => {
            pickle.extend(b"}(");
            for (key, value) in items {
                text(key, pickle);
                write(value, pickle, storages);
            }
            pickle.push(b'u');
        }
        Node::Tensor(shape, numbers) => {
            pickle.extend(b"ctorch._utils\n_rebuild_tensor_v2\n((");
            text("storage", pickle);
            pickle.extend(b"ctorch\nFloatStorage\n");
            text(&storages.len().to_string(), pickle);
            text("cpu", pickle);
            number(numbers.len(), pickle);
            pickle.extend(b"tQK\x00(");
            shape.iter().for_each(|&size| number(size, pickle));
            pickle.extend(b"t(");
            for axis in 0..shape.len() {
                number(shape[axis + 1..].iter().product(), pickle);
            }
            pickle.extend(b"t\x89N");
            pickle.extend(b"tR");
            storages.push(numbers.iter().flat_map(|v| v.to_le_bytes()).collect());
        }
    }
}

fn text(text: &str, pickle: &mut Vec<u8>) {
    pickle.push(b'X');
    pickle.extend((text.len() as u32).to_le_bytes());
    pickle.extend(text.bytes());
}

fn number(number: usize, pickle: &mut Vec<u8>) {
    pickle.push(b'J');
    pickle.extend((number as u32).to_le_bytes());
}

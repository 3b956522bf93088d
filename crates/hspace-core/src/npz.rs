//! `.npz` archives: a ZIP file of `.npy` arrays, as numpy writes and reads them.

pub(crate) mod array;

use std::fs::File;
use std::io::{self, BufReader, Read, Seek, Write};
use std::path::Path;

use npyz::npz::{array_name_from_file_name, file_name_from_array_name};
use zip::read::ZipFile;
use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, ZipArchive, ZipWriter};

/// An archive open for reading.
pub(crate) struct NpzReader(ZipArchive<BufReader<File>>);

impl NpzReader {
    /// Reads the archive's directory.
    pub(crate) fn open(path: &Path) -> io::Result<Self> {
        Ok(NpzReader(ZipArchive::new(BufReader::new(File::open(
            path,
        )?))?))
    }

    /// Names of the arrays, in the order in which they were written.
    pub(crate) fn names(&self) -> Vec<String> {
        let files = self.0.file_names().filter_map(Result::ok);
        let name = |file: &str| array_name_from_file_name(file).map(str::to_owned);
        files.filter_map(|file| name(&file)).collect()
    }

    /// The `.npy` bytes of an array; `size()` of the result is their number.
    pub(crate) fn array(&mut self, name: &str) -> io::Result<ZipFile<'_, impl Read>> {
        Ok(self.0.by_name(&file_name_from_array_name(name))?)
    }
}

/// An archive being written, uncompressed.
pub(crate) struct NpzWriter<W: Write + Seek>(ZipWriter<W>);

impl<W: Write + Seek> NpzWriter<W> {
    /// Begins an archive.
    pub(crate) fn new(out: W) -> Self {
        NpzWriter(ZipWriter::new(out))
    }

    /// Begins an array, whose `.npy` bytes go into the result.
    pub(crate) fn array(&mut self, name: &str) -> io::Result<&mut (impl Write + use<W>)> {
        // Any array may pass 4 GiB.
        let options = SimpleFileOptions::default()
            .compression_method(CompressionMethod::Stored)
            .large_file(true);
        self.0
            .start_file(file_name_from_array_name(name), options)?;
        Ok(&mut self.0)
    }

    /// Writes the archive's directory.
    pub(crate) fn finish(self) -> io::Result<()> {
        self.0.finish()?.flush()
    }
}

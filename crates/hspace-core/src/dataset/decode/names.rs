//! Which files are pictures, by their names.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use super::content::starts_like_picture;

/// Extensions of the image files that are read, in lower case.
const EXTENSIONS: &[&str] = &[
    "png", "apng", "jpg", "jpeg", "jpe", "jfif", "jif", "pjpeg", "pjp", "tif", "tiff", "btf",
    "tf8", "gtiff", "lsm", "stk", "bmp", "dib", "webp", "gif", "pbm", "pgm", "ppm", "pnm", "pam",
    "tga", "icb", "vda", "vst", "ico", "qoi", "ff", "farbfeld",
];

pub(super) const PICTURE: &str = "save it as PNG, JPEG, TIFF, BMP or WebP";
const VECTORS: &str = "it holds shapes, not pixels; export it as PNG";
pub(super) const FLOATS: &str =
    "its pixels are floating-point numbers; save them with 8 or 16 bits, as PNG or TIFF";
const MEDICAL: &str = "convert its slices to PNG or TIFF, or the volume to an array [samples, height, width] in an .npz";
const MICROSCOPE: &str = "export it as TIFF, for instance with Fiji or QuPath";
const RAW: &str = "it is a camera's raw data; develop it to PNG, JPEG or TIFF";

/// Extensions of pictures that are not read, in lower case, and what to do about it.
const UNSUPPORTED: &[(&[&str], &str)] = &[
    (
        &[
            "heic", "heif", "hif", "avif", "jxl", "jp2", "j2k", "j2c", "jpf", "jpx", "jpc", "jxr",
            "wdp", "psd", "psb", "xcf", "kra", "pcx", "dds", "sgi", "cur", "icns", "pict", "xpm",
            "xbm", "wbmp", "djvu", "mng",
        ],
        PICTURE,
    ),
    (&["svg", "svgz", "eps", "ai", "wmf", "emf", "cdr"], VECTORS),
    (&["hdr", "exr", "pfm"], FLOATS),
    (
        &[
            "dcm", "dicom", "ima", "nii", "mha", "mhd", "nrrd", "nhdr", "mnc",
        ],
        MEDICAL,
    ),
    (
        &[
            "czi", "nd2", "lif", "oif", "oib", "oir", "vsi", "zvi", "ims", "svs", "ndpi", "scn",
            "mrxs", "bif", "qptiff", "vms",
        ],
        MICROSCOPE,
    ),
    (
        &[
            "cr2", "cr3", "crw", "nef", "nrw", "arw", "sr2", "srf", "dng", "raf", "orf", "rw2",
            "pef", "srw", "3fr", "iiq", "x3f",
        ],
        RAW,
    ),
];

/// Extensions of files that are no pictures, which are not opened to find out.
const OTHER: &str = "csv tsv txt md rst json jsonl ndjson geojson yaml yml toml xml html htm js css ini cfg conf log lst \
                     list py pyc ipynb r m c h cpp rs go java sh bat ps1 lock mat h5 hdf5 npy npz pkl pickle pt pth ckpt \
                     safetensors onnx pb parquet feather arrow db sqlite tfrecord tfrecords zip gz tgz tar bz2 xz zst 7z \
                     rar pdf doc docx xls xlsx ppt pptx odt ods mp4 mov avi mkv webm mpg mpeg wmv m4v flv mp3 wav flac \
                     ogg m4a aac exe dll so a o ttf otf woff woff2 shp shx dbf prj tfw jgw pgw wld aux url lnk torrent \
                     md5 sha1 sha256 sig asc";

/// Extensions that programs append to the name a file has or will have.
const APPENDED: &str = "download crdownload part partial tmp temp bak orig old gz";

/// What a name says of its file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Named {
    /// A picture with this extension.
    Picture(&'static str),
    /// A picture that is not read, with this extension, and what to do.
    Unsupported(&'static str, &'static str),
    Other,
    Unknown,
}

/// Whether a file is to be listed among a folder's pictures: [`super::header`] then says whether it can be read, and
/// if not, why.
///
/// Its extension decides, in lower or upper case, with what programs append to it (`x.jpg_large`, `x.png.download`).
/// Where that says nothing, the first 16 bytes do. Files with extensions of tables, text, archives, films and the
/// like are not opened. Hidden files are the caller's to pass over.
pub fn looks_like_picture(path: &Path) -> bool {
    match named(path) {
        Named::Picture(_) | Named::Unsupported(..) => true,
        Named::Other => false,
        Named::Unknown => {
            let mut head = Vec::new();
            let read = File::open(path).and_then(|file| file.take(16).read_to_end(&mut head));
            read.is_ok() && starts_like_picture(&head)
        }
    }
}

pub(super) fn named(path: &Path) -> Named {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    named_as(&name.to_lowercase())
}

fn named_as(name: &str) -> Named {
    let Some((stem, extension)) = name.rsplit_once('.') else {
        return Named::Unknown;
    };
    let appended = listed(APPENDED, extension)
        || !extension.is_empty() && extension.bytes().all(|b| b.is_ascii_digit());
    if appended && let inner @ (Named::Picture(_) | Named::Unsupported(..)) = named_as(stem) {
        // A compressed picture is none; a compressed volume is still a volume.
        match inner {
            Named::Picture(_) if extension == "gz" => return Named::Other,
            inner => return inner,
        }
    }
    let known = |extension: &str| {
        let same = |list: &&'static str| *list == extension;
        if let Some(found) = EXTENSIONS.iter().copied().find(same) {
            return Some(Named::Picture(found));
        }
        for (list, advice) in UNSUPPORTED {
            if let Some(found) = list.iter().copied().find(same) {
                return Some(Named::Unsupported(found, advice));
            }
        }
        listed(OTHER, extension).then_some(Named::Other)
    };
    // `jpg_large`, `jpeg-1`, `png~`
    let letters = extension.find(|c: char| !c.is_alphanumeric());
    let start = letters.map_or(extension, |end| &extension[..end]);
    known(extension)
        .or_else(|| known(start))
        .unwrap_or(Named::Unknown)
}

fn listed(list: &str, word: &str) -> bool {
    list.split(' ').any(|entry| entry == word)
}

//! Crossed scores as text in JSON: base64 of the deflated values, 32-bit floats with the lowest byte first.

use std::io::{Read, Write};

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use flate2::Compression;
use flate2::read::ZlibDecoder;
use flate2::write::ZlibEncoder;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de, ser};

use super::Crossed;

#[derive(Serialize, Deserialize)]
struct Stored {
    seeds: usize,
    draws: usize,
    units: usize,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    overlap: Option<f64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    rarest: Option<usize>,
    /// `[seeds, draws]`
    means: Vec<f64>,
    /// `[seeds, draws, units]`
    values: String,
}

impl Serialize for Crossed {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        let mut packed = ZlibEncoder::new(Vec::new(), Compression::default());
        let bytes: Vec<u8> = self.values.iter().flat_map(|v| v.to_le_bytes()).collect();
        packed.write_all(&bytes).map_err(ser::Error::custom)?;
        let packed = packed.finish().map_err(ser::Error::custom)?;
        Stored {
            seeds: self.seeds,
            draws: self.draws,
            units: self.units,
            overlap: self.overlap,
            rarest: self.rarest,
            means: self.means.clone(),
            values: BASE64.encode(packed),
        }
        .serialize(to)
    }
}

impl<'de> Deserialize<'de> for Crossed {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Crossed, D::Error> {
        let stored = Stored::deserialize(from)?;
        let packed = BASE64.decode(stored.values).map_err(de::Error::custom)?;
        let count = [stored.draws, stored.units, 4]
            .iter()
            .try_fold(stored.seeds, |product, n| product.checked_mul(*n))
            .ok_or_else(|| de::Error::custom("too many scores"))?;
        let mut bytes = Vec::new();
        ZlibDecoder::new(&packed[..])
            .take(count as u64 + 1)
            .read_to_end(&mut bytes)
            .map_err(de::Error::custom)?;
        if bytes.len() != count || stored.means.len() != stored.seeds * stored.draws {
            return Err(de::Error::custom(format!(
                "{} seeds × {} draws × {} test units are not {} scores",
                stored.seeds,
                stored.draws,
                stored.units,
                bytes.len() / 4
            )));
        }
        let values = bytes.as_chunks::<4>().0;
        Ok(Crossed {
            seeds: stored.seeds,
            draws: stored.draws,
            units: stored.units,
            values: values.iter().map(|b| f32::from_le_bytes(*b)).collect(),
            means: stored.means,
            overlap: stored.overlap,
            rarest: stored.rarest,
        })
    }
}

//! How many channels the images of a dataset have.

use std::collections::BTreeMap;

/// Most channels of an array of images; more are taken for an axis that is not channels.
const MOST: usize = 512;

/// The number of channels of a dataset whose images have these numbers of channels: the most common one. Grey
/// images count as RGB where there is any RGB image, since they are lifted to it. Of two that are equally common the
/// smaller one; 1 if there is no image.
pub fn common(counts: impl IntoIterator<Item = usize>) -> usize {
    let mut images: BTreeMap<usize, usize> = BTreeMap::new();
    for channels in counts {
        *images.entry(channels).or_default() += 1;
    }
    if images.contains_key(&3)
        && let Some(grey) = images.remove(&1)
    {
        *images.entry(3).or_default() += grey;
    }
    let most = images
        .iter()
        .max_by_key(|&(channels, count)| (count, std::cmp::Reverse(channels)));
    most.map_or(1, |(channels, _)| *channels)
}

/// Whether an image of so many `channels` can be in a dataset of `common` channels, else why not.
///
/// # Errors
/// If it has neither as many channels nor is grey among RGB images.
pub fn fits(channels: usize, common: usize) -> Result<(), String> {
    let lifted = channels == 1 && common == 3;
    if channels == common || lifted {
        return Ok(());
    }
    let plural = if channels == 1 { "" } else { "s" };
    Err(format!(
        "has {channels} channel{plural}, and most of the images {common}; keep those of {channels} in a folder of their own"
    ))
}

/// `[height, width, channels]` of images in an array of shape `[samples, height, width]` or
/// `[samples, height, width, channels]`.
///
/// # Errors
/// With what is wrong with the shape, and what to do where channels come first.
pub fn of_array(dims: &[usize]) -> Result<[usize; 3], String> {
    let size = match *dims {
        [_, height, width] => [height, width, 1],
        [_, first, rows, columns]
            if first < rows
                && first < columns
                && (rows == columns || first <= 4)
                && columns > 4 =>
        {
            return Err(format!(
                "images of shape {dims:?} have their channels first; hspace reads [samples, height, width, channels]: \
                 transpose(0, 2, 3, 1) the array"
            ));
        }
        [_, height, width, channels @ 0..=MOST] => [height, width, channels],
        _ => {
            return Err(format!(
                "images of shape {dims:?}; [samples, height, width] or [samples, height, width, channels] is needed, \
                 with at most {MOST} channels"
            ));
        }
    };
    if size.contains(&0) {
        return Err(format!("images of shape {dims:?} have no pixels"));
    }
    Ok(size)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_most_common_number_wins_and_grey_counts_as_rgb() {
        assert_eq!(common([1, 1, 1]), 1);
        assert_eq!(common([1, 3, 4, 4]), 3, "two are lifted or RGB, a tie");
        assert_eq!(common([1, 3, 4, 4, 4]), 4);
        assert_eq!(common([1, 1, 5, 5, 5]), 5);
        assert_eq!(common([]), 1);
        assert!(fits(1, 3).is_ok() && fits(5, 5).is_ok());
        let text = fits(4, 3).unwrap_err();
        assert!(
            text.starts_with("has 4 channels, and most of the images 3"),
            "{text}"
        );
        assert!(fits(3, 1).is_err() && fits(1, 5).is_err());
    }

    #[test]
    fn channels_of_arrays_come_last() {
        assert_eq!(of_array(&[9, 28, 28]), Ok([28, 28, 1]));
        assert_eq!(of_array(&[9, 8, 8, 16]), Ok([8, 8, 16]));
        assert_eq!(of_array(&[9, 9, 9, 200]), Ok([9, 9, 200]));
        assert_eq!(of_array(&[9, 1, 2, 3]), Ok([1, 2, 3]));
        for first in [[9, 3, 32, 32], [9, 1, 28, 28], [9, 4, 20, 30]] {
            let text = of_array(&first).unwrap_err();
            assert!(text.contains("transpose(0, 2, 3, 1)"), "{text}");
        }
        assert!(of_array(&[9, 28, 28, 0]).unwrap_err().contains("no pixels"));
        assert!(of_array(&[9, 28, 28, 513]).is_err());
        assert!(of_array(&[9, 28, 28, 3, 1]).is_err());
    }
}

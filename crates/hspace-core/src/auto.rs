//! A value, or `auto`.

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A value, or `auto`: chosen from the data. Written as the string `"auto"`.
///
/// ```
/// use hspace_core::auto::Auto;
///
/// let mut width: Auto<usize> = Auto::Auto;
/// width.or(64);
/// width.or(128); // It has a value by now.
/// assert_eq!(*width.get(), 64);
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Auto<T> {
    /// Choose it.
    #[default]
    Auto,
    /// Given.
    Set(T),
}

impl<T> Auto<T> {
    /// The value.
    ///
    /// # Panics
    /// If it is still `auto`: settings are resolved before they are used.
    pub fn get(&self) -> &T {
        match self {
            Auto::Set(value) => value,
            Auto::Auto => panic!("settings are resolved before they are used"),
        }
    }

    /// Gives `auto` a value.
    pub fn or(&mut self, value: T) {
        if let Auto::Auto = self {
            *self = Auto::Set(value);
        }
    }
}

impl<T: Serialize> Serialize for Auto<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> std::result::Result<S::Ok, S::Error> {
        match self {
            Auto::Auto => serializer.serialize_str("auto"),
            Auto::Set(value) => value.serialize(serializer),
        }
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Auto<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> std::result::Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(rename_all = "lowercase")]
        enum Word {
            Auto,
        }
        #[derive(Deserialize)]
        #[serde(untagged, expecting = "expected `auto` or a number")]
        enum Either<T> {
            Word(Word),
            Value(T),
        }
        Ok(match Either::deserialize(deserializer)? {
            Either::Word(Word::Auto) => Auto::Auto,
            Either::Value(value) => Auto::Set(value),
        })
    }
}

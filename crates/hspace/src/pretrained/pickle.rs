//! Pickles, read as data.
//!
//! A pickle is a program for a small stack machine. This machine knows all instructions of protocols 0 to 5, and
//! calls nothing: where Python would call a function or make an object, it builds a tensor if the function is one of
//! PyTorch's few that rebuild tensors, and otherwise an empty map, which takes the items and the state that follow.

use std::collections::HashMap;
use std::rc::Rc;

/// A value of a pickle. Containers are places in [`Pickle`]: values are small, and cycles do no harm.
#[derive(Clone, Debug)]
pub(super) enum Value {
    /// Not looked into: None, booleans, floats, bytes, what the machine does not know.
    Opaque,
    Number(i64),
    Text(Rc<str>),
    /// A class or function, by module and name.
    Global(Rc<str>),
    /// A list, a tuple or a set: a place in [`Pickle::sequences`].
    Sequence(usize),
    /// A dictionary or any other object: a place in [`Pickle::maps`].
    Map(usize),
    Storage(Rc<Storage>),
    Tensor(Rc<Tensor>),
}

/// A file of raw numbers in the archive.
#[derive(Debug)]
pub(super) struct Storage {
    /// Name of the file.
    pub(super) key: String,
    /// Class of the storage, such as `FloatStorage`.
    pub(super) class: String,
}

/// A view of a storage.
#[derive(Debug)]
pub(super) struct Tensor {
    pub(super) storage: Rc<Storage>,
    /// First number.
    pub(super) offset: usize,
    pub(super) shape: Vec<usize>,
    /// Numbers from one place to the next along each axis.
    pub(super) stride: Vec<usize>,
}

/// All values of a pickle.
#[derive(Debug)]
pub(super) struct Pickle {
    /// The value that Python would return.
    pub(super) top: Value,
    pub(super) sequences: Vec<Vec<Value>>,
    /// Keys with values. An object's state is a value with an empty text as its key.
    pub(super) maps: Vec<Vec<(Value, Value)>>,
}

/// Most axes of a tensor.
const AXES: usize = 8;

/// Reads a pickle.
///
/// # Errors
/// Where it is cut short or damaged.
pub(super) fn read(bytes: &[u8]) -> Result<Pickle, String> {
    let mut machine = Machine {
        rest: bytes,
        stack: Vec::new(),
        marks: Vec::new(),
        memo: HashMap::new(),
        sequences: Vec::new(),
        maps: Vec::new(),
    };
    while machine.step()? {}
    let top = machine.pop()?;
    Ok(Pickle {
        top,
        sequences: machine.sequences,
        maps: machine.maps,
    })
}

struct Machine<'a> {
    rest: &'a [u8],
    stack: Vec<Value>,
    /// Heights of the stack at marks.
    marks: Vec<usize>,
    memo: HashMap<usize, Value>,
    sequences: Vec<Vec<Value>>,
    maps: Vec<Vec<(Value, Value)>>,
}

impl<'a> Machine<'a> {
    fn take(&mut self, count: usize) -> Result<&'a [u8], String> {
        let split = self.rest.split_at_checked(count);
        let (taken, rest) = split.ok_or("data.pkl is cut short")?;
        self.rest = rest;
        Ok(taken)
    }

    /// A whole number of at most 8 bytes, the lowest first.
    fn unsigned(&mut self, count: usize) -> Result<usize, String> {
        let bytes = self.take(count)?.iter().rev();
        let number = bytes.fold(0u64, |number, &byte| number << 8 | u64::from(byte));
        usize::try_from(number).map_err(|_| "a length in data.pkl is too large".into())
    }

    /// A length of so many bytes, and what is so long.
    fn counted(&mut self, count: usize) -> Result<&'a [u8], String> {
        let length = self.unsigned(count)?;
        self.take(length)
    }

    /// Up to the end of the line.
    fn line(&mut self) -> Result<&'a [u8], String> {
        let end = self.rest.iter().position(|&b| b == b'\n');
        let line = self.take(end.ok_or("data.pkl is cut short")?)?;
        self.take(1)?;
        Ok(line)
    }

    /// A whole number on a line.
    fn line_number(&mut self) -> Result<Value, String> {
        let line = text(self.line()?);
        let number = line.trim_end_matches('L').parse();
        Ok(number.map_or(Value::Opaque, Value::Number))
    }

    fn pop(&mut self) -> Result<Value, String> {
        let value = self.stack.pop();
        value.ok_or_else(|| "data.pkl takes from an empty stack".into())
    }

    fn last(&self) -> Result<&Value, String> {
        let value = self.stack.last();
        value.ok_or_else(|| "data.pkl takes from an empty stack".into())
    }

    /// The topmost `count` values.
    fn topmost(&mut self, count: usize) -> Result<Vec<Value>, String> {
        let first = self.stack.len().checked_sub(count);
        let first = first.ok_or("data.pkl takes from an empty stack")?;
        Ok(self.stack.split_off(first))
    }

    /// All values above the last mark.
    fn above_mark(&mut self) -> Result<Vec<Value>, String> {
        let mark = self.marks.pop().filter(|mark| *mark <= self.stack.len());
        Ok(self
            .stack
            .split_off(mark.ok_or("data.pkl has no mark where it should")?))
    }

    fn sequence(&mut self, values: Vec<Value>) -> Value {
        self.sequences.push(values);
        Value::Sequence(self.sequences.len() - 1)
    }

    fn map(&mut self, items: Vec<(Value, Value)>) -> Value {
        self.maps.push(items);
        Value::Map(self.maps.len() - 1)
    }

    /// One instruction; false after the last.
    fn step(&mut self) -> Result<bool, String> {
        let instruction = self.take(1)?[0];
        let value = match instruction {
            b'.' => return Ok(false),
            // Protocol, frame.
            0x80 => return self.take(1).map(|_| true),
            0x95 => return self.take(8).map(|_| true),
            b'(' => {
                self.marks.push(self.stack.len());
                return Ok(true);
            }
            b'0' => return self.pop().map(|_| true),
            b'1' => return self.above_mark().map(|_| true),
            b'2' => self.last()?.clone(),
            // None, booleans, a buffer outside of the pickle.
            b'N' | 0x88 | 0x89 | 0x97 => Value::Opaque,
            // The buffer becomes read-only.
            0x98 => return Ok(true),
            // Floats, and persistent ids as text.
            b'F' | b'P' => self.line().map(|_| Value::Opaque)?,
            b'G' => self.take(8).map(|_| Value::Opaque)?,
            // Names of classes by number.
            0x82..=0x84 => {
                self.take([1, 2, 4][usize::from(instruction - 0x82)])?;
                Value::Opaque
            }
            // Bytes.
            b'C' => self.counted(1).map(|_| Value::Opaque)?,
            b'B' => self.counted(4).map(|_| Value::Opaque)?,
            0x8e | 0x96 => self.counted(8).map(|_| Value::Opaque)?,
            b'I' | b'L' => self.line_number()?,
            b'J' => signed(self.take(4)?),
            b'K' => Value::Number(self.unsigned(1)? as i64),
            b'M' => Value::Number(self.unsigned(2)? as i64),
            0x8a => signed(self.counted(1)?),
            0x8b => signed(self.counted(4)?),
            b'S' => Value::Text(text(self.line()?).trim_matches(['\'', '"']).into()),
            b'V' => Value::Text(text(self.line()?).into()),
            b'U' | 0x8c => Value::Text(text(self.counted(1)?).into()),
            b'T' | b'X' => Value::Text(text(self.counted(4)?).into()),
            0x8d => Value::Text(text(self.counted(8)?).into()),
            b'c' => self.global()?,
            0x93 => match &self.topmost(2)?[..] {
                [Value::Text(module), Value::Text(name)] => {
                    Value::Global(format!("{module}.{name}").into())
                }
                _ => Value::Opaque,
            },
            b')' | b']' | 0x8f => self.sequence(Vec::new()),
            b't' | b'l' | 0x91 => {
                let values = self.above_mark()?;
                self.sequence(values)
            }
            0x85..=0x87 => {
                let values = self.topmost(usize::from(instruction - 0x84))?;
                self.sequence(values)
            }
            b'}' => self.map(Vec::new()),
            b'd' => {
                let items = self.above_mark()?;
                self.map(pairs(items))
            }
            b'a' => {
                let values = self.topmost(1)?;
                return self.append(values);
            }
            b'e' | 0x90 => {
                let values = self.above_mark()?;
                return self.append(values);
            }
            b's' => {
                let items = self.topmost(2)?;
                return self.set(items);
            }
            b'u' => {
                let items = self.above_mark()?;
                return self.set(items);
            }
            b'p' | b'q' | b'r' | 0x94 => {
                let place = self.place(instruction)?;
                self.memo.insert(place, self.last()?.clone());
                return Ok(true);
            }
            b'g' | b'h' | b'j' => {
                let place = self.place(instruction)?;
                let found = self.memo.get(&place).cloned();
                found.ok_or("data.pkl recalls what it never stored")?
            }
            b'Q' => {
                let id = self.pop()?;
                self.storage(&id)
            }
            // Calls, with positional arguments.
            b'R' | 0x81 => {
                let values = self.topmost(2)?;
                self.call(&values[0], &values[1])
            }
            // Objects made in ways that no tensor is.
            0x92 => {
                self.topmost(3)?;
                self.map(Vec::new())
            }
            b'o' => {
                self.above_mark()?;
                self.map(Vec::new())
            }
            b'i' => {
                self.global()?;
                self.above_mark()?;
                self.map(Vec::new())
            }
            // The state of an object.
            b'b' => {
                let state = self.pop()?;
                return self.set(vec![Value::Text("".into()), state]);
            }
            other => return Err(format!("data.pkl has an unknown instruction {other:#04x}")),
        };
        self.stack.push(value);
        Ok(true)
    }

    /// A class or function by two lines.
    fn global(&mut self) -> Result<Value, String> {
        let (module, name) = (text(self.line()?), text(self.line()?));
        Ok(Value::Global(format!("{module}.{name}").into()))
    }

    /// Where a value is stored or recalled.
    fn place(&mut self, instruction: u8) -> Result<usize, String> {
        match instruction {
            b'q' | b'h' => self.unsigned(1),
            b'r' | b'j' => self.unsigned(4),
            0x94 => Ok(self.memo.len()),
            _ => match self.line_number()? {
                Value::Number(place) if place >= 0 => Ok(place as usize),
                _ => Err("data.pkl stores a value at no place".into()),
            },
        }
    }

    /// Adds elements to the topmost value.
    fn append(&mut self, values: Vec<Value>) -> Result<bool, String> {
        match *self.last()? {
            Value::Sequence(at) => self.sequences[at].extend(values),
            // A list of a class of its own.
            Value::Map(at) => {
                let first = self.maps[at].len() as i64;
                let items = (first..).map(Value::Number).zip(values);
                self.maps[at].extend(items);
            }
            _ => {}
        }
        Ok(true)
    }

    /// Adds keys with values, in turn, to the topmost value.
    fn set(&mut self, items: Vec<Value>) -> Result<bool, String> {
        if let Value::Map(at) = *self.last()? {
            self.maps[at].extend(pairs(items));
        }
        Ok(true)
    }

    /// `("storage", class, key, device, count)`.
    fn storage(&self, id: &Value) -> Value {
        if let Value::Sequence(at) = id
            && let [_, Value::Global(class), Value::Text(key), ..] = &self.sequences[*at][..]
        {
            let class = class.rsplit('.').next().unwrap_or_default().to_owned();
            let key = key.to_string();
            return Value::Storage(Rc::new(Storage { key, class }));
        }
        Value::Opaque
    }

    /// What a call gives: a tensor, or an empty map.
    fn call(&mut self, function: &Value, arguments: &Value) -> Value {
        let made = match (function, arguments) {
            (Value::Global(name), Value::Sequence(at)) => self.rebuilt(name, &self.sequences[*at]),
            _ => None,
        };
        made.unwrap_or_else(|| self.map(Vec::new()))
    }

    /// What PyTorch's functions that rebuild tensors give; `None` for all others.
    fn rebuilt(&self, function: &str, arguments: &[Value]) -> Option<Value> {
        match (function, arguments) {
            (
                "torch._tensor._rebuild_from_type_v2" | "torch._tensor._rebuild_from_type",
                [Value::Global(inner), _, Value::Sequence(at), ..],
            ) => self.rebuilt_tensor(inner, &self.sequences[*at]),
            _ => self.rebuilt_tensor(function, arguments),
        }
    }

    fn rebuilt_tensor(&self, function: &str, arguments: &[Value]) -> Option<Value> {
        match (function.strip_prefix("torch._utils.")?, arguments) {
            (
                "_rebuild_tensor_v2" | "_rebuild_tensor",
                [
                    Value::Storage(storage),
                    Value::Number(offset),
                    shape,
                    stride,
                    ..,
                ],
            ) => {
                let (shape, stride) = (self.sizes(shape)?, self.sizes(stride)?);
                (shape.len() == stride.len()).then_some(())?;
                Some(Value::Tensor(Rc::new(Tensor {
                    storage: storage.clone(),
                    offset: usize::try_from(*offset).ok()?,
                    shape,
                    stride,
                })))
            }
            (
                "_rebuild_parameter" | "_rebuild_parameter_with_state",
                [tensor @ Value::Tensor(_), ..],
            ) => Some(tensor.clone()),
            _ => None,
        }
    }

    /// Whole numbers that are not negative, one for each axis.
    fn sizes(&self, of: &Value) -> Option<Vec<usize>> {
        let Value::Sequence(at) = of else {
            return None;
        };
        let values = &self.sequences[*at];
        let size = |value: &Value| match value {
            Value::Number(number) => usize::try_from(*number).ok(),
            _ => None,
        };
        (values.len() <= AXES).then(|| values.iter().map(size).collect())?
    }
}

/// A whole number of any length, the lowest byte first; opaque beyond 8 bytes.
fn signed(bytes: &[u8]) -> Value {
    let fill = match bytes.last() {
        Some(128..) => 0xff,
        _ => 0,
    };
    let mut all = [fill; 8];
    match all.get_mut(..bytes.len()) {
        Some(start) => start.copy_from_slice(bytes),
        None => return Value::Opaque,
    }
    Value::Number(i64::from_le_bytes(all))
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// Keys and values that follow each other.
fn pairs(items: Vec<Value>) -> Vec<(Value, Value)> {
    let mut items = items.into_iter();
    let next = || Some((items.next()?, items.next()?));
    std::iter::from_fn(next).collect()
}

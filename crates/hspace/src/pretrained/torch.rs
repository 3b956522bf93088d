//! What `torch.save` makes of a state dict: a ZIP archive of a pickle, which says what there is, and a
//! file of raw numbers for each storage.
//!
//! A pickle is a program for a small stack machine. This one knows the instructions that state dicts
//! use, and calls nothing: an archive that asks for more than tensors in dictionaries is refused,
//! whatever it would do in Python.

use std::cell::RefCell;
use std::collections::HashMap;
use std::io::{Cursor, Read};
use std::rc::Rc;

use zip::ZipArchive;

/// Name, axes, values.
pub(super) type Named = (String, Vec<usize>, Vec<f32>);

/// A value on the machine's stack.
#[derive(Clone, Debug)]
enum Value {
    /// Whatever is not looked into: None, booleans, numbers with a point, empty calls.
    Other,
    Number(i64),
    Text(String),
    /// A class or function, by module and name.
    Named(String),
    Tuple(Vec<Value>),
    List(Rc<RefCell<Vec<Value>>>),
    Dict(Rc<RefCell<Vec<(Value, Value)>>>),
    /// The key of a file of numbers, and their type.
    Storage(String, String),
    Tensor(Tensor),
    Mark,
}

#[derive(Clone, Debug)]
struct Tensor {
    storage: String,
    kind: String,
    offset: usize,
    shape: Vec<usize>,
    stride: Vec<usize>,
}

/// Tensors of double, single, half or bfloat16 precision in an archive; those of whole numbers (counters) are
/// left out.
///
/// # Errors
/// What is wrong with the archive.
pub(super) fn read(bytes: &[u8]) -> Result<Vec<Named>, String> {
    let mut archive = ZipArchive::new(Cursor::new(bytes)).map_err(|e| e.to_string())?;
    let names = archive.file_names().filter_map(Result::ok);
    let pickle = names
        .map(|name| name.into_owned())
        .find(|name| name.ends_with("/data.pkl"))
        .ok_or("there is no data.pkl in it: it was not made by torch.save")?;
    let folder = pickle.trim_end_matches("data.pkl").to_owned();
    let mut file = |name: &str| -> Result<Vec<u8>, String> {
        let mut file = archive.by_name(name).map_err(|e| format!("{name}: {e}"))?;
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes)
            .map_err(|e| format!("{name}: {e}"))?;
        Ok(bytes)
    };
    let top = run(&file(&pickle)?)?;
    let tensors = state_dict(&top);
    if tensors.is_empty() {
        return Err("there are no named tensors in it".into());
    }
    let mut storages: HashMap<String, Vec<f32>> = HashMap::new();
    let (mut named, mut unreadable) = (Vec::new(), Vec::new());
    for (name, tensor) in tensors {
        if matches!(
            tensor.kind.as_str(),
            "LongStorage" | "IntStorage" | "BoolStorage"
        ) {
            continue;
        }
        if !storages.contains_key(&tensor.storage) {
            let bytes = file(&format!("{folder}data/{}", tensor.storage))?;
            let Some(values) = numbers(&bytes, &tensor.kind) else {
                unreadable.push(format!("`{name}` is a {}", tensor.kind));
                continue;
            };
            storages.insert(tensor.storage.clone(), values);
        }
        let values = tensor.values(&storages[&tensor.storage]);
        let values = values.ok_or_else(|| format!("`{name}` reaches beyond its numbers"))?;
        named.push((name, tensor.shape, values));
    }
    super::all_readable(unreadable)?;
    Ok(named)
}

/// Raw numbers of a storage.
fn numbers(bytes: &[u8], kind: &str) -> Option<Vec<f32>> {
    Some(match kind {
        "FloatStorage" => super::singles(bytes),
        "DoubleStorage" => super::doubles(bytes),
        "HalfStorage" => super::halves(bytes),
        "BFloat16Storage" => super::brain_floats(bytes),
        _ => return None,
    })
}

impl Tensor {
    /// Its numbers in order.
    fn values(&self, storage: &[f32]) -> Option<Vec<f32>> {
        let count = self
            .shape
            .iter()
            .try_fold(1usize, |n, d| n.checked_mul(*d))?;
        if count > storage.len() {
            return None;
        }
        let mut values = Vec::with_capacity(count);
        let mut index = vec![0; self.shape.len()];
        for _ in 0..count {
            let steps = index.iter().zip(&self.stride).map(|(i, s)| i * s);
            values.push(*storage.get(self.offset + steps.sum::<usize>())?);
            for axis in (0..index.len()).rev() {
                index[axis] += 1;
                if index[axis] < self.shape[axis] {
                    break;
                }
                index[axis] = 0;
            }
        }
        Some(values)
    }
}

/// The named tensors of a checkpoint's state dict, or where it has none, of the dictionary itself.
fn state_dict(top: &Value) -> Vec<(String, Tensor)> {
    let Value::Dict(entries) = top else {
        return vec![];
    };
    for (key, value) in entries.borrow().iter() {
        let within = tensors(value);
        if matches!(key, Value::Text(name) if name == "state_dict" || name == "model")
            && !within.is_empty()
        {
            return within;
        }
    }
    tensors(top)
}

/// The named tensors of a dictionary.
fn tensors(of: &Value) -> Vec<(String, Tensor)> {
    let Value::Dict(entries) = of else {
        return vec![];
    };
    let named = |(key, value): &(Value, Value)| match (key, value) {
        (Value::Text(name), Value::Tensor(tensor)) => Some((name.clone(), tensor.clone())),
        _ => None,
    };
    entries.borrow().iter().filter_map(named).collect()
}

/// The machine.
struct Machine<'a> {
    rest: &'a [u8],
    stack: Vec<Value>,
    memo: HashMap<usize, Value>,
}

/// Runs a pickle.
fn run(pickle: &[u8]) -> Result<Value, String> {
    let mut machine = Machine {
        rest: pickle,
        stack: Vec::new(),
        memo: HashMap::new(),
    };
    while machine.step()? {}
    machine.pop()
}

impl Machine<'_> {
    fn take(&mut self, count: usize) -> Result<&[u8], String> {
        let (taken, rest) = self
            .rest
            .split_at_checked(count)
            .ok_or("data.pkl is cut short")?;
        self.rest = rest;
        Ok(taken)
    }

    /// A whole number of `count` bytes, the lowest first.
    fn number(&mut self, count: usize) -> Result<usize, String> {
        let bytes = self.take(count)?.iter().rev();
        Ok(bytes.fold(0, |number, &byte| number << 8 | usize::from(byte)))
    }

    fn text(&mut self, length: usize) -> Result<String, String> {
        let bytes = self.take(length)?.to_vec();
        String::from_utf8(bytes).map_err(|_| "a name in data.pkl is no text".into())
    }

    /// Up to the end of the line.
    fn line(&mut self) -> Result<String, String> {
        let end = self.rest.iter().position(|&b| b == b'\n');
        let line = self.text(end.ok_or("data.pkl is cut short")?)?;
        self.take(1)?;
        Ok(line)
    }

    fn pop(&mut self) -> Result<Value, String> {
        self.stack
            .pop()
            .ok_or_else(|| "data.pkl takes from an empty stack".into())
    }

    /// All values above the last mark.
    fn above_mark(&mut self) -> Result<Vec<Value>, String> {
        let mark = self.stack.iter().rposition(|v| matches!(v, Value::Mark));
        let mark = mark.ok_or("data.pkl has no mark where it should")?;
        let above = self.stack.split_off(mark + 1);
        self.stack.pop();
        Ok(above)
    }

    fn last(&self) -> Result<Value, String> {
        self.stack
            .last()
            .cloned()
            .ok_or_else(|| "data.pkl remembers nothing".into())
    }

    /// One instruction; false after the last.
    fn step(&mut self) -> Result<bool, String> {
        let instruction = self.take(1)?[0];
        let value = match instruction {
            b'.' => return Ok(false),
            0x80 => {
                self.take(1)?;
                return Ok(true);
            }
            0x95 => {
                self.take(8)?;
                return Ok(true);
            }
            b'(' => Value::Mark,
            b'N' | 0x88 | 0x89 => Value::Other,
            b'G' => {
                self.take(8)?;
                Value::Other
            }
            b'J' => Value::Number(i64::from(self.number(4)? as u32 as i32)),
            b'K' => Value::Number(self.number(1)? as i64),
            b'M' => Value::Number(self.number(2)? as i64),
            0x8a => {
                let count = self.number(1)?;
                if count > 8 {
                    return Err("a number in data.pkl is too long".into());
                }
                Value::Number(self.number(count)? as i64)
            }
            b'X' => {
                let length = self.number(4)?;
                Value::Text(self.text(length)?)
            }
            0x8c => {
                let length = self.number(1)?;
                Value::Text(self.text(length)?)
            }
            b'c' => {
                let (module, name) = (self.line()?, self.line()?);
                Value::Named(format!("{module}.{name}"))
            }
            0x93 => match (self.pop()?, self.pop()?) {
                (Value::Text(name), Value::Text(module)) => {
                    Value::Named(format!("{module}.{name}"))
                }
                _ => return Err("data.pkl names something by no name".into()),
            },
            b')' => Value::Tuple(vec![]),
            b't' => Value::Tuple(self.above_mark()?),
            0x85..=0x87 => {
                let count = usize::from(instruction - 0x84);
                let first = self.stack.len().checked_sub(count);
                let first = first.ok_or("data.pkl takes from an empty stack")?;
                Value::Tuple(self.stack.split_off(first))
            }
            b']' => Value::List(Rc::default()),
            b'}' => Value::Dict(Rc::default()),
            b'a' => return self.append(1),
            b'e' => return self.append(0),
            b's' => {
                let (value, key) = (self.pop()?, self.pop()?);
                return self.set(vec![key, value]);
            }
            b'u' => {
                let items = self.above_mark()?;
                return self.set(items);
            }
            b'q' | b'r' => {
                let place = self.number(if instruction == b'q' { 1 } else { 4 })?;
                let last = self.last()?;
                self.memo.insert(place, last);
                return Ok(true);
            }
            0x94 => {
                let last = self.last()?;
                self.memo.insert(self.memo.len(), last);
                return Ok(true);
            }
            b'h' | b'j' => {
                let place = self.number(if instruction == b'h' { 1 } else { 4 })?;
                let remembered = self.memo.get(&place).cloned();
                remembered.ok_or("data.pkl recalls what it never remembered")?
            }
            b'Q' => storage(self.pop()?)?,
            b'R' | 0x81 => {
                let arguments = self.pop()?;
                call(self.pop()?, arguments)?
            }
            // The state of an object: of a dictionary's own attributes, which are not looked into.
            b'b' => {
                self.pop()?;
                return Ok(true);
            }
            other => {
                return Err(format!(
                    "data.pkl has the instruction {other:#04x}, which no state dict needs; save \
                     model.state_dict(), not the model"
                ));
            }
        };
        self.stack.push(value);
        Ok(true)
    }

    fn append(&mut self, count: usize) -> Result<bool, String> {
        let values = match count {
            0 => self.above_mark()?,
            _ => vec![self.pop()?],
        };
        match self.stack.last() {
            Some(Value::List(list)) => list.borrow_mut().extend(values),
            _ => return Err("data.pkl appends to no list".into()),
        }
        Ok(true)
    }

    fn set(&mut self, items: Vec<Value>) -> Result<bool, String> {
        let Some(Value::Dict(dict)) = self.stack.last() else {
            return Err("data.pkl sets items of no dictionary".into());
        };
        let mut items = items.into_iter();
        while let (Some(key), Some(value)) = (items.next(), items.next()) {
            dict.borrow_mut().push((key, value));
        }
        Ok(true)
    }
}

/// `("storage", class, key, device, count)`.
fn storage(id: Value) -> Result<Value, String> {
    if let Value::Tuple(parts) = &id
        && let [_, Value::Named(class), Value::Text(key), ..] = &parts[..]
    {
        let kind = class.rsplit('.').next().unwrap_or_default();
        return Ok(Value::Storage(key.clone(), kind.to_owned()));
    }
    Err("data.pkl refers to something that is no storage".into())
}

/// What the few functions of a state dict give.
fn call(function: Value, arguments: Value) -> Result<Value, String> {
    let (Value::Named(name), Value::Tuple(arguments)) = (function, arguments) else {
        return Err("data.pkl calls what is no function".into());
    };
    match (name.as_str(), &arguments[..]) {
        ("collections.OrderedDict", _) => Ok(Value::Dict(Rc::default())),
        (
            "torch._utils._rebuild_tensor_v2",
            [
                Value::Storage(storage, kind),
                Value::Number(offset),
                Value::Tuple(shape),
                Value::Tuple(stride),
                ..,
            ],
        ) => {
            let sizes = |values: &[Value]| {
                let size = |value: &Value| match value {
                    Value::Number(number) => usize::try_from(*number).ok(),
                    _ => None,
                };
                let sizes: Option<Vec<usize>> = values.iter().map(size).collect();
                sizes.ok_or("a tensor in data.pkl has no shape")
            };
            Ok(Value::Tensor(Tensor {
                storage: storage.clone(),
                kind: kind.clone(),
                offset: usize::try_from(*offset).map_err(|_| "an offset below 0")?,
                shape: sizes(shape)?,
                stride: sizes(stride)?,
            }))
        }
        ("torch._utils._rebuild_parameter", [tensor @ Value::Tensor(_), ..]) => Ok(tensor.clone()),
        _ => Err(format!(
            "data.pkl calls {name}, which no state dict needs; save model.state_dict(), not the model"
        )),
    }
}

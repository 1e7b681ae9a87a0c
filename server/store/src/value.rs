//! The three kinds of value both engines store alike.

use crate::StoreError;

/// A bound parameter or a column.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Value {
    Null,
    Int(i64),
    Text(String),
    Bytes(Vec<u8>),
}

macro_rules! value_from {
    ($type:ty, $value:ident => $make:expr) => {
        impl From<$type> for Value {
            fn from($value: $type) -> Value {
                $make
            }
        }
    };
}
value_from!(i64, value => Value::Int(value));
value_from!(u32, value => Value::Int(value.into()));
value_from!(bool, value => Value::Int(value.into()));
value_from!(&str, value => Value::Text(value.to_owned()));
value_from!(String, value => Value::Text(value));
value_from!(&String, value => Value::Text(value.clone()));
value_from!(&[u8], value => Value::Bytes(value.to_vec()));
value_from!(Vec<u8>, value => Value::Bytes(value));
// Counters of this system stay far below 2^63; SQL has no unsigned type.
value_from!(u64, value => Value::Int(i64::try_from(value).unwrap_or(i64::MAX)));

impl<T: Into<Value>> From<Option<T>> for Value {
    fn from(value: Option<T>) -> Value {
        value.map_or(Value::Null, Into::into)
    }
}

/// Bound parameters: `params![scope.organisation().as_str(), id, now]`.
macro_rules! params {
    ($($value:expr),* $(,)?) => { &[$($crate::value::Value::from($value)),*] };
}
pub(crate) use params;

/// A column that holds JSON.
pub(crate) fn json<T: serde::Serialize + ?Sized>(value: &T) -> Value {
    serde_json::to_string(value).expect("rows hold nothing but JSON's own types").into()
}

/// One result row; columns are taken by position, in the order of the SELECT.
pub(crate) struct Row {
    columns: std::vec::IntoIter<Value>,
}

impl Row {
    pub(crate) fn new(columns: Vec<Value>) -> Row {
        Row { columns: columns.into_iter() }
    }

    fn next(&mut self, what: &'static str) -> Result<Value, StoreError> {
        self.columns.next().ok_or_else(|| StoreError::corrupt(what, "no such column"))
    }

    pub(crate) fn opt_int(&mut self, what: &'static str) -> Result<Option<i64>, StoreError> {
        match self.next(what)? {
            Value::Int(value) => Ok(Some(value)),
            Value::Null => Ok(None),
            other => Err(StoreError::corrupt(what, format!("{other:?}"))),
        }
    }

    pub(crate) fn int(&mut self, what: &'static str) -> Result<i64, StoreError> {
        self.opt_int(what)?.ok_or_else(|| StoreError::corrupt(what, "null"))
    }

    pub(crate) fn unsigned(&mut self, what: &'static str) -> Result<u64, StoreError> {
        let value = self.int(what)?;
        u64::try_from(value).map_err(|_| StoreError::corrupt(what, value))
    }

    pub(crate) fn flag(&mut self, what: &'static str) -> Result<bool, StoreError> {
        Ok(self.int(what)? != 0)
    }

    pub(crate) fn opt_text(&mut self, what: &'static str) -> Result<Option<String>, StoreError> {
        match self.next(what)? {
            Value::Text(value) => Ok(Some(value)),
            Value::Null => Ok(None),
            other => Err(StoreError::corrupt(what, format!("{other:?}"))),
        }
    }

    pub(crate) fn text(&mut self, what: &'static str) -> Result<String, StoreError> {
        self.opt_text(what)?.ok_or_else(|| StoreError::corrupt(what, "null"))
    }

    pub(crate) fn bytes(&mut self, what: &'static str) -> Result<Vec<u8>, StoreError> {
        self.opt_bytes(what)?.ok_or_else(|| StoreError::corrupt(what, "null"))
    }

    pub(crate) fn opt_bytes(&mut self, what: &'static str) -> Result<Option<Vec<u8>>, StoreError> {
        match self.next(what)? {
            Value::Bytes(value) => Ok(Some(value)),
            Value::Null => Ok(None),
            other => Err(StoreError::corrupt(what, format!("{other:?}"))),
        }
    }

    /// A text column in its own type.
    pub(crate) fn parsed<T: std::str::FromStr>(
        &mut self,
        what: &'static str,
    ) -> Result<T, StoreError> {
        let text = self.text(what)?;
        text.parse().map_err(|_| StoreError::corrupt(what, text))
    }

    /// A nullable text column in its own type.
    pub(crate) fn json<T: serde::de::DeserializeOwned>(
        &mut self,
        what: &'static str,
    ) -> Result<T, StoreError> {
        self.opt_json(what)?.ok_or_else(|| StoreError::corrupt(what, "null"))
    }

    pub(crate) fn opt_json<T: serde::de::DeserializeOwned>(
        &mut self,
        what: &'static str,
    ) -> Result<Option<T>, StoreError> {
        let Some(text) = self.opt_text(what)? else { return Ok(None) };
        serde_json::from_str(&text).map(Some).map_err(|_| StoreError::corrupt(what, text))
    }

    pub(crate) fn opt_parsed<T: std::str::FromStr>(
        &mut self,
        what: &'static str,
    ) -> Result<Option<T>, StoreError> {
        match self.opt_text(what)? {
            None => Ok(None),
            Some(text) => match text.parse() {
                Ok(value) => Ok(Some(value)),
                Err(_) => Err(StoreError::corrupt(what, text)),
            },
        }
    }
}

/// A type read from one row.
pub(crate) trait FromRow: Sized {
    fn from_row(row: &mut Row) -> Result<Self, StoreError>;
}

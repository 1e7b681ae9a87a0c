use crate::{
    Notice, StoreError,
    connection::Connection,
    value::{FromRow, Value},
};

/// One atomic piece of work on the database.
///
/// Dropping out of the closure with an error undoes everything it did,
/// its [`Notice`]s included.
pub struct Tx<'c> {
    connection: &'c mut Connection,
    pub(crate) notices: Vec<Notice>,
}

impl<'c> Tx<'c> {
    pub(crate) fn new(connection: &'c mut Connection) -> Tx<'c> {
        Tx { connection, notices: Vec::new() }
    }

    /// Tells others `notice` once this work is durable; never before, and in commit order.
    pub fn notify(&mut self, notice: Notice) {
        self.notices.push(notice);
    }

    pub(crate) fn execute(
        &mut self,
        sql: &'static str,
        params: &[Value],
    ) -> Result<u64, StoreError> {
        refuse_nul(params)?;
        self.connection.execute(sql, params)
    }

    pub(crate) fn all<R: FromRow>(
        &mut self,
        sql: &'static str,
        params: &[Value],
    ) -> Result<Vec<R>, StoreError> {
        refuse_nul(params)?;
        let rows = self.connection.query(sql, params)?;
        rows.into_iter().map(|mut row| R::from_row(&mut row)).collect()
    }

    pub(crate) fn first<R: FromRow>(
        &mut self,
        sql: &'static str,
        params: &[Value],
    ) -> Result<Option<R>, StoreError> {
        Ok(self.all(sql, params)?.into_iter().next())
    }
}

/// Here and not at each edge: whatever text comes from outside, nobody has to remember it.
fn refuse_nul(params: &[Value]) -> Result<(), StoreError> {
    let has_nul = |value: &Value| matches!(value, Value::Text(text) if text.contains('\0'));
    if params.iter().any(has_nul) { Err(StoreError::NulInText) } else { Ok(()) }
}

/// A single number, for `count(*)` and `RETURNING id`.
impl FromRow for i64 {
    fn from_row(row: &mut crate::value::Row) -> Result<i64, StoreError> {
        row.int("number")
    }
}

/// A single text.
impl FromRow for String {
    fn from_row(row: &mut crate::value::Row) -> Result<String, StoreError> {
        row.text("text")
    }
}

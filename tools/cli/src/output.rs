//! Results on stdout: tables for people, the API's own objects for programs.

use std::io::{self, Write};

use otaru_client::Page;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

/// How results are printed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum Format {
    /// Columns and lines, for people
    #[default]
    Table,
    /// The API's object
    Json,
    /// One object per line, as it comes
    Ndjson,
}

/// Prints results in the chosen format.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Printer {
    pub(crate) format: Format,
}

impl Printer {
    /// One object: its JSON, or named lines.
    pub(crate) fn object(self, json: &Value, lines: &[(&str, String)]) -> io::Result<()> {
        match self.format {
            Format::Table => print(&aligned_lines(lines)),
            Format::Json | Format::Ndjson => self.document(json),
        }
    }

    /// One value: its JSON, or the value alone, for the command line it goes into.
    pub(crate) fn value(self, json: &Value, text: &str) -> io::Result<()> {
        match self.format {
            Format::Table => self.line(text),
            Format::Json | Format::Ndjson => self.document(json),
        }
    }

    /// JSON in every format: indented for people, in one line for ndjson.
    pub(crate) fn document(self, json: &Value) -> io::Result<()> {
        let text = match self.format {
            Format::Ndjson => json.to_string(),
            Format::Table | Format::Json => format!("{json:#}"),
        };
        print(&format!("{text}\n"))
    }

    /// Part of a list, as rows of columns.
    pub(crate) fn page<T: DeserializeOwned>(
        self,
        page: &Page<T>,
        columns: &[&str],
        row: impl Fn(&T) -> Vec<String>,
    ) -> io::Result<()> {
        match self.format {
            Format::Json => {
                let items: Vec<&Value> = page.items.iter().map(|item| item.json()).collect();
                self.document(&json!({ "items": items, "next_cursor": page.next_cursor }))
            }
            Format::Ndjson => page.items.iter().try_for_each(|item| self.document(item.json())),
            Format::Table => {
                let rows: Vec<Vec<String>> = page.items.iter().map(|item| row(item)).collect();
                print(&table(columns, &rows))?;
                if let Some(cursor) = &page.next_cursor {
                    eprintln!("there is more: --cursor {cursor}, or --all");
                }
                Ok(())
            }
        }
    }

    /// One object: its JSON, or a part of it as rows of columns.
    pub(crate) fn rows(
        self,
        json: &Value,
        columns: &[&str],
        rows: &[Vec<String>],
    ) -> io::Result<()> {
        match self.format {
            Format::Table => print(&table(columns, rows)),
            Format::Json | Format::Ndjson => self.document(json),
        }
    }

    /// A line for people; nothing for programs.
    pub(crate) fn line(self, text: &str) -> io::Result<()> {
        match self.format {
            Format::Table => print(&format!("{}\n", clean(text))),
            Format::Json | Format::Ndjson => Ok(()),
        }
    }
}

fn print(text: &str) -> io::Result<()> {
    let mut stdout = io::stdout().lock();
    stdout.write_all(text.as_bytes())?;
    stdout.flush()
}

/// Text from elsewhere without control characters: a device's log must not move the cursor.
pub(crate) fn clean(text: &str) -> String {
    text.chars().map(|character| if character.is_control() { ' ' } else { character }).collect()
}

fn aligned_lines(lines: &[(&str, String)]) -> String {
    let width = lines.iter().map(|(name, _)| name.len()).max().unwrap_or(0);
    lines.iter().map(|(name, value)| format!("{name:<width$}  {}\n", clean(value))).collect()
}

fn table(columns: &[&str], rows: &[Vec<String>]) -> String {
    let header = columns.iter().map(|name| name.to_uppercase()).collect();
    let rows: Vec<Vec<String>> = std::iter::once(header)
        .chain(rows.iter().map(|row| row.iter().map(|cell| clean(cell)).collect()))
        .collect();
    let width = |column: usize| {
        rows.iter().filter_map(|row| row.get(column)).map(|cell| cell.chars().count()).max()
    };
    let widths: Vec<usize> = (0..columns.len()).map(|column| width(column).unwrap_or(0)).collect();
    let mut text = String::new();
    for row in &rows {
        let cells = row.iter().zip(&widths).map(|(cell, width)| format!("{cell:<width$}"));
        text += cells.collect::<Vec<_>>().join("  ").trim_end();
        text.push('\n');
    }
    text
}

/// What is not known, in a table.
pub(crate) fn or_dash(text: Option<&str>) -> String {
    text.unwrap_or("-").to_owned()
}

/// A JSON value as people write it: text without quotes.
pub(crate) fn plain(value: Option<&Value>) -> String {
    match value {
        None | Some(Value::Null) => "-".to_owned(),
        Some(Value::String(text)) => text.clone(),
        Some(other) => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use expect_test::expect;

    #[test]
    fn columns_are_as_wide_as_their_widest_cell() {
        let rows = [
            vec!["clock-01".to_owned(), "yes".to_owned(), "1.0.4".to_owned()],
            vec!["ü\u{1b}[2J".to_owned(), "no".to_owned(), "-".to_owned()],
        ];
        expect![[r#"
            THING     ONLINE  VERSION
            clock-01  yes     1.0.4
            ü [2J     no      -
        "#]]
        .assert_eq(&table(&["thing", "online", "version"], &rows));
    }

    #[test]
    fn named_lines_are_aligned() {
        let lines = [("thing", "clock-01".to_owned()), ("last seen", "now\n".to_owned())];
        assert_eq!(aligned_lines(&lines), "thing      clock-01\nlast seen  now \n");
    }
}

//! Statements over many rows: a database behind a network is asked once for all of them.

/// Rows in one statement. Few sizes, because each is a statement that the database keeps ready.
const SIZES: [usize; 3] = [256, 16, 1];

/// One statement for each number of rows.
pub(crate) struct Statements([String; SIZES.len()]);

impl Statements {
    /// `sql` writes the statement for a number of rows.
    pub(crate) fn new(sql: impl Fn(usize) -> String) -> Statements {
        Statements(SIZES.map(sql))
    }

    /// Cuts rows into parts for which there is a statement.
    pub(crate) fn in_parts<'a, T>(
        &'static self,
        mut rows: &'a [T],
    ) -> Vec<(&'static str, &'a [T])> {
        let mut parts = Vec::new();
        for (size, sql) in SIZES.iter().zip(&self.0) {
            while rows.len() >= *size {
                let (part, rest) = rows.split_at(*size);
                parts.push((sql.as_str(), part));
                rows = rest;
            }
        }
        parts
    }
}

/// `($1, $2), ($3, $4)`.
pub(crate) fn placeholders(rows: usize, columns: usize) -> String {
    let row = |row: usize| {
        let columns = (1..=columns).map(|column| format!("${}", row * columns + column));
        format!("({})", columns.collect::<Vec<_>>().join(", "))
    };
    (0..rows).map(row).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_cut_without_loss_and_in_order() {
        static COUNTS: std::sync::LazyLock<Statements> =
            std::sync::LazyLock::new(|| Statements::new(|rows| rows.to_string()));
        let rows: Vec<u32> = (0..600).collect();
        let parts = COUNTS.in_parts(&rows);
        let counts: Vec<&str> = parts.iter().map(|(sql, _)| *sql).collect();
        assert_eq!(counts[..7], ["256", "256", "16", "16", "16", "16", "16"]);
        assert_eq!(counts[7..], ["1"; 8]);
        let whole: Vec<u32> = parts.iter().flat_map(|(_, rows)| rows.iter().copied()).collect();
        assert_eq!(whole, rows);
        assert!(COUNTS.in_parts(&rows[..0]).is_empty());
    }

    #[test]
    fn parameters_are_numbered_through() {
        assert_eq!(placeholders(2, 3), "($1, $2, $3), ($4, $5, $6)");
        assert_eq!(placeholders(1, 1), "($1)");
    }
}

//! Tables for people: left-aligned names, right-aligned numbers.

use std::fmt;

/// A table that fits its columns to its cells.
#[derive(Clone, Debug)]
pub struct Table {
    head: Vec<String>,
    rows: Vec<Vec<String>>,
}

impl Table {
    /// A table with these column heads.
    #[must_use]
    pub fn new(head: &[&str]) -> Self {
        Self { head: head.iter().map(|&text| text.to_owned()).collect(), rows: Vec::new() }
    }

    /// Adds a row; missing cells are empty, those beyond the head are left out.
    pub fn row(&mut self, mut cells: Vec<String>) {
        cells.resize(self.head.len(), String::new());
        self.rows.push(cells);
    }
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.rows.is_empty() {
            return write!(f, "{}\nnone", self.head.join("  "));
        }
        let lines = || std::iter::once(&self.head).chain(&self.rows);
        let widths: Vec<usize> = (0..self.head.len())
            .map(|column| lines().map(|row| row[column].chars().count()).max().unwrap_or(0))
            .collect();
        let numeric: Vec<bool> = (0..self.head.len())
            .map(|column| {
                let digit = |c: char| c.is_ascii_digit() || "+-.% ".contains(c);
                self.rows.iter().all(|row| row[column].chars().all(digit))
            })
            .collect();
        for (number, row) in lines().enumerate() {
            let cells: Vec<String> = (row.iter().zip(&widths).zip(&numeric))
                .map(
                    |((cell, &width), &numeric)| {
                        if numeric { format!("{cell:>width$}") } else { format!("{cell:<width$}") }
                    },
                )
                .collect();
            if number > 0 {
                writeln!(f)?;
            }
            f.write_str(cells.join("  ").trim_end())?;
        }
        Ok(())
    }
}

/// So many of something whose plural is regular.
#[must_use]
pub fn counted(number: usize, of: &str) -> String {
    if number == 1 { format!("1 {of}") } else { format!("{number} {of}s") }
}

/// Nanoseconds as microseconds with three decimals.
#[must_use]
pub fn micros(nanos: u64) -> String {
    format!("{}.{:03}", nanos / 1_000, nanos % 1_000)
}

/// A moment as people read it: UTC, to the microsecond.
#[must_use]
pub fn clock_time(nanos: i64) -> String {
    match jiff::Timestamp::from_nanosecond(i128::from(nanos)) {
        Ok(time) => time.strftime("%H:%M:%S.%6f").to_string(),
        Err(_) => nanos.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn aligns_names_left_and_numbers_right() {
        let mut table = Table::new(&["stage", "count"]);
        table.row(vec!["decode".to_owned(), "7".to_owned()]);
        table.row(vec!["book".to_owned(), "1234".to_owned()]);
        assert_eq!(table.to_string(), "stage   count\ndecode      7\nbook     1234");
        assert_eq!(Table::new(&["stage", "count"]).to_string(), "stage  count\nnone");
        assert_eq!((counted(1, "order"), counted(0, "order")), ("1 order".to_owned(), "0 orders".to_owned()));
        assert_eq!(micros(1_234_567), "1234.567");
        assert_eq!(clock_time(1_700_000_000_123_456_789), "22:13:20.123456");
    }
}

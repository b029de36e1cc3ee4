//! Rows of text → a table on standard output.

/// Right-aligned columns under two lines of headings.
pub fn print_table(headings: &[[&str; 2]], rows: &[Vec<String>]) {
    let line = |idx: usize| headings.iter().map(|heading| heading[idx].to_owned()).collect::<Vec<String>>();
    let all: Vec<Vec<String>> = [line(0), line(1)].into_iter().chain(rows.iter().cloned()).collect();
    let width = |idx: usize| all.iter().map(|row| row[idx].chars().count()).max().unwrap_or(0);
    let widths: Vec<usize> = (0..headings.len()).map(width).collect();
    for row in &all {
        let cells = row.iter().zip(&widths).map(|(cell, &width)| format!("{cell:>width$}"));
        println!("{}", cells.collect::<Vec<String>>().join("  ").trim_end());
    }
}

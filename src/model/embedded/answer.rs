//! Scores → the text of an answer: CSV or JSON Lines, one line per record, none at the end.

use ndarray::Array2;

use crate::records::{Format, spell_single};

/// `scores` is `[n_records × n_outputs]`; shortest spelling of each float32.
pub(super) fn write_answer(scores: &Array2<f32>, format: Format) -> String {
    let line = |row: ndarray::ArrayView1<f32>| {
        let spelled: Vec<String> = row.iter().map(|&score| spell_single(score)).collect();
        match (format, spelled.as_slice()) {
            (Format::Csv, _) => spelled.join(","),
            (Format::JsonLines, [score]) => format!("{{\"score\":{score}}}"),
            (Format::JsonLines, _) => format!("{{\"score\":[{}]}}", spelled.join(",")),
        }
    };
    scores.rows().into_iter().map(line).collect::<Vec<String>>().join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::array;

    #[test]
    fn answers_have_a_line_for_each_record() {
        let binary = array![[0.25_f32], [1e-5]];
        assert_eq!(write_answer(&binary, Format::Csv), "0.25\n1e-05");
        assert_eq!(write_answer(&binary, Format::JsonLines), "{\"score\":0.25}\n{\"score\":1e-05}");
        let classes = array![[0.5_f32, 0.25, 0.25]];
        assert_eq!(write_answer(&classes, Format::Csv), "0.5,0.25,0.25");
        assert_eq!(write_answer(&classes, Format::JsonLines), "{\"score\":[0.5,0.25,0.25]}");
    }
}

//! Model files: what is taken answers any row, what is not says why in short.

use explaind::model::embedded::onnx::load;

use super::{ERROR_BYTES_MAX, check_text};

pub fn takes(data: &[u8]) -> bool {
    match load(data) {
        Ok(form) => {
            for x in [f32::NAN, 0.0, -3.5, f32::INFINITY] {
                form.margins(&vec![x; form.n_features()], &mut vec![0.0; form.n_outputs()]);
            }
            true
        }
        Err(error) => {
            check_text(&error.to_string(), ERROR_BYTES_MAX);
            false
        }
    }
}

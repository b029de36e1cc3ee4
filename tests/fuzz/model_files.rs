//! What holds for any bytes that are taken for a model file.

use explaind::form::Body;
use explaind::model::embedded::read_form;

use super::{ERROR_BYTES_MAX, check_text};

/// What is packed may unpack to this.
const UNPACKED_BYTES_MAX: u64 = 1 << 20;

/// A form answers every row, trees with finite margins.
pub fn read(data: &[u8]) -> bool {
    let form = match read_form(data, UNPACKED_BYTES_MAX) {
        Ok(form) => form,
        Err(error) => {
            check_text(&error.to_string(), ERROR_BYTES_MAX);
            return false;
        }
    };
    for x in [f32::NAN, 0.0, f32::MAX] {
        let mut margins = vec![f32::NAN; form.n_outputs()];
        form.margins(&vec![x; form.n_features()], &mut margins);
        let is_linear = matches!(form.body, Body::Layers(_));
        assert!(is_linear || margins.iter().all(|margin| margin.is_finite()), "{margins:?}");
    }
    true
}

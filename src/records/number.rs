//! How numbers are spelled in answers: shortest digits that read back the same, laid out as Python's `repr`.

/// float64, e.g. `-7.958259263737853e-05`, `0.25`, `3.0`.
pub fn spell(number: f64) -> String {
    lay_out(&format!("{number:e}"))
}

/// float32: the shortest digits that read back to the same float32.
pub fn spell_single(number: f32) -> String {
    lay_out(&format!("{number:e}"))
}

/// From `d.ddde±x` to Python's layout: an exponent of two digits or more below 1e-4 and from 1e16 on.
fn lay_out(scientific: &str) -> String {
    let (mantissa, exponent) = scientific.split_once('e').unwrap_or((scientific, "0"));
    let (sign, mantissa) = mantissa.strip_prefix('-').map_or(("", mantissa), |rest| ("-", rest));
    let exponent: i32 = exponent.parse().unwrap_or(0);
    if !(-4..16).contains(&exponent) {
        let mark = if exponent < 0 { '-' } else { '+' };
        return format!("{sign}{mantissa}e{mark}{:02}", exponent.abs());
    }
    let digits: String = mantissa.chars().filter(|c| *c != '.').collect();
    if exponent < 0 {
        return format!("{sign}0.{}{digits}", "0".repeat(exponent.unsigned_abs() as usize - 1));
    }
    let n_whole = exponent as usize + 1;
    if digits.len() <= n_whole {
        return format!("{sign}{digits}{}.0", "0".repeat(n_whole - digits.len()));
    }
    format!("{sign}{}.{}", &digits[..n_whole], &digits[n_whole..])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_laid_out_as_python_does() {
        for (number, text) in [
            (0.0, "0.0"),
            (-0.0, "-0.0"),
            (3.0, "3.0"),
            (0.1, "0.1"),
            (-7.958259263737853e-5, "-7.958259263737853e-05"),
            (3.637978807091713e-12, "3.637978807091713e-12"),
            (0.0001, "0.0001"),
            (0.00012345, "0.00012345"),
            (25031.116455078125, "25031.116455078125"),
            (1e15, "1000000000000000.0"),
            (1e16, "1e+16"),
            (1.5e300, "1.5e+300"),
            (9007199254740993.0, "9007199254740992.0"),
            (5e-324, "5e-324"),
        ] {
            assert_eq!(spell(number), text);
        }
    }

    #[test]
    fn float32_keeps_its_own_shortest_digits() {
        assert_eq!(spell_single(0.976_659_4), "0.9766594");
        assert_eq!(spell_single(416_284.03), "416284.03");
        assert_eq!(spell_single(1e-5), "1e-05");
        assert_eq!(spell_single(1.0), "1.0");
    }
}

//! How numbers are spelled in answers: shortest digits that read back the same, laid out as Python's `repr`.
//! NaN and infinity have none; they are refused before they come here.

use std::io::{self, Write};

/// Zeros beside the digits of a number without exponent.
const ZEROS: &[u8] = &[b'0'; 16];

/// float64, e.g. `-7.958259263737853e-05`, `0.25`, `3.0`.
pub fn spell(number: f64) -> String {
    text(|bytes| write_number(bytes, number))
}

/// float32: the shortest digits that read back to the same float32.
pub fn spell_single(number: f32) -> String {
    text(|bytes| write_shortest(bytes, zmij::Buffer::new().format_finite(number), f64::from(number)))
}

/// As `spell`, straight to where it goes.
pub fn write_number<W: Write + ?Sized>(writer: &mut W, number: f64) -> io::Result<()> {
    write_shortest(writer, zmij::Buffer::new().format_finite(number), number)
}

fn text(write: impl FnOnce(&mut Vec<u8>) -> io::Result<()>) -> String {
    let mut bytes = Vec::new();
    write(&mut bytes).expect("a Vec takes all. This is a bug.");
    String::from_utf8(bytes).expect("numbers are ASCII. This is a bug.")
}

/// `shortest` has the right digits; zero and medium numbers have Python's layout too.
fn write_shortest<W: Write + ?Sized>(writer: &mut W, shortest: &str, number: f64) -> io::Result<()> {
    if number == 0.0 || (1e-4..1e12).contains(&number.abs()) {
        return writer.write_all(shortest.as_bytes());
    }
    assert!(number.is_finite(), "{number} has no spelling. This is a bug.");
    if number < 0.0 {
        writer.write_all(b"-")?;
    }
    let magnitude = shortest.trim_start_matches('-');
    let (mantissa, exponent) = magnitude.split_once('e').unwrap_or((magnitude, "0"));
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let mut buffer = [0; 24];
    let (digits, n_leading_zeros) = join(&mut buffer, whole.as_bytes(), fraction.as_bytes());
    let exponent: i32 = exponent.parse().expect("an exponent is a number. This is a bug.");
    lay_out(writer, digits, exponent + whole.len() as i32 - 1 - n_leading_zeros as i32)
}

/// The digits from the first to the last that is not zero, and the number of zeros before them.
fn join<'a>(buffer: &'a mut [u8; 24], whole: &[u8], fraction: &[u8]) -> (&'a [u8], usize) {
    let n_digits = whole.len() + fraction.len();
    buffer[..whole.len()].copy_from_slice(whole);
    buffer[whole.len()..n_digits].copy_from_slice(fraction);
    let is_zero = |digit: &&u8| **digit == b'0';
    let n_leading_zeros = buffer[..n_digits].iter().take_while(is_zero).count();
    let n_last_zeros = buffer[n_leading_zeros..n_digits].iter().rev().take_while(is_zero).count();
    (&buffer[n_leading_zeros..n_digits - n_last_zeros], n_leading_zeros)
}

/// An exponent, of two digits or more, below 1e-4 and from 1e16 on; else a point with a digit on both sides.
fn lay_out<W: Write + ?Sized>(writer: &mut W, digits: &[u8], exponent: i32) -> io::Result<()> {
    if !(-4..16).contains(&exponent) {
        write_parts(writer, [&digits[..1], if digits.len() > 1 { b"." } else { b"" }, &digits[1..]])?;
        return write_exponent(writer, exponent);
    }
    if exponent < 0 {
        return write_parts(writer, [b"0.", &ZEROS[..exponent.unsigned_abs() as usize - 1], digits]);
    }
    let n_whole = exponent as usize + 1;
    match digits.split_at_checked(n_whole) {
        Some((whole, fraction @ [_, ..])) => write_parts(writer, [whole, b".", fraction]),
        _ => write_parts(writer, [digits, &ZEROS[..n_whole - digits.len()], b".0"]),
    }
}

fn write_exponent<W: Write + ?Sized>(writer: &mut W, exponent: i32) -> io::Result<()> {
    let digits = [100, 10, 1].map(|unit| b'0' + (exponent.unsigned_abs() / unit % 10) as u8);
    writer.write_all(if exponent < 0 { b"e-" } else { b"e+" })?;
    writer.write_all(if digits[0] == b'0' { &digits[1..] } else { &digits })
}

fn write_parts<W: Write + ?Sized>(writer: &mut W, parts: [&[u8]; 3]) -> io::Result<()> {
    parts.into_iter().try_for_each(|part| writer.write_all(part))
}

#[cfg(test)]
mod tests {
    use std::fmt::LowerExp;
    use std::str::FromStr;

    use proptest::prelude::*;

    use super::*;

    #[test]
    fn numbers_are_laid_out_as_python_does() {
        for (number, text) in [
            (0.0, "0.0"),
            (3.0, "3.0"),
            (0.1, "0.1"),
            (0.1 + 0.2, "0.30000000000000004"),
            (7.958259263737853e-5, "7.958259263737853e-05"),
            (3.637978807091713e-12, "3.637978807091713e-12"),
            (25031.116455078125, "25031.116455078125"),
            // Below 1e-4 an exponent begins.
            (0.0001, "0.0001"),
            (0.00012345, "0.00012345"),
            (0.00012345678901234567, "0.00012345678901234567"),
            (9.999999999999999e-5, "9.999999999999999e-05"),
            (1e-5, "1e-05"),
            (1.5e-9, "1.5e-09"),
            (1e-10, "1e-10"),
            // So it does at 1e16.
            (999999999999.9999, "999999999999.9999"),
            (1e12, "1000000000000.0"),
            (1234567890123.4567, "1234567890123.4568"),
            (1e15, "1000000000000000.0"),
            (4503599627370495.5, "4503599627370495.5"),
            (9007199254740993.0, "9007199254740992.0"),
            (9999999999999998.0, "9999999999999998.0"),
            (1e16, "1e+16"),
            (1.2345678901234568e16, "1.2345678901234568e+16"),
            (1e22, "1e+22"),
            (1e23, "1e+23"),
            (1.5e300, "1.5e+300"),
            // Halfway between two shortest spellings the even one, but where only one of them reads back that one.
            (3906452689949217.0 / 4.0, "976613172487304.2"),
            (2_f64.powi(-25), "2.9802322387695312e-08"),
            (2_f64.powi(-44), "5.684341886080802e-14"),
            // The ends of float64.
            (f64::MAX, "1.7976931348623157e+308"),
            (f64::MIN_POSITIVE, "2.2250738585072014e-308"),
            (2.225073858507201e-308, "2.225073858507201e-308"),
            (5e-324, "5e-324"),
        ] {
            assert_eq!(spell(number), text);
            assert_eq!(spell(-number), format!("-{text}"));
        }
    }

    #[test]
    fn float32_keeps_its_own_shortest_digits() {
        for (number, text) in [
            (0.976_659_4, "0.9766594"),
            (416_284.03, "416284.03"),
            (270_229.0 / 16.0, "16889.312"),
            (1e-4, "0.0001"),
            (1.234_567e-5, "1.234567e-05"),
            (1e-6, "1e-06"),
            (1e-7, "1e-07"),
            (1.0, "1.0"),
            (1e12, "1000000000000.0"),
            (1.5e13, "15000000000000.0"),
            (1e15, "1000000000000000.0"),
            (1e16, "1e+16"),
            (f32::MAX, "3.4028235e+38"),
            (1e-45, "1e-45"),
            (-0.0, "-0.0"),
        ] {
            assert_eq!(spell_single(number), text);
        }
    }

    /// Another way: the standard library's shortest digits, or as many digits rounded half to even where these read
    /// back as well; put into Python's layout as text.
    fn spell_slowly<F: LowerExp + FromStr + PartialEq>(number: F) -> String {
        let shortest = format!("{number:e}");
        let n_decimals = shortest.split_once('e').map_or(0, |(mantissa, _)| n_digits(mantissa) - 1);
        let rounded = format!("{number:.n_decimals$e}");
        let reads_back = rounded.parse::<F>().is_ok_and(|back| back == number);
        lay_out_slowly(if reads_back { &rounded } else { &shortest })
    }

    fn n_digits(mantissa: &str) -> usize {
        mantissa.bytes().filter(u8::is_ascii_digit).count()
    }

    fn lay_out_slowly(scientific: &str) -> String {
        let (mantissa, exponent) = scientific.split_once('e').expect("has an exponent");
        let (sign, mantissa) = mantissa.strip_prefix('-').map_or(("", mantissa), |rest| ("-", rest));
        let digits = mantissa.replace('.', "");
        match exponent.parse().expect("is a number") {
            exponent @ -4..0_i32 => format!("{sign}0.{}{digits}", "0".repeat(-exponent as usize - 1)),
            exponent @ 0..16 => {
                let padded = format!("{digits:0<width$}", width = exponent as usize + 2);
                let (whole, fraction) = padded.split_at(exponent as usize + 1);
                format!("{sign}{whole}.{fraction}")
            }
            exponent => {
                format!("{sign}{mantissa}e{}{:02}", if exponent < 0 { "-" } else { "+" }, exponent.abs())
            }
        }
    }

    /// Bits at random, numbers near the borders of the layouts, and binary fractions, which often lie halfway.
    fn float64s() -> impl Strategy<Value = f64> {
        use proptest::num::f64::{NORMAL, SUBNORMAL, ZERO};
        prop_oneof![
            NORMAL | SUBNORMAL | ZERO,
            (-1e3..1e3_f64, -20..20_i32).prop_map(|(number, power)| number * 10_f64.powi(power)),
            (-999..999_i32, -20..20_i32).prop_map(|(number, power)| f64::from(number) * 10_f64.powi(power)),
            (any::<i64>(), 0..64_i32).prop_map(|(number, power)| number as f64 * 2_f64.powi(-power)),
        ]
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(4096))]

        #[test]
        fn every_number_is_spelled_as_the_slow_way_does(number in float64s()) {
            prop_assert_eq!(spell(number), spell_slowly(number));
            prop_assert_eq!(spell(number).parse().map(f64::to_bits), Ok(number.to_bits()));
            let single = number as f32;
            if single.is_finite() {
                prop_assert_eq!(spell_single(single), spell_slowly(single));
            }
        }
    }
}

//! Exponential, logarithm and what is made of them, in float32, by the same polynomials as
//! `shaders/shared/elementary.wgsl`: those of drivers differ and may be far off.
//! Relative errors against exact arithmetic are at most 8·2⁻²⁴ each.

/// e^±this is a normal float32.
const EXPONENT_MAX: f32 = 87.0;

/// 1.5·2²³: a number up to 2²² added to it is rounded to a whole one, which its lowest bits then hold.
const ROUNDER: f32 = 12_582_912.0;

/// ln 2 in two parts; products of the first with whole numbers up to 2⁹ are exact.
const LN_2_HIGH: f32 = 0.693_359_4;
const LN_2_LOW: f32 = -2.121_944_4e-4;

/// e^x with x cut to ±87.
#[inline(always)]
pub fn exp(x: f32) -> f32 {
    let x = x.clamp(-EXPONENT_MAX, EXPONENT_MAX);
    let rounded = x * std::f32::consts::LOG2_E + ROUNDER;
    let n = rounded - ROUNDER;
    let r = (x - n * LN_2_HIGH) - n * LN_2_LOW;
    // The Taylor polynomial of degree 7, on |r| ≤ ln 2 / 2.
    let p = 1.0 / 5040.0;
    let p = p * r + 1.0 / 720.0;
    let p = p * r + 1.0 / 120.0;
    let p = p * r + 1.0 / 24.0;
    let p = p * r + 1.0 / 6.0;
    let p = p * r + 0.5;
    let p = p * r + 1.0;
    let p = p * r + 1.0;
    let power_of_two = f32::from_bits((rounded.to_bits() << 23).wrapping_add(1.0_f32.to_bits()));
    p * power_of_two
}

/// ln x of a positive normal number.
#[inline(always)]
pub fn ln(x: f32) -> f32 {
    // x = 2^n·m with m in [√½, √2).
    const SQRT_HALF_BITS: u32 = 0x3f35_04f3;
    let n = (x.to_bits().wrapping_sub(SQRT_HALF_BITS) as i32) >> 23;
    let m = f32::from_bits(x.to_bits().wrapping_sub((n << 23) as u32));
    // ln m = 2·artanh(s).
    let s = (m - 1.0) / (m + 1.0);
    let t = s * s;
    let p = 1.0 / 9.0;
    let p = p * t + 1.0 / 7.0;
    let p = p * t + 1.0 / 5.0;
    let p = p * t + 1.0 / 3.0;
    let twice_s = 2.0 * s;
    let ln_m = twice_s + twice_s * (p * t);
    let n = n as f32;
    n * LN_2_HIGH + (ln_m + n * LN_2_LOW)
}

/// σ(x) = 1 / (1 + e^−x).
#[inline(always)]
pub fn sigmoid(x: f32) -> f32 {
    1.0 / (1.0 + exp(-x))
}

#[inline(always)]
pub fn tanh(x: f32) -> f32 {
    // Near 0 the difference from 1 would lose what counts: the Taylor polynomial of degree 11.
    let t = x * x;
    let p = -1382.0 / 155_925.0;
    let p = p * t + 62.0 / 2835.0;
    let p = p * t - 17.0 / 315.0;
    let p = p * t + 2.0 / 15.0;
    let p = p * t - 1.0 / 3.0;
    let near = x + x * (p * t);
    let far = 1.0 - 2.0 / (exp(2.0 * x) + 1.0);
    if t < 0.16 { near } else { far }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BOUND: f64 = 8.0 / (1 << 24) as f64;

    fn check(name: &str, xs: impl Iterator<Item = f32>, ours: fn(f32) -> f32, exact: fn(f64) -> f64) {
        for x in xs {
            let (got, want) = (f64::from(ours(x)), exact(f64::from(x)));
            assert!((got - want).abs() <= BOUND * want.abs(), "{name}({x}) = {got}, not {want}");
        }
    }

    fn grid(from: f32, to: f32) -> impl Iterator<Item = f32> {
        const N: u32 = 100_003;
        (0..=N).map(move |i| from + (to - from) * (i as f32 / N as f32))
    }

    #[test]
    fn errors_stay_within_the_stated_bound() {
        check("exp", grid(-87.0, 87.0).chain(grid(-0.5, 0.5)), exp, f64::exp);
        let near_one = (0..2000).map(|i| f32::from_bits(1.0_f32.to_bits() - 1000 + i));
        let powers = (-126..128).map(|n| 2_f32.powi(n) * 1.37);
        check("ln", grid(0.001, 3.0).chain(near_one).chain(powers), ln, f64::ln);
        check("sigmoid", grid(-86.0, 86.0), sigmoid, |x| 1.0 / (1.0 + (-x).exp()));
        check("tanh", grid(-10.0, 10.0).chain(grid(-0.5, 0.5)), tanh, f64::tanh);
    }

    #[test]
    fn the_ends_are_finite() {
        assert_eq!(exp(f32::INFINITY), exp(87.0));
        assert_eq!(exp(-1e30), exp(-87.0));
        assert_eq!((sigmoid(1e30), tanh(-1e30)), (1.0, -1.0));
    }
}

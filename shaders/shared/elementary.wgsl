// Exponential, logarithm and what is made of them, by polynomials: those of drivers differ and may be far off.
// Twin: src/compute/cpu/elementary.rs. Goes in front of the kernels that say so.

const EXPONENT_MAX = 87.0f;             // e^±this is a normal float32
const LOG2_E = 1.4426950408889634f;

// ln 2 in two parts. The first is 355/512, whose products with whole numbers up to 2^9 are exact; they are made of
// integers, or else some drivers would put the parts together again.
const LN_2_HIGH_512THS = 355;
const LN_2_LOW = -0.00021219444f;

const ONE_BITS = 0x3f800000u;
const SQRT_HALF_BITS = 0x3f3504f3u;
const INFINITY_BITS = 0x7f800000u;

// Activations of a layer, by their number.
const RELU = 1u;
const TANH = 2u;
const LOGISTIC = 3u;

// Compared as bits, since a shader may be compiled as if there were no infinity.
fn is_finite(x: f32) -> bool {
    return (bitcast<u32>(x) & INFINITY_BITS) != INFINITY_BITS;
}

// n·ln 2 without the low part, exactly.
fn ln_2_high(n: i32) -> f32 {
    return f32(n * LN_2_HIGH_512THS) * (1.0f / 512.0f);
}

// e^x with x cut to ±87.
fn exponential(unbounded: f32) -> f32 {
    let x = clamp(unbounded, -EXPONENT_MAX, EXPONENT_MAX);
    let n = i32(round(x * LOG2_E));
    let r = (x - ln_2_high(n)) - f32(n) * LN_2_LOW;
    // The Taylor polynomial of degree 7, on |r| <= ln 2 / 2, in a form that drivers leave as it is.
    var p = 1.0f / 5040.0f;
    p = p * r + 1.0f / 720.0f;
    p = p * r + 1.0f / 120.0f;
    p = p * r + 1.0f / 24.0f;
    p = p * r + 1.0f / 6.0f;
    p = p * r + 0.5f;
    p = p * r + 1.0f;
    p = p * r + 1.0f;
    return p * bitcast<f32>((bitcast<u32>(n) << 23u) + ONE_BITS);
}

// ln x of a positive normal number.
fn logarithm(x: f32) -> f32 {
    // x = 2^n·m with m in [√½, √2).
    let n = bitcast<i32>(bitcast<u32>(x) - SQRT_HALF_BITS) >> 23u;
    let m = bitcast<f32>(bitcast<u32>(x) - (bitcast<u32>(n) << 23u));
    // ln m = 2·artanh(s).
    let s = (m - 1.0f) / (m + 1.0f);
    let t = s * s;
    var p = 1.0f / 9.0f;
    p = p * t + 1.0f / 7.0f;
    p = p * t + 1.0f / 5.0f;
    p = p * t + 1.0f / 3.0f;
    let twice_s = 2.0f * s;
    let ln_m = twice_s + twice_s * (p * t);
    return ln_2_high(n) + (ln_m + f32(n) * LN_2_LOW);
}

// 1 / (1 + e^-x).
fn sigmoid(x: f32) -> f32 {
    return 1.0f / (1.0f + exponential(-x));
}

fn hyperbolic_tangent(x: f32) -> f32 {
    // Near 0 the difference from 1 would lose what counts: the Taylor polynomial of degree 11.
    let t = x * x;
    var p = -1382.0f / 155925.0f;
    p = p * t + 62.0f / 2835.0f;
    p = p * t - 17.0f / 315.0f;
    p = p * t + 2.0f / 15.0f;
    p = p * t - 1.0f / 3.0f;
    let near = x + x * (p * t);
    let far = 1.0f - 2.0f / (exponential(2.0f * x) + 1.0f);
    return select(far, near, t < 0.16f);
}

fn activated(activation: u32, x: f32) -> f32 {
    switch activation {
        case RELU: { return max(x, 0.0f); }
        case TANH: { return hyperbolic_tangent(x); }
        case LOGISTIC: { return sigmoid(x); }
        default: { return x; }
    }
}

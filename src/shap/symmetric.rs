//! Symmetric positive matrices in float64, on one thread: products of a matrix with itself, factors, halves of inverses.
//! Only the lower triangle of a product or a factor is filled and read.

use faer::dyn_stack::{MemBuffer, MemStack};
use faer::linalg::cholesky::llt::factor::{cholesky_in_place, cholesky_in_place_scratch};
use faer::linalg::matmul::triangular::{BlockStructure, matmul as triangular_matmul};
use faer::linalg::solvers::DenseSolveCore;
use faer::linalg::triangular_solve::solve_lower_triangular_in_place;
use faer::{Accum, Mat, Par, Side};

/// Eigenvalues below this share of the largest count as zero: their directions keep the equal split.
const EIGENVALUE_FLOOR: f64 = 1e-12;

/// Norm of a matrix times that of its inverse, up to which the inverse is taken directly. No eigenvalue of such a matrix is
/// near the floor.
const CONDITION_MAX: f64 = 1e10;

/// BᵀB, its lower triangle.
pub(super) fn square(b: &Mat<f64>) -> Mat<f64> {
    let mut gram = Mat::zeros(b.ncols(), b.ncols());
    add_square(&mut gram, b);
    gram
}

/// Adds BᵀB to the lower triangle of `gram`.
pub(super) fn add_square(gram: &mut Mat<f64>, b: &Mat<f64>) {
    let (lower, whole) = (BlockStructure::TriangularLower, BlockStructure::Rectangular);
    triangular_matmul(gram, lower, Accum::Add, b.transpose(), whole, b, whole, 1.0, Par::Seq);
}

/// A positive definite matrix → its Cholesky factor, in its place.
pub(super) fn factor(mut matrix: Mat<f64>) -> Mat<f64> {
    let memory = cholesky_in_place_scratch::<f64>(matrix.nrows(), Par::Seq, Default::default());
    let (mut memory, no_regularization) = (MemBuffer::new(memory), Default::default());
    let stack = MemStack::new(&mut memory);
    cholesky_in_place(matrix.as_mut(), no_regularization, Par::Seq, stack, Default::default())
        .expect("a covariance with noise is positive definite. This is a bug.");
    matrix
}

/// L⁻¹B, in B's place.
pub(super) fn divided(factor: &Mat<f64>, mut b: Mat<f64>) -> Mat<f64> {
    solve_lower_triangular_in_place(factor.as_ref(), b.as_mut(), Par::Seq);
    b
}

/// ½H⁺ of a positive semidefinite H, whole.
pub(super) fn half_pseudo_inverse(gram: &Mat<f64>) -> Mat<f64> {
    half_inverse(gram).unwrap_or_else(|| half_inverse_by_eigenvalues(gram))
}

/// By Cholesky's method; none where H is singular or nearly so.
pub(super) fn half_inverse(gram: &Mat<f64>) -> Option<Mat<f64>> {
    let inverse = gram.llt(Side::Lower).ok()?.inverse();
    let is_regular = norm(gram) * norm(&inverse) <= CONDITION_MAX;
    is_regular.then(|| faer::Scale(0.5) * inverse)
}

/// Frobenius' norm of a symmetric matrix, from its lower triangle.
fn norm(symmetric: &Mat<f64>) -> f64 {
    let below = |column: usize| symmetric.col(column).subrows(column + 1, symmetric.nrows() - column - 1);
    let square = |column| symmetric[(column, column)].powi(2) + 2.0 * below(column).squared_norm_l2();
    (0..symmetric.ncols()).map(square).sum::<f64>().sqrt()
}

pub(super) fn half_inverse_by_eigenvalues(gram: &Mat<f64>) -> Mat<f64> {
    let eigen =
        gram.self_adjoint_eigen(Side::Lower).expect("finite symmetric matrices have eigenvalues. This is a bug.");
    let (values, vectors) = (eigen.S().column_vector(), eigen.U());
    let m = gram.nrows();
    let floor = EIGENVALUE_FLOOR * (0..m).map(|i| values[i]).fold(0.0, f64::max);
    let scaled =
        Mat::from_fn(m, m, |row, i| if values[i] > floor { 0.5 * vectors[(row, i)] / values[i] } else { 0.0 });
    scaled * vectors.transpose()
}

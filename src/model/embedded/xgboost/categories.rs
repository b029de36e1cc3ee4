//! The categories of a tree's splits → a set for each node that has some.

use std::collections::HashMap;

use super::parts::Tree;
use crate::form::{CategorySet, Fractions};
use crate::model::embedded::checks::{Place, Wrong};

/// Categories from here on are none: float32 has no distinct numbers for them (`OutOfRangeCat`).
const CATEGORIES_MAX: u32 = 1 << 24;

/// Words of 32 categories in all sets of a file, 64 MiB: one large category makes a large set.
const WORDS_MAX: usize = 16 << 20;

/// What the sets of a file may still cost.
pub(super) struct Budget {
    n_words: usize,
}

impl Default for Budget {
    fn default() -> Self {
        Self { n_words: WORDS_MAX }
    }
}

/// By node of the file. The lists of a tree follow each other in `categories`.
pub(super) fn sets(t: usize, tree: &Tree, budget: &mut Budget) -> Result<HashMap<usize, CategorySet>, Wrong> {
    check_lengths(t, tree)?;
    let mut sets = HashMap::new();
    let mut start = 0;
    let lists = tree.categories_segments.iter().zip(&tree.categories_sizes);
    for (&node, (&segment, &size)) in tree.categories_nodes.iter().zip(lists) {
        let place = Place::Node(t, node as usize);
        if segment != start as u64 {
            return Err(place.wrong("categories_segments", segment, format!("{start}, after the list before")));
        }
        let left = &tree.categories[start..];
        let n = usize::try_from(size).ok().filter(|&n| n <= left.len());
        let n = n.ok_or_else(|| place.wrong("categories_sizes", size, format!("at most {}", left.len())))?;
        sets.insert(
            node as usize,
            CategorySet { words: words(place, &left[..n], budget)?, fractions: Fractions::CutUnlessNegative },
        );
        start += n;
    }
    Ok(sets)
}

fn check_lengths(t: usize, tree: &Tree) -> Result<(), Wrong> {
    let n_nodes = tree.categories_nodes.len();
    let lengths = [
        ("categories_segments", tree.categories_segments.len()),
        ("categories_sizes", tree.categories_sizes.len()),
    ];
    match lengths.into_iter().find(|&(_, len)| len != n_nodes) {
        Some((field, len)) => {
            let expected = format!("{n_nodes}, the length of categories_nodes");
            Err(Place::Tree(t).wrong(field, format!("{len} nodes long"), expected))
        }
        None => Ok(()),
    }
}

fn words(place: Place, categories: &[u32], budget: &mut Budget) -> Result<Vec<u32>, Wrong> {
    let Some(&largest) = categories.iter().max() else { return Ok(Vec::new()) };
    if largest >= CATEGORIES_MAX {
        return Err(place.wrong("categories", largest, format!("a category below {CATEGORIES_MAX}")));
    }
    let n_words = (largest / u32::BITS) as usize + 1;
    let Some(n_left) = budget.n_words.checked_sub(n_words) else {
        let expected = format!("at most {WORDS_MAX} words of 32 categories in all sets");
        return Err(place.wrong("categories", format!("a set of {n_words} words more"), expected));
    };
    budget.n_words = n_left;
    let mut words = vec![0; n_words];
    for category in categories {
        words[(category / u32::BITS) as usize] |= 1 << (category % u32::BITS);
    }
    Ok(words)
}

#[cfg(test)]
mod tests {
    use super::super::load;
    use super::super::tests::{changed, margins};
    use super::*;

    /// The root of the first tree splits feature 1 by its category.
    fn categorical(lists: &str) -> String {
        changed(
            r#""split_type":[0,0,0,0,0],"categories_nodes":[]"#,
            &format!(r#""split_type":[1,0,0,0,0],{lists}"#),
        )
    }

    const TWO_AND_40: &str =
        r#""categories_nodes":[0],"categories_segments":[0],"categories_sizes":[2],"categories":[2,40]"#;

    #[test]
    fn categories_of_a_set_go_right_and_all_others_left() {
        let form = load(categorical(TWO_AND_40).as_bytes()).unwrap();
        let nan = f32::NAN;
        for (category, right) in [
            (2.0, true),
            (40.0, true),
            (2.9, true),
            (0.0, false),
            (41.0, false),
            (-2.0, false),
            (1e9, false),
            (1e30, false),
            // The default direction of the node is left.
            (nan, false),
        ] {
            // The right child is a leaf of 8, below the left one are 2 and 4; the second tree adds 1.
            let is_right = margins(&form, &[0.0, category])[0] == 9.0;
            assert_eq!(is_right, right, "{category}");
        }
    }

    #[test]
    fn lists_that_do_not_fit_are_refused() {
        let cases = [
            ("[2]", "[3]", "tree 0, node 0: categories_sizes is 3; expected at most 2"),
            (
                "segments\":[0]",
                "segments\":[1]",
                "tree 0, node 0: categories_segments is 1; expected 0, after the list",
            ),
            (
                "segments\":[0]",
                "segments\":[]",
                "tree 0: categories_segments is 0 nodes long; expected 1, the length",
            ),
            (
                "[2,40]",
                "[2,16777216]",
                "tree 0, node 0: categories is 16777216; expected a category below 16777216",
            ),
            (
                "nodes\":[0]",
                "nodes\":[1]",
                "tree 0, node 0: categories_nodes is without this node; expected a list",
            ),
        ];
        for (from, to, fragment) in cases {
            let text = load(categorical(&TWO_AND_40.replace(from, to)).as_bytes()).unwrap_err().to_string();
            assert!(text.contains(fragment), "got: {text}\nwant: {fragment}");
        }
    }

    #[test]
    fn short_lists_of_large_categories_do_not_fill_the_memory() {
        let mut budget = Budget::default();
        let n_words = (CATEGORIES_MAX / 32) as usize;
        for _ in 0..WORDS_MAX / n_words {
            words(Place::Model, &[CATEGORIES_MAX - 1], &mut budget).unwrap();
        }
        let text = words(Place::Model, &[CATEGORIES_MAX - 1], &mut budget).unwrap_err().to_string();
        assert!(text.contains("expected at most 16777216 words of 32 categories in all sets"), "{text}");
    }
}

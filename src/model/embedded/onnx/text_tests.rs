//! Graphs over texts as pipelines export them → answers, and what of them is refused.

use super::builder::{Builder, floats, int, ints, text, texts};
use super::proto::{AttributeProto, elem};
use crate::model::embedded::Scorer;
use crate::offload::Stop;
use crate::records::{Format, Table};

/// Margins of rows in JSON Lines, `[n_rows × n_outputs]`.
pub(super) fn answers(file: &[u8], rows: &[&str]) -> Vec<f32> {
    let scorer = Scorer::read(file, 0).expect("is a model");
    let table = Table::read(rows.join("\n").as_bytes(), Format::JsonLines, None, 10).expect("is a table");
    scorer.margins(&table, &Stop::default()).expect("answers")
}

fn error(file: &[u8]) -> String {
    super::load(file).err().expect("the file is to be refused").to_string()
}

pub(super) fn vectorizer() -> Vec<AttributeProto> {
    vec![
        text("mode", "TF"),
        int("min_gram_length", 1),
        int("max_gram_length", 2),
        int("max_skip_count", 0),
        texts("pool_strings", &["a", "b", "été", "a", "b", "b", "b"]),
        ints("ngram_counts", &[0, 3]),
        ints("ngram_indexes", &[1, 0, 2, 3, 4]),
    ]
}

pub(super) fn tokenizer() -> Vec<AttributeProto> {
    vec![text("tokenexp", r"[\pL']+"), int("mincharnum", 1), int("mark", 0), text("pad_value", "#")]
}

fn with(mut attributes: Vec<AttributeProto>, changes: Vec<AttributeProto>) -> Vec<AttributeProto> {
    attributes.retain(|attribute| changes.iter().all(|change| change.name != attribute.name));
    attributes.extend(changes);
    attributes
}

/// From the column `x` to the counts `n` of b, a, été, "a b" and "b b".
fn counted(cut: Vec<AttributeProto>, counted: Vec<AttributeProto>) -> Builder {
    Builder::default()
        .input("x", elem::STRING, 1)
        .output("y", elem::FLOAT)
        .integers("flat", &[-1])
        .floats("w", &[5, 1], &[1.0, 10.0, 100.0, 1000.0, 10000.0])
        .node("Reshape", "x flat", "f", vec![])
        .node("StringNormalizer", "f", "l", vec![text("case_change_action", "LOWER"), int("is_case_sensitive", 0)])
        .node_of("com.microsoft", "Tokenizer", "l", "t", cut)
        .node("Flatten", "t", "t2", vec![])
        .node("TfIdfVectorizer", "t2", "n", counted)
}

fn summed(builder: Builder, terms: &str) -> Vec<u8> {
    builder.node("MatMul", &format!("{terms} w"), "y", vec![]).file()
}

/// Terms weighted, normalised and classified.
pub(super) fn pipeline() -> Builder {
    let classifier = vec![
        floats("coefficients", &[-1.0, -2.0, -3.0, -4.0, -5.0, 1.0, 2.0, 3.0, 4.0, 5.0]),
        floats("intercepts", &[-0.5, 0.5]),
        ints("classlabels_ints", &[0, 1]),
        text("post_transform", "LOGISTIC"),
    ];
    counted(tokenizer(), vectorizer())
        .floats("idf", &[5], &[1.0, 1.0, 1.0, 2.0, 1.0])
        .node("Mul", "n idf", "m", vec![])
        .node("Normalizer", "m", "normal", vec![text("norm", "L2")])
        .node("LinearClassifier", "normal", "label p", classifier)
        .node("ZipMap", "p", "y", vec![ints("classlabels_int64s", &[0, 1])])
}

#[test]
fn terms_of_a_text_are_counted_weighted_normalised_and_summed() {
    let rows = [r#"["A b, B"]"#, r#"["été"]"#, r#"["c"]"#, r#"[""]"#, r#"[null]"#];
    let counts = answers(&summed(counted(tokenizer(), vectorizer()), "n"), &rows);
    assert_eq!(counts, [1.0 * 2.0 + 10.0 + 1000.0 + 10000.0, 100.0, 0.0, 0.0, 0.0]);
    let norm = (4.0f64 + 1.0 + 4.0 + 1.0).sqrt();
    let margin = (2.0 + 2.0 + 4.0 * 2.0 + 5.0) / norm + 0.5;
    assert_eq!(answers(&pipeline().file(), &rows), [margin as f32, 3.5, 0.5, 0.5, 0.5]);
}

#[test]
fn frequencies_are_counts_logarithms_or_presence() {
    let row = [r#"["b b b c a"]"#];
    let counts = || counted(tokenizer(), vectorizer());
    let ones = |builder: Builder| builder.floats("ones", &[5], &[1.0; 5]);
    let logarithm = ones(counts()).node("Add", "n ones", "i", vec![]).node("Log", "i", "g", vec![]);
    let expected = 4f32.ln() + 10.0 * 2f32.ln() + 10000.0 * 3f32.ln();
    let got = answers(&summed(logarithm, "g"), &row)[0];
    assert!((got / expected - 1.0).abs() < 1e-6, "{got} {expected}");
    let presence = counts().node("Cast", "n", "q", vec![int("to", 9)]).node("Cast", "q", "g", vec![int("to", 1)]);
    assert_eq!(answers(&summed(presence, "g"), &row), [1.0 + 10.0 + 10000.0]);
    // Weights stand in the order of the n-grams: a, b, été, "a b" and "b b".
    let weights = floats("weights", &[0.5, 2.0, 1.0, 1.0, 3.0]);
    for (mode, expected) in [("IDF", 2.0 + 5.0 + 30000.0), ("TFIDF", 6.0 + 5.0 + 60000.0)] {
        let weighted = counted(tokenizer(), with(vectorizer(), vec![text("mode", mode), weights.clone()]));
        assert_eq!(answers(&summed(weighted, "n"), &row), [expected], "{mode}");
    }
    let lengths = vec![int("min_gram_length", 2)];
    assert_eq!(answers(&summed(counted(tokenizer(), with(vectorizer(), lengths)), "n"), &row), [20000.0]);
}

#[test]
fn norms_are_those_of_all_terms() {
    let row = [r#"["b b a"]"#, r#"["c"]"#];
    // 2 of b, 1 of a, 1 of "b b", scaled by −1.
    for (norm, expected) in [("L1", -10012.0 / 4.0), ("L2", -10012.0 / 6f64.sqrt()), ("MAX", -10012.0)] {
        let scaled = counted(tokenizer(), vectorizer()).floats("minus", &[1], &[-1.0]);
        let scaled =
            scaled.node("Mul", "n minus", "m", vec![]).node("Normalizer", "m", "g", vec![text("norm", norm)]);
        // The largest is the 0 of a term that does not occur, which leaves the text as it is.
        assert_eq!(answers(&summed(scaled, "g"), &row), [expected as f32, 0.0], "{norm}");
    }
}

#[test]
fn terms_stand_beside_numbers_and_terms_of_other_texts() {
    let file = Builder::default()
        .input("age", elem::FLOAT, 1)
        .input("x", elem::STRING, 2)
        .input("colour", elem::STRING, 1)
        .output("y", elem::FLOAT)
        .integers("first", &[0])
        .integers("second", &[1])
        .integers("flat", &[-1, 2])
        .floats(
            "w",
            &[13, 1],
            &[1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0, 256.0, 512.0, 1024.0, 2048.0, 4096.0],
        )
        .node("Gather", "x first", "x1", vec![int("axis", 1)])
        .node("Gather", "x second", "x2", vec![int("axis", 1)])
        .node_of("com.microsoft", "Tokenizer", "x1", "t1", tokenizer())
        .node("TfIdfVectorizer", "t1", "n1", vectorizer())
        .node_of("com.microsoft", "Tokenizer", "x2", "t2", tokenizer())
        .node("TfIdfVectorizer", "t2", "n2", vectorizer())
        .node("OneHotEncoder", "colour", "h", vec![texts("cats_strings", &["red", "blue"])])
        .node("Reshape", "h flat", "h2", vec![])
        .node("Concat", "n1 age h2", "c", vec![int("axis", 1)])
        .node("Concat", "c n2", "d", vec![int("axis", 1)])
        .node("MatMul", "d w", "y", vec![])
        .file();
    let rows = [r#"[3, "a", "b", "blue"]"#, r#"[0, "A", "été", "green"]"#];
    assert_eq!(answers(&file, &rows), [2.0 + 3.0 * 32.0 + 128.0 + 256.0, 1024.0]);
}

#[test]
fn what_of_a_text_is_not_known_is_refused_by_its_node() {
    let counts = || counted(tokenizer(), vectorizer());
    let cut = |change| summed(counted(with(tokenizer(), vec![change]), vectorizer()), "n");
    let taken = |change| summed(counted(tokenizer(), with(vectorizer(), vec![change])), "n");
    let normal = |change: AttributeProto| {
        let input = Builder::default().input("x", elem::STRING, 1).output("y", elem::FLOAT);
        input.node("StringNormalizer", "x", "y", vec![change]).file()
    };
    let after = |operator: &str, inputs: &str, attributes| {
        let one = counts().floats("one", &[], &[1.0]).floats("two", &[1], &[2.0]);
        let normal = one.node("Normalizer", "n", "normal", vec![text("norm", "L2")]);
        summed(normal.node("Add", "n one", "i", vec![]).node(operator, inputs, "g", attributes), "g")
    };
    let lone = |value: &str| {
        counts().floats("v", &[1, 1], &[2.0]).node("MatMul", &format!("{value} v"), "y", vec![]).file()
    };
    let cases: Vec<(Vec<u8>, &str)> = vec![
        (normal(text("case_change_action", "UPPER")), "case_change_action is UPPER; expected LOWER or NONE"),
        (normal(texts("stopwords", &["a"])), "(StringNormalizer): stopwords are not supported"),
        (normal(text("locale", "tr_TR.UTF-8")), "locale is tr_TR.UTF-8; expected a language that has i for I"),
        (normal(text("locale", "C")), "locale is C; expected one with UTF-8"),
        (cut(int("mark", 1)), "(Tokenizer): mark is 1; expected 0"),
        (cut(texts("separators", &[" "])), "separators are not supported; expected tokenexp"),
        (cut(text("tokenexp", "")), "tokenexp is \\\"\\\"; expected an expression that can give tokens"),
        (cut(text("tokenexp", "(a")), "tokenexp \"(a\": it cannot be compiled"),
        (cut(int("mincharnum", 0)), "mincharnum is 0; expected 1 or more"),
        (taken(text("mode", "tf")), "mode is tf; expected TF, IDF or TFIDF"),
        (taken(int("max_skip_count", 1)), "max_skip_count is 1; expected 0"),
        (taken(ints("ngram_counts", &[])), "it has no pool_strings, or no ngram_counts"),
        (
            taken(ints("ngram_counts", &[0, 4])),
            "ngram_counts is [0, 4]; expected where n-grams of each length begin",
        ),
        (taken(ints("ngram_counts", &[0, -1])), "ngram_counts is [0, -1]; expected where"),
        (taken(ints("ngram_counts", &[3, 0])), "ngram_counts is [3, 0]; expected where"),
        (taken(ints("ngram_counts", &[0; 17])), "the length of ngram_counts is 17; expected at most 16"),
        (taken(ints("ngram_indexes", &[0, 1, 2, 3])), "the length of ngram_indexes is 4; expected 5"),
        (taken(ints("ngram_indexes", &[0, 1, 2, 3, -1])), "ngram_indexes is -1; expected 0 to 1048575"),
        (taken(ints("ngram_indexes", &[0, 1, 2, 3, 1 << 20])), "ngram_indexes is 1048576; expected 0 to 1048575"),
        (taken(texts("pool_strings", &["a", "a", "c", "a", "b", "b", "b"])), "pool_strings has an n-gram twice"),
        (after("Exp", "n", vec![]), "(Exp): this operator on columns of features is not supported"),
        (after("Log", "n", vec![]), "(Log): only of 1 and a count this is supported"),
        (after("Mul", "i two", vec![]), "(Mul): after 1 more for each count only Log is supported"),
        (after("Identity", "i", vec![]), "after 1 more for each count only Log is supported"),
        (after("Add", "n two", vec![]), "(Add): of terms only products with constants, and 1 more"),
        (after("Mul", "normal two", vec![]), "(Mul): terms that are normalised can only be joined and summed"),
        (after("Cast", "normal", vec![int("to", 9)]), "(Cast): terms that are normalised can only be joined"),
        (after("Scaler", "n", vec![]), "(Scaler): its input has terms of texts; that is not supported"),
        (after("Gather", "n two", vec![int("axis", 1)]), "columns of a text, or of its terms, cannot be picked"),
        (lone("t2"), "(MatMul): only numbers can be summed"),
        (lone("l"), "(MatMul): only numbers can be summed"),
        (
            counts()
                .node("MatMul", "n w", "m", vec![])
                .node("Tanh", "m", "c", vec![])
                .node("Tanh", "c", "y", vec![])
                .file(),
            "a curve of a curve",
        ),
        (
            counts()
                .floats("v", &[1, 1], &[2.0])
                .node("MatMul", "n w", "m", vec![])
                .node("Tanh", "m", "c", vec![])
                .node("MatMul", "c v", "y", vec![])
                .file(),
            "output \"y\": layers over terms of texts are not supported",
        ),
        (
            Builder::default()
                .input("x", elem::STRING, 2)
                .output("y", elem::FLOAT)
                .node_of("com.microsoft", "Tokenizer", "x", "y", tokenizer())
                .file(),
            "(Tokenizer): the number of columns is 2; expected 1",
        ),
        (
            Builder::default()
                .input("x", elem::STRING, 1)
                .output("y", elem::FLOAT)
                .node("Tokenizer", "x", "y", tokenizer())
                .file(),
            "(Tokenizer): the domain is ai.onnx.ml; expected com.microsoft",
        ),
    ];
    for (file, fragment) in cases {
        let text = error(&file);
        assert!(text.contains(fragment), "got: {text}\nwant: {fragment}");
    }
}

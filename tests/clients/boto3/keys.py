"""A server that asks for keys, and the keys: two that sign, one of them with a session token, and one that is borne."""

import json

from botocore.credentials import Credentials

BEARER = "bearer-of-curl"
CREDENTIALS = Credentials("AKIAEXPLAIND", "secret/of+the=caller")
TOKEN_CREDENTIALS = Credentials("ASIAEXPLAIND", "another-secret", "session//token+of=the==caller")
SECRETS = [CREDENTIALS.secret_key, TOKEN_CREDENTIALS.secret_key, TOKEN_CREDENTIALS.token, BEARER]


def entry(credentials):
    members = {"access_key_id": credentials.access_key, "secret_access_key": credentials.secret_key}
    return members | ({"session_token": credentials.token} if credentials.token else {})


def settings(folder):
    """The environment of a server that keeps its keys and its state in this folder."""
    keys = folder / "keys.json"
    keys.write_text(json.dumps([entry(CREDENTIALS), entry(TOKEN_CREDENTIALS), {"bearer": BEARER}]))
    keys.chmod(0o600)
    return {"EXPLAIND_CREDENTIALS": str(keys), "EXPLAIND_STATE": str(folder / "state")}

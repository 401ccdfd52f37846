"""Verifies an exported audit log: python3 verify_audit.py EXPORT PUBLICKEY [CHECKPOINTS]. Needs only `cryptography`."""

import json
import sys
from base64 import b64decode
from hashlib import sha256
from pathlib import Path

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey


def read(path):
    return [json.loads(line) for line in Path(path).read_text("utf-8").splitlines() if line.endswith("}")]


def root(leaves):
    data = [{name: leaves[place][name] for name in ("chain", "hash", "seq")} for place in sorted(leaves)]
    texts = [json.dumps(each, ensure_ascii=False, separators=(",", ":")) for each in data]
    hashes = [sha256(b"\0" + text.encode()).digest() for text in texts]
    while len(hashes) > 1:
        pairs = [sha256(b"\1" + hashes[i] + hashes[i + 1]).digest() for i in range(0, len(hashes) - 1, 2)]
        hashes = pairs + hashes[2 * len(pairs) :]
    return hashes[0].hex() if hashes else None


export, key = read(sys.argv[1]), Ed25519PublicKey.from_public_bytes(b64decode(sys.argv[2]))
there, last, heads, leaves, wrong = {}, {}, {}, {}, []
for e in export:
    if e.get("kind") == "head":
        heads[e["chain"]] = (e["seq"], e["hash"])
    elif e.get("kind") == "entry":
        seq, before = last.get(e["chain"], (0, sha256(f"pointsman:{e['chain']}".encode()).hexdigest()))
        own = json.loads(e["body"])
        if (e["seq"], e["prev_hash"], own["chain"], own["seq"]) != (seq + 1, before, e["chain"], e["seq"]):
            wrong.append(f"{e['chain']} entry {e['seq']} does not follow entry {seq}")
        if sha256((e["prev_hash"] + e["body"]).encode()).hexdigest() != e["hash"]:
            wrong.append(f"{e['chain']} entry {e['seq']} was edited")
        there[e["chain"], e["seq"]], last[e["chain"]] = e["hash"], (e["seq"], e["hash"])
wrong += [f"{name} does not end with its head" for name in {*heads, *last} if heads.get(name) != last.get(name)]
for e in read(sys.argv[3]) if sys.argv[3:] else export:
    if "place" in e:
        leaves[e["place"]] = e
    elif "checkpoint" in e:
        signed = json.loads(e["checkpoint"])
        try:
            key.verify(b64decode(e["signature"]), e["checkpoint"].encode())
        except InvalidSignature:
            wrong.append(f"checkpoint {signed['number']} is forged")
        # an export has the leaves of its last checkpoint only, a file of checkpoints those of each
        number = max((leaf.get("number", 0) for leaf in leaves.values()), default=0)
        if leaves and number in (0, signed["number"]) and root(leaves) != signed["root"]:
            wrong.append(f"checkpoint {signed['number']}: its leaves give another root")
gone = [e for e in leaves.values() if e["seq"] and there.get((e["chain"], e["seq"])) != e["hash"]]
wrong += [f"{e['chain']} entry {e['seq']} was signed, and is not on record" for e in gone]
sys.exit("\n".join(wrong) or print(f"ok: {len(there)} entries in {len(leaves)} signed chains"))

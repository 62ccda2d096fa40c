"""Whether an evidence pack holds: verify.py PACK.zip [KEYS.pem]; exit code 1 if not, 3 if by a key that is not given"""

import base64
import hashlib
import json
import re
import struct
import sys
import zlib

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey


def expect(part: object, expected: object, actual: object) -> None:
    if expected != actual:
        sys.exit(f"{part!r}: expected {expected!r}, found {actual!r}")


parts, contents, directory, offset = dict[str, dict[str, object]](), dict[str, bytes](), b"", 0
with open(sys.argv[1], "rb") as pack:
    # One part after another from the first byte; then the list and the end record that exactly these parts have.
    while (header := pack.read(30)).startswith(b"PK\3\4"):
        size, length = struct.unpack("<22xLH2x", header.ljust(30))
        raw_name, content = pack.read(length), pack.read(size)
        crc = zlib.crc32(content)
        facts = struct.pack("<5H3L2H", 20, 0, 0, 0, 33, crc, len(content), len(content), len(raw_name), 0)
        expect(raw_name, b"PK\3\4" + facts, header)
        directory += b"PK\1\2\x14\3" + facts + struct.pack("<3H2L", 0, 0, 0, 0o100600 << 16, offset) + raw_name
        offset, name = offset + 30 + length + size, raw_name.decode("ascii", "replace")
        expect(name, False, name in parts)
        parts[name] = {"bytes": size, "sha256": hashlib.sha256(content).hexdigest()}
        if name in ("manifest.json", "manifest.dsse.json"):
            contents[name] = content
    end = b"PK\5\6" + struct.pack("<4H2LH", 0, 0, *[min(len(parts), 0xFFFF)] * 2, len(directory), offset, 0)
    expect("the list of parts and the end of the file as written", True, header + pack.read() == directory + end)
expect("manifest.json and manifest.dsse.json", 2, len(contents))

envelope = json.loads(contents["manifest.dsse.json"])
payload, mime = base64.b64decode(envelope["payload"]), envelope["payloadType"].encode()
[signature] = envelope["signatures"]
try:
    key = Ed25519PublicKey.from_public_bytes(bytes.fromhex(signature["keyid"]))
    key.verify(base64.b64decode(signature["sig"]), b"DSSEv1 %d %s %d %s" % (len(mime), mime, len(payload), payload))
except (InvalidSignature, ValueError):
    expect("manifest.dsse.json", f"a signature by the key {signature['keyid']}", "another")
statement, manifest = json.loads(payload), json.loads(contents["manifest.json"])
expect("the statement", "urn:countersign:evidence-pack:1", statement["predicateType"])
expect("manifest.json", statement["subject"][0]["digest"]["sha256"], parts["manifest.json"]["sha256"])
unlisted = {"manifest.json", "manifest.dsse.json"}
expect("the parts", sorted(manifest["parts"]), sorted(parts.keys() - unlisted))
for name, part in manifest["parts"].items():
    expect(name, {"bytes": part["bytes"], "sha256": part["sha256"]}, parts[name])

key_text = "".join(open(file).read() for file in sys.argv[2:])
blocks = re.findall("-----BEGIN PUBLIC KEY-----([^-]+)-----END", key_text)
if signature["keyid"] not in {base64.b64decode(block)[-32:].hex() for block in blocks}:
    print(f"Unchanged, but signed by a key that you have not confirmed: {signature['keyid']}")
    sys.exit(3)
print(f"{sys.argv[1]} holds: {len(manifest['parts'])} parts")

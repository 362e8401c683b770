"""A zip of small JPEG files with one header, and back: images.py pack ZIP FILE, images.py unpack FILE ZIP.

The header (quantisation and Huffman tables) is kept once; what differs, the compressed pixels, no compressor makes
smaller. CIFAR-10 takes 18 MB in place of 62. `unpack` writes the zip that was packed, byte for byte, and compares its
digest. Standard library only.
"""

import hashlib
import io
import json
import lzma
import struct
import sys
import time
import zipfile

MAGIC = b"JPEGS\x00\x01\n"
END = b"\xff\xd9"  # of a JPEG


def header_length(jpeg):
    """Bytes before the compressed pixels: up to and with the start of the first scan."""
    at = 2
    while True:
        marker, length = jpeg[at + 1], struct.unpack(">H", jpeg[at + 2 : at + 4])[0]
        at += 2 + length
        if marker == 0xDA:
            return at


def pack(path_to_zip, path_to_file):
    with zipfile.ZipFile(path_to_zip) as archive:
        infos = archive.infolist()
        jpegs = [archive.read(info) for info in infos]
    header = jpegs[0][: header_length(jpegs[0])]
    if not all(jpeg.startswith(header) and jpeg.endswith(END) for jpeg in jpegs):
        sys.exit(f"{path_to_zip}: its files don't share one header, or one does not end as a JPEG does.")
    scans = [jpeg[len(header) : -len(END)] for jpeg in jpegs]
    like = {key: getattr(infos[0], key) for key in ("date_time", "external_attr", "create_system")}
    with open(path_to_zip, "rb") as file:
        digest = hashlib.sha256(file.read()).hexdigest()
    facts = json.dumps({"like": like, "header": header.hex(), "sha256": digest}).encode()
    names = lzma.compress("\n".join(info.filename for info in infos).encode())
    lengths = struct.pack(f"<{len(scans)}H", *map(len, scans))
    with open(path_to_file, "wb") as out:
        out.write(MAGIC)
        for part in (facts, names, lengths, b"".join(scans)):
            out.write(struct.pack("<I", len(part)) + part)


def unpack(path_to_file, path_to_zip):
    with open(path_to_file, "rb") as file:
        if file.read(len(MAGIC)) != MAGIC:
            sys.exit(f"{path_to_file}: not a file of images.py")
        facts, names, lengths, scans = (file.read(struct.unpack("<I", file.read(4))[0]) for _ in range(4))
    facts, names = json.loads(facts), lzma.decompress(names).decode().split("\n")
    header, like, at = bytes.fromhex(facts["header"]), facts["like"], 0
    memory = io.BytesIO()
    with zipfile.ZipFile(memory, "w", zipfile.ZIP_STORED) as archive:
        for name, length in zip(names, struct.unpack(f"<{len(names)}H", lengths), strict=True):
            info = zipfile.ZipInfo(name, tuple(like["date_time"]))
            info.external_attr, info.create_system = like["external_attr"], like["create_system"]
            archive.writestr(info, header + scans[at : at + length] + END)
            at += length
    if at != len(scans):
        sys.exit(f"{path_to_file}: is cut short")
    if hashlib.sha256(memory.getbuffer()).hexdigest() != facts["sha256"]:
        print("images.py: this zip has another layout than the one that was packed, its images are the same")
    with open(path_to_zip, "wb") as out:
        out.write(memory.getbuffer())


if __name__ == "__main__":
    began = time.perf_counter()
    {"pack": pack, "unpack": unpack}[sys.argv[1]](*sys.argv[2:])
    print(f"images.py {sys.argv[1]}: {time.perf_counter() - began:.1f} s")

"""Cuts builtin:mnist-mini out of MNIST: python3 make.py FOLDER_WITH_MNIST_IDX_GZ

Writes the first 10,000 training and the first 2,000 test images with their labels beside this
script, as IDX files, gzipped at level 9 without name or time, so that the bytes can be made again.
"""

import gzip
import pathlib
import struct
import sys

source, target = pathlib.Path(sys.argv[1]), pathlib.Path(__file__).parent
for part, keep in (("train", 10_000), ("t10k", 2_000)):
    for name, rank in ((f"{part}-images-idx3-ubyte.gz", 3), (f"{part}-labels-idx1-ubyte.gz", 1)):
        data = gzip.decompress((source / name).read_bytes())
        count, *rest = struct.unpack(f">{rank}I", data[4 : 4 + 4 * rank])
        assert count >= keep, f"{name} holds only {count}"
        size = 1
        for n in rest:
            size *= n
        start = 4 + 4 * rank
        head = data[:4] + struct.pack(f">{rank}I", keep, *rest)
        body = data[start : start + keep * size]
        (target / name).write_bytes(gzip.compress(head + body, compresslevel=9, mtime=0))

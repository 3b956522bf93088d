"""Images of 96 px with masks, as an .npz: a bright box on a dark ground, square (class 1) or wide (class 2), with noise; 10,000 to train on, 1,000 to test.

    python bench/masks96.py masks96.npz        # needs nothing but Python
"""

import random
import struct
import sys
import zipfile

TRAIN, TEST, SIDE = 10_000, 1_000, 96


def header(kind, shape):
    """What an .npy file begins with."""
    text = f"{{'descr': '{kind}', 'fortran_order': False, 'shape': {shape}, }}"
    text += " " * (63 - (len(text) + 10) % 64) + "\n"
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(text)) + text.encode()


def box(i):
    """Class, top, left, height and width."""
    size = random.randrange(10, 26)
    height, width = (size, size) if i % 2 == 0 else (size // 2, 2 * size - 6)
    return i % 2 + 1, random.randrange(SIDE - height), random.randrange(SIDE - width), height, width


def lines(of, outside, inside):
    """The rows of an image or a mask, from the bytes of a pixel."""
    _, top, left, height, width = of
    plain = outside * SIDE
    crossed = outside * left + inside * width + outside * (SIDE - left - width)
    return [crossed if top <= row < top + height else plain for row in range(SIDE)]


def noisy(line, noise):
    """Bytes with up to 31 added to each."""
    at = random.randrange(len(noise) - len(line))
    return bytes(a + (b & 31) for a, b in zip(line, noise[at : at + len(line)]))


def main(path):
    random.seed(0)
    count = TRAIN + TEST
    boxes = [box(i) for i in range(count)]
    noise = random.randbytes(1 << 20)
    with zipfile.ZipFile(path, "w") as archive:
        with archive.open("images.npy", "w") as out:
            out.write(header("|u1", (count, SIDE, SIDE, 3)))
            for of in boxes:
                ground = bytes(random.randrange(40, 120) for _ in range(3))
                colour = bytes(random.randrange(120, 215) for _ in range(3))
                out.write(b"".join(noisy(line, noise) for line in lines(of, ground, colour)))
        with archive.open("masks.npy", "w") as out:
            out.write(header("|u1", (count, SIDE, SIDE)))
            for of in boxes:
                out.write(b"".join(lines(of, b"\0", bytes([of[0]]))))
        with archive.open("split.npy", "w") as out:
            out.write(header("<U5", (count,)))
            for i in range(count):
                name = "test" if i < TEST else "train"
                out.write(name.ljust(5, "\0").encode("utf-32-le"))


if __name__ == "__main__":
    main(sys.argv[1])

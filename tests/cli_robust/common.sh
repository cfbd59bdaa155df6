# Sourced by the tests of this room: the binary under test, a scratch folder, and one line for each thing that is wrong.
# Every test runs from the root of the repository, with the binary as its first argument.

binary=$1
op=wgmma.m64n64k16.f32.bf16.bf16.rs
sample=artifacts/sample/sample.safetensors
tensor=model.layers.0.mlp.experts.down_proj
cases=0 failed=0

# One thread, so that allocations come in the same order every time.
export OMP_NUM_THREADS=1
work=$(mktemp -d "${TMPDIR:-/tmp}/fragoracle-robust-XXXXXX")
trap 'rm -rf "$work"' EXIT

wrong() {
    printf 'wrong: %s\n' "$*"
    failed=$((failed + 1))
}

# one_line TEXT: one line that says who speaks and then something.
one_line() {
    [[ $1 == fragoracle*": "?* && $1 != *$'\n'* ]]
}

finish() {
    printf '%d cases, %d wrong\n' "$cases" "$failed"
    [[ $cases -gt 0 && $failed -eq 0 ]]
}

# array FILE TYPE SHAPE BYTES: so many bytes of the sample as an array. The header has 118 (octal 166) bytes.
array() {
    printf '\223NUMPY\001\000\166\000%-117s\n' "{'descr': '$2', 'fortran_order': False, 'shape': ($3), }" >"$1"
    head -c "$4" "$sample" >>"$1"
}

# Folders that some commands read: packed weights, and an emitted probe whose outputs hold the poison alone; and the
# matrices of mma.m16n8k16.f32.bf16.bf16.
make_inputs() {
    array "$work/a.npy" '<u2' '16, 16' 512
    array "$work/b.npy" '<u2' '16, 8' 256
    array "$work/c.npy" '<f4' '16, 8' 512
    "$binary" pack --weights "$sample" --tensor "$tensor" --out "$work/packed" >"$work/log" 2>&1 &&
        "$binary" emit --shape 4,16,64 --out "$work/emit" >"$work/log" 2>&1 || { cat "$work/log"; exit 1; }
    local x
    for x in "$work"/emit/x_*.npy; do
        cp "$work/emit/poison_a.npy" "${x/x_/out_}"
    done
}

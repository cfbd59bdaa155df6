#!/bin/sh
# A disk that is full, a folder that cannot be written: status 2, one line with the path, nothing half-written.
. tests/cli/lib.sh
sample=artifacts/sample/sample.safetensors
gate=model.layers.0.mlp.experts.gate_up_proj
run 0 pack --weights $sample --tensor $gate --out "$scratch/packed"

# limited TEXT ARGUMENT...: the same, where no file may grow beyond two blocks.
limited() {
    text=$1
    shift
    line="fragoracle $* (no file beyond 1 KiB)"
    checks=$((checks + 1))
    status=0
    # The limit would hold for the captured output too; that is shorter.
    (
        trap '' XFSZ
        ulimit -f 2
        exec "$fragoracle" "$@"
    ) >"$scratch/stdout" 2>"$scratch/stderr" </dev/null || status=$?
    if [ "$status" -ne 2 ] || [ -s "$scratch/stdout" ] || [ "$(wc -l <"$scratch/stderr")" -ne 1 ] ||
        ! grep -qF -e "$text" "$scratch/stderr"; then
        wrong "$line: wanted status 2 and one line with '$text'"
    fi
}

limited "$scratch/full/values.npy: cannot write: File too large" \
    pack --weights $sample --tensor $gate --out "$scratch/full"
limited "$scratch/back: cannot write: File too large" unpack --in "$scratch/packed" --out "$scratch/back"
limited "$scratch/emitted/blocks_0.npy: cannot write: File too large" emit --out "$scratch/emitted"
limited "$scratch/probed/" probe identity --on model --historical --out "$scratch/probed"
nothing_half_written "$scratch"
for file in full/values.npy full/layout.json back emitted/blocks_0.npy emitted/emit.json probed/scores.json; do
    checks=$((checks + 1))
    [ ! -e "$scratch/$file" ] || wrong "$file is there"
done

# A folder that was whole and is written again, and fails: it no longer says that it is whole.
run 0 emit --out "$scratch/again"
limited "$scratch/again/blocks_0.npy: cannot write: File too large" emit --out "$scratch/again"
checks=$((checks + 1))
[ ! -e "$scratch/again/emit.json" ] || wrong "emit.json of the earlier run is still there"
limited "$scratch/packed/values.npy: cannot write: File too large" \
    pack --weights $sample --tensor $gate --out "$scratch/packed"
checks=$((checks + 1))
[ ! -e "$scratch/packed/layout.json" ] || wrong "layout.json of the earlier run is still there"

# Where no folder can be.
echo file >"$scratch/file"
trouble "$scratch/file/d: cannot make the folder" pack --weights $sample --tensor $gate --out "$scratch/file/d"
trouble "$scratch/file/d: cannot make the folder" emit --out "$scratch/file/d"
trouble "$scratch/file/d: cannot make the folder" probe identity --on model --historical --out "$scratch/file/d"
run 0 pack --weights $sample --tensor $gate --out "$scratch/packed"
trouble "$scratch/file/d: cannot " unpack --in "$scratch/packed" --out "$scratch/file/d"
trouble "$scratch/none/d: cannot " unpack --in "$scratch/packed" --out "$scratch/none/d"
trouble "$scratch: cannot write: Is a directory" unpack --in "$scratch/packed" --out "$scratch"
if [ "$(id -u)" -ne 0 ]; then # root writes anywhere
    mkdir "$scratch/closed"
    chmod 555 "$scratch/closed"
    trouble "$scratch/closed/d: cannot make the folder" emit --out "$scratch/closed/d"
    trouble "$scratch/closed/d: cannot " unpack --in "$scratch/packed" --out "$scratch/closed/d"
    chmod 755 "$scratch/closed"
fi

# Standard output that takes nothing.
if [ -c /dev/full ]; then
    checks=$((checks + 1))
    status=0
    : >"$scratch/stdout"
    "$fragoracle" probe identity --on model --historical --json >/dev/full 2>"$scratch/stderr" || status=$?
    if [ "$status" -ne 2 ] || ! grep -q "standard output: No space left on device" "$scratch/stderr"; then
        wrong "probe --json >/dev/full"
    fi
fi
finish

#!/bin/sh
# derive through the program: every format, the files that it writes, C that compiles, and one line for what is wrong.
. tests/cli/lib.sh

op=wgmma.m64n64k16.f32.bf16.bf16.rs
run 0 derive --op $op --from mxfp4-hopper
says "Widest load that needs no shuffle: 16 bytes"
says "Register order: v00 v01 v04 v05 v02 v03 v06 v07"
says "No preswizzle is needed."
run 0 derive --op $op --from mxfp4-hopper --format cute
says "values cute: ("
run 0 derive --op $op --from mxfp4-hopper --format linear
says "values linear: #ttg.linear<{register = [["
run 0 derive --op $op --from mxfp4 --json
holds "the order in JSON" grep -qF '"order": [0, 1, 4, 5, 2, 3, 6, 7]' "$scratch/stdout"
for from in mxfp4 mxfp4-hopper int4 int4-offset8 bf16; do
    run 0 derive --op $op --from $from --out "$scratch/out"
    nothing_half_written "$scratch/out"
    holds "$from: load.c, layout.txt, derive.json" test -s "$scratch/out/load.c" -a -s "$scratch/out/layout.txt" -a \
        -s "$scratch/out/derive.json"
    run 0 derive --op $op --from $from --format c
    cp "$scratch/stdout" "$scratch/load.c"
    ! command -v cc >/dev/null ||
        holds "$from: the C compiles" cc -std=c17 -fsyntax-only -Wall -Wextra -Wno-unused-function -Werror \
            "$scratch/load.c"
done

: >"$scratch/file"
trouble '"nonsense" is no operation' derive --op nonsense --from mxfp4
trouble "'nothing' is no layout" derive --op $op --from nothing
trouble "'pascal' is no format" derive --op $op --from mxfp4 --format pascal
trouble "$scratch/file" derive --op $op --from mxfp4 --out "$scratch/file/out"
usage "--op OP is needed" derive --from mxfp4
usage "--from LAYOUT is needed" derive --op $op
finish

#!/bin/sh
# map: exact answers to a few questions, exit statuses, and where the output goes.
. tests/cli/lib.sh
op=wgmma.m64n64k16.f32.bf16.bf16.rs

# prints STDOUT STDERR: the last `run` printed exactly this.
prints() {
    checks=$((checks + 1))
    printf '%s' "$1" | cmp -s - "$scratch/stdout" && printf '%s' "$2" | cmp -s - "$scratch/stderr" ||
        wrong "$line: wanted exactly '$1' and on stderr '$2'"
}

# npy FILE TYPE SHAPE: an array of the bytes of standard input. The header has 118 (octal 166) bytes.
npy() {
    printf '\223NUMPY\001\000\166\000%-117s\n' "{'descr': '$2', 'fortran_order': False, 'shape': ($3), }" >"$1"
    cat >>"$1"
}

# dump FIRST SECOND: registers of A, two bytes an element code; register 1 holds what register FIRST should hold,
# register 2 what SECOND should.
dump() {
    awk -v first="$1" -v second="$2" 'BEGIN {
        for (t = 0; t < 128; t++) for (r = 0; r < 4; r++) for (h = 0; h < 2; h++) {
            s = r == 1 ? first : r == 2 ? second : r
            i = 16 * int(t / 32) + int(t % 32 / 4) + 8 * (s % 2)
            j = 2 * (t % 4) + h + 8 * int(s / 2)
            printf "\\%03o\\%03o", (16 * i + j) % 256, int((16 * i + j) / 256)
        }
    }' | { read -r bytes; printf "$bytes"; }
}

# Both directions, as text and as JSON
held="$op A: thread 5, register 2, part 1 holds element (1,11)
"
json="{
  \"schema\": \"fragoracle.map/1\",
  \"op\": \"$op\",
  \"operand\": \"A\",
  \"slot\": {
    \"space\": \"reg\",
    \"thread\": 5,
    \"reg\": 2,
    \"part\": 1
  },
  \"element\": {
    \"i\": 1,
    \"j\": 11
  }
}
"
run 0 map $op A --slot 5.2.1
prints "$held" ""
run 0 map $op a --element 1,11
prints "$held" ""
run 0 map $op A --element 1,11 --json
prints "$json" "$held"
run 0 map $op A --slot 5.2.1 --out "$scratch/answer.json"
prints "" "$held"
printf '%s' "$json" >"$scratch/wanted.json"
holds "--out holds the JSON" cmp "$scratch/answer.json" "$scratch/wanted.json"
run 0 map $op D --element 63,63
prints "$op D: thread 127, register 31, part 0 holds element (63,63)
" ""

# Notations
run 0 map $op A --format cute
prints "((4,8,4),(2,2,2)):((128,1,16),(64,8,512))
" ""
run 0 map wgmma.m64n24k16.f32.bf16.bf16.rs D --format cute
prints "((4,8,4),(2,2,3)):((128,1,16),(64,8,512))
" ""
run 0 map wgmma.m64n8k32.s32.s8.u8.rs A --format cute
prints "((4,8,4),(4,2,2)):((256,1,16),(64,8,1024))
" ""
run 0 map wgmma.m64n8k8.f32.tf32.tf32.rs A --slot 5.3.0
says "thread 5, register 3, part 0 holds element (9,5)"
run 0 map wgmma.m64n256k16.f16.f16.f16.ss D --element 63,255
says "thread 127, register 63, part 1 holds element (63,255)"
run 0 map $op A --format linear
says "lane = [[0, 2], [0, 4], [1, 0], [2, 0], [4, 0]], warp = [[16, 0], [32, 0]]"
run 0 map $op A
says "     0  (0,0)     (0,1)     (8,0)     (8,1)     (0,8)     (0,9)     (8,8)     (8,9)"
run 0 map $op A --format csv
says "127,3,1,63,15"

# What cannot be
trouble "slot: no slot 128.0.0 in A: threads 0 to 127, registers 0 to 3, parts 0 to 1" map $op A --slot 128.0.0
trouble "element: '1;2' is no element; write I,J, as in 1,11" map $op A --element '1;2'
trouble "format: 'cube' is no format; write table, csv, markdown, cute or linear" map $op A --format cube
trouble "N = 40 is not legal; N is a multiple of 8 from 8 to 32 or of 16 from 48 to 256" \
    map wgmma.m64n40k32.s32.s8.s8.rs A
trouble "K = 16 is wrong for A of type e4m3; K is 32" map wgmma.m64n64k16.f32.e4m3.e4m3.rs A
trouble "ask for one thing" map $op A --slot 0.0.0 --element 0,0
trouble "$scratch/none.npy" map $op A --against "$scratch/none.npy"
run 125 map $op C --bisect
prints "" "fragoracle: \"C\" is no operand with a fragment; write A or D
"
usage "OPERAND is needed" map $op
usage "'A' is one argument too many" map $op A A

# Dumps
dump 1 2 | npy "$scratch/right.npy" '<u2' '128, 4, 2'
run 0 map $op A --against "$scratch/right.npy"
prints "$op A against $scratch/right.npy: conforms, 0 of 1024 slots wrong
" ""
dump 2 1 | npy "$scratch/wrong.npy" '<u2' '128, 4, 2'
run 1 map $op A --against "$scratch/wrong.npy"
says "$op A against $scratch/wrong.npy: differs, 512 of 1024 slots wrong"
says "  slot 0.1.0: expected (8,0), found (0,8)"
says "  register bit 0 and register bit 1 are exchanged"

# Eight bits hold no element number: registers as they are cannot be a dump of them
head -c 2048 /dev/zero | npy "$scratch/bytes.npy" '<u4' '128, 4'
trouble "$scratch/bytes.npy: a dump of A is u2 [128,4,4] or u2 [128,16]" \
    map wgmma.m64n8k32.s32.s8.s8.rs A --against "$scratch/bytes.npy"

# Pictures
run 0 map $op A --slot 5.2.1 --png "$scratch/map.png"
prints "$held" ""
holds "--png writes a PNG" test "$(head -c 8 "$scratch/map.png" | od -An -tx1 | tr -d ' \n')" = 89504e470d0a1a0a
nothing_half_written "$scratch"
finish

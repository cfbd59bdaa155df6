#!/bin/sh
# fragoracle map: exact answers to a few questions, exit statuses, and where the output goes.
#   tests/cli/map.sh FRAGORACLE
tool=$1
op=wgmma.m64n64k16.f32.bf16.bf16.rs
folder=$(mktemp -d) || exit 2
trap 'rm -rf "$folder"' EXIT
asked=0 wrong=0

# expect STATUS STDOUT STDERR ARGUMENTS...: what `fragoracle map ARGUMENTS` exits with and prints.
expect() {
    status=$1 out=$2 err=$3
    shift 3
    asked=$((asked + 1))
    "$tool" map "$@" >"$folder/out" 2>"$folder/err"
    found=$?
    printf '%s' "$out" | cmp -s - "$folder/out" && printf '%s' "$err" | cmp -s - "$folder/err" &&
        [ $found -eq "$status" ] && return
    wrong=$((wrong + 1))
    echo "map $*: exit $found, wanted $status"
    echo "wanted on stdout:" && printf '%s' "$out" && echo "found:" && cat "$folder/out"
    echo "wanted on stderr:" && printf '%s' "$err" && echo "found:" && cat "$folder/err"
}

# Write the .npy file $1 of type $2 and shape $3 with the bytes of standard input. 118 (octal 166) bytes of header.
npy() {
    header="{'descr': '$2', 'fortran_order': False, 'shape': ($3), }"
    printf '\223NUMPY\001\000\166\000%-117s\n' "$header" >"$1"
    cat >>"$1"
}

# The registers of A as u2 [128,4,2], little endian; R1 holds what register $1 should hold, R2 what $2 should.
dump() {
    awk -v first="$1" -v second="$2" 'BEGIN {
        for (t = 0; t < 128; t++) for (r = 0; r < 4; r++) for (h = 0; h < 2; h++) {
            s = r == 1 ? first : r == 2 ? second : r
            i = 16 * int(t / 32) + int(t % 32 / 4) + 8 * (s % 2)
            j = 2 * (t % 4) + h + 8 * int(s / 2)
            code = 16 * i + j
            printf "\\%03o\\%03o", code % 256, int(code / 256)
        }
    }' | { read -r bytes; printf "$bytes"; }
}

line="$op A: thread 5, register 2, part 1 holds element (1,11)
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
expect 0 "$line" "" $op A --slot 5.2.1
expect 0 "$line" "" $op a --element 1,11
expect 0 "$json" "$line" $op A --element 1,11 --json
expect 0 "" "$line" $op A --slot 5.2.1 --out "$folder/answer.json"
printf '%s' "$json" | cmp - "$folder/answer.json" || wrong=$((wrong + 1))
expect 0 "$op D: thread 127, register 31, part 0 holds element (63,63)
" "" $op D --element 63,63
expect 0 "((4,8,4),(2,2,2)):((128,1,16),(64,8,512))
" "" $op A --format cute
expect 0 "((4,8,4),(2,2,3)):((128,1,16),(64,8,512))
" "" wgmma.m64n24k16.f32.bf16.bf16.rs D --format cute

expect 2 "" "fragoracle: slot: no slot 128.0.0 in A: threads 0 to 127, registers 0 to 3, parts 0 to 1
" $op A --slot 128.0.0
expect 2 "" "fragoracle: element: '1;2' is no element; write I,J, as in 1,11
" $op A --element '1;2'
expect 125 "" "fragoracle: \"C\" is no operand with a fragment; write A or D
" $op C --bisect
expect 2 "" "fragoracle map: name an operation and an operand, as in $op A
Try \`fragoracle map --help' or \`fragoracle map --usage' for more information.
" $op

dump 1 2 | npy "$folder/right.npy" '<u2' '128, 4, 2'
expect 0 "$op A against $folder/right.npy: conforms, 0 of 1024 slots wrong
" "" $op A --against "$folder/right.npy"
dump 2 1 | npy "$folder/wrong.npy" '<u2' '128, 4, 2'
"$tool" map $op A --against "$folder/wrong.npy" >"$folder/out"
[ $? -eq 1 ] && [ "$(tail -n 1 "$folder/out")" = "  register bit 0 and register bit 1 are exchanged" ] || {
    wrong=$((wrong + 1))
    echo "exchanged registers are not found out:" && cat "$folder/out"
}

expect 0 "$line" "" $op A --slot 5.2.1 --png "$folder/map.png"
[ "$(head -c 8 "$folder/map.png" | od -An -tx1 | tr -d ' \n')" = 89504e470d0a1a0a ] || {
    wrong=$((wrong + 1))
    echo "map.png is no PNG"
}

echo "$asked questions asked, $wrong wrong"
[ "$asked" -gt 0 ] && [ "$wrong" -eq 0 ]

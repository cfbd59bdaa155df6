#!/bin/bash
# Bad usage, bad numbers, bad files: 2 and one clear line (argp may add where to find help), 125 under --bisect, at once,
# without an answer; and what --help promises.
#   bad_usage.sh BINARY
source tests/cli_robust/common.sh
# KiB of address space, so that a size that overflowed or was believed cannot take the machine down. A sanitiser needs
# all of it, and limits single allocations itself.
space=8000000
[[ -z ${SANITISED-} ]] || space=unlimited

mma=mma.m16n8k16.f32.bf16.bf16

# refuses WORD COMMAND...: ends with 2 within 20 seconds, prints nothing, and says one line that holds WORD.
refuses() {
    local word=$1 said status
    shift
    cases=$((cases + 1))
    said=$( (ulimit -v "$space"; exec timeout 20 "$binary" "$@") 2>&1 >"$work/stdout" </dev/null)
    status=$?
    [[ -z ${SANITISED-} ]] || said=$(sed '/WARNING: AddressSanitizer failed to allocate/d' <<<"$said")
    said=${said%$'\nTry `fragoracle '*information.}
    [[ $status -eq 2 ]] || wrong "$*: exit status $status: $said"
    one_line "$said" && [[ $said == *"$word"* ]] || wrong "$*: says '$said'"
    [[ ! -s $work/stdout ]] || wrong "$*: printed an answer"
    (ulimit -v "$space"; exec timeout 20 "$binary" "$@" --bisect) >/dev/null 2>&1 </dev/null
    status=$?
    [[ $status -eq 125 ]] || wrong "$* --bisect: exit status $status"
}

# helps COMMAND WORD...: --help ends with 0 and holds every WORD.
helps() {
    local command=$1 text word
    shift
    cases=$((cases + 1))
    "$binary" "$command" --help >"$work/stdout" 2>"$work/stderr" || wrong "$command --help: exit status $?"
    [[ ! -s $work/stderr ]] || wrong "$command --help: complains"
    text=$(tr -s '[:space:]' ' ' <"$work/stdout")
    for word in "Usage: fragoracle $command" --json --bisect "$@"; do
        [[ $text == *"$word"* ]] || wrong "$command --help: no '$word'"
    done
    [[ $("$binary" --help) == *$'\n'"  $command "* ]] || wrong "--help: no $command"
}

all_help() {
    helps list
    helps map --slot --element --png --against "table (default)"
    helps capture "all (default)" "default auto" "Seed of arithmetic (default 1)"
    helps mma "[M,K]" "[K,N]" "(default model)" "default 1" "(default: they wrap)" "(default zeros)"
    helps decode "default auto" "without it the contract is exhaustive" "Expert of the tensor (default 0)" "(default 1)"
    helps pack "multiple of ROWS (default 16)" "multiple of BYTES (default 32)" "so many warps (default 4)"
    helps unpack --in --out
    helps probe "default 80,208,192" "historical: 32,128,128" "sample (default)" "rs (default)" "default auto" "(default all)"
    helps emit "default 80,208,192" "sample (default)" --out
    helps score --in --out
    helps tap "-o, --out=OUT.ptx" "(default 0)" "(default 1)" "(default 4)" "ptxas on PATH"
    helps infer --subject --capture --matrix --b --output "plain (default)" "(default: searched)" "(default all)"
    helps diagnose "rs (default)" "default 128,208,256" "default auto"
    helps derive --op --from "text (default)"
    helps mutate "(default 100)" "(default 0)" "(default: list" "ten times the unmutated one" "ptxas on PATH"
    helps check "rs (default)" "default auto" "(default 1000000)" "Seed of everything that is drawn (default 1)"
    local listed
    listed=$("$binary" --help | grep -c '^  [a-z]')
    [[ $listed -eq $cases ]] || wrong "--help lists $listed commands, $cases were asked"
}

commands_and_options() {
    refuses "unknown command 'frobnicate'" frobnicate
    refuses "unknown command ''" ""
    refuses "unknown command" --json
    for command in list map capture decode mma pack unpack probe emit score tap infer diagnose derive mutate check; do
        refuses "--frobnicate" "$command" --frobnicate
    done
    refuses "requires an argument" decode --expert
    refuses "OPERAND is needed" capture $op
    refuses "OP is needed" map
    refuses "OPERAND is needed" map $op
    refuses "one argument too many" map $op A B
    refuses "one argument too many" capture $op A B
    refuses "one argument too many" list extra
    refuses "one argument too many" decode extra
    refuses "one argument too many" check extra
    refuses "OP is needed" mma --a a --b b --out "$work/out"
    refuses "--b B.npy is needed" mma $op --a a --out "$work/out"
    refuses "--out D.npy is needed" mma $op --a a --b b
    refuses "one argument too many" mma $op A --a a --b b --out "$work/out"
    refuses "needed" pack
    refuses "needed" unpack
    refuses "needed" score
    refuses "needed" emit
    refuses "needed" infer
    refuses "--matrix" infer --capture "$work/packed/values.npy"
    refuses "frob" probe frob
    refuses "frob" emit frob --out "$work/out"
}

names() {
    refuses "wgmma.frob" map wgmma.frob A
    refuses "N = 12 " map wgmma.m64n12k16.f32.bf16.bf16.rs A
    refuses "N = 264 " map wgmma.m64n264k16.f32.bf16.bf16.rs A
    refuses "m64n99999999999999999999k16" map wgmma.m64n99999999999999999999k16.f32.bf16.bf16.rs A
    refuses '"B"' map $op B
    refuses "frob" map $op A --format frob
    refuses "128.0.0" map $op A --slot 128.0.0
    refuses "0.4.0" map $op A --slot 0.4.0
    refuses "-1.0.0" map $op A --slot -1.0.0
    refuses "1.2" map $op A --slot 1.2
    refuses "64,0" map $op A --element 64,0
    refuses "0,16" map $op A --element 0,16
    refuses "4294967296,0" map $op A --element 4294967296,0
    refuses "0;1" map $op A --element "0;1"
    refuses "" map $op A --element 0,1 --slot 0.0.0
    refuses "frob" capture $op A --on frob
    refuses "frob" capture $op A --on model --method frob
    refuses "--out" capture $op A --on model --method arithmetic
    refuses "frob" capture wgmma.frob A --on model
    local tile=(--a "$work/none" --b "$work/none" --out "$work/out")
    refuses '"frob" is no operation' mma frob "${tile[@]}"
    refuses "wgmma.frob" mma wgmma.frob "${tile[@]}"
    refuses "N = 12 " mma wgmma.m64n12k16.f32.bf16.bf16.rs "${tile[@]}"
    refuses '"m16n8k99" is no shape' mma mma.m16n8k99.f32.bf16.bf16 "${tile[@]}"
    refuses "not covered" mma mma.m16n8k16.f64.bf16.bf16 "${tile[@]}"
    refuses "no operation" mma "mma.$(printf '%05000d' 1)" "${tile[@]}"
    refuses "--on frob" mma $op "${tile[@]}" --on frob
    refuses "--on auto" mma $op "${tile[@]}" --on auto
    refuses "scale-d: '2'" mma $op "${tile[@]}" --scale-d 2
    refuses "scale-d: ''" mma $op "${tile[@]}" --scale-d ""
    refuses "scale-d: mma.sync always adds C" mma mma.m16n8k16.f32.bf16.bf16 "${tile[@]}" --scale-d 0
    refuses "neg-a: only wgmma of floats" mma wgmma.m64n8k32.s32.s8.s8.rs "${tile[@]}" --neg-a
    refuses "neg-b: only wgmma of floats" mma mma.m16n8k8.f32.tf32.tf32 "${tile[@]}" --neg-b
    refuses "trans-b: only wgmma of 16-bit" mma wgmma.m64n8k8.f32.tf32.tf32.rs "${tile[@]}" --trans-b
    refuses "sat: only integers" mma $op "${tile[@]}" --sat
    refuses "frob" decode --on frob
    refuses "frob" probe identity --on frob
    refuses "frob" probe identity --subject frob
    refuses "F99" probe identity --subject rs+F99
    refuses "F99" check --subject rs+F01+F99
    refuses "frob" check --on frob
    refuses "5" pack --weights "$sample" --tensor $tensor --out "$work/out" --num-warps 5
    refuses "--num-warps ''" pack --num-warps ""
    refuses "--pad-m" pack --pad-m 0
    refuses "--pad-k" pack --pad-k 0
}

numbers() {
    for number in "" x 1x -1 99999999999999999999 1.5; do
        refuses "--expert" decode --expert "$number"
        refuses "--seed" check --seed "$number"
        refuses "--outputs" check --outputs "$number"
        refuses "--seed" probe identity --seed "$number"
    done
    for shape in "" 1 1,2 1,2,3,4 0,64,64 -1,64,64 64,-1,64 64,64,-1 x,y,z "1, 2" 64,64,64x; do
        refuses "--shape" probe identity --on model --shape "$shape"
        refuses "--shape" emit --shape "$shape" --out "$work/out"
    done
    for huge in 1000000000000 2147483648 4294967296 18446744073709551615 18446744073709551616; do
        refuses "" probe identity --on model --shape "$huge,64,64"
        refuses "" probe identity --on model --shape "64,$huge,64"
        refuses "" probe identity --on model --shape "64,64,$huge"
        refuses "" emit --out "$work/out" --shape "$huge,64,64"
    done
    # Each in range, the product is not.
    refuses "" probe identity --on model --shape 2147483647,64,64
    refuses "" probe identity --on model --shape 64,2147483632,64
    refuses "" probe identity --on model --shape 64,64,2147483584
    refuses "" probe identity --on model --shape 2147483647,2147483632,2147483584
    refuses "" emit --shape 2147483647,2147483632,2147483584 --out "$work/out"
    refuses "33" probe identity --on model --shape 4,16,33
    refuses "K % 64" probe identity --on model --shape 4,16,32
    refuses "N % 16" probe identity --on model --shape 4,15,64
    refuses "P = 65" probe identity --on model --historical --shape 65,64,64
    refuses "P = 65" emit --historical --shape 65,64,64 --out "$work/out"
    refuses "there is no pass" probe identity --on model --shape 4,16,64 --pass 1000000
    refuses "pass" probe identity --on model --shape 4,16,64 --pass -2
    refuses "pass" probe identity --on model --shape 4,16,64 --pass 9223372036854775808
    refuses "there is no pass 1" probe identity --on model --historical --pass 1
    refuses "there is no expert 6" probe identity --on model --shape 4,16,64 --expert 6
    refuses "there is no expert" emit --shape 4,16,64 --expert 18446744073709551615 --out "$work/out"
    refuses "expert 6" decode --on model --weights "$sample" --tensor $tensor --expert 6
    refuses "--expert" probe identity --on model --weights random --expert 1
    refuses "" pack --weights "$sample" --tensor $tensor --out "$work/out" --pad-m 18446744073709551615
    refuses "" pack --weights "$sample" --tensor $tensor --out "$work/out" --pad-m 9223372036854775808
    refuses "" pack --weights "$sample" --tensor $tensor --out "$work/out" --pad-k 1000000000000000
}

files() {
    local none=$work/none bytes=$work/bytes
    printf 'no file of ours' >"$bytes"
    mkdir "$work/folder"
    refuses "$none" decode --on model --weights "$none" --tensor x
    refuses "$bytes" decode --on model --weights "$bytes" --tensor x
    refuses "$work/folder" decode --on model --weights "$work/folder" --tensor x
    refuses "/dev/null" decode --on model --weights /dev/null --tensor x
    refuses "--tensor" decode --on model --weights "$sample"
    refuses "x: " decode --on model --weights "$sample" --tensor x
    refuses "$none" pack --weights "$none" --tensor x --out "$work/out"
    refuses "$bytes" pack --weights "$bytes" --tensor x --out "$work/out"
    refuses "x: " pack --weights "$sample" --tensor x --out "$work/out"
    refuses "$none" probe identity --on model --weights "$none" --tensor x
    refuses "$bytes" emit --weights "$bytes" --tensor x --out "$work/out"
    refuses "--tensor" probe identity --on model --weights "$sample"
    refuses "x: " probe identity --on model --tensor x
    refuses "$none" unpack --in "$none" --out "$work/out"
    refuses "$bytes" unpack --in "$bytes" --out "$work/out"
    refuses "$work/folder" unpack --in "$work/folder" --out "$work/out"
    refuses "$none" score --in "$none"
    refuses "$bytes" score --in "$bytes"
    refuses "$work/folder" score --in "$work/folder"
    refuses "$none" infer --capture "$none" --matrix "$none"
    refuses "$bytes" infer --capture "$bytes" --matrix "$work/emit/x_0.npy"
    refuses "$work/folder" infer --capture "$work/folder" --matrix "$work/emit/x_0.npy"
    local a=$work/a.npy b=$work/b.npy c=$work/c.npy
    refuses "$none" mma $mma --a "$none" --b "$b" --out "$work/out"
    refuses "$none" mma $mma --a "$a" --b "$none" --out "$work/out"
    refuses "$none" mma $mma --a "$a" --b "$b" --c "$none" --out "$work/out"
    refuses "$bytes: magic" mma $mma --a "$bytes" --b "$b" --out "$work/out"
    refuses "$work/folder" mma $mma --a "$work/folder" --b "$b" --out "$work/out"
    refuses "$c: A: wanted <u2 (16, 16), found <f4 (16, 8)" mma $mma --a "$c" --b "$b" --out "$work/out"
    refuses "$a: B: wanted <u2 (16, 8), found <u2 (16, 16)" mma $mma --a "$a" --b "$a" --out "$work/out"
    refuses "$b: C: wanted <f4 (16, 8), found <u2 (16, 8)" mma $mma --a "$a" --b "$b" --c "$b" --out "$work/out"
    refuses "C: wanted <f4 (16, 8)" mma $mma --a "$a" --b "$b" --c "$b" --out "$work/out" --json
    refuses "$none" map $op A --against "$none"
    refuses "$bytes" map $op A --against "$bytes"
    refuses "$work/packed/values.npy" map $op A --against "$work/packed/values.npy"
    refuses "schema" score --in "$work/lies/packed_as_emit"
    refuses "schema" unpack --in "$work/lies/emit_as_packed" --out "$work/out"
    refuses "out_0.npy" score --in "$work/lies/no_outputs"
    refuses "x_0.npy" score --in "$work/lies/many_rows"
    # The folder can be there, the files in it have no name; and one that cannot.
    long=$work$(printf '/%0200d' {1..21})
    long=${long:0:4090}
    mkdir -p "$long"
    for path in "$long" "$long$long"; do
        refuses " long" score --in "$path"
        refuses " long" capture $op A --on model --method arithmetic --out "$path"
        refuses " long" pack --weights "$sample" --tensor $tensor --out "$path"
        refuses " long" probe identity --on model --shape 4,16,64 --out "$path"
        refuses " long" emit --shape 4,16,64 --out "$path"
        refuses " long" score --in "$work/emit" --out "$path"
        refuses " long" unpack --in "$path" --out "$work/out"
    done
    refuses " long" list --out "$long$long"
    refuses " long" mma $mma --a "$a" --b "$b" --out "$long$long"
    refuses " long" list --out "$work/$(printf '%0256d' 1)"
    [[ -z $(find "$long" -type f) ]] || wrong "something was written: $(find "$long" -type f)"
    [[ ! -e $work/out ]] || wrong "something was written: $(find "$work/out")"
}

# takes MOST COMMAND...: ends with at most this status and gives an answer.
takes() {
    local most=$1
    shift
    cases=$((cases + 1))
    "$binary" "$@" >"$work/stdout" 2>"$work/stderr" </dev/null
    local status=$?
    [[ $status -le $most && -s $work/stdout ]] || wrong "$*: exit status $status: $(<"$work/stderr")"
}

# A file name is bytes; JSON is UTF-8. That is no trouble of the user's.
odd_names() {
    local odd=$work/$'\xff\xfe "\n'
    mkdir "$odd"
    cp "$sample" "$odd/w.safetensors"
    local weights=(--weights "$odd/w.safetensors" --tensor $tensor)
    takes 0 capture $op A --on model --method arithmetic --out "$odd/capture"
    takes 0 decode --on model "${weights[@]}"
    takes 0 pack "${weights[@]}" --out "$odd/packed"
    takes 0 unpack --in "$odd/packed" --out "$odd/back.safetensors"
    takes 0 probe identity --on model --shape 4,16,64 "${weights[@]}" --out "$odd/probe"
    takes 0 emit --shape 4,16,64 "${weights[@]}" --out "$odd/emit"
    cp "$work"/emit/out_* "$odd/emit"
    takes 1 score --in "$odd/emit" --out "$odd/score" --json
    refuses "none/layout.json" unpack --in "$odd/none" --out "$work/out"
}

# Files of the right kind in the wrong place.
make_lies() {
    mkdir "$work/lies" "$work/lies/packed_as_emit" "$work/lies/emit_as_packed"
    cp -r "$work/emit" "$work/lies/no_outputs"
    rm "$work"/lies/no_outputs/out_*
    cp -r "$work/emit" "$work/lies/many_rows"
    sed -i 's/"P": 4/"P": 2000000000/' "$work/lies/many_rows/emit.json"
    cp "$work/packed/layout.json" "$work/lies/packed_as_emit/emit.json"
    cp "$work/emit/emit.json" "$work/lies/emit_as_packed/layout.json"
}

make_inputs
make_lies
all_help
commands_and_options
names
numbers
files
odd_names
finish

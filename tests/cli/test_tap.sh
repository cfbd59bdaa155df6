#!/bin/sh
# tap, and the stand-in for ptxas: exit status, what is written, and what the real ptxas is given.
. tests/cli/lib.sh
standin=$(cd "$(dirname "$fragoracle")" && pwd)/fragoracle-ptxas
module=tests/cli/tap.ptx
out=$scratch/out.ptx
unset FRAGORACLE_TAP FRAGORACLE_TAP_LOG FRAGORACLE_PTXAS CUDA_HOME CUDA_PATH
export TMPDIR="$scratch/tmp"
mkdir "$TMPDIR" "$scratch/bin" "$scratch/empty"

# A ptxas that notes its arguments, keeps the module that it was given, and says and does what it is told.
cat >"$scratch/bin/ptxas" <<'FAKE'
#!/bin/sh
printf '%s|' "$@" >>"$FAKE/arguments"
printf '\n' >>"$FAKE/arguments"
module=
for argument in "$@"; do
    case $argument in
    *.ptx) module=$argument ;;
    esac
done
[ ! -f "$module" ] || cp "$module" "$FAKE/module"
if [ -f "$module" ] && grep -q fragoracle_tap_head "$module"; then
    cat "$FAKE/tapped" 2>/dev/null
    [ ! -f "$FAKE/refuses" ] || exit 255
fi
cat "$FAKE/says" 2>/dev/null
echo 'a line on stderr' >&2
exit "$(cat "$FAKE/status" 2>/dev/null || echo 0)"
FAKE
chmod +x "$scratch/bin/ptxas"
export FAKE="$scratch/fake"
fresh() {
    rm -rf "$FAKE" "$out"
    mkdir "$FAKE"
}
fresh

run 0 tap --help
says "Usage: fragoracle tap"
says "-o, --out=OUT.ptx"
says "ptxas on PATH"
usage "IN.ptx is needed" tap -o "$out"
usage "--out OUT.ptx is needed" tap $module
usage "one argument too many" tap $module $module -o "$out"
usage "unrecognized option '--nonsense'" tap $module --nonsense
usage "--block '-1' is not a number" tap $module -o "$out" --block=-1
usage "--blocks 0: must be at least 1" tap $module -o "$out" --blocks 0
usage "--iterations 'x' is not a number" tap $module -o "$out" --iterations x
trouble "--block: 4294967296 is more than 4294967295" tap $module -o "$out" --block 4294967296
trouble "--blocks: 1048577 is more than 1048576" tap $module -o "$out" --blocks 1048577
trouble "--warpgroup: 8 is more than 7" tap $module -o "$out" --warpgroup 8
trouble "--warpgroups: 9 is more than 8" tap $module -o "$out" --warpgroups 9
trouble "--iteration: 4294967296 is more than 4294967295" tap $module -o "$out" --iteration 4294967296
trouble "--iterations: 1048577 is more than 1048576" tap $module -o "$out" --iterations 1048577
trouble "--last keeps the last iterations" tap $module -o "$out" --last --iteration 1
trouble "more than 512: lower --blocks, --warpgroups or --iterations" \
    tap $module -o "$out" --ptxas none --blocks 100000
trouble "there/is/none: cannot open" tap there/is/none -o "$out" --ptxas none
trouble "README.md: line 1, column 1" tap README.md -o "$out" --ptxas none
for list in "" , 0, ,0 x 0-x 1-0 0--1 -1 0..1 0x1; do
    trouble "is no list of numbers such as 0,3,8-11" tap $module -o "$out" --ptxas none "--sites=$list"
done
trouble "there is no site 3, only 0 to 2" tap $module -o "$out" --ptxas none --sites 0-3
trouble "there is no site 4294967295, only 0 to 2" tap $module -o "$out" --ptxas none --sites 4294967295
trouble "none of the sites 2 has A in registers; --all taps" tap $module -o "$out" --ptxas none --sites 2
trouble "no function 'nobody' with wgmma with A in registers; wgmma are in registers, memory" \
    tap $module -o "$out" --ptxas none --function nobody
trouble "no function 'memory' with" tap $module -o "$out" --ptxas none --function memory
awk '/entry registers/ { skip = 1 } /entry memory/ { skip = 0 } !skip' $module >"$scratch/memory.ptx"
trouble "no wgmma with A in registers (1 with A in shared memory; --all taps those)" \
    tap "$scratch/memory.ptx" -o "$out" --ptxas none
sed '/wgmma/d' $module >"$scratch/none.ptx"
trouble "no wgmma in it" tap "$scratch/none.ptx" -o "$out" --ptxas none
trouble "cannot create a file beside it" tap $module -o "$scratch/no/folder/x.ptx" --ptxas none
holds "nothing is written in trouble" test ! -e "$out"

# What is written: the module, a head, and as many recorders as there are points.
run 0 tap $module -o "$out" --ptxas none
says "0     wgmma.m64n8k16.f32.bf16.bf16.rs          28:2         26      kernel.cu:20"
says "3 points, 9 streams"
says "not held against ptxas"
holds "three recorders" test "$(grep -c '{ // fragoracle tap' "$out")" -eq 3
holds "every line of the module is still there" sh -c "! diff -wB '$out' $module | grep '^>'"
cp "$out" "$scratch/tapped.ptx"
run 0 tap $module --out "$out" --ptxas none
holds "--out says the same as -o" cmp "$out" "$scratch/tapped.ptx"
trouble "it holds 'fragoracle_tap_': it is tapped already" tap "$scratch/tapped.ptx" -o "$out" --ptxas none
run 0 tap $module -o "$out" --ptxas none --all
says "5 points, 15 streams"
run 0 tap $module -o "$out" --ptxas none --all --no-bytes
says "5 points, 11 streams"
run 0 tap $module -o "$out" --ptxas none --sites 1
says "3 points, 5 streams"
run 0 tap $module -o "$out" --ptxas none --function regis --sites 0,0-1
says "3 points, 9 streams"
run 0 tap $module -o "$out" --ptxas none --function memory --all
says "2 points, 6 streams"
run 0 tap $module -o "$out" --ptxas none --json --block 7 --blocks 3 --warpgroup 1 --warpgroups 2 --iterations 5 --last
holds "tap --json" python3 - "$scratch/stdout" "$out" <<'PYTHON'
import json, struct, sys
answer = json.load(open(sys.argv[1]))
assert answer["schema"] == "fragoracle.tap/1" and answer["verdict"] == "conforms" and answer["ptxas"] is None
assert answer["in"] == "tests/cli/tap.ptx" and answer["out"] == sys.argv[2] and answer["target"] == "sm_90a"
assert answer["filter"] == {"block": 7, "blocks": 3, "warpgroup": 1, "warpgroups": 2, "iteration": 0, "iterations": 5,
                            "last": True, "no_bytes": False}
sites = answer["sites"]
assert [s["site"] for s in sites] == [0, 1, 2] and [s["tapped"] for s in sites] == [True, True, False]
assert sites[1]["op"] == "wgmma.m64n8k16.f32.bf16.bf16.rs" and sites[1]["function"] == "registers"
assert (sites[1]["line"], sites[1]["column"]) == (31, 2) and sites[1]["source"] == {"file": "kernel.cu", "line": 21}
assert sites[2]["source"] is None and sites[2]["accumulator"] != sites[1]["accumulator"] == sites[0]["accumulator"]
assert sites[0]["points"] == {"registers": 26, "descriptors": 26} and sites[0]["why_not"] == ""
streams = answer["streams"]
assert [s["stream"] for s in streams] == list(range(9))
assert [s["kind"] for s in streams if s["site"] == 0] == ["A", "B.descriptor", "scale_d", "B.bytes"]
# The initialiser of the head says the same.
head = next(l for l in open(sys.argv[2]) if "fragoracle_tap_head[" in l and "=" in l)
data = bytes(int(x) for x in head[head.index("= {") + 3:head.rindex("}")].split(","))
assert len(data) == answer["head_bytes"] and data[:4] == b"FTAP"
fields = struct.unpack_from("<10IQ", data)
assert fields[1:10] == (1, 9, 7, 3, 1, 2, 0, 5, 1) and fields[10] == answer["bytes"]
for s in streams:
    op, operand, source, kind, site, accumulator, words, flags, _, counters, at = struct.unpack_from(
        "<64s16s112s6I2Q", data, 64 + 232 * s["stream"])
    assert (site, accumulator, words, counters, at) == (
        s["site"], s["accumulator"], s["words"], s["counters"], s["data"]), s
    assert operand.rstrip(b"\0").decode() == s["operand"]
    assert source.rstrip(b"\0").decode() == "kernel.cu:%d" % (20 + s["site"])
PYTHON

# Held against a ptxas: what is new makes it differ, what does not assemble is trouble and writes nothing.
properties() { # STORES LOADS REGISTERS
    printf "ptxas info    : Compiling entry function 'registers' for 'sm_90a'\n"
    printf 'ptxas info    : Function properties for registers\n'
    printf '    0 bytes stack frame, %d bytes spill stores, %d bytes spill loads\n' "$1" "$2"
    printf 'ptxas info    : Used %d registers, used 0 barriers\n' "$3"
}
fresh
properties 0 0 30 >"$FAKE/says"
run 0 tap $module -o "$out" --ptxas "$scratch/bin/ptxas"
says "same   30 >  30"
holds "ptxas ran on both" test "$(grep -c '^-arch=sm_90a|-v|-o|.*\.cubin|.*\.ptx|$' "$FAKE/arguments")" -eq 2
echo "ptxas info    : (C7519) warpgroup.arrive is injected in function 'registers'" >"$FAKE/tapped"
run 1 tap $module -o "$out" --ptxas "$scratch/bin/ptxas" --json
holds "the new line is named" grep -q "(C7519) warpgroup.arrive is injected in function 'registers'" "$scratch/stderr"
holds "and in JSON" python3 - "$scratch/stdout" <<'PYTHON'
import json, sys
answer = json.load(open(sys.argv[1]))
function, = answer["ptxas"]["functions"]
assert answer["verdict"] == "differs" and function["function"] == "registers"
assert function["new"].startswith("(C7519)") and function["before"]["lines"] == []
assert function["after"]["lines"] == [{"code": "C7519", "count": 1, "line": function["new"]}]
assert function["before"]["registers"] == 30 and function["before"]["spill_stores"] == 0
PYTHON
holds "it is written all the same" cmp "$out" "$scratch/tapped.ptx"
fresh
: >"$FAKE/refuses"
echo 'ptxas fatal: no' >"$FAKE/tapped"
trouble "out.ptx: ptxas does not assemble it: ptxas fatal: no" tap $module -o "$out" --ptxas "$scratch/bin/ptxas"
holds "nothing is written" test ! -e "$out"
trouble "there/is/none: cannot run it" tap $module -o "$out" --ptxas there/is/none
fresh
saved=$PATH
PATH="$scratch/bin:$PATH"
run 0 tap $module -o "$out"
holds "the ptxas on PATH is the default" test "$(wc -l <"$FAKE/arguments")" -eq 2
fresh
run 0 tap $module -o "$out" --ptxas none
holds "none is none" test ! -e "$FAKE/arguments"
PATH=$saved

# The stand-in.
fragoracle=$standin
real="$scratch/bin/ptxas"
copy="$scratch/a b.ptx"
cp $module "$copy"
stand() { # STATUS ARGUMENT...: with the fake as the real one
    fresh
    [ -z "${status_of_fake-}" ] || echo "$status_of_fake" >"$FAKE/status"
    [ -z "${refuses-}" ] || : >"$FAKE/refuses"
    FRAGORACLE_PTXAS=$real run "$@"
}
untouched() { # LINE: the real one had exactly these arguments, and no tapped module
    checks=$((checks + 1))
    [ "$(cat "$FAKE/arguments")" = "$1" ] || wrong "$line: arguments $(cat "$FAKE/arguments")"
    ! grep -q fragoracle_tap_head "$FAKE/module" 2>/dev/null || wrong "$line: tapped"
    [ -z "$(ls "$TMPDIR")" ] || wrong "$line: left $(ls "$TMPDIR")"
}
quiet() { # nothing of ours on stderr
    holds "$line: quiet" sh -c "! grep -q fragoracle-ptxas '$scratch/stderr'"
}
tapped() { # the real one had a tapped module, and nothing is left of it
    checks=$((checks + 1))
    grep -q fragoracle_tap_head "$FAKE/module" || wrong "$line: not tapped"
    [ -z "$(ls "$TMPDIR")" ] || wrong "$line: left $(ls "$TMPDIR")"
}

stand 0 -arch=sm_90a "$copy" -o "$scratch/x.cubin"
untouched "-arch=sm_90a|$copy|-o|$scratch/x.cubin|"
quiet
status_of_fake=7 stand 7 --version
status_of_fake=
untouched "--version|"
export FRAGORACLE_TAP=
stand 0 --version
untouched "--version|"
stand 0 --help
untouched "--help|"
stand 0
untouched "|"
stand 0 -arch sm_90a -m64 "$copy" -o "$scratch/x.cubin"
tapped
quiet
holds "the other arguments are as they were" grep -q "^-arch|sm_90a|-m64|$TMPDIR/.*\.tap\.ptx|-o|$scratch/x.cubin|\$" \
    "$FAKE/arguments"
holds "its stderr comes through" grep -q 'a line on stderr' "$scratch/stderr"
stand 0 -lineinfo -v --gpu-name=sm_90a "$copy" -o "$copy.o"
tapped
holds "the module is as it was" cmp "$copy" $module
stand 0 "$scratch/none.ptx" -o "$scratch/x"
untouched "$scratch/none.ptx|-o|$scratch/x|"
quiet
stand 0 "$scratch/memory.ptx" -o "$scratch/x"
untouched "$scratch/memory.ptx|-o|$scratch/x|"
quiet
FRAGORACLE_TAP="--all" stand 0 "$scratch/memory.ptx" -o "$scratch/x"
tapped
stand 0 there/is/none.ptx -o "$scratch/x"
untouched "there/is/none.ptx|-o|$scratch/x|"
sed 's/ld.param.u64/frobnicate.u64/' $module >"$scratch/odd.ptx"
stand 0 "$scratch/odd.ptx" -o "$scratch/x"
untouched "$scratch/odd.ptx|-o|$scratch/x|"
holds "one line says so" sh -c "grep -c '^fragoracle-ptxas: not tapped: .*odd.ptx: line' '$scratch/stderr' | grep -qx 1"
stand 0 "$scratch/tapped.ptx" -o "$scratch/x"
holds "what is tapped already goes on" grep -q 'not tapped: .*tapped already' "$scratch/stderr"
cp $module "$scratch/x.ptx"
stand 0 -o "$scratch/x.ptx" "$copy"
tapped
holds "the output is no input" cmp $module "$scratch/x.ptx"
stand 0 @options
untouched "@options|"
holds "options in a file are said" grep -q 'not tapped: arguments in a file' "$scratch/stderr"
stand 0 --options-file options "$copy"
untouched "--options-file|options|$copy|"

# Options of the tap; a bad one does not break a build.
FRAGORACLE_TAP=" --block 5  --blocks=2 --iterations 3 --last --function registers --sites=1 --no-bytes" \
    stand 0 "$copy" -o "$scratch/x"
tapped
holds "the filter arrives" grep -q '= {70,84,65,80,1,0,0,0,4,0,0,0,5,0,0,0,2,0,0,0,0,0,0,0,4,0,0,0,0,0,0,0,3,0,0,0,1,0' \
    "$FAKE/module"
FRAGORACLE_TAP="--warpgroup 1 --warpgroups 2 --iteration 6" stand 0 "$copy" -o "$scratch/x"
holds "the rest of the filter arrives" grep -q '= {70,84,65,80,1,0,0,0,9,0,0,0,0,0,0,0,1,0,0,0,1,0,0,0,2,0,0,0,6,0,0,0,4,0' \
    "$FAKE/module"
for bad in --frob --block "--block x" "--blocks 0" "--block=-1" "--last=1" "block 0" "--ptxas none" "--out x"; do
    FRAGORACLE_TAP=$bad stand 0 "$copy" -o "$scratch/x"
    untouched "$copy|-o|$scratch/x|"
    holds "$bad is said" grep -q '^fragoracle-ptxas: not tapped: FRAGORACLE_TAP: ' "$scratch/stderr"
done
FRAGORACLE_TAP="--sites 9" stand 0 "$copy" -o "$scratch/x"
untouched "$copy|-o|$scratch/x|"
holds "no such site is said" grep -q '^fragoracle-ptxas: not tapped: .*there is no site 9' "$scratch/stderr"
FRAGORACLE_TAP=$(printf '%02000d' 0) stand 0 "$copy" -o "$scratch/x"
untouched "$copy|-o|$scratch/x|"

# Exit status, a module that fails only when tapped, the log.
status_of_fake=3 stand 3 "$copy" -o "$scratch/x"
status_of_fake=
refuses=1 stand 0 "$copy" -o "$scratch/x"
refuses=
holds "it ran tapped, then as it is" test "$(wc -l <"$FAKE/arguments")" -eq 2
untouched "$(cat "$FAKE/arguments")"
holds "that is said" grep -q 'does not assemble when tapped: goes on as it is' "$scratch/stderr"
FRAGORACLE_TAP_LOG="$scratch/log" stand 0 "$copy" -o "$scratch/x"
tapped
holds "the log has three files" test "$(ls "$scratch/log" | wc -l)" -eq 3
holds "what came in" cmp "$scratch/log"/*[0-9].ptx $module
holds "what went on" cmp "$scratch/log"/*.tap.ptx "$FAKE/module"
holds "the sites" grep -q '"schema": "fragoracle.tap/1"' "$scratch/log"/*.sites.json
FRAGORACLE_TAP_LOG="$module/no" stand 0 "$copy" -o "$scratch/x"
untouched "$copy|-o|$scratch/x|"
TMPDIR_KEPT=$TMPDIR
TMPDIR=$scratch/no/tmp
stand 0 "$copy" -o "$scratch/x"
holds "no temporary folder is said" grep -q '^fragoracle-ptxas: not tapped: ' "$scratch/stderr"
TMPDIR=$TMPDIR_KEPT

# Which ptxas is the real one.
unset FRAGORACLE_TAP
mkdir "$scratch/first" "$scratch/cuda" "$scratch/copy"
ln -s "$standin" "$scratch/first/ptxas"
ln -s "$scratch/bin" "$scratch/cuda/bin"
fresh
echo 5 >"$FAKE/status"
PATH="$scratch/first:$scratch/bin:$PATH" run 5 x
fresh
PATH="$scratch/first:$scratch/bin:$PATH" run 0 x
untouched "x|"
fresh
PATH="$scratch/first:/usr/bin:/bin" CUDA_HOME="$scratch/cuda" run 0 y
untouched "y|"
fresh
CUDA_PATH="$scratch/cuda" PATH="$scratch/first:/usr/bin:/bin" run 0 z
untouched "z|"
FRAGORACLE_PTXAS="$scratch/first/ptxas" trouble "FRAGORACLE_PTXAS must name the real ptxas" x
FRAGORACLE_PTXAS=there/is/none trouble "FRAGORACLE_PTXAS names nothing that can be run" x
cp "$standin" "$scratch/copy/ptxas"
PATH="$scratch/copy:/usr/bin:/bin" trouble "FRAGORACLE_PTXAS must name the real ptxas" x

nothing_half_written "$scratch"
finish

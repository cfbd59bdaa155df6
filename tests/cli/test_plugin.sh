#!/bin/sh
# Plug-ins through the program itself: the line of the document that builds the example, verdicts, trouble, and JSON that
# no noise of a kernel spoils.
. tests/cli/lib.sh

command -v cc >/dev/null || {
    echo "not run: no C compiler"
    exit 77
}

# What oracle/SUBJECTS.md tells a newcomer to type, but for where the result goes.
build=$(grep '^cc ' oracle/SUBJECTS.md)
holds "oracle/SUBJECTS.md: one line that builds the example" test "$(echo "$build" | wc -l)" -eq 1
holds "the example builds" sh -c "$(echo "$build -Wall -Wextra -Werror" | sed "s|-o plugin.so|-o $scratch/plugin.so|")"
holds "the example is its own comment" grep -qF "cc -O2 -shared -fPIC -I. -o plugin.so scripts/sample/plugin.c" \
    scripts/sample/plugin.c
holds "bad plug-ins build" cc -shared -fPIC -I. -o "$scratch/bad.so" tests/oracle/plugin_bad.c
holds "as C++ the header holds" sh -c 'echo "#include \"oracle/fragoracle.h\"
extern \"C\" const fo_plugin *fo_plugin_open() { static fo_plugin p = {}; p.version = FO_PLUGIN_VERSION; return &p; }" |
    c++ -std=c++17 -Wall -Wextra -Werror -shared -fPIC -I. -x c++ -o "$0/cpp.so" -' "$scratch"

run 0 probe identity --subject "plugin:$scratch/plugin.so"
says "bf16 loops, launches 12"
says "verdict: conforms"
run 0 probe identity --subject "plugin:$scratch/plugin.so" --historical --on model
run 0 probe identity --subject "plugin:$scratch/plugin.so" --weights adversarial --shape 33,48,96

# A name without a slash is a file here, not one of the system's libraries.
here=$PWD
cp "$scratch/plugin.so" "$here/.fo_test_plugin_$$.so"
run 0 probe identity --subject "plugin:.fo_test_plugin_$$.so"
rm -f "$here/.fo_test_plugin_$$.so"

# Noise on its standard output reaches standard error and leaves the JSON alone.
FO_BAD=prints
export FO_BAD
run 0 probe identity --subject "plugin:$scratch/bad.so" --json
holds "JSON is whole" sh -c '! grep -q noise "$0/stdout" && head -c 1 "$0/stdout" | grep -q "{"' "$scratch"
holds "noise is on standard error" grep -q noise "$scratch/stderr"

# What breaks is an answer: exit 1, a sentence, and nothing on standard error.
for case in "crash-run:died of signal 11 (SIGSEGV) at address 0x10 in launch 1" \
    "crash-load:died of signal 11 (SIGSEGV) at address 0x10 while it loaded weights" \
    "exit:ended its process (exit status 0) in launch 1" "after:wrote 16 bytes past the end of out in launch 1" \
    "fails:returned 42 from run in launch 1"; do
    FO_BAD=${case%%:*}
    run 1 probe identity --subject "plugin:$scratch/bad.so" --out "$scratch/out" --on model
    says "broke         the subject ${case#*:}"
    says "verdict: differs"
    holds "$case: nothing on standard error" test ! -s "$scratch/stderr"
    holds "$case: scores.json" grep -qF "\"broke\": \"the subject ${case#*:}\"" "$scratch/out/scores.json"
done
FO_BAD=hang
FRAGORACLE_TIMEOUT=0.3
export FRAGORACLE_TIMEOUT
run 1 probe identity --subject "plugin:$scratch/bad.so" --on model
says "the subject did not answer within 0.3 s in launch 1"
unset FRAGORACLE_TIMEOUT

# check: what rests on it is undecided, and the rest goes on.
FO_BAD=crash-run
run 1 check --on model --subject "plugin:$scratch/bad.so" --junit "$scratch/junit.xml" --json
holds "check: identity differs, routing and product are undecided" python3 - "$scratch/stdout" <<'PYTHON'
import json, sys
check = json.load(open(sys.argv[1]))
verdict = {s["name"]: s["verdict"] for s in check["stages"]}
assert verdict["identity"] == "differs" and verdict["routing"] == verdict["product"] == "undecided", verdict
assert verdict["planted"] == "conforms" and check["verdict"] == "differs"
assert all("SIGSEGV" in s["detail"] for s in check["stages"] if s["verdict"] != "conforms")
PYTHON

# Trouble, in one line each.
unset FO_BAD
: >"$scratch/empty.so"
mkfifo "$scratch/pipe.so"
trouble "$scratch/missing.so: cannot be opened" probe identity --subject "plugin:$scratch/missing.so"
trouble "$scratch/empty.so: cannot be loaded" probe identity --subject "plugin:$scratch/empty.so"
trouble "$scratch/pipe.so: is not a regular file" probe identity --subject "plugin:$scratch/pipe.so"
trouble "$scratch/cpp.so: states a size of 0 bytes" probe identity --subject "plugin:$scratch/cpp.so"
trouble "names no file" probe identity --subject plugin:
trouble "names no file" check --subject plugin:
FRAGORACLE_TIMEOUT=soon
export FRAGORACLE_TIMEOUT
trouble "FRAGORACLE_TIMEOUT is 'soon'" probe identity --subject "plugin:$scratch/plugin.so"
finish

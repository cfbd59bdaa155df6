# Sourced by the tests of the command line: one scratch folder, `run` and what it expects.
#   sh tests/cli/NAME.sh FRAGORACLE      from the root of the repository
fragoracle=$1
scratch=$(mktemp -d) || exit 2
trap 'rm -rf "$scratch"' EXIT
checks=0
failed=0

wrong() {
    echo "$*"
    echo "    status $status"
    sed 's/^/    stdout: /' "$scratch/stdout"
    sed 's/^/    stderr: /' "$scratch/stderr"
    failed=$((failed + 1))
}

# run STATUS ARGUMENT...: the program ends with this exit status.
run() {
    wanted=$1
    shift
    line="fragoracle $*"
    checks=$((checks + 1))
    status=0
    "$fragoracle" "$@" >"$scratch/stdout" 2>"$scratch/stderr" </dev/null || status=$?
    [ "$status" -eq "$wanted" ] || wrong "$line: wanted status $wanted"
}

# Standard output holds the text.
says() {
    checks=$((checks + 1))
    grep -qF -e "$1" "$scratch/stdout" || wrong "$line: does not say '$1'"
}

# trouble TEXT ARGUMENT...: status 2, nothing on stdout, one line on stderr that holds the text.
trouble() {
    text=$1
    shift
    run 2 "$@"
    checks=$((checks + 1))
    if [ -s "$scratch/stdout" ] || [ "$(wc -l <"$scratch/stderr")" -ne 1 ] ||
        ! grep -qF -e "$text" "$scratch/stderr"; then
        wrong "$line: wanted one line on stderr with '$text'"
    fi
}

# usage TEXT ARGUMENT...: status 2, nothing on stdout, and the first line on stderr holds the text; argp adds a hint.
usage() {
    text=$1
    shift
    run 2 "$@"
    checks=$((checks + 1))
    if [ -s "$scratch/stdout" ] || ! head -n 1 "$scratch/stderr" | grep -qF -e "$text"; then
        wrong "$line: wanted bad usage with '$text'"
    fi
}

# holds WHAT COMMAND...: another command succeeds; it may read what the last `run` printed.
holds() {
    what=$1
    shift
    checks=$((checks + 1))
    "$@" >"$scratch/held" 2>&1 || {
        status=$?
        wrong "$what"
        cat "$scratch/held"
    }
}

# No half-written file lies anywhere below.
nothing_half_written() {
    checks=$((checks + 1))
    left=$(find "$1" -name '.fragoracle-*' 2>/dev/null)
    [ -z "$left" ] || wrong "$line: left $left"
}

finish() {
    echo "$checks checks, $failed failed"
    [ "$checks" -gt 0 ] && [ "$failed" -eq 0 ]
    exit
}

# Reads paths of sources on stdin, then their #include lines, and holds them against the rooms. Exit status 1 on a wrong
# one, or when there was nothing to look at.
BEGIN {
    # A room, and the rooms it may include besides itself.
    may["reference"] = ""
    may["kernels"] = ""
    may["probes"] = "reference"
    may["oracle"] = "reference kernels probes"
    may["scripts"] = "reference probes oracle"
    may["tests"] = "reference kernels probes oracle"

    # The bit patterns are all that kernels/ may know of reference/.
    bits = "^reference/(fp4|e8m0|bf16)\\.h$"

    # Made to be included by kernels of others; the examples of scripts/ stand for those.
    public_device = "kernels/fragoracle_device.h"

    # Headers that are no third party: C17, POSIX, argp, OpenMP.
    libc = "^(assert|complex|ctype|errno|fenv|float|inttypes|limits|locale|math|setjmp|signal|stdalign|stdarg|" \
        "stdatomic|stdbool|stddef|stdint|stdio|stdlib|stdnoreturn|string|strings|tgmath|threads|time|uchar|wchar|" \
        "wctype|argp|dirent|elf|endian|fcntl|fnmatch|ftw|getopt|glob|libgen|omp|poll|pthread|sched|spawn|unistd|" \
        "sys/[a-z]+)\\.h$"

    # Third parties, each with its one home.
    home["png.h"] = "oracle/io/"
    home["jansson.h"] = "oracle/io/"
    home["dlfcn.h"] = "oracle/exec/"
    home["cuda"] = "oracle/exec/"
    home["cupti.h"] = "oracle/exec/"
    home["cmocka.h"] = "tests/"
    home["immintrin.h"] = "reference/accumulate_avx2.c"
    home["emmintrin.h"] = "reference/accumulate_tile.c"
    home["mpfr.h"] = "tests/"

    # Tests read back what these wrote, count their allocations, and load what they built.
    seen_by_tests["png.h"]
    seen_by_tests["jansson.h"]
    seen_by_tests["dlfcn.h"]
}

function wrong(why) {
    printf "%s:%d: %s: %s\n", file, line, target, why
    errors++
}

function quoted(    to) {
    to = target
    sub(/\/.*/, "", to)
    if (index(target, "/") == 0 || !(to in may))
        wrong("write includes from the repository root, starting with a room")
    else if (to == "tests" && room != "tests")
        wrong("only tests/ includes tests/")
    else if (file ~ /^oracle\/cli\//) {
        if (target != "oracle/fragoracle.h" && target !~ /^oracle\/cli\//)
            wrong("oracle/cli/ includes oracle/fragoracle.h and itself, nothing else")
    } else if (room == "kernels" && to == "reference") {
        if (target !~ bits)
            wrong("kernels/ includes fp4.h, e8m0.h and bf16.h of reference/, nothing else")
    } else if (room == "scripts" && to == "kernels") {
        if (target != public_device)
            wrong("scripts/ includes " public_device " of kernels/, nothing else")
    } else if (to != room && index(" " may[room] " ", " " to " ") == 0)
        wrong(room "/ may not include " to "/")
}

function angled(    key) {
    if (target ~ libc)
        return
    key = target ~ /^(cuda|cooperative_groups|mma\.h|vector_types)/ ? "cuda" : target
    if (!(key in home))
        wrong("a third-party header without a home")
    else if (index(file, home[key]) != 1 && !(key == "cuda" && room == "kernels") && !(room == "tests" && key in seen_by_tests))
        wrong("has its one home in " home[key] (key == "cuda" ? " (and kernels/)" : ""))
}

{
    file = $0
    room = file
    sub(/\/.*/, "", room)
    line = 0
    files++
    if (!(room in may)) {
        target = "this file"
        wrong("lies in no room")
    } else
        while ((got = (getline text < file)) > 0) {
            line++
            if (text !~ /^[ \t]*#[ \t]*include/)
                continue
            includes++
            target = text
            sub(/^[ \t]*#[ \t]*include[_a-z]*[ \t]*/, "", target)
            form = substr(target, 1, 1)
            if (form == "\"" && target ~ /^"[^"]+"/) {
                sub(/^"/, "", target)
                sub(/".*/, "", target)
                quoted()
            } else if (form == "<" && target ~ /^<[^>]+>/) {
                sub(/^</, "", target)
                sub(/>.*/, "", target)
                angled()
            } else
                wrong("neither \"room/file.h\" nor <header.h>")
        }
    if (got < 0) {
        target = "this file"
        wrong("cannot be read")
    }
    close(file)
}

END {
    printf "%d files, %d includes, %d wrong\n", files, includes, errors
    exit !(files > 0 && includes > 0 && errors == 0)
}

# The output of `ptxas -v`, with a line `source FILE` ahead of each file, to one line for each kernel; then the findings.
# Exit status: 0 clean, 1 findings, 2 no kernel at all. See ptxas_check.sh.
function emit() {
    if (registers != "")
        printf "%-9s %6d %6d %6d %6d  %s  %s\n", bad ? "FOUND" : "clean", registers, stores, loads, smem, file, kernel
    kernels += registers != ""
    kernel = registers = ""
    bad = stores = loads = smem = 0
}
function find(what) {
    finding[++findings] = file ": " what
}
BEGIN { printf "%-9s %6s %6s %6s %6s  %s\n", "verdict", "regs", "stores", "loads", "smem", "source, kernel" }
$1 == "source" { emit(); file = $2; next }
/\(C75[0-9][0-9]\)/ {
    find($0)
    # The line names its function between quotes and comes ahead of the function's own.
    if (split($0, part, "'") >= 3)
        serial[file, part[2]] = 1
}
/Compiling entry function/ { emit(); split($0, part, "'"); kernel = part[2]; bad = (file, kernel) in serial }
/Function properties for/ { sub(/.*Function properties for */, ""); owner = $0; next }
/bytes spill stores/ {
    for (i = 1; i < NF; i++)
        if ($(i + 1) == "bytes" && $(i + 2) == "spill" && $i > 0) {
            find("function '" owner "': " $i " bytes spill " (($(i + 3) ~ /^stores/) ? "stores" : "loads"))
            bad = 1
        }
    if (owner == kernel) {
        stores = $5
        loads = $9
    }
}
/: Used [0-9]+ registers/ {
    for (i = 2; i <= NF; i++) {
        if ($i ~ /^registers/)
            registers = $(i - 1)
        if ($i == "bytes" && $(i + 1) ~ /^smem/)
            smem = $(i - 1)
    }
}
END {
    emit()
    for (i = 1; i <= findings; i++)
        print finding[i]
    printf "%d kernels, %d findings\n", kernels, findings
    exit kernels == 0 ? 2 : findings > 0
}

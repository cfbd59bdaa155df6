#!/usr/bin/env bash
# Make a toolkit folder whose nvcc runs fragoracle-ptxas, so that a C++ project compiles tapped with no change:
#   scripts/tap_toolkit.sh DIR [STANDIN [CUDA]]      STANDIN: fragoracle-ptxas, default the one of the build trees or of
#                                                    PATH; CUDA: the toolkit, default the one of the nvcc on PATH
#   FRAGORACLE_TAP="--block 0" DIR/bin/nvcc -gencode arch=compute_90a,code=sm_90a ...
#   cmake -DCMAKE_CUDA_COMPILER=DIR/bin/nvcc ...     or PATH=DIR/bin:$PATH
# Everything in DIR is a link, but for nvcc.profile and ptxas. nvcc takes the folder of the name that it was called by
# for its own, reads nvcc.profile there and puts that folder ahead of PATH: a ptxas that is merely earlier on PATH is
# never run. DIR must not exist, or have been made by this script. Exit status: 0, or 2 with a line that says why.
set -euo pipefail
trouble() {
    printf '%s: %s\n' "${0##*/}" "$*" >&2
    exit 2
}
[[ $# -ge 1 && $# -le 3 && $1 != -* ]] || trouble "usage: $0 DIR [STANDIN [CUDA]]"
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
dir=$1

standin=${2-}
for candidate in "$root"/build/{default,release,cpu}/oracle/fragoracle-ptxas "$(command -v fragoracle-ptxas || true)"; do
    [[ -n $standin || ! -x $candidate ]] || standin=$candidate
done
[[ -n $standin && -x $standin ]] || trouble "no fragoracle-ptxas${standin:+ at $standin}: build it, or name it"
standin=$(readlink -f "$standin")

cuda=${3-}
if [[ -z $cuda ]]; then
    nvcc=$(command -v nvcc || true)
    [[ -n $nvcc || ! -x /usr/local/cuda/bin/nvcc ]] || nvcc=/usr/local/cuda/bin/nvcc
    [[ -n $nvcc ]] || trouble "no nvcc on PATH: name the toolkit"
    # The nvcc on PATH may be a script that runs the one of the toolkit: ask it where that is.
    bin=$("$nvcc" --dryrun -cubin -o none -x cu /dev/null 2>&1 | sed -n 's/^#\$ _HERE_=//p' || true)
    cuda=$(dirname "${bin:-$(dirname "$(readlink -f "$nvcc")")}")
fi
[[ -x $cuda/bin/ptxas && -f $cuda/bin/nvcc.profile ]] || trouble "$cuda: no bin/ptxas with bin/nvcc.profile in it"
cuda=$(readlink -f "$cuda")
# On Debian and in shadow folders bin/ptxas itself may be a link or a script; the path is kept as it is.
[[ ! $cuda/bin/ptxas -ef $standin ]] || trouble "$cuda: its ptxas is the stand-in already"
[[ ! -e $dir || -e $dir/.fragoracle-toolkit ]] || trouble "$dir: is there and was not made by this script"

rm -rf "$dir"
mkdir -p "$dir/bin"
dir=$(cd "$dir" && pwd)
: >"$dir/.fragoracle-toolkit"
for file in "$cuda"/*; do
    [[ ${file##*/} == bin ]] || ln -s "$file" "$dir/${file##*/}"
done
for file in "$cuda"/bin/*; do
    case ${file##*/} in
    ptxas) ;;
    nvcc.profile) cp "$file" "$dir/bin/" ;;
    *) ln -s "$file" "$dir/bin/${file##*/}" ;;
    esac
done
{
    printf '#!/usr/bin/env bash\n'
    printf 'FRAGORACLE_PTXAS=%q\n' "$cuda/bin/ptxas"
    printf 'export FRAGORACLE_PTXAS\n'
    printf 'exec %q "$@"\n' "$standin"
} >"$dir/bin/ptxas"
chmod +x "$dir/bin/ptxas"
printf '%s\n' "$dir/bin/nvcc"

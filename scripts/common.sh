# Sourced by check.sh, test.sh, sample/make.sh and .ci/run: the Debian packages, how to install them, how to build.

# The only list of what the project needs from Debian 12: first to build and run it, then what only its tests use.
packages=(
    cmake ninja-build gcc g++ libc6-dev pkg-config libpng-dev libjansson-dev libcmocka-dev
    libmpfr-dev python3 python3-numpy
)

cd "$(dirname "${BASH_SOURCE[0]}")/.."
root=$PWD

# nvcc is used where it is found; its usual home counts as found.
if ! command -v nvcc >/dev/null && [[ -x /usr/local/cuda/bin/nvcc ]]; then
    export PATH=$PATH:/usr/local/cuda/bin
fi

# Threads that wait shall not spin: two cores are often shared.
export OMP_WAIT_POLICY=${OMP_WAIT_POLICY:-passive}

# One line on stderr; status 2 is trouble, as for the command itself.
trouble() {
    printf '%s: %s\n' "${0##*/}" "$*" >&2
    exit 2
}

# Install what is missing when root, else say what to run.
install_packages() {
    local missing=() package state log
    if ! command -v dpkg-query >/dev/null; then
        printf 'not a Debian machine: what these packages hold must be there: %s\n' "${packages[*]}" >&2
        return 0
    fi
    for package in "${packages[@]}"; do
        state=$(dpkg-query -W -f='${db:Status-Status}' "$package" 2>/dev/null || true)
        [[ $state == installed ]] || missing+=("$package")
    done
    [[ ${#missing[@]} -gt 0 ]] || return 0
    if [[ $EUID -ne 0 ]]; then
        trouble "missing Debian packages; as root run: apt-get update && apt-get install -y ${missing[*]}"
    fi
    printf 'installing %s\n' "${missing[*]}" >&2
    log=$(mktemp)
    export DEBIAN_FRONTEND=noninteractive
    if ! { apt-get update -qq && apt-get install -qq -y --no-install-recommends "${missing[@]}"; } >"$log" 2>&1; then
        cat "$log" >&2
        trouble "apt-get could not install: ${missing[*]}"
    fi
    rm -f "$log"
}

# build PRESET [TARGET]: configure and build, FRAGORACLE_JOBS at a time; the log goes to stderr.
build() {
    {
        cmake --preset "$1" && cmake --build --preset "$1" --parallel "${FRAGORACLE_JOBS:-$(nproc)}" ${2:+--target "$2"}
    } >&2
}

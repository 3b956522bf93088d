#!/bin/sh
# Three layers of 1,000 logistic units on MNIST: pretrained layer by layer on all training images without labels (stacked denoising autoencoders,
# deep belief net), then fine-tuned whole, and the same network without pretraining; with 10 and 100 labels a class, and with all. Batches of 100.
# Each network answers the test images once, when all its settings are fixed. Goes on where it was stopped; test errors, and seconds of
# pretraining, are in OUT/errors.csv.
#
#   bench/layerwise.sh DATA target/release/hspace OUT [SEED...]
#
# DATA is a folder with MNIST's IDX files. Settings are chosen with the last 10,000 training images in place of the test images.
set -eu
data=$1 hspace=$2 out=$3
shift 3
[ $# -gt 0 ] || set -- 0 1 2
mkdir -p "$out"

# Settings of pretraining, and of fine-tuning; EPOCHS_* shortens trials.
network='encoder.norm=false encoder.activation=sigmoid encoder.units=[1000,1000,1000]'
sda="--objective stacked_autoencoder --epochs ${EPOCHS_SDA:-45} --learning-rate ${RATE_SDA:-0.001}"
dbn="--objective dbn --epochs ${EPOCHS_DBN:-45} --learning-rate ${RATE_DBN:-0.001}"
tuning="train.batch_size=100:views.crop.p=0.0:train.learning_rate=${RATE_TUNED:-0.0005}"
whole="head_share=0.0:head_rate=1.0:encoder_rate=1.0:label_smoothing=0.0"
untrained='mlp:units=[1000,1000,1000]:activation=sigmoid:norm=false'

# NAME OBJECTIVE…: a pretraining in $out/NAME, gone on with if it was stopped.
pretrain() {
    name=$1
    shift
    [ -e "$out/$name/encoder.safetensors" ] && return
    if [ -e "$out/$name/checkpoints/last.safetensors" ]; then
        "$hspace" train --quiet --resume "$out/$name"
        return
    fi
    set -- "$@" --data "$data" --out "$out/$name" --encoder mlp --batch-size 100 --set train.online_probe=false
    for setting in $network; do
        set -- "$@" --set "$setting"
    done
    "$hspace" train --quiet --no-check --overwrite --set train.log_every=100 "$@"
}

# SEED LABELS LENGTH: errors of all three networks with so many labels a class.
measure() {
    json="$out/seed$1-labels$2.json"
    [ -e "$json" ] && return
    "$hspace" probe --data "$data" --labels "$2" --draws 1 --seed "$1" --no-baselines --json "$json" \
        "finetune:$out/sda$1:$whole:$tuning:$3" "finetune:$out/dbn$1:$whole:$tuning:$3" "supervised:$untrained:$tuning:$3"
}

for seed in "$@"; do
    pretrain "sda$seed" $sda --seed "$seed"
    pretrain "dbn$seed" $dbn --seed "$seed"
    measure "$seed" all "train.epochs=${EPOCHS_TUNED:-30}"
    measure "$seed" 100 train.steps=2000
    measure "$seed" 10 train.steps=1000
done

python3 - "$out" <<'PYTHON'
import json
import sys
from pathlib import Path

out = Path(sys.argv[1])
lines = ["seed,labels_a_class,network,test_error_percent,pretraining_seconds"]
for path in sorted(out.glob("seed*-labels*.json")):
    seed, labels = path.stem.removeprefix("seed").split("-labels")
    for row in json.loads(path.read_text())["rows"]:
        name = row["representation"]
        network = next((kind for kind in ["sda", "dbn"] if f"/{kind}{seed}" in name), "none")
        log = out / f"{network}{seed}" / "metrics.jsonl"
        seconds = json.loads(log.read_text().splitlines()[-1])["seconds"] if log.exists() else 0
        lines.append(f"{seed},{labels},{network},{100 * (1 - dict(row['scores'])['accuracy']['mean']):.2f},{seconds:.0f}")
(out / "errors.csv").write_text("\n".join(lines) + "\n")
print("\n".join(lines))
PYTHON

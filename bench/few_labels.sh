#!/bin/sh
# The rows of bench/few_labels.md: published numbers, and tables of all methods. Every draw is kept in OUT as it comes, and the same command goes on
# with the rest.
#
#   bench/few_labels.sh HSPACE DATA OUT ROW...
#
# DATA holds the folders mnist, fashion-mnist, pneumoniamnist, clothing and wbc. Rows: m1m2 vat ladder thousand kmeans views pneumonia, and tables
# mnist fashion clothing wbc.
set -eu
hspace=$(realpath "$1") data=$(realpath "$2") out=$3
shift 3
mkdir -p "$out"
cd "$out"

# measure NAME LABELS DRAWS DATA SOURCE... [-- FLAG...]
measure() {
    name=$1 labels=$2 draws=$3 from=$4
    shift 4
    "$hspace" probe "$@" --data "$data/$from" --labels "$labels" --draws "$draws" --probe linear --json "$name.json" | tee "$name.txt"
}

ladder='ladder:mlp:units=[1000,500,250,250,250]:train.batch_size=100:train.learning_rate=0.002'
vat='vat:mlp:units=[1200,1200]:ratio=3:views.weak.crop.p=0.0:train.batch_size=100:train.learning_rate=0.002'

for row in "$@"; do
    case $row in
    m1m2)
        [ -d vae ] || "$hspace" train --data "$data/mnist" --objective vae --encoder mlp --set 'encoder.units=[500,500]' \
            --set objective.latents=50 --set objective.decoder=mlp --set objective.decoder_units=500 --batch-size 100 --steps 15000 \
            --learning-rate 0.001 --out vae
        measure m1m2 10 5 mnist m2:vae:input_noise=0.2:train.steps=40000 --no-baselines
        ;;
    vat) measure vat 10 5 mnist "$vat:train.steps=10000" --no-baselines ;;
    ladder) measure ladder 10 5 mnist "$ladder:train.steps=18000" --no-baselines ;;
    thousand) measure thousand 100 5 mnist "$ladder:train.steps=18000" "$vat:train.steps=10000" --no-baselines ;;
    kmeans) measure kmeans 100,all 10 mnist kmeans:400:patch=9:pool=4 --no-baselines ;;
    views) measure views 10 5 mnist fixmatch:cnn:width=32:train.steps=10000 --no-baselines ;;
    pneumonia)
        for seed in 0 1 2; do
            [ -e "pneumonia$seed/encoder.toml" ] || "$hspace" train --data "$data/pneumoniamnist" --objective supervised --encoder resnet18 \
                --set encoder.stem=small --set encoder.width=64 --epochs 25 --keep-best online_probe --seed $seed --out "pneumonia$seed" --overwrite
            "$hspace" report "pneumonia$seed"
        done
        ;;
    mnist | fashion | clothing)
        from=$row labels=4,10,40 size=''
        [ $row = fashion ] && from=fashion-mnist
        [ -d "$row-simclr" ] || "$hspace" train --data "$data/$from" --objective simclr --encoder cnn --set encoder.width=16 --epochs 10 --out "$row-simclr"
        e=cnn:width=16
        measure "$row" $labels 3 $from "$row-simclr" "finetune:$row-simclr" supervised:$e pseudo_label:$e pi_model:$e mean_teacher:$e vat:$e mixmatch:$e \
            fixmatch:$e:train.steps=2000 "label_spreading:$row-simclr" "self_training:$row-simclr" kmeans:400 pixels
        ;;
    wbc)
        "$hspace" train --data "$data/wbc" --objective simclr --encoder cnn --set encoder.width=16 --epochs 10 --out wbc-simclr
        measure wbc 5 3 wbc wbc-simclr supervised:cnn:width=16 pseudo_label:cnn:width=16 kmeans:400 pixels --folds 5
        ;;
    *) echo "no row $row" >&2; exit 2 ;;
    esac
done

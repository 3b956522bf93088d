#!/bin/sh
# The rows of bench/few_labels.md: published numbers, and tables of all methods. Every draw is kept in OUT as it comes, and the same command goes on
# with the rest.
#
#   bench/few_labels.sh HSPACE DATA OUT ROW...
#
# DATA holds the folders mnist, fashion-mnist, pneumoniamnist, clothing and wbc. Rows: m1m2 vat ladder thousand kmeans views pneumonia, and tables
# mnist fashion clothing wbc. LADDER_STEPS, VAT_STEPS, VIEWS_STEPS and TABLE_STEPS shorten trials; the steps are in the names of the results.
set -eu
hspace=$(realpath "$1") data=$(realpath "$2") out=$3
shift 3
mkdir -p "$out"
cd "$out"

# measure NAME LABELS DRAWS DATA SOURCE|FLAG...
measure() {
    name=$1 labels=$2 draws=$3 from=$4
    shift 4
    "$hspace" probe "$@" --data "$data/$from" --labels "$labels" --draws "$draws" --probe linear --json "$name.json" | tee "$name.txt"
}

# pretrain NAME DATA EPOCHS [FLAG...]: SimCLR of NAME, on a cnn of width 16.
pretrain() {
    name=$1 from=$2 passes=$3
    shift 3
    [ -e "$name-simclr/encoder.safetensors" ] || "$hspace" train --data "$data/$from" --objective simclr --encoder cnn --set encoder.width=16 \
        --epochs "$passes" "$@" --out "$name-simclr" --overwrite
}

ladder='ladder:mlp:units=[1000,500,250,250,250]:train.batch_size=100:train.learning_rate=0.002'
vat='vat:mlp:units=[1200,1200]:length=0.5:ratio=3:views.weak.crop.p=0.0:train.batch_size=100:train.learning_rate=0.002'

for row in "$@"; do
    case $row in
    m1m2)
        [ -d vae ] || "$hspace" train --data "$data/mnist" --objective vae --encoder mlp --set 'encoder.units=[500,500]' \
            --set objective.latents=50 --set objective.decoder=mlp --set objective.decoder_units=500 --batch-size 100 --steps 15000 \
            --learning-rate 0.001 --out vae
        measure m1m2 10 5 mnist m2:vae:input_noise=0.2:train.steps=40000 --no-baselines
        ;;
    vat) measure vat 10 5 mnist "$vat:train.steps=${VAT_STEPS:-10000}" --no-baselines ;;
    ladder) measure ladder 10 5 mnist "$ladder:train.steps=${LADDER_STEPS:-18000}" --no-baselines ;;
    thousand) measure thousand 100 5 mnist "$ladder:train.steps=${LADDER_STEPS:-18000}" "$vat:train.steps=${VAT_STEPS:-10000}" --no-baselines ;;
    kmeans)
        measure kmeans 100,all 10 mnist kmeans:400:patch=9:pool=4 --no-baselines
        measure kmeans2 100 10 mnist kmeans:400:patch=9:pool=4:layers=2 --no-baselines
        ;;
    views)
        pretrain mnist mnist 10
        measure views 10 5 mnist fixmatch:cnn:width=16:train.steps=${VIEWS_STEPS:-10000} finetune:mnist-simclr mnist-simclr --no-baselines
        ;;
    pneumonia)
        for seed in 0 1 2; do
            [ -e "pneumonia$seed/encoder.toml" ] || "$hspace" train --data "$data/pneumoniamnist/pneumoniamnist.npz" --objective supervised --encoder resnet18 \
                --set encoder.stem=small --set encoder.width=64 --epochs 25 --keep-best online_probe --seed $seed --out "pneumonia$seed" --overwrite
            "$hspace" report "pneumonia$seed"
            "$hspace" probe "head:pneumonia$seed" --data "$data/pneumoniamnist/pneumoniamnist.npz" --labels all --no-baselines --json "pneumonia$seed.json"
        done
        # What learning without labels adds, at a quarter of the width.
        e=resnet18:stem=small:width=16
        [ -e pneumonia-simclr/encoder.safetensors ] || "$hspace" train --data "$data/pneumoniamnist/pneumoniamnist.npz" --objective simclr --encoder resnet18 \
            --set encoder.stem=small --set encoder.width=16 --epochs 40 --out pneumonia-simclr --overwrite
        measure pneumonia 10,50,all 3 pneumoniamnist/pneumoniamnist.npz pneumonia-simclr finetune:pneumonia-simclr supervised:$e pixels
        ;;
    mnist | fashion | clothing)
        from=$row epochs=10 size=''
        [ $row = fashion ] && from=fashion-mnist
        # Photographs at 64 of their 96 px.
        [ $row = clothing ] && epochs=30 size=:train.image_size=64
        pretrain "$row" "$from" $epochs ${size:+--image-size 64}
        e=cnn:width=16$size s=:train.steps=${TABLE_STEPS:-1000}
        measure "$row" 4,40 3 $from "$row-simclr" "finetune:$row-simclr" supervised:$e pseudo_label:$e$s pi_model:$e$s mean_teacher:$e$s vat:$e$s \
            mixmatch:$e$s fixmatch:$e$s "label_spreading:$row-simclr" "self_training:$row-simclr" kmeans:400 "label_spreading:kmeans:400" pixels --set baseline=supervised:$e
        ;;
    wbc)
        # The first laboratory alone; its one basophil is a sample without a label.
        mkdir -p lab1
        [ -e lab1/labels.csv ] || { cp "$data"/wbc/lab1/* lab1/ && echo 'path,label:cell' >lab1/labels.csv && sed -n 's/^lab1\/\([^,]*\),\([^,]*\),.*/\1,\2/p' \
            "$data/wbc/labels.csv" | sed 's/,basophil$/,/' >>lab1/labels.csv; }
        echo 'left out: 1 basophil'
        [ -e wbc-simclr/encoder.safetensors ] || "$hspace" train --data lab1 --objective simclr --encoder cnn --set encoder.width=16 --epochs 60 \
            --image-size 64 --out wbc-simclr --overwrite
        e=cnn:width=16:train.image_size=64 s=:train.steps=${TABLE_STEPS:-1000}
        "$hspace" probe wbc-simclr finetune:wbc-simclr supervised:$e pseudo_label:$e$s kmeans:400 pixels --data lab1 --labels 5,all --draws 3 --folds 5 \
            --probe linear --json wbc.json | tee wbc.txt
        ;;
    *) echo "no row $row" >&2; exit 2 ;;
    esac
done

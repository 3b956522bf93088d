#!/bin/sh
# `hspace start` on six data sets with few labels, next to its best baseline: never worse by more than the interval.
#
#   bench/start.sh HSPACE DATA OUT [MINUTES]
#
# DATA holds the folders mnist, fashion-mnist, pneumoniamnist, clothing and wbc; PYTHON has scikit-learn. What is there is not measured again.
set -eu
hspace=$(realpath "$1") data=$(realpath "$2") out=$3 minutes=${4:-4}
mkdir -p "$out"
cd "$out"

# one NAME DATA [FLAG...]
one() {
    name=$1 from=$2
    shift 2
    [ -e "$name/table.json" ] || "$hspace" start "$from" --minutes "$minutes" --out "$name" "$@" >"$name.txt" 2>&1
    grep -A1 '^ *$' "$name.txt" | grep ' test samples' | tail -1
}

# A table: the 30 numbers of each of the 569 tumours that come with scikit-learn.
[ -e table.csv ] || ${PYTHON:-python3} - <<'PYTHON'
from sklearn.datasets import load_breast_cancer

cells = load_breast_cancer()
with open("table.csv", "w") as file:
    file.write(",".join(name.replace(" ", "_") for name in cells.feature_names) + ",label:diagnosis\n")
    for row, target in zip(cells.data, cells.target):
        file.write(",".join(f"{x:g}" for x in row) + f",{cells.target_names[target]}\n")
PYTHON
mkdir -p lab1
[ -e lab1/labels.csv ] || { cp "$data"/wbc/lab1/* lab1/ && echo 'path,label:cell' >lab1/labels.csv && sed -n 's/^lab1\/\([^,]*\),\([^,]*\),.*/\1,\2/p' \
    "$data/wbc/labels.csv" | sed 's/,basophil$/,/' >>lab1/labels.csv; }

one mnist "$data/mnist" --few-labels 10
one fashion "$data/fashion-mnist" --few-labels 10
one pneumonia "$data/pneumoniamnist/pneumoniamnist.npz" --few-labels 10
one clothing "$data/clothing" --few-labels 10
one wbc lab1 --few-labels 10
one table table.csv --few-labels 10

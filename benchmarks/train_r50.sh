#!/usr/bin/env bash
# Trains the MGN of the paper on ResNet-50 (arXiv:1804.01438), 8 x 256 numbers at 384x128, on one accelerator.
#
#   MOT_REID_DATA=... benchmarks/train_r50.sh OUTPUT [options of mot-reid train]
#
# Beside Market-1501's identities it learns from Intel's two networks on Market's crops and on the people of
# persondet and persondet2, as the shipped embedders do. There is no ImageNet start among the data, so the
# weights start at random and the teachers stand in for it. Asking them takes about 20 ms of one CPU core a crop
# (5 minutes in all) and is kept in OUTPUT: `--epochs 0 --device cpu`, on any machine, does it beforehand.
#
# On a large GPU all crops lie in its memory (2.3 GB) and 60 epochs are 1.1 million pictures. A step on a CPU:
#   MARKET=FOLDER_WITH_FEW_CROPS UNLABELLED= HELD_OUT=0 benchmarks/train_r50.sh OUTPUT --device cpu \
#       --precision fp32 --epochs 1 --people 2 --images 2
# with EPOCHS, BATCH_PEOPLE and the other variables below to change the rest.
set -euo pipefail
: "${MOT_REID_DATA:?names the folder with market1501, persondet and persondet2}"
output=${1:?usage: benchmarks/train_r50.sh OUTPUT [options of mot-reid train]}
shift
market=${MARKET:-$MOT_REID_DATA/market1501}
weights=${TEACHERS:-$MOT_REID_DATA/../weights}
unlabelled=()
for folder in ${UNLABELLED-$MOT_REID_DATA/persondet/train $MOT_REID_DATA/persondet2/train}; do
    unlabelled+=(--unlabelled "$folder")
done
mot-reid train "$market" -o "$output" \
    --backbone resnet50 --reduced-dim 256 --height 384 --width 128 --held-out "${HELD_OUT:-100}" \
    --set network.pooling=max --set network.relu=false --set network.wide_softmax=false \
    --teacher "$weights/person-reidentification-retail-0277.xml" \
    --teacher "$weights/person-reidentification-retail-0267.onnx" --teacher-weight 20 \
    "${unlabelled[@]}" --set batch.unlabelled=32 \
    --epochs "${EPOCHS:-60}" --people "${BATCH_PEOPLE:-24}" --images 4 \
    --learning-rate 1.5e-3 --set optimiser.name=adamw --set optimiser.weight_decay=5e-3 \
    --set augmentation.zoom=0.15 --set augmentation.shift=0.08 --set augmentation.cover=0.4 \
    --set augmentation.gamma=1.6 --set augmentation.cast=0.2 --set augmentation.contrast=0.3 \
    "$@"

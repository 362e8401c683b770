#!/usr/bin/env bash
# On the GPU machine, in the checkout: bash .gpu/device.sh STAGE [ARGUMENT ...] [-- STAGE [ARGUMENT ...]] ...
#
#   dataset [CONFIG]                   makes the data set beside the stages that follow, up to `run`
#   tests SECONDS                      pytest tests/gpu but its timings    -> tests.log
#   speed SECONDS                      its timings, of test_lockstep.py    -> tests.log
#   engines SECONDS [ARGUMENT ...]     engines.py                          -> engines.md, engines.json, profile.txt
#   run CONFIG SECONDS [ARGUMENT ...]  snakemake, stopped in time          -> tables-*.tar.gz, rest-*.tar.gz
#   auto SECONDS                       `run` with the config and engine that engines.json speaks for
#
#   OUT=folder   receives what is to come back, /tmp/out
#   STATE=folder keeps what later commands on the same machine find ready, /tmp/kit
#   PYTHON=path  has torch, python3
#   CORES=n      for Snakemake, all
#   TINY=1       rehearses on a CPU
#   MPS=1        lets the jobs of `run` share the GPU through CUDA's multi-process service
#
# A stage that fails or runs out of time does not keep the next from running. What is in $OUT is whole at any time:
# results are packed once a minute while they are made.
set -uo pipefail

HERE=$(cd "$(dirname "$0")" && pwd)
STATE=${STATE:-/tmp/kit}
OUT=${OUT:-/tmp/out}
PYTHON=${PYTHON:-python3}
CORES=${CORES:-$(nproc)}
if [ "${TINY:-}" ]; then CONFIGS=("$HERE/tiny.yaml"); else CONFIGS=("$HERE"/resnet20-{full,half,short}.yaml); fi
mkdir -p "$OUT" "$STATE"
exec > >(tee -a "$OUT/device.log") 2>&1
TEE=$!
export PATH="$PATH:/usr/local/nvidia/bin:/usr/local/cuda/bin" # where containers have NVIDIA's tools
export PYTHONPATH="$STATE/site" PYTHONUNBUFFERED=1

say() { printf '\n=== %4d s: %s\n' "$SECONDS" "$*"; }

setup() {
    say setup
    if [ ! -e "$STATE/ready" ]; then
        "$PYTHON" "$HERE/images.py" unpack "$HERE/cifar10.jpegs" "$STATE/cifar10-jpeg.zip" &
        local images=$!
        snakemake_from_site
        facts
        wait "$images" && touch "$STATE/ready"
    fi
    mkdir -p data
    [ -e data/cifar10-jpeg.zip ] || ln -sfn "$STATE/cifar10-jpeg.zip" data/cifar10-jpeg.zip
    # How busy the GPU is; and while this looks, the driver stays loaded between jobs.
    if command -v nvidia-smi > /dev/null; then
        nvidia-smi --query-gpu=timestamp,utilization.gpu,memory.used,power.draw,clocks.sm \
            --format=csv,noheader,nounits -l 2 > "$OUT/gpu.csv" 2> /dev/null &
        WATCH=$!
    fi
    say "set up"
}

snakemake_from_site() {
    rm -rf "$STATE/site"
    "$PYTHON" -c 'import snakemake' 2> /dev/null && return
    "$PYTHON" -c 'import sys, tarfile; tarfile.open(sys.argv[1]).extractall(sys.argv[2], filter="data")' \
        "$HERE/site.tar.xz" "$STATE/site"
    "$PYTHON" -m snakemake --version > /dev/null || echo "Snakemake does not start: is site.tar.xz of this Python?"
}

facts() {
    nvidia-smi || echo "no nvidia-smi"
    echo "cores: $(nproc), memory: $(free -g | awk '/Mem/ {print $2}') GiB"
    echo "free in $STATE: $(df -h "$STATE" | awk 'END {print $4}')"
    echo "MPS: $(command -v nvidia-cuda-mps-control || echo none)"
    "$PYTHON" - <<'PY'
import importlib.metadata as m, sys

import torch

print(f"python {sys.version.split()[0]} at {sys.executable}")
needed = "torch torchvision numpy pandas pyarrow scipy scikit-learn seaborn matplotlib pillow safetensors tqdm".split()
for name in [*needed, "pyyaml", "jinja2", "requests", "psutil", "filelock", "pytest", "hypothesis"]:
    try:
        print(f"{name} {m.version(name)}", end="; ")
    except m.PackageNotFoundError:
        print(f"{name}: MISSING", end="; ")
print(f"\ncuda {torch.version.cuda}, cudnn {torch.backends.cudnn.version()}, {torch.cuda.device_count()} GPU(s)")
PY
}

dataset() {
    [ -e results/data/cifar10.safetensors ] && return
    timeout 200 "$PYTHON" -m snakemake --cores 1 results/data/cifar10.safetensors \
        --configfile "${1:-${CONFIGS[0]}}" > "$OUT/dataset.log" 2>&1 &
    MAKING=$!
}

tests() {
    timeout -k 5 "$1" "$PYTHON" -m pytest tests/gpu -rs --durations=8 -p no:cacheprovider -k 'not speed_against_solo' \
        2>&1 | tee -a "$OUT/tests.log"
}

speed() {
    timeout -k 5 "$1" "$PYTHON" -m pytest tests/gpu/test_lockstep.py -s -p no:cacheprovider -k speed_against_solo \
        2>&1 | tee -a "$OUT/tests.log"
}

engines() {
    local seconds=$1
    shift
    timeout -k 5 $((seconds + 5)) "$PYTHON" "$HERE/engines.py" --out "$OUT" --seconds "$seconds" ${TINY:+--tiny} "$@"
    cp "$OUT/engines.json" "$STATE/"
}

# Two archives: tables and figures as `make reference` keeps them, and all else but the data set and states of networks.
collect() {
    local name=$1
    [ -d results ] || return
    pack_results "tables-$name" -type d \( -path './*/seed*/blocks' -o -path './*/seed*/forks' \
        -o -path './*/seed*/trajectory' -o -path './*/seed*/kernels' -o -path './*/seed*/linearized' \
        -o -path './*/phases' -o -path ./reference -o -name data \) -prune \
        -o -type f \( -name '*.parquet' -o -path '*/figures/*.png' -o -name trajectory.safetensors \) -print
    pack_results "rest-$name" -type d \( -path ./reference -o -name data \) -prune \
        -o -type f ! -name '.*' ! -name 'resume.*' ! -name 'state-*' \( ! -name 'step-*' -o -path './*/kernels/*' \) -print
}

pack_results() {
    local part="$STATE/part.tar.gz" name=$1
    shift
    # Files that come and go while jobs run make tar complain; what it packed is whole all the same.
    (cd results && find . "$@" | tar -czf "$part" -T - 2> /dev/null)
    mv "$part" "$OUT/$name.tar.gz"
}

run() {
    local config=$1 seconds=$2 name
    shift 2
    name=$(basename "$config" .yaml)
    dataset_made
    [ "${MPS:-}" ] && mps_start
    (while sleep 60; do collect "$name"; done) > /dev/null 2>&1 &
    local collector=$!
    # SIGINT, as Control-C: jobs end, and what they keep for the next start (every 30 s) stays in results/.
    env --default-signal=INT timeout -s INT -k 15 $((seconds - 20)) "$PYTHON" -m snakemake --cores "$CORES" \
        --keep-going --configfile "$config" "$@"
    echo "snakemake ended with status $?"
    kill "$collector" 2> /dev/null
    wait "$collector" 2> /dev/null
    [ "${MPS:-}" ] && mps_stop
    collect "$name"
    "$PYTHON" "$HERE/choose.py" --done results
    [ -s "$OUT/gpu.csv" ] && awk -F, '{n++; u += $2; p += $4} END {printf "GPU busy %.0f %%, %.0f W\n", u / n, p / n}' \
        "$OUT/gpu.csv"
    ls -l "$OUT"
}

# One run of Snakemake at a time.
dataset_made() {
    [ -z "${MAKING:-}" ] || wait "$MAKING" || tail -5 "$OUT/dataset.log"
    MAKING=
}

auto() {
    local choice
    choice=$(PYTHONPATH="workflow:$PYTHONPATH" "$PYTHON" "$HERE/choose.py" "$STATE/engines.json" $(($1 - 30)) \
        "${CONFIGS[@]}") || return
    echo "$choice"
    local CONFIG MPS ARGUMENTS
    eval "$(echo "$choice" | grep '^CONFIG=')"
    run "$CONFIG" "$1" "${ARGUMENTS[@]}"
}

mps_start() {
    export CUDA_MPS_PIPE_DIRECTORY="$STATE/mps" CUDA_MPS_LOG_DIRECTORY="$STATE/mps-log"
    mkdir -p "$CUDA_MPS_PIPE_DIRECTORY" "$CUDA_MPS_LOG_DIRECTORY"
    nvidia-cuda-mps-control -d
}

mps_stop() {
    echo quit | timeout 15 nvidia-cuda-mps-control
    unset CUDA_MPS_PIPE_DIRECTORY CUDA_MPS_LOG_DIRECTORY
}

setup
stage=()
for word in "$@" --; do
    if [ "$word" != -- ]; then
        stage+=("$word")
    elif [ ${#stage[@]} -gt 0 ]; then
        say "${stage[*]}"
        "${stage[@]}"
        say "${stage[0]} ended with status $?"
        stage=()
    fi
done
dataset_made
[ "${WATCH:-}" ] && kill "$WATCH"
exec >&- 2>&-
wait "$TEE"

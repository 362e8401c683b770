#!/usr/bin/env bash
# Makes .gpu/ in the project's checkout, which git ignores: this kit, Snakemake, and the images.
#
#   IMAGES=path  a zip of JPEG files that share one header, as CIFAR-10's; data/cifar10-jpeg.zip if it is not set
#   SITE=path    a site.tar.xz of wheels.sh; the one beside this file if it is not set, made if it is not there
set -euo pipefail
kit=$(cd "$(dirname "$0")" && pwd)
images=${IMAGES:-data/cifar10-jpeg.zip}
site=${SITE:-$kit/site.tar.xz}
test -f Snakefile || { echo "Run this in the project's checkout."; exit 1; }
test -f "$images" || { echo "No images at $images: say IMAGES=path/to/cifar10-jpeg.zip"; exit 1; }
if [ -z "${SITE:-}" ] && [ ! -f "$site" ]; then bash "$kit/wheels.sh"; fi
mkdir -p .gpu
cp -f "$kit"/{device.sh,engines.py,trainers.py,convolutions.py,cases.py,choose.py,images.py,*.yaml} .gpu/
cp -f "$site" .gpu/site.tar.xz
[ .gpu/cifar10.jpegs -nt "$images" ] || python3 "$kit/images.py" pack "$images" .gpu/cifar10.jpegs
du -sh .gpu

#!/usr/bin/env bash
# Makes site.tar.xz beside this file: the packages of wheels.txt for the GPU machine's Python on x86-64, unpacked as one
# folder. Wants pip and a package index.
#
#   bash tools/gpu/wheels.sh [VERSION]     of that Python, 3.12 if none is named
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
platforms=()
for n in 39 34 31 28 27 24 17 12 5; do platforms+=(--platform "manylinux_2_${n}_x86_64"); done
for year in 2014 1; do platforms+=(--platform "manylinux${year}_x86_64"); done
python3 -m pip download --quiet --no-deps --only-binary=:all: --python-version "${1:-3.12}" --implementation cp \
    "${platforms[@]}" -d "$work/wheels" -r "$here/wheels.txt"
python3 - "$work" <<'PY'
import pathlib, sys, zipfile

work = pathlib.Path(sys.argv[1])
for wheel in sorted((work / "wheels").glob("*.whl")):
    with zipfile.ZipFile(wheel) as archive:
        names = [name for name in archive.namelist() if ".data/" not in name]
        if wheel.name.startswith("plotly-"):
            names = ["plotly/package_data/plotly.min.js", *(n for n in names if ".dist-info/" in n)]
        archive.extractall(work / "site", names)
offline = work / "site/plotly/offline"
offline.mkdir()
(work / "site/plotly/__init__.py").write_text('"""Of Plotly, only plotly.js."""\n')
(offline / "__init__.py").write_text(
    "from importlib.resources import files\n\n\n"
    "def get_plotlyjs():\n"
    '    return files("plotly").joinpath("package_data/plotly.min.js").read_text(encoding="utf-8")\n'
)
PY
# Their own tests, and C sources, are of no use there.
find "$work/site" \( -name tests -o -name test -o -name __pycache__ \) -type d -prune -exec rm -rf {} +
find "$work/site" \( -name '*.c' -o -name '*.h' -o -name '*.pyx' -o -name '*.pxd' -o -name '*.cpp' \) -delete
tar --sort=name --owner=0 --group=0 --mtime=@0 -C "$work/site" -cf - . | XZ_OPT=-9e xz -c > "$work/site.tar.xz"
mv "$work/site.tar.xz" "$here/site.tar.xz"
ls -l "$here/site.tar.xz"

"""Makes the accuracy tables of benchmarks/README.md: runs the benchmark commands and puts their tables there.

    MOT_REID_DATA=DIR python benchmarks/accuracy.py [NAME ...]

Run it from the root of the checkout, with the data sets in DIR (see README.md). With names, only those tables
are made anew; with the name "none" the saved tables are put into README.md and none is made. Detections,
embeddings and camera motion come from the cache where an earlier run left them.
"""

import shlex
import subprocess
import sys
from pathlib import Path

TABLES = Path("benchmarks/tables")
README = Path("benchmarks/README.md")

_YOLOX = "mot17 --half second --detections yolox_x_ablation --embedder none"
RUNS = {
    "mot17-yolox-gmc": f"{_YOLOX} --camera-motion gmc.txt",
    "mot17-yolox": f"{_YOLOX} --camera-motion none",
    "mot17-yolox-sweep": f"{_YOLOX} --camera-motion gmc.txt --set association.high_share=0.7,0.75,0.8 "
    "--set association.hidden_age=5,8 --set association.age_cost=0.2,0.4",
    "mot17-yolox-offline": f"{_YOLOX} --camera-motion gmc.txt --offline",
    "mot17-frcnn": "mot17 --detections frcnn --embedder none --camera-motion gmc.txt",
    "mot17-dpm": "mot17 --detections dpm --embedder none --camera-motion gmc.txt",
    "pets09-s2l1": "pets09-s2l1",
    "pets09-s2l1-no-appearance": "pets09-s2l1 --embedder none",
    "adl-rundle-6": "adl-rundle-6",
    "adl-rundle-6-no-appearance": "adl-rundle-6 --embedder none",
}
"""The arguments of ``mot-reid benchmark`` for each table."""


def main(names: list[str]) -> None:
    unknown = set(names) - RUNS.keys() - {"none"}
    if unknown:
        sys.exit(f"error: no table {', '.join(sorted(unknown))}; known: {', '.join(RUNS)}")
    program = Path(sys.executable).with_name("mot-reid")
    for name in [] if names == ["none"] else names or RUNS:
        arguments = [*shlex.split(RUNS[name]), "-o", str(TABLES), "--name", name]
        print(f"mot-reid benchmark {shlex.join(arguments)}", flush=True)
        subprocess.run([program, "benchmark", *arguments], check=True)
    README.write_text(with_tables(README.read_text(encoding="utf-8")), encoding="utf-8")


def with_tables(text: str) -> str:
    """The text with each table of `TABLES` between its markers, in place of what was there."""
    for path in sorted(TABLES.glob("*.md")):
        start, end = f"<!-- table {path.stem} -->", f"<!-- end of table {path.stem} -->"
        before, _, rest = text.partition(start)
        _, found, after = rest.partition(end)
        if not found:
            sys.exit(f"error: {README} has no place for the table {path.stem}: {start} ... {end}")
        text = f"{before}{start}\n{path.read_text(encoding='utf-8')}{end}{after}"
    return text


if __name__ == "__main__":
    main(sys.argv[1:])

"""Makes the accuracy tables: runs the benchmark commands, and puts the results into benchmarks/README.md.

    MOT_REID_DATA=DIR python benchmarks/accuracy.py [NAME ...]

Run it from the root of the checkout, with the data sets in DIR (see README.md). With names, only those tables
are made anew; with the name "none" the saved results are put into README.md and none is made. Detections,
embeddings and camera motion come from the cache where an earlier run left them.
"""

import json
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

TABLES = Path("benchmarks/tables")
README = Path("benchmarks/README.md")

_YOLOX = "mot17 --half second --detections yolox_x_ablation --embedder none"
RUNS = {
    "mot17-yolox-gmc": f"{_YOLOX} --camera-motion gmc.txt",
    "mot17-yolox": f"{_YOLOX} --camera-motion none",
    "mot17-yolox-sweep": f"{_YOLOX} --camera-motion gmc.txt "
    "--set association.confident.score_share=0.7,0.75,0.8 "
    "--set association.report.hidden_time=0.17,0.27 --set association.confident.lost_cost=0.2,0.4",
    "mot17-yolox-offline": f"{_YOLOX} --camera-motion gmc.txt --offline",
    "mot17-frcnn": "mot17 --detections frcnn --embedder none --camera-motion gmc.txt",
    "mot17-dpm": "mot17 --detections dpm --embedder none --camera-motion gmc.txt",
    "pets09-s2l1": "pets09-s2l1 --set association.reentry=new",
    "pets09-s2l1-no-appearance": "pets09-s2l1 --embedder none",
    "adl-rundle-6": "adl-rundle-6 --set association.reentry=new",
    "adl-rundle-6-no-appearance": "adl-rundle-6 --embedder none",
    "pets09-s2l1-every-sweep": "pets09-s2l1 --set association.reentry=new --set detector.every=1,2,3,4,5",
    "adl-rundle-6-every-sweep": "adl-rundle-6 --set association.reentry=new --set detector.every=1,2,3,4,5",
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
    README.write_text(with_results(README.read_text(encoding="utf-8")), encoding="utf-8")


def with_results(text: str) -> str:
    """The text with what the saved tables say between its markers, in place of what was there."""
    for name, made in {"results": results(), "peers": peers(), "tables": tables()}.items():
        start, end = f"<!-- {name} -->", f"<!-- end of {name} -->"
        before, begun, rest = text.partition(start)
        _, found, after = rest.partition(end)
        if not (begun and found):
            sys.exit(f"error: {README} has no place for {name}: {start} ... {end}")
        text = f"{before}{start}\n{made}\n{end}{after}"
    return text


def results() -> str:
    """The combined row of each table of `RUNS`."""
    lines = ["| `mot-reid benchmark` | mode | HOTA | MOTA | IDF1 | switches |", f"| --- {'| ---: ' * 5}|"]
    for name, arguments in RUNS.items():
        if not name.endswith("-sweep"):
            row = _saved(name)["rows"][-1]
            scores = " | ".join(f"{row[key]:.2f}" for key in ("HOTA", "MOTA", "IDF1"))
            lines.append(f"| [{arguments}](tables/{name}.md) | {row['mode']} | {scores} | {row['IDs']} |")
    return "\n".join(lines)


def peers() -> str:
    """HOTA, MOTA and IDF1 of every tracker in the tables of peers."""
    found = {name: _saved(name)["rows"] for name in ("mot17-yolox-peers", "mot17-frcnn-peers")}
    heads = " | ".join(f"[{name.removesuffix('-peers')}](tables/{name}.md)" for name in found)
    lines = [f"| tracker, version | {heads} |", "| --- | ---: | ---: |"]
    for rows in zip(*found.values(), strict=True):
        cells = (" / ".join(f"{row[key]:.1f}" for key in ("HOTA", "MOTA", "IDF1")) for row in rows)
        lines.append(f"| {rows[0]['tracker']} {rows[0]['version']} | {' | '.join(cells)} |")
    return "\n".join(lines)


def tables() -> str:
    """Every other saved table: what it shows, the command that made it, and when."""
    lines = ["| table | command | date |", "| --- | --- | --- |"]
    for path in sorted(TABLES.glob("*.json")):
        if path.stem not in RUNS and not path.stem.endswith("-peers"):
            saved = _saved(path.stem)
            command = saved["command"].replace(" -o benchmarks/tables", "").replace("|", "\\|")
            lines.append(f"| [{saved['title']}](tables/{path.stem}.md) | `{command}` | {saved['date']} |")
    return "\n".join(lines)


def _saved(name: str) -> dict[str, Any]:
    content: dict[str, Any] = json.loads((TABLES / f"{name}.json").read_text(encoding="utf-8"))
    return content


if __name__ == "__main__":
    main(sys.argv[1:])

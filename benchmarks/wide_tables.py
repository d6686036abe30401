"""Time and memory of reading wide tables as signals: `python benchmarks/wide_tables.py FOLDER [NAME …]`.

Each table is written into FOLDER and read in a process of its own. Memory is the peak of that process beyond what it
has after the imports, and by the size of the numbers as float32.
"""

import json
import resource
import subprocess
import sys
from pathlib import Path
from time import perf_counter

import numpy as np

TABLES = {  # rows, channels
    "wide-csv": (200, 30_000, ".csv"),
    "wide-npz": (300, 100_000, ".npz"),
    "pereira-npz": (627, 200_000, ".npz"),
    "pereira-csv": (627, 200_000, ".csv"),
    "long-rows-jsonl": (20, 150_000, ".jsonl"),
    "long-header-csv": (3, 150_000, ".csv"),
    "wide-parquet": (200, 30_000, ".parquet"),
}


def write(path: Path, n: int, k: int) -> None:
    """Write a table of `n` sentences and `k` channels, row by row."""
    rng = np.random.default_rng(0)
    sentences = [f"Row {i} tells of the {i % 13}th ferry." for i in range(n)]
    if path.suffix == ".npz":
        np.savez(path, sentences=np.array(sentences), values=rng.normal(size=(n, k)).astype(np.float32))
    elif path.suffix == ".parquet":
        import pyarrow as pa
        from pyarrow import parquet

        values = rng.normal(size=(k, n))
        parquet.write_table(pa.table({"sentence": sentences, **{f"v{i}": v for i, v in enumerate(values)}}), path)
    else:
        with path.open("w") as file:
            if path.suffix == ".csv":
                file.write(",".join(["sentence", *(f"v{i}" for i in range(k))]) + "\n")
            for sentence in sentences:
                values = np.round(rng.normal(size=k), 4)
                if path.suffix == ".csv":
                    file.write(f"{sentence},{','.join(map(str, values.tolist()))}\n")
                else:
                    file.write(json.dumps({"sentence": sentence, "fmri": values.tolist()}) + "\n")


def read(path: Path) -> None:
    """Read a table as a signal, and print what it took."""
    from cogbench import Files, load_parts

    signal = load_parts().signals["table"].open(str(path))
    before, clock = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, perf_counter()
    processor = resource.getrusage(resource.RUSAGE_SELF).ru_utime
    recording = signal.read(Files(offline=True))
    seconds = perf_counter() - clock
    used = resource.getrusage(resource.RUSAGE_SELF)
    n, k = next(iter(recording.subjects.values())).values.shape
    more = (used.ru_maxrss - before) / 1024
    print(
        f"{n} x {k}: {seconds:.1f} s ({used.ru_utime - processor:.1f} s of processor), {more:,.0f} MiB more, "
        f"{more / (n * k * 4 / 2**20):.1f} times the numbers, {used.ru_maxrss / 1024:,.0f} MiB in all"
    )


def main() -> None:
    """Write and read each table."""
    if sys.argv[1] == "--read":
        read(Path(sys.argv[2]))
        return
    if sys.argv[1] == "--write":  # in a process of its own, whose memory the reader does not inherit
        write(Path(sys.argv[2]), *map(int, sys.argv[3:]))
        return
    for name in sys.argv[2:] or TABLES:
        n, k, ending = TABLES[name]
        path = Path(sys.argv[1]) / f"{name}{ending}"
        if not path.is_file():
            subprocess.run([sys.executable, __file__, "--write", str(path), str(n), str(k)], check=True)
        print(f"{name} ({path.stat().st_size / 2**20:,.0f} MiB):", end=" ", flush=True)
        subprocess.run([sys.executable, __file__, "--read", str(path)], check=True)


if __name__ == "__main__":
    main()

"""Small recordings in each format, written by the libraries of the formats: random numbers, sentences of our own."""

import itertools

import numpy as np

SENTENCES = [
    f"The {who} {deed} by the old bridge." for who in ("miller", "fox", "clerk") for deed in ("waits", "sings")
]
N, K = len(SENTENCES), 5
NUMBERS = itertools.count()
NAMES = [f"E{i + 1}" for i in range(K)]


def random(*shape, seed=0):
    return np.random.default_rng(seed).normal(size=shape)


def write_events(path, sentences, column="sentence"):
    rows = ["\t".join(("onset", "duration", "trial_type", column))]
    rows += [f"{4 * i}.0\t3.5\t{'read' if s else 'rest'}\t{s or 'n/a'}" for i, s in enumerate(sentences)]
    path.write_text("\n".join(rows) + "\n", "utf-8")
    return path


def write_image(path, volumes, affine=None):
    """Write volumes (n, x, y, z) as NIfTI, or one (x, y, z)."""
    import nibabel

    path.parent.mkdir(parents=True, exist_ok=True)
    data = np.moveaxis(volumes, 0, 3) if volumes.ndim == 4 else volumes
    data = data if data.dtype.kind in "ui" else data.astype(np.complex64 if data.dtype.kind == "c" else np.float32)
    nibabel.save(nibabel.Nifti1Image(data, np.diag([2.0, 2, 2, 1]) if affine is None else affine), path)
    return path


def bids(folder, subjects=("01", "02"), sentences=(*SENTENCES, SENTENCES[0])):
    """Write betas, a mask and events for each subject; return the images' values (n_volumes, x, y, z)."""
    volumes = {}
    for number, subject in enumerate(subjects):
        place = folder / f"sub-{subject}" / "func"
        volumes[subject] = random(len(sentences), 3, 4, 2, seed=number).astype(np.float32)
        write_image(place / f"sub-{subject}_task-read_space-MNI_desc-betas_bold.nii.gz", volumes[subject])
        write_image(place / f"sub-{subject}_space-MNI_desc-brain_mask.nii.gz", inside().astype(np.uint8))
        write_events(place / f"sub-{subject}_task-read_events.tsv", sentences)
    return volumes


def inside():
    return random(3, 4, 2, seed=9) > -0.5


def make_epochs(n=N, *, metadata=True, types=("eeg",) * 4 + ("eog",), seed=0, bads=(), drop=()):
    """Return MNE epochs with K channels and 41 samples from -.2 to .6 s."""
    import mne
    import pandas as pd

    info = mne.create_info(NAMES, 50.0, list(types))
    info["bads"] = list(bads)
    data = random(n, K, 41, seed=seed) * 1e-6
    events = np.c_[np.arange(n) * 100, np.zeros(n, int), np.ones(n, int)]
    held = pd.DataFrame({"item": np.arange(n), "sentence": SENTENCES[:n]}) if metadata else None
    epochs = mne.EpochsArray(data, info, events, tmin=-0.2, metadata=held, verbose="error")
    if drop:
        epochs.drop(list(drop), verbose="error")
    return epochs


def write_epochs(path, **options):
    epochs = make_epochs(**options)
    epochs.save(path, overwrite=True, verbose="error")
    return epochs


def write_hdf5(path, **arrays):
    """Write data sets by their paths; those in `units` get an attribute."""
    import h5py

    units = arrays.pop("units", {})
    with h5py.File(path, "w") as file:
        for name, value in arrays.items():
            place = name.replace("__", "/")
            texts = isinstance(value, list) and isinstance(value[0], str)
            file.create_dataset(place, data=value, dtype=h5py.string_dtype() if texts else None)
            if name in units:
                file[place].attrs["units"] = units[name]
    return path


def write_matlab_73(path, **arrays):
    """Write variables as MATLAB's version 7.3 does: a header, arrays transposed, cells and fields as references."""
    import h5py

    with h5py.File(path, "w", userblock_size=512) as file:
        for name, value in arrays.items():
            _write_73(file, file, name, value)
    with path.open("r+b") as file:
        file.write(b"MATLAB 7.3 MAT-file, Platform: GLNXA64".ljust(124) + b"\x00\x02IM")
    return path


def _write_73(file, group, name, value):
    import h5py

    if isinstance(value, dict):
        inner = group.create_group(name)
        inner.attrs["MATLAB_class"] = np.bytes_("struct")
        for field, held in value.items():
            _write_73(file, inner, field, held)
    elif isinstance(value, list):  # a cell, or the field of an array of structs: (tuple,)
        refs = file.require_group("#refs#")
        references = []
        for item in value:
            place = f"r{next(NUMBERS)}"
            _write_73(file, refs, place, item)
            references.append(refs[place].ref)
        group.create_dataset(name, data=np.array([references], dtype=h5py.ref_dtype), dtype=h5py.ref_dtype)
        group[name].attrs["MATLAB_class"] = np.bytes_("cell")
    elif isinstance(value, tuple):
        _write_73(file, group, name, list(value))
        del group[name].attrs["MATLAB_class"]
    elif isinstance(value, str):
        group.create_dataset(name, data=np.array([[ord(c)] for c in value], np.uint16))
        group[name].attrs["MATLAB_class"] = np.bytes_("char")
    elif np.iscomplexobj(value):
        held = np.zeros(value.T.shape, [("real", "<f8"), ("imag", "<f8")])
        held["real"], held["imag"] = value.T.real, value.T.imag
        group.create_dataset(name, data=held)
        group[name].attrs["MATLAB_class"] = np.bytes_("double")
    else:
        group.create_dataset(name, data=np.asarray(value).T)
        group[name].attrs["MATLAB_class"] = np.bytes_("double")


def cells(texts):
    """Return texts as scipy writes a cell array, a column."""
    held = np.empty((len(texts), 1), object)
    held[:, 0] = texts
    return held


def make_assembly(subjects=("018", "024"), sentences=SENTENCES, seed=0, **more):
    """Return an assembly as brain-score has them on disk: without multi-indices, subjects of neuroids."""
    import xarray

    n, people = len(sentences), np.repeat(subjects, 3)
    return xarray.DataArray(
        random(n, len(people), seed=seed),
        dims=("presentation", "neuroid"),
        coords={
            "stimulus": ("presentation", list(sentences)),
            "stimulus_id": ("presentation", [f"s.{i}" for i in range(n)]),
            "passage_index": ("presentation", np.arange(n)),
            "subject": ("neuroid", people),
            "neuroid_id": ("neuroid", [f"{s}.{i}" for i, s in enumerate(people)]),
            "voxel": ("neuroid", [f"v{i % 3}" for i in range(len(people))]),
            **more,
        },
        name="data",
    )

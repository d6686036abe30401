"""The families of published tables."""

from . import images, languages, texts

FAMILIES = tuple(sorted((*images.FAMILIES, *languages.FAMILIES, *texts.FAMILIES), key=lambda family: family.name))

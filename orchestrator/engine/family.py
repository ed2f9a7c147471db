"""Which jobs of a file need images of which others, and whether they can ever come."""

from collections.abc import Iterable, Iterator, Mapping
from hashlib import blake2b

from orchestrator.batchfile import Problems
from orchestrator.jobs.places import FieldPath, Place, Places
from orchestrator.jobs.spec import JobDraft, JobSpec, Json, ParentImage
from orchestrator.providers.base import Inputs, Provider


class FamilyTree:
    """The keys of a file and the ties between its jobs; it keeps eight bytes a key, and whole keys only of jobs that are tied."""

    def __init__(self) -> None:
        self._images: dict[bytes, int] = {}
        self._parents: dict[str, list[tuple[str, int, Place]]] = {}

    def take(self, key: str, images: int) -> bool:
        """Say whether a key is new, and remember it with the number of images its job makes."""
        digest = _digest(key)
        if digest in self._images:
            return False
        self._images[digest] = images
        return True

    def add(self, spec: JobSpec, draft: JobDraft, places: Places) -> None:
        """Note what a job needs of others."""
        needs = [(one.job, one.image, places.of(path)) for path, one in _needs(draft)]
        if needs:
            self._parents[spec.key] = needs

    def check(self, problems: Problems) -> None:
        """Note every tie that leads nowhere: to no job, to no image of it, or in a circle."""
        for child, needs in self._parents.items():
            for key, image, place in needs:
                made = self._images.get(_digest(key))
                if made is None:
                    problems.add(f"{child} needs {key}, but no job of this file has that id", place)
                elif image >= made:
                    images = "1 image" if made == 1 else f"{made} images"
                    problems.add(f"image must be below {made}: {key} makes {images}, counted from 0; got {image}", place)
        for circle in _circles({child: [key for key, *_ in needs] for child, needs in self._parents.items()}):
            place = self._parents[circle[0]][0][2]
            problems.add(f"these jobs wait for each other: {' -> '.join([*circle, circle[0]])}", place)


def no_way(spec: JobSpec, provider: Provider, neighbours: Iterable[Provider], options: Mapping[str, Json]) -> str:
    """Return why an API that takes URLs only cannot have what another job makes, and what would do instead.

    The URL of the other job's result is not passed on, even while it lives: for most APIs its life is a guess, a job can wait for
    days before it is sent, and an API that finds the URL dead may charge all the same. What would be seen then is not what was
    saved and hashed either.
    """
    takers = [other.id for other in neighbours if other.capabilities.inputs_for(options) in (Inputs.CONTENT, Inputs.UPLOAD)]
    other = f"a model of {takers[0]}" if takers else "an account of an API that takes files or uploads them, such as toapis"
    return f"{provider.id} takes images as URLs only, and what {spec.parents[0].job} makes is a file here; use {other}"


def _needs(draft: JobDraft) -> Iterator[tuple[FieldPath, ParentImage]]:
    if draft.continues is not None:
        yield ("continues",), ParentImage(job=draft.continues)
    for index, image in enumerate(draft.references):
        if isinstance(image, ParentImage):
            yield ("references", index), image
    if isinstance(draft.mask, ParentImage):
        yield ("mask",), draft.mask


def _circles(parents: Mapping[str, list[str]]) -> Iterator[list[str]]:
    """Yield each circle once; without recursion, since a chain may be as long as the file."""
    done: set[str] = set()
    for start in parents:
        path: list[str] = []
        on_path: dict[str, int] = {}
        open_ends = [iter([start])]
        while open_ends:
            key = next(open_ends[-1], None)
            if key is None:
                open_ends.pop()
                if path:
                    done.add(path[-1])
                    del on_path[path.pop()]
            elif key in on_path:
                yield path[on_path[key] :]
            elif key not in done and key in parents:
                on_path[key] = len(path)
                path.append(key)
                open_ends.append(iter(parents[key]))


def _digest(key: str) -> bytes:
    return blake2b(key.encode("utf-8", "surrogatepass"), digest_size=8).digest()

"""All engines by name, in the order of the timetable: each module in this folder, and in FLEET_ENGINES_DIR, is one."""

import sys
from collections.abc import Collection, Iterator, Mapping
from functools import cache
from importlib import import_module
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from pkgutil import iter_modules
from types import ModuleType
from typing import Final

from beat_schedule import BEAT_SCHEDULE
from workers import engines
from workers.engines.base import Engine
from workers.errors import ConfigurationError, EngineError, UnknownNameError
from workers.resources import template_folders
from workers.settings import settings

_NO_ENGINES: Final = ("base", "registry")


@cache
def all_engines() -> Mapping[str, Engine]:
    """Return every engine by its name, in the order of the timetable.

    Raises:
        EngineError: a part of one is missing; one line that names engine and part.
    """
    found: dict[str, Engine] = {}
    for module in _modules():
        engine = getattr(module, "ENGINE", None)
        if not isinstance(engine, Engine):
            raise EngineError(f"{module.__file__} declares no ENGINE: every module beside the engines is one")
        if problem := _problem(engine, found):
            raise EngineError(f"engine {engine.name}: {problem}")
        found[engine.name] = engine
    order = list(BEAT_SCHEDULE)
    return dict(sorted(found.items(), key=lambda item: order.index(item[0]) if item[0] in order else len(order)))


def engine_named(name: str) -> Engine:
    """Return an engine by its name.

    Raises:
        UnknownNameError: there is none of that name.
    """
    try:
        return all_engines()[name]
    except KeyError:
        raise UnknownNameError(f"no engine {name!r}: the engines are {', '.join(all_engines())}") from None


def require_engines(setting: str, names: Collection[str], *besides: str) -> None:
    """Make sure that a setting names engines, or what it may name beside them.

    Raises:
        ConfigurationError: it names something else.
    """
    known = [*all_engines(), *besides]
    if unknown := sorted(set(names) - set(known)):
        raise ConfigurationError(f"{setting}: no engine {unknown[0]!r}: it may name {', '.join(known)}")


def _modules() -> Iterator[ModuleType]:
    for module in iter_modules(engines.__path__):
        if module.name not in _NO_ENGINES:
            yield import_module(f"{engines.__name__}.{module.name}")
    folder = settings().fleet_engines_dir
    for file in sorted(folder.glob("*.py")) if folder else []:
        yield _module_of(file)


def _module_of(file: Path) -> ModuleType:
    """Import an engine's file from outside the package.

    Raises:
        EngineError: it cannot be imported.
    """
    spec = spec_from_file_location(f"fleet_engine_{file.stem}", file)
    assert spec is not None  # noqa: S101  # a .py file always has one
    assert spec.loader is not None  # noqa: S101
    module = module_from_spec(spec)
    sys.modules[spec.name] = module
    try:
        spec.loader.exec_module(module)
    except Exception as error:
        raise EngineError(f"{file}: {type(error).__name__}: {error}") from error
    return module


def _problem(engine: Engine, others: Mapping[str, Engine]) -> str | None:
    if engine.name in others:
        return "there are two of that name"
    if engine.subject_type in {other.subject_type for other in others.values()}:
        return f"another engine's actions are about a {engine.subject_type} already"
    if (engine.name in BEAT_SCHEDULE) == (engine.cron is not None):
        return "it needs one line of the timetable, in beat_schedule.py or as its own cron"
    for template in engine.templates:
        if not any((folder / f"{template}.txt.j2").is_file() for folder in template_folders()):
            return f"there is no template {template}.txt.j2 in {', '.join(map(str, template_folders()))}"
    return None

"""Who may import whom."""

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import triadapt
from triadapt.methods.registry import METHODS

PACKAGE = Path(triadapt.__file__).parent
HEAVY = {"torch", "transformers", "peft"}
# What takes a second to import and is needed where a study is read or run, not before.
OPTUNA = {"optuna", "sqlalchemy"}
SHOWING = {"triadapt.views", "triadapt.figures", "triadapt.ui", "pages", "streamlit"}


def files(*places: str) -> list[Path]:
    found: list[Path] = []
    for place in places:
        path = PACKAGE / place
        found += [path] if path.suffix == ".py" else sorted(path.rglob("*.py"))
    assert found
    return found


def imports(path: Path, *, module_level: bool) -> set[str]:
    """Dotted names a file imports; those under `if TYPE_CHECKING` are not counted, as nothing runs them."""
    return set(_imports(ast.parse(path.read_text(encoding="utf-8")), path, module_level))


def _imports(tree: ast.AST, path: Path, module_level: bool) -> Iterator[str]:
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
            for other in node.orelse:
                yield from _imports(ast.Module([other], []), path, module_level)
        elif isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:
                package = ["triadapt", *path.relative_to(PACKAGE).parent.parts]
                base = ".".join([*package[: len(package) - node.level + 1], *([base] if base else [])])
            yield base
            yield from (f"{base}.{alias.name}" for alias in node.names)
        elif not (module_level and isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)):
            yield from _imports(node, path, module_level)


def reaches(names: set[str], forbidden: set[str]) -> set[str]:
    return {name for name in names if any(name == wall or name.startswith(f"{wall}.") for wall in forbidden)}


@pytest.mark.parametrize("place", ["methods", "growth", "tasks", "training", "config.py", "events.py"])
def test_training_knows_nothing_of_how_it_is_shown(place: str) -> None:
    for path in files(place):
        assert not reaches(imports(path, module_level=False), SHOWING), path


@pytest.mark.parametrize("place", ["views", "figures"])
def test_views_and_figures_know_neither_streamlit_nor_torch(place: str) -> None:
    for path in files(place):
        assert not reaches(imports(path, module_level=False), {"streamlit", *HEAVY}), path


@pytest.mark.parametrize(
    "place",
    [
        "__init__.py", "page_names.py", "config.py", "events.py", "cli.py", "methods/registry.py", "tasks/registry.py",
        "growth/schedule.py", "growth/threshold.py", "growth/budget.py", "growth/preview.py", "growth/decision.py",
        "growth/lints.py", "growth/fixes.py", "growth/parameters.py", "growth/trainer_steps.py",
        "growth/target_matrices.py", "methods/places.py",
        "imports", "runs", "workers", "sweeps", "views", "figures", "ui",
    ],
)  # fmt: skip
def test_what_the_app_imports_is_free_of_torch_at_module_level(place: str) -> None:
    for path in files(place):
        assert not reaches(imports(path, module_level=True), HEAVY), path


def test_every_settings_section_is_free_of_torch() -> None:
    for path in PACKAGE.rglob("settings.py"):
        assert not reaches(imports(path, module_level=False), HEAVY), path


def test_only_the_ui_imports_streamlit() -> None:
    for path in PACKAGE.rglob("*.py"):
        if "ui" not in path.relative_to(PACKAGE).parts:
            assert not reaches(imports(path, module_level=False), {"streamlit"}), path


def test_nothing_unpickles() -> None:
    for path in PACKAGE.rglob("*.py"):
        names = imports(path, module_level=False)
        assert not reaches(names, {"pickle", "dill", "joblib", "torch.load", "torch.save"}), path
        assert "torch.load(" not in path.read_text(encoding="utf-8"), path


def test_the_process_of_the_app_never_loads_torch_or_transformers() -> None:
    ui = [f"triadapt.ui.{path.stem}" for path in files("ui") if path.stem != "__init__" and path.parent.name == "ui"]
    modules = [*ui, "triadapt.workers.manager", "triadapt.cli", "triadapt.growth", "triadapt.growth.preview"]
    script = (
        "import importlib, sys\n"
        f"for name in {modules!r}: importlib.import_module(name)\n"
        "from triadapt.config import parse_config\n"
        "from triadapt.growth.preview import preview\n"
        "preview(parse_config({}))\n"
        f"print(sorted({HEAVY | OPTUNA!r} & set(sys.modules)))\n"
    )
    ran = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=120)
    assert ran.returncode == 0, ran.stderr
    assert ran.stdout.strip() == "[]"


def test_every_module_of_the_pages_can_be_the_first_to_be_imported() -> None:
    names = [
        ".".join(("triadapt", *path.relative_to(PACKAGE).with_suffix("").parts))
        for path in files("ui")
        if path.stem != "__init__"
    ]
    script = (
        "import importlib, sys\n"
        f"for name in {names!r}:\n"
        "    for known in [one for one in sys.modules if one.startswith('triadapt.ui')]: del sys.modules[known]\n"
        "    importlib.import_module(name)\n"
    )
    ran = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=120)
    assert ran.returncode == 0, ran.stderr


@pytest.mark.parametrize("method", [name for name, spec in METHODS.items() if not spec.at_first])
def test_a_method_is_named_in_its_own_folder_and_the_registry_alone(method: str) -> None:
    """What the adaptive three have in schedules, imports and lessons is about them alone; whoever joins needs none."""
    # Methods may speak of one another, as VeRA is what Tied-LoRA is in one of its configurations.
    at_home = (*(PACKAGE / "methods" / name for name in METHODS), PACKAGE / "reference")
    named = re.compile(rf"\b{method}\b", re.IGNORECASE)
    for path in [*PACKAGE.rglob("*.py"), *PACKAGE.rglob("*.js"), *(PACKAGE.parent / "pages").glob("*.py")]:
        if path.name != "registry.py" and not any(path.is_relative_to(place) for place in at_home):
            assert not named.search(path.read_text(encoding="utf-8")), path

"""The source root is named operator/: the standard library's module must stay the one imported."""

import operator
import subprocess
import sys
from pathlib import Path

import dbmigrate

ROOT = Path(__file__).parents[2]


def test_the_standard_librarys_operator_is_the_one_imported() -> None:
    assert operator.add(1, 2) == 3
    assert Path(operator.__file__).parent != ROOT / "operator"


def test_a_fresh_interpreter_started_in_the_repository_imports_the_standard_operator() -> None:
    code = "import operator, collections; print(operator.add(1, 2), operator.__file__)"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert done.stdout.startswith("3 ")
    assert str(ROOT / "operator") not in done.stdout


def test_the_source_root_is_no_package() -> None:
    assert not (ROOT / "operator" / "__init__.py").exists()
    assert Path(dbmigrate.__file__).parent == ROOT / "operator" / "dbmigrate"

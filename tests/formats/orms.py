"""The ORMs' own programs, which make the histories that `adopt` takes over.

Alembic and Django come from the Python package index, Active Record from Debian's
packages, which are unpacked beside the other cached things and not installed. Prisma's
command downloads its engine from elsewhere, but the engine is on npm as WebAssembly, too.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import textwrap
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import NamedTuple, TypeVar

import pytest

from tests.database import Database
from tests.toolchain import made_once, say

PYTHON_ORMS = ("alembic==1.20.1", "django==5.2.19")
RUBY_PACKAGES = ("ruby-activerecord", "ruby-pg")
PRISMA = (
    "@prisma/schema-engine-wasm@8.1.0-2.59be4fda12412a79eeb9c2ae727b6aa723593323",
    "@prisma/adapter-pg@7.10.1",
)
OPTIONAL = ("Active Record", "Prisma")
"""Not every machine that runs all other tests is a Debian with Node.js."""
T = TypeVar("T")


class OrmUnavailable(Exception):
    """It can't be had here; the message says why."""


class Ruby(NamedTuple):
    """A Ruby that can load Active Record."""

    program: str
    environ: Mapping[str, str]


def run_django(database: Database, *apps: str) -> None:
    """`manage.py migrate` of apps that Django brings along."""
    _python(
        f"""
        import django
        from django.conf import settings
        from django.core.management import call_command
        settings.configure(
            INSTALLED_APPS=["django.contrib.contenttypes", "django.contrib.auth"],
            DATABASES={{"default": {{
                "ENGINE": "django.db.backends.postgresql", "NAME": "{database.name}",
                "HOST": "{database.server.host}", "PORT": {database.server.port},
                "USER": "{database.server.user}", "PASSWORD": {database.server.password!r},
            }}}},
        )
        django.setup()
        for app in {apps!r}:
            call_command("migrate", app, verbosity=0)
        """
    )


def run_alembic(database: Database, directory: Path, *heads: str) -> None:
    """`alembic upgrade` to each of these revisions: of one, and of two that go on from it."""
    _write(
        directory,
        {
            "env.py": """
                from alembic import context
                from sqlalchemy import create_engine
                engine = create_engine(context.config.get_main_option("sqlalchemy.url"))
                with engine.begin() as connection:
                    context.configure(connection=connection)
                    with context.begin_transaction():
                        context.run_migrations()
                """,
            "versions/one.py": _revision("one", None, "op.create_table('users', id_())"),
            "versions/two.py": _revision("two", "one", "op.create_table('orders', id_())"),
            "versions/side.py": _revision("side", "one", "op.create_table('side', id_())"),
        },
    )
    url = database.url.replace("postgres://", "postgresql+psycopg://", 1)
    _python(
        f"""
        from alembic.command import upgrade
        from alembic.config import Config
        config = Config()
        config.set_main_option("script_location", {str(directory)!r})
        config.set_main_option("path_separator", "os")
        config.set_main_option("sqlalchemy.url", {url!r})
        for head in {heads!r}:
            upgrade(config, head)
        """
    )


def run_rails(database: Database, directory: Path, *versions: str) -> None:
    """`rails db:migrate`, as Active Record does it: a table by each migration."""
    scripts = {
        f"{version}_t{version}.rb": f"""
            class T{version} < ActiveRecord::Migration[6.0]
              def change
                create_table("t{version}") {{ |t| t.string :name; t.timestamps }}
              end
            end
            """
        for version in versions
    }
    _write(directory, scripts)
    url = database.url.partition("?")[0].replace("postgres://", "postgresql://", 1)
    ruby = _had(find_ruby, "Active Record")
    script = f"""
        require "active_record"
        ActiveRecord::Base.establish_connection("{url}")
        ActiveRecord::Migration.verbose = false
        schema = ActiveRecord::Base.connection.schema_migration
        ActiveRecord::MigrationContext.new("{directory}", schema).migrate
        """
    _run([ruby.program, "-e", textwrap.dedent(script)], {**os.environ, **ruby.environ})


def run_prisma(database: Database, directory: Path, *names: str, order: str = "deploy") -> str:
    """`prisma migrate deploy` of folders with these names; what it says of a failure."""
    packages = _had(find_prisma, "Prisma")
    script = Path(__file__).with_name("prisma_engine.mjs")
    url = database.url.partition("?")[0]
    command = ["node", str(script), str(packages), url, str(directory), order, *names]
    run = subprocess.run(command, capture_output=True, text=True, check=False)
    assert run.returncode == 0 or "migration_name" in run.stderr, run.stderr
    return run.stderr


def find_ruby() -> Ruby:
    """This machine's, or Debian's packages unpacked. Raises OrmUnavailable."""
    installed = shutil.which("ruby")
    if installed is not None and _loads(Ruby(installed, {})):
        return Ruby(installed, {})
    if not (shutil.which("apt-get") and shutil.which("dpkg")):
        raise OrmUnavailable("neither a Ruby with Active Record nor Debian's packages are here")
    home = made_once("ruby-activerecord", _unpack)
    programs = sorted((home / "usr/bin").glob("ruby[0-9]*"))
    if programs:
        ruby = Ruby(str(programs[0]), _ruby_environ(home))
        if _loads(ruby):
            return ruby
    raise OrmUnavailable("Debian's packages hold no Ruby that loads Active Record")


def _unpack(directory: Path) -> None:
    say("unpacking Active Record from Debian's packages, once")
    plan = _said(["apt-get", "-s", "install", "--no-install-recommends", *RUBY_PACKAGES])
    packages = [line.split()[1] for line in plan.splitlines() if line.startswith("Inst ")]
    _said(["apt-get", "download", *packages], cwd=directory)
    for package in directory.glob("*.deb"):
        _said(["dpkg", "-x", str(package), str(directory)])
        package.unlink()


def _said(command: list[str], cwd: Path | None = None) -> str:
    run = subprocess.run(command, cwd=cwd, capture_output=True, text=True, check=False)
    if run.returncode != 0:
        raise OrmUnavailable(f"{command[0]}: {run.stderr.strip()[-500:]}")
    return run.stdout


def _ruby_environ(home: Path) -> dict[str, str]:
    """Where everything lies when it does not lie where Debian puts it."""
    libraries = sorted(home.glob("usr/lib/*-linux-gnu"))
    shared = home / "usr/share/rubygems-integration"
    places = [home / "usr/lib/ruby/vendor_ruby", *home.glob("usr/lib/ruby/[0-9]*")]
    for library in libraries:
        places += [*library.glob("ruby/[0-9]*"), *library.glob("ruby/vendor_ruby/[0-9]*")]
    places += sorted(shared.glob("all/gems/*/lib"))
    return {
        "LD_LIBRARY_PATH": ":".join(map(str, libraries)),
        "RUBYLIB": ":".join(map(str, places)),
        "GEM_PATH": ":".join(map(str, shared.glob("*"))),
        "GEM_HOME": str(shared / "all"),
    }


def _loads(ruby: Ruby) -> bool:
    command = [ruby.program, "-e", 'require "active_record"; require "pg"']
    environ = {**os.environ, **ruby.environ}
    return subprocess.run(command, env=environ, capture_output=True, check=False).returncode == 0


def _python(script: str) -> None:
    site = _had(find_python_orms, "Alembic and Django")
    _run([sys.executable, "-c", textwrap.dedent(script)], {**os.environ, "PYTHONPATH": str(site)})


def find_python_orms() -> Path:
    """Where Alembic and Django can be imported from. Raises OrmUnavailable."""

    def install(directory: Path) -> None:
        say("installing Alembic and Django, once")
        pip = [sys.executable, "-m", "pip", "install", "--quiet", "--target"]
        _said([*pip, str(directory / "site"), *PYTHON_ORMS])

    name = "-".join(each.replace("==", "-") for each in PYTHON_ORMS)
    return made_once(name, install) / "site"


def find_prisma() -> Path:
    """Where Prisma's engine is installed. Raises OrmUnavailable."""
    if not (shutil.which("node") and shutil.which("npm")):
        raise OrmUnavailable("no Node.js on the PATH")

    def install(directory: Path) -> None:
        say("installing Prisma's engine, once")
        (directory / "package.json").write_text("{}")
        words = ["--silent", "--ignore-scripts", "--no-audit", "--no-fund"]
        _said(["npm", "install", *words, *PRISMA], cwd=directory)

    return made_once(f"prisma-engine-{PRISMA[0][-7:]}", install)


def _had(find: Callable[[], T], name: str) -> T:
    try:
        return find()
    except OrmUnavailable as problem:
        if os.environ.get("CI", "").lower() in {"1", "true"} and name not in OPTIONAL:
            pytest.fail(f"no {name} to make a history: {problem}", pytrace=False)
        pytest.skip(f"NOT TESTED, no {name}: {problem}")


def _run(command: list[str], environ: Mapping[str, str]) -> None:
    run = subprocess.run(command, env=environ, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr


def _revision(name: str, before: str | None, change: str) -> str:
    return f"""
        import sqlalchemy as sa
        from alembic import op
        revision, down_revision = {name!r}, {before!r}
        def id_():
            return sa.Column("id", sa.Integer, primary_key=True)
        def upgrade():
            {change}
        """


def _write(directory: Path, files: Mapping[str, str]) -> None:
    for name, text in files.items():
        path = directory / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(textwrap.dedent(text).lstrip("\n"))

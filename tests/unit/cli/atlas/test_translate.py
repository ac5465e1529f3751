"""Atlas's command lines in ours, and what atlas.hcl says."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from dbmigrate.cli.arguments.flags import UsageError
from dbmigrate.cli.atlas.arguments import COMMANDS, GLOBAL, read_arguments
from dbmigrate.cli.atlas.environment import Environment
from dbmigrate.cli.atlas.project import LARGEST_FILE, read_project
from dbmigrate.cli.atlas.translate import translate
from dbmigrate.cli.atlas.usage import describe
from dbmigrate.errors import MigrationError

pytestmark = pytest.mark.quick

URL = "postgres://u:p@h/app"
PATH = ["-path", "m", "-format", "atlas"]
WHERE = [*PATH, "-database", URL]
DIR = f"--dir file://m --url {URL}"
TOLD = ["-as-atlas", "text"]
APPLY = ["-lock-timeout", "10000ms", "-out-of-order", "reject"]


def lines(text: str, config: str | None = None) -> list[list[str]]:
    words = text.split()
    if config is not None:
        words += ["-c", f"file://{config}"]
    return [list(line) for line in translate(read_arguments(words), {"HOST": "db"}).lines]


@pytest.mark.parametrize(
    ("command", "expected"),
    [
        (f"migrate apply {DIR}", [*WHERE, *APPLY, "apply", *TOLD]),
        (f"migrate apply 2 {DIR}", [*WHERE, *APPLY, "apply", *TOLD, "2"]),
        (f"migrate apply {DIR} --dry-run", [*WHERE, *APPLY, "apply", *TOLD, "-dry-run"]),
        (
            f"migrate apply {DIR} --dry-run --baseline 3 2",
            [*WHERE, *APPLY, "apply", *TOLD, "-dry-run", "-baseline", "3", "2"],
        ),
        (f"migrate apply {DIR} --tx-mode all", [*WHERE, *APPLY, "apply", *TOLD, "-tx-mode", "all"]),
        (
            f"migrate apply {DIR} --tx-mode=none",
            [*WHERE, *APPLY, "apply", *TOLD, "-tx-mode", "none"],
        ),
        (
            f"migrate apply -u={URL} --dir=file://m --baseline 3 --exec-order non-linear"
            " --lock-timeout 1m",
            [
                *WHERE,
                "-lock-timeout",
                "60000ms",
                "-out-of-order",
                "apply",
                "apply",
                *TOLD,
                "-baseline",
                "3",
            ],
        ),
        (
            f"migrate apply {DIR} --allow-dirty --to-version 9 --tx-mode file",
            [*WHERE, *APPLY, "apply", *TOLD, "-allow-dirty", "-to", "9"],
        ),
        (
            f"migrate apply {DIR} --revisions-schema s --exec-order linear-skip",
            [
                *WHERE,
                "-history-table",
                '"s".atlas_schema_revisions',
                *APPLY[:2],
                "-out-of-order",
                "ignore",
                "apply",
                *TOLD,
            ],
        ),
        (f"migrate status {DIR}", [*WHERE, "status", *TOLD]),
        (f"migrate set 4 {DIR}", [*WHERE, "force", *TOLD, "4"]),
        ("migrate hash --dir file://m --force", [*PATH, "hash"]),
        ("migrate validate --dir file://m", [*PATH, "hash", "-check"]),
        (
            "migrate new add_x --dir file://m",
            [*PATH, "create", "-ext", "sql", "-dir", "m", "add_x"],
        ),
        ("migrate new --dir file://m", [*PATH, "create", "-ext", "sql", "-dir", "m"]),
        ("migrate lint --dir file://m --latest 2 --dev-url x", [*PATH, "lint", "-latest", "2"]),
        (
            f"migrate diff x --dir file://m?format=goose --to file://a.sql --to {URL} --dev-url d",
            [
                "-path",
                "m",
                "-format",
                "goose",
                "diff",
                "-to",
                "a.sql",
                "-to",
                URL,
                "-dev-url",
                "d",
                "x",
            ],
        ),
        ("migrate hash", ["-path", "migrations", "-format", "atlas", "hash"]),
        ("version", ["-version"]),
    ],
)
def test_a_command_has_its_counterpart(command: str, expected: list[str]) -> None:
    assert lines(command) == [expected]


@pytest.mark.parametrize(
    ("command", "head"),
    [("status", []), ("apply", APPLY), ("lint", None)],
)
@pytest.mark.parametrize("form", ["{{ json . }}", "{{json .}}", " {{- json . -}} "])
def test_the_template_is_handed_on(command: str, head: list[str] | None, form: str) -> None:
    where = ["--dir", "file://m"] if head is None else DIR.split()
    words = ["migrate", command, *where, "--log", form]
    line = [*PATH] if head is None else [*WHERE, *head]
    assert translate(read_arguments(words), {}).lines == (
        [*line, command, "-as-atlas", "{{ json . }}"],
    )


@pytest.mark.parametrize("form", ["{{ .Status }}", "{{ json .Pending }}", "text", "{{ json . }}!"])
def test_another_template_is_refused(form: str) -> None:
    words = ["migrate", "status", *DIR.split(), "--format", form]
    with pytest.raises(UsageError, match=r"^--format: the only template is '\{\{ json \. \}\}'"):
        translate(read_arguments(words), {})


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("schema apply", "atlas schema is not supported"),
        ("migrate down", "Atlas's files have no down scripts"),
        ("migrate push x", "is not supported"),
        ("migrate nothing", "has no command nothing"),
        (f"migrate apply {DIR} --what x", "has no flag --what here"),
        (f"migrate apply {DIR} --latest 3", "has no flag --latest here"),
        (f"migrate apply {DIR} 0", "at least 1"),
        (f"migrate apply {DIR} --tx-mode some", "--tx-mode: expected none, file, all"),
        (f"migrate apply {DIR} --baseline 1 --allow-dirty", "mutually exclusive"),
        (f"migrate apply {DIR} --exec-order x", "--exec-order: expected linear"),
        (f"migrate apply {DIR} --lock-timeout x", "a duration such as 10s"),
        (f"migrate status {DIR} --format {{{{nope}}}}", "the only template is"),
        (f"migrate status {DIR} --format {{{{.Status", "the only template is"),
        (f"migrate status {DIR} --format x --log y", "--format and --log can't both"),
        ("migrate apply --dir file://m", 'required flag "url" not set'),
        ("migrate apply --dir file://m -u mysql://x", "postgres://"),
        (f"migrate apply --dir file://m?format=goose -u {URL}", "Atlas keeps a table of its own"),
        ("migrate hash --dir atlas://m", "--dir must begin with file://"),
        ("migrate hash --dir file://m?format=liquibase", "format liquibase"),
        ("migrate diff x --dir file://m", "give --to"),
        ("migrate diff x --to file://s.hcl", "a schema in HCL is not supported"),
        ("migrate diff x --to s.sql", "--to needs a scheme"),
        ("migrate lint --git-base main --latest 1", "mutually exclusive"),
        (f"migrate diff x --dir file://m --schema public --to {URL}", "all of it is compared"),
        (f"migrate set 1 2 {DIR}", "accepts 1 arg(s), received 2"),
        ("migrate hash --dir", "flag needs an argument: --dir"),
        ("migrate hash -x", "atlas has no flag -x"),
        ("migrate hash --what", "atlas has no flag --what here"),
        ("migrate diff x --to file://s.sql --dev-url docker://mysql/8/dev", "a server of mysql"),
        ("migrate validate --dev-url docker+maria://image/dev", "a server of maria"),
    ],
)
def test_what_has_no_counterpart_is_refused_by_name(line: str, said: str) -> None:
    with pytest.raises(UsageError) as refused:
        lines(line)
    assert said in str(refused.value)
    assert "u:p" not in str(refused.value)


HCL = """
variable "user" {
  type    = string
  default = "app"
}
variable "count" {
  type = number
}
variable "strict" {
  type    = bool
  default = false
}
locals {
  # a comment
  host  = getenv("HOST") != "" ? getenv("HOST") : "localhost"
  names = { dir = "sql", "order" : var.strict ? "linear" : "non-linear" }
  list  = ["x", upper("y"), "$${z}"]
  text  = <<-EOT
    ${join("-", local.list)} ${length(local.list) + 1}
  EOT
}
data "external_schema" "orm" {
  program = ["python", "manage.py", "print schema"]
}
data "sql" "tenants" {
  url = "x"
}
env "local" {
  src = data.external_schema.orm.url
  url = "postgres://${var.user}:${urlescape("p@ss w")}@${local.host}/app"
  dev = "docker://postgres/17"
  schemas = []
  migration {
    dir              = "file://${local.names.dir}"
    revisions_schema = trimspace(local.text)
    lock_timeout     = "3s"
    baseline         = local.names["order"]
    exec_order       = "LINEAR_SKIP"
  }
}
env "broken" {
  url = local.missing
}
env "tenants" {
  url = data.sql.tenants.values
}
env "counted" {
  url = "postgres://${var.count}"
}
env "called" {
  url = whatever("x")
}
env "circle" {
  url = local.circle
}
env "many" {
  for_each = toset(["a", "b"])
  url      = "postgres://h/${each.value}"
}
data "hcl_schema" "x" {
  path = "x"
}
env "sqlite" {
  src = data.hcl_schema.x.url
}
env "words" {
  url = "postgres://h/d"
  migration {
    exec_order = NON_LINEAR
    format     = golang-migrate
  }
}
env "none" {
  for_each = []
}
env "external" {
  url = data.external.secret
  diff {
    concurrent_index {
      create = true
    }
  }
  lint {
    git {
      base = "main"
    }
  }
  format {
    migrate {
      apply = "{{ json . }}"
    }
  }
}
env "skipping" {
  url = "postgres://h/d"
  src = "file://s.sql"
  diff {
    skip {
      drop_table = true
    }
  }
}
data "external" "secret" {
  program = ["echo", "postgres://from/program"]
}
env {
  name = atlas.env
  url  = file("url.txt")
}
lint {
  latest = 3
}
"""


@pytest.fixture
def project(tmp_path: Path) -> Path:
    text = HCL.replace("locals {", "locals {\n  circle = local.circle")
    # As with Atlas the nameless block is every environment's: it stands in a file of its own.
    named, _, nameless = text.partition("env {\n  name = atlas.env")
    (tmp_path / "atlas.hcl").write_text(named + "lint {\n  latest = 3\n}\n")
    (tmp_path / "any.hcl").write_text("env {\n  name = atlas.env" + nameless)
    (tmp_path / "url.txt").write_text("postgres://from/file")
    return tmp_path


SETTINGS = (
    "dir",
    "format",
    "revisions_schema",
    "lock_timeout",
    "baseline",
    "exec_order",
    "tx_mode",
)


def work_out(found: Environment) -> dict[str, object]:
    """All that it says."""
    said = {
        "url": found.url,
        "dev": found.dev,
        "src": found.src,
        "schemas": found.schemas,
        "exclude": found.exclude,
        "latest": found.latest,
        "git_base": found.git("base"),
        "git_dir": found.git("dir"),
        "diff_policy": found.diff_policy,
    }
    said |= {name: found.migration(name) for name in SETTINGS}
    return {name: value for name, value in said.items() if value}


def test_an_environment_is_worked_out(project: Path) -> None:
    (found,) = read_project(project / "atlas.hcl", "local", ["strict=true"], {"HOST": "db"})
    assert work_out(found) == {
        "url": "postgres://app:p%40ss+w@db/app",
        "dev": "docker://postgres/17",
        "src": ("exec:python manage.py 'print schema'",),
        "dir": "file://sql",
        "revisions_schema": "x-Y-${z} 4",
        "lock_timeout": "3s",
        "baseline": "linear",
        "exec_order": "LINEAR_SKIP",
        "latest": 3,
    }


def test_a_nameless_environment_has_the_name_that_is_asked_for(project: Path) -> None:
    (found,) = read_project(project / "any.hcl", "whichever", [], {})
    assert found.url == "postgres://from/file"


@pytest.mark.parametrize(
    ("name", "variables", "said"),
    [
        ("nowhere", [], 'env "nowhere" not defined in project file'),
        ("broken", [], "line 43: there is no missing here"),
        ("tenants", [], 'line 26: data "sql" needs a url and a query'),
        ("sqlite", [], 'data "hcl_schema" is not supported'),
        ("counted", [], 'missing value for required variable "count"'),
        ("counted", ["count=many"], "--var count must be a number"),
        ("counted", ["count"], "name=value"),
        ("called", [], "the function whatever is not supported"),
        ("circle", [], "local.circle depends on itself"),
        ("none", [], "for_each must be a list or a map that is not empty"),
    ],
)
def test_what_cant_be_worked_out_is_told_with_its_line(
    project: Path, name: str, variables: list[str], said: str
) -> None:
    with pytest.raises(MigrationError) as refused:
        work_out(read_project(project / "atlas.hcl", name, variables, {})[0])
    assert said in str(refused.value)


def test_what_is_no_hcl_is_told_with_its_line(tmp_path: Path) -> None:
    (tmp_path / "atlas.hcl").write_text('env "x" {\n  url = = "y"\n}\n')
    with pytest.raises(MigrationError, match="line 2: this is no HCL"):
        read_project(tmp_path / "atlas.hcl", "x", [], {})


def test_a_flag_wins_over_the_project(project: Path) -> None:
    config = str(project / "atlas.hcl")
    found = lines("migrate apply --env local --dir file://m --exec-order linear", config)
    head = ["-path", "m", "-format", "atlas", "-database", "postgres://app:p%40ss+w@db/app"]
    table = ["-history-table", '"x-Y-${z} 4".atlas_schema_revisions']
    more = ["-lock-timeout", "3000ms", "-out-of-order", "reject", "apply"]
    assert found == [[*head, *table, *more, *TOLD, "-baseline", "non-linear"]]
    assert lines("migrate lint --env local", config) == [
        ["-path", "sql", "-format", "atlas", "lint", "-latest", "3"]
    ]


def test_a_program_names_the_database_and_formats_are_templates(project: Path) -> None:
    (found,) = read_project(project / "atlas.hcl", "external", [], {})
    assert (found.url, found.git("base"), found.diff_policy) == (
        "postgres://from/program",
        "main",
        None,
    )
    assert [found.template(each) for each in ("apply", "status")] == ["{{ json . }}", ""]
    (line,) = lines("migrate apply --env external --dir file://m", str(project / "atlas.hcl"))
    assert line[-3:] == ["apply", "-as-atlas", "{{ json . }}"]


def test_words_of_atlas_need_no_quotes(project: Path) -> None:
    (found,) = read_project(project / "atlas.hcl", "words", [], {})
    assert (found.migration("exec_order"), found.migration("format")) == (
        "NON_LINEAR",
        "golang-migrate",
    )


def test_how_a_diff_is_indented_is_not_theirs_to_say() -> None:
    words = ["migrate", "diff", "x", "--to", "file://s.sql", "--format", '{{ sql . "  " }}']
    ((*_, name),) = translate(read_arguments(words), {}).lines
    assert name == "x"
    words[-1] = "{{ json . }}"
    with pytest.raises(UsageError, match=r"has '\{\{ sql"):
        translate(read_arguments(words), {})


def test_each_database_of_for_each_has_a_run(project: Path) -> None:
    config = str(project / "atlas.hcl")
    found = lines("migrate apply --env many --dir file://m", config)
    assert [line[5] for line in found] == ["postgres://h/a", "postgres://h/b"]
    with pytest.raises(UsageError, match="for_each names several databases"):
        lines("migrate set 1 --env many --dir file://m", config)


def test_a_policy_that_skips_changes_is_refused_with_its_place(project: Path) -> None:
    with pytest.raises(
        UsageError, match=r"atlas\.hcl: line \d+: this diff policy is not supported"
    ):
        lines("migrate diff x --env skipping --dir file://m", str(project / "atlas.hcl"))


def test_schemas_are_no_hindrance_where_the_files_say_all() -> None:
    words = "migrate diff x --dir file://m --to file://s.sql --schema public".split()
    translation = translate(read_arguments(words), {})
    assert translation.notices == ("schemas: all schemas that the files create are compared",)


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("--help", "dbmigrate atlas migrate [command]"),
        ("", "dbmigrate atlas migrate [command]"),
        ("migrate", "  apply      Apply pending migration files"),
        ("migrate --help", "  validate   Compare the files"),
        ("help migrate apply", "--tx-mode string"),
        ("migrate apply -h", "-u, --url string"),
        ("migrate diff --help", "Global Flags:\n  -c, --config string"),
        ("migrate down --help", "undo a migration with a new one"),
    ],
)
def test_help_is_that_of_the_command(line: str, said: str) -> None:
    arguments = read_arguments(line.split())
    assert arguments.command == "help"
    assert said in describe(arguments.operands)


def test_every_flag_of_every_command_is_in_its_help() -> None:
    for name, flags in COMMANDS.items():
        text = describe(("migrate", name))
        assert all(f"--{flag} " in text for flag in flags | GLOBAL), name


def test_git_says_which_files_are_new(tmp_path: Path) -> None:
    def git(*words: str) -> None:
        head = ["git", "-c", "user.name=x", "-c", "user.email=x@y", "-C", str(tmp_path)]
        subprocess.run([*head, *words], check=True, capture_output=True)

    directory = tmp_path / "db" / "m"
    directory.mkdir(parents=True)
    (directory / "1_a.sql").write_text("SELECT 1;")
    git("init", "-b", "main")
    git("add", ".")
    git("commit", "-m", "one")
    git("checkout", "-b", "feature")
    for name in ("2_b.sql", "3_c.sql"):
        (directory / name).write_text("SELECT 2;")
    git("add", ".")
    git("commit", "-m", "two")
    words = f"migrate lint --dir file://{directory} --git-base main --git-dir {tmp_path}"
    assert lines(words)[0][-2:] == ["-latest", "2"]
    assert lines(words.replace("main", "feature"))[0][-2:] == ["-latest", "0"]
    with pytest.raises(MigrationError, match="git can't compare with nowhere"):
        lines(words.replace("main", "nowhere"))


MARK = """
data "external" "url" {
  program = ["sh", "-c", "echo ran >> ran; printf postgres://h/d"]
}
data "external" "tenants" {
  program = ["sh", "-c", "echo ran >> ran; printf t"]
}
locals {
  url = data.external.url
}
env "one" {
  url = local.url
  dev = data.external.url
  migration {
    dir = "file://m"
  }
}
env "each" {
  for_each = [data.external.tenants]
  url      = "postgres://h/${each.value}"
  migration {
    dir = "file://m"
  }
}
"""


@pytest.mark.parametrize("env", ["one", "each"])
@pytest.mark.parametrize("command", sorted(COMMANDS))
def test_a_program_runs_only_for_what_the_command_reads(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, command: str, env: str
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("atlas.hcl").write_text(MARK)
    operand = {"set": "1", "diff": "x --to file://s.sql", "new": "x"}.get(command, "")
    lines(f"migrate {command} {operand} --env {env}", "atlas.hcl")
    needs_database = {"apply", "status", "set"}
    needs_server = {"diff", "validate"} if env == "one" else set()
    assert Path("ran").exists() is (command in needs_database | needs_server)


def test_a_flag_in_the_place_of_a_setting_runs_no_program(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("atlas.hcl").write_text(MARK)
    lines(f"migrate apply --env one --url {URL}", "atlas.hcl")
    assert not Path("ran").exists()


def doubled(form: str, times: int = 30) -> str:
    steps = "".join(f"  l{n + 1} = {form.replace('X', f'local.l{n}')}\n" for n in range(times))
    return f'locals {{\n  l0 = "x"\n{steps}}}\nenv "e" {{\n  url = local.l{times}\n}}\n'


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (doubled('"${X}${X}"'), "too large"),
        (doubled("[X, X]"), "too large"),
        (doubled("concat(tolist(X), tolist(X))"), "too large"),
        (doubled('format("%s%s", X, X)'), "too large"),
        (doubled('replace("xxxxxxxx", "x", X)'), "replace can't be called with these values"),
        (doubled('join(X, split(",", ",,,,,,,"))'), "join can't be called with these values"),
        (doubled("{ a = X, b = X }"), "too large"),
        (doubled("X", times=1000), "nested too deeply"),
        (f'env "e" {{\n  url = {"(" * 3000}"x"{")" * 3000}\n}}\n', "nested too deeply"),
        (f'env "e" {{\n  url = {"[" * 3000}"x"{"]" * 3000}\n}}\n', "nested too deeply"),
        (f'env "e" {{\n  url = {"+".join("1" * 3000)}\n}}\n', "nested too deeply"),
        (f'env "e" {{\n{"a {" * 3000}{"}" * 3000}\n}}\n', "HCL|nested too deeply"),
        ("#" * (LARGEST_FILE + 1), "is larger than 256 kB"),
        ('env "e" {\n  url = file("/dev/zero")\n}\n', "file can't be called with these values"),
    ],
)
def test_depth_and_size_are_bounded(tmp_path: Path, text: str, said: str) -> None:
    (tmp_path / "atlas.hcl").write_text(text)
    with pytest.raises(MigrationError, match=said):
        work_out(read_project(tmp_path / "atlas.hcl", "e", [], {})[0])

"""Loading: override order, choice of environment, and all errors in one report."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from arlen_runtime.config.load import load
from arlen_runtime.config.schema import VARIABLES
from arlen_runtime.config.sections import Config
from arlen_runtime.errors import ConfigError


def write(root: Path, **files: str) -> Path:
    """Write config/app.toml (`app`) and config/environments/<name>.toml."""
    folder = root / "config" / "environments"
    folder.mkdir(parents=True)
    for name, text in files.items():
        (root / "config" / "app.toml" if name == "app" else folder / f"{name}.toml").write_text(text)
    return root


def mistakes(root: Path, environment: str | None = None, **variables: str) -> list[str]:
    with pytest.raises(ConfigError) as wrong:
        load(root, environment, variables)
    return wrong.value.detail.splitlines()


def test_an_application_without_files_has_the_defaults(tmp_path: Path) -> None:
    config = load(tmp_path, None, {})
    assert (config.environment, config.root, config.server.port) == ("production", tmp_path, 3000)


def test_each_layer_wins_over_the_one_before_it(tmp_path: Path) -> None:
    write(tmp_path, app="[server]\nport = 1\nhost = 'a'\n", staging="[server]\nport = 2\n")
    port = {"server.port": "4"}
    variable = {"ARLEN_PORT": "3"}
    assert load(tmp_path, None, {}).server.port == 1
    assert load(tmp_path, "staging", {}).server.port == 2
    assert load(tmp_path, "staging", variable).server.port == 3
    config = load(tmp_path, "staging", variable, port)
    assert (config.server.port, config.server.host) == (4, "a")


def test_the_environment_is_the_flag_then_the_variable_then_the_callers_default(tmp_path: Path) -> None:
    variable = {"ARLEN_ENV": "test"}
    assert load(tmp_path, "development", variable).environment == "development"
    assert load(tmp_path, None, variable, default="development").environment == "test"
    assert load(tmp_path, None, {"ARLEN_ENV": ""}, default="development").environment == "development"


@pytest.mark.parametrize("name", ["../../etc/x", "Production", "a.b", "1"])
def test_the_name_of_an_environment_is_not_a_path(tmp_path: Path, name: str) -> None:
    assert "has no file in config/environments" in mistakes(tmp_path, name)[0]


def test_an_unknown_environment_is_reported_with_the_nearest_name(tmp_path: Path) -> None:
    write(tmp_path, staging="")
    assert mistakes(tmp_path, "stagin") == [
        "environment 'stagin' has no file in config/environments; did you mean staging?"
    ]


def test_all_errors_of_all_layers_are_reported_together(tmp_path: Path) -> None:
    write(
        tmp_path,
        app='[server]\nprot = 1\nport = "x"\n[servr]\n[propane_accessories]\nworker_count = 0\n',
        test="log = 3\nfoo = 1\nsettings = 2\n",
    )
    assert mistakes(tmp_path, "test", ARLEN_PROPANE_WORKRS="2", ARLEN_LOG_LEVEL="loud") == [
        "config/app.toml, line 2: [server] prot is not a setting; did you mean port?",
        "config/app.toml, line 3: [server] port must be a whole number, not 'x'",
        "config/app.toml, line 4: [servr] is not a section; did you mean server?",
        "config/app.toml, line 6: [propane_accessories] worker_count must be at least 1, not 0",
        "config/environments/test.toml, line 1: log is a section: write [log]",
        "config/environments/test.toml, line 2: [foo] is not a section",
        "config/environments/test.toml, line 3: settings is a section: write [settings]",
        "ARLEN_PROPANE_WORKRS: no setting has this variable; did you mean ARLEN_PROPANE_WORKER_COUNT?",
        'ARLEN_LOG_LEVEL must be "debug", "info", "warning" or "error", not \'loud\'',
    ]


def test_a_broken_file_does_not_hide_other_errors(tmp_path: Path) -> None:
    write(tmp_path, app="[server\n", production="[log]\nlevel = 3\n")
    first, second = mistakes(tmp_path)
    assert first.startswith("config/app.toml, line 1: not valid TOML")
    assert second == "config/environments/production.toml, line 2: [log] level must be a string, not 3"


@pytest.mark.parametrize("target", ["config", "x" * 300])
def test_a_folder_that_cannot_be_entered_is_an_error_not_a_missing_folder(tmp_path: Path, target: str) -> None:
    (tmp_path / "config").symlink_to(target)  # to itself, or to what no file system has: also root cannot enter these

    first, second = mistakes(tmp_path, "staging")
    assert first.startswith("config/app.toml: cannot be read: ")
    assert second.startswith("config/environments/staging.toml: cannot be read: ")
    assert mistakes(tmp_path, "1")[1] == "environment '1' has no file in config/environments"


def test_a_file_in_the_place_of_the_folder_is_a_missing_folder(tmp_path: Path) -> None:
    (tmp_path / "config").write_text("")
    assert load(tmp_path, None, {}).server.port == 3000


def test_a_value_that_a_later_layer_replaces_is_checked_too(tmp_path: Path) -> None:
    write(tmp_path, app="[server]\nport = -1\n")
    assert len(mistakes(tmp_path, None, ARLEN_PORT="80")) == 1


def test_an_empty_variable_counts_as_not_set(tmp_path: Path) -> None:
    assert load(tmp_path, None, {"ARLEN_PORT": "", "ARLEN_TYPO": ""}).server.port == 3000


def test_variables_of_the_tools_and_of_others_are_left_alone(tmp_path: Path) -> None:
    environ = {"ARLEN_PG_BIN": "/opt/pg", "ARLEN_PG_TEST_DSN": "x", "PORT": "x", "XARLEN_PORT": "y"}
    assert load(tmp_path, None, environ).server.port == 3000


def test_the_applications_own_settings_merge_at_any_depth(tmp_path: Path) -> None:
    write(
        tmp_path,
        app="[settings]\nrate = 1.5\n[settings.mail]\nhost = 'a'\nport = 25\n",
        test="[settings.mail]\nport = 26\n",
    )
    assert load(tmp_path, "test", {}).settings == {"rate": 1.5, "mail": {"host": "a", "port": 26}}


def test_a_variable_of_the_applications_own_settings_takes_the_type_of_the_files_value(tmp_path: Path) -> None:
    write(tmp_path, app="[settings]\nrate = 1.5\nloud = false\n")
    environ = {"ARLEN_SETTINGS_RATE": "2", "ARLEN_SETTINGS_LOUD": "on", "ARLEN_SETTINGS_NEW": "7"}
    assert load(tmp_path, None, environ).settings == {"rate": 2.0, "loud": True, "new": "7"}
    assert mistakes(tmp_path, None, ARLEN_SETTINGS_RATE="fast") == ["ARLEN_SETTINGS_RATE must be a number, not 'fast'"]


def test_a_variable_sets_the_key_that_the_files_have_and_a_secret_is_not_shown(tmp_path: Path) -> None:
    write(tmp_path, app="[settings]\nMyHosts = ['a']\napi_token = 5\nmail = { port = 25 }\n")
    assert load(tmp_path, None, {"ARLEN_SETTINGS_MYHOSTS": "b,c"}).settings["MyHosts"] == ["b", "c"]
    assert "myhosts" not in load(tmp_path, None, {"ARLEN_SETTINGS_MYHOSTS": "b,c"}).settings
    messages = mistakes(
        tmp_path, None, ARLEN_SETTINGS_API_TOKEN="hunter2", ARLEN_SETTINGS_MAIL="x", ARLEN_SETTINGS_="y"
    )
    assert messages[:2] == [
        "ARLEN_SETTINGS_API_TOKEN must be a whole number, not the given value (a secret is not shown)",
        "ARLEN_SETTINGS_MAIL cannot be set by a variable: the files have a table or nested lists there",
    ]
    assert messages[2].startswith("ARLEN_SETTINGS_: no setting has this variable")


def test_every_setting_can_be_read_from_a_file(tmp_path: Path) -> None:
    environ = {}
    for variable, setting in VARIABLES.items():
        default = ",".join(setting.default) if isinstance(setting.default, tuple) else str(setting.default)
        if default and default != "{}":
            (tmp_path / variable).write_text(f"{default}\n")
            environ[f"{variable}_FILE"] = f"./{variable}"
    config = load(tmp_path, None, environ)
    assert len(environ) > 30
    assert config == Config("production", tmp_path)
    assert config.sources.origin("server", "port") == "ARLEN_PORT_FILE (./ARLEN_PORT)"


@pytest.mark.parametrize(
    ("variables", "message"),
    [
        ({"ARLEN_PORT_FILE": "./port", "ARLEN_PORT": "1"}, "ARLEN_PORT_FILE: ARLEN_PORT is set too: set one of them"),
        (
            {"ARLEN_SETTINGS_PIN_FILE": "./port", "ARLEN_SETTINGS_PIN": "1"},
            "ARLEN_SETTINGS_PIN_FILE: ARLEN_SETTINGS_PIN is set too: set one of them",
        ),
        ({"ARLEN_PORT_FILE": "./none"}, "ARLEN_PORT_FILE (./none) cannot be read: No such file or directory"),
        ({"ARLEN_DATABASE_URL_FILE": "/"}, "ARLEN_DATABASE_URL_FILE (/) is a folder, not a file"),
        ({"ARLEN_SETTINGS_PIN_FILE": "/a\nb"}, "ARLEN_SETTINGS_PIN_FILE ('/a\\nb') cannot be read: No such file"),
        (
            {"ARLEN_PORT_FILE": "./port"},
            "ARLEN_PORT_FILE (./port) must be a whole number, not the given value (a secret is not shown)",
        ),
        (
            {"ARLEN_DATABASE_URL_FILE": "postgres://ada:hunter2@db/x"},
            "ARLEN_DATABASE_URL_FILE (the file, its name is not shown) cannot be read: No such file or directory",
        ),
        (
            {"ARLEN_SETTINGS_PIN_FILE": "hunter2"},
            "ARLEN_SETTINGS_PIN_FILE (the file, its name is not shown) cannot be read: No such file or directory",
        ),
        (
            {"ARLEN_DATABSE_URL_FILE": "/x"},
            "ARLEN_DATABSE_URL_FILE: no setting has this variable; did you mean ARLEN_DATABASE_URL_FILE?",
        ),
        ({"ARLEN_ENV_FILE": "/x"}, "ARLEN_ENV_FILE: no setting has this variable"),
    ],
)
def test_a_variable_of_a_file_is_refused_with_its_path_and_never_its_content(
    variables: dict[str, str], message: str, tmp_path: Path
) -> None:
    (tmp_path / "port").write_text("hunter2")
    (error,) = mistakes(tmp_path, **variables)
    assert error.startswith(message)
    assert "hunter2" not in error


def test_a_setting_whose_name_ends_like_a_file_is_itself(tmp_path: Path) -> None:
    write(tmp_path, app="[settings]\nkey_file = 'a'\nkey = 'b'\n")
    config = load(tmp_path, None, {"ARLEN_LOG_FILE": "/var/log/x", "ARLEN_SETTINGS_KEY_FILE": "/etc/key"})
    assert config.log.file == "/var/log/x"
    assert config.settings == {"key_file": "/etc/key", "key": "b"}
    assert not [variable for variable in VARIABLES if f"{variable}_FILE" in VARIABLES]


def test_a_file_is_relative_to_the_application(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir("/")
    (tmp_path / "url").write_text("postgres:///x\n")
    assert load(tmp_path, None, {"ARLEN_DATABASE_URL_FILE": "./url"}).database.url == "postgres:///x"


def test_a_variable_sets_a_key_in_a_table_that_the_files_have(tmp_path: Path) -> None:
    write(tmp_path, app="[settings.mail]\nport = 25\n")
    environ = {"ARLEN_SETTINGS_MAIL_PORT": "26", "ARLEN_SETTINGS_MAIL_HOST": "a"}
    assert load(tmp_path, None, environ).settings == {"mail": {"port": 26}, "mail_host": "a"}


def test_the_env_file_is_a_layer_below_the_variables_of_the_process(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(tmp_path, app="[server]\nport = 1\nhost = 'a'\n[database]\nurl = 'postgres:///a'\n")
    (tmp_path / ".env").write_text("ARLEN_PORT=2\nARLEN_HOST=b\nARLEN_DATABASE_URL=postgres:///b\nOTHER=x\n")
    (tmp_path / "url").write_text("postgres:///c")
    monkeypatch.setenv("ARLEN_PORT", "3")
    monkeypatch.setenv("ARLEN_DATABASE_URL_FILE", "./url")
    config = load(tmp_path, "development", os.environ)
    assert (config.server.port, config.server.host, config.database.url) == (3, "b", "postgres:///c")
    production = load(tmp_path, "production", os.environ)
    assert (production.server.host, production.sources.env_file) == ("a", {})
    assert production.sources.warning.startswith(".env is not read in production")
    assert load(tmp_path, "development", {}).server.port == 1, "other mappings replace all variables"


def test_mistakes_in_the_env_file_have_their_line(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("\nARLEN_PORT=x\nARLEN_PROT=1\n")
    with pytest.raises(ConfigError) as wrong:
        load(tmp_path, "development", os.environ)
    assert wrong.value.detail.splitlines() == [
        ".env, line 2: ARLEN_PORT must be a whole number, not 'x'",
        ".env, line 3: ARLEN_PROT: no setting has this variable; did you mean ARLEN_PORT?",
    ]


def test_production_does_not_import_the_parser_of_the_env_file(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("A=1\n")
    program = (
        "import os, sys\nfrom pathlib import Path\nfrom arlen_runtime.config.load import load\n"
        "load(Path(sys.argv[1]), sys.argv[2], os.environ)\nprint('dotenv' in sys.modules)"
    )
    printed = [
        subprocess.run(
            [sys.executable, "-c", program, tmp_path, name], capture_output=True, text=True, check=True
        ).stdout.strip()
        for name in ("production", "development")
    ]
    assert printed == ["False", "True"]

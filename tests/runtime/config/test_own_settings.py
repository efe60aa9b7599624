"""The application's own settings: dataclasses with the checks of Arlen's own sections."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import FrozenInstanceError, dataclass, field
from pathlib import Path
from typing import Any

import pytest

from arlen_runtime import Config, setting
from arlen_runtime.config.load import load
from arlen_runtime.errors import BootError, ConfigError


@dataclass(frozen=True)
class Shop:
    """Settings of the first level, all with defaults."""

    currency: str = setting("EUR", "three letters", choices=("EUR", "USD"))
    tax_percent: float = setting(19.0, "value-added tax", minimum=0, maximum=100)
    page_size: int = 20
    is_open: bool = setting(True, "whether orders are taken")
    countries: tuple[str, ...] = setting((), "where it delivers to")
    pin: str = setting("", "for the till", secret=True)


@dataclass(frozen=True)
class Mail:
    """Settings of a table, two of them required."""

    host: str
    password: str = setting(..., "of the account", secret=True)
    port: int = setting(25, "TCP port", minimum=1)


def configured(root: Path, app: str = "", test: str = "", **variables: str) -> Config:
    folder = root / "config" / "environments"
    folder.mkdir(parents=True, exist_ok=True)
    (root / "config" / "app.toml").write_text(app)
    (folder / "test.toml").write_text(test)
    return load(root, "test", {f"ARLEN_SETTINGS_{name}": text for name, text in variables.items()})


def mistakes(config: Config, kind: type[Any], table: str = "") -> list[str]:
    with pytest.raises(ConfigError) as wrong:
        config.read(kind, table)
    return wrong.value.detail.splitlines()


def test_the_layers_are_those_of_every_setting(tmp_path: Path) -> None:
    (tmp_path / "pin").write_text("123456\n")
    config = configured(
        tmp_path,
        "[settings]\ncurrency = 'USD'\ntax_percent = 7\npage_size = 10\ncountries = ['de']\n",
        "[settings]\npage_size = 11\n",
        PAGE_SIZE="12",
        IS_OPEN="off",
        COUNTRIES="at, ch",
        PIN_FILE=str(tmp_path / "pin"),
    )
    assert config.read(Shop) == Shop("USD", 7.0, 12, is_open=False, countries=("at", "ch"), pin="123456")
    assert config.settings["page_size"] == 12
    assert config.sources.origin("settings", "page_size") == "ARLEN_SETTINGS_PAGE_SIZE"


def test_a_type_checker_knows_the_class_and_nothing_changes_it(tmp_path: Path) -> None:
    shop = configured(tmp_path).read(Shop)
    length: int = len(shop.currency)
    assert length == 3
    with pytest.raises(FrozenInstanceError):
        shop.page_size = 1  # type: ignore[misc]  # the point of the test


def test_a_table_has_a_class_of_its_own(tmp_path: Path) -> None:
    config = configured(
        tmp_path,
        "[settings]\ncurrency = 'USD'\n[settings.mail]\nhost = 'a'\npassword = 'b'\n[settings.mail.smtp]\npage_size = 3\n",
        MAIL_HOST="c",
        MAIL_SMTP_CURRENCY="USD",
    )
    assert config.read(Mail, "mail") == Mail("c", "b", 25)
    assert config.read(Shop, "mail.smtp") == Shop("USD", page_size=3)
    assert config.read(Shop).currency == "USD"
    config.check_settings()


def test_all_mistakes_are_reported_with_file_and_line(tmp_path: Path) -> None:
    config = configured(
        tmp_path,
        "[settings]\ncurency = 'EUR'\ntax_percent = 101\npin = 5\n",
        "[settings]\ncurrency = 'GBP'\n",
        COUNTRIES="de",
        IS_OPEN="perhaps",
    )
    assert mistakes(config, Shop) == [
        "config/app.toml, line 2: [settings] curency is not a setting; did you mean currency?",
        "config/app.toml, line 3: [settings] tax_percent must be at most 100, not 101.0",
        "config/app.toml, line 4: [settings] pin must be a string, not the given value (a secret is not shown)",
        'config/environments/test.toml, line 2: [settings] currency must be "EUR" or "USD", not \'GBP\'',
        "ARLEN_SETTINGS_IS_OPEN must be true or false, not 'perhaps'",
    ]
    assert mistakes(config, Mail, "mail") == [
        "[settings.mail] host is missing: set it in config/app.toml or by ARLEN_SETTINGS_MAIL_HOST",
        "[settings.mail] password is missing: set it in config/app.toml or by ARLEN_SETTINGS_MAIL_PASSWORD",
    ]


def test_a_value_in_the_place_of_a_table_is_a_mistake(tmp_path: Path) -> None:
    config = configured(tmp_path, "[settings]\nmail = 'x'\n", MAIL_HOST="a", MAIL_PASSWORD="b")
    assert mistakes(config, Mail, "mail") == [
        "config/app.toml, line 2: settings.mail is a table: write [settings.mail]"
    ]


def test_a_check_of_the_class_itself_is_a_mistake_too(tmp_path: Path) -> None:
    @dataclass(frozen=True)
    class Range:
        low: int = 1
        high: int = 0

        def __post_init__(self) -> None:
            if self.low > self.high:
                raise ValueError("low must not be above high")

    assert mistakes(configured(tmp_path), Range, "range") == ["[settings.range] low must not be above high"]


def test_a_configuration_without_files_is_read_too() -> None:
    config = Config("test", Path(), settings={"currency": "USD", "mail": {"host": "a", "prot": 3, "password": "b"}})
    assert config.read(Shop).currency == "USD"
    assert mistakes(config, Mail, "mail") == ["config: [settings.mail] prot is not a setting; did you mean port?"]


def test_secrets_are_remembered_so_that_pages_can_mask_them(tmp_path: Path) -> None:
    config = configured(tmp_path, "[settings]\npin = 'opensesame'\n[settings.mail]\nhost = 'a'\npassword = 'hunter2'\n")
    config.read(Shop)
    config.read(Mail, "mail")
    assert config.sources.secrets == {"opensesame", "hunter2"}


@dataclass
class Mutable:
    """A class that is not frozen."""

    x: str = ""


@dataclass(frozen=True)
class Unsupported:
    """Fields that cannot be settings."""

    sizes: list[int] = field(default_factory=list)
    maybe: str | None = None
    name: str = field(default_factory=str)
    key_file: str = ""


@dataclass(frozen=True)
class WrongDefaults:
    """Defaults that their settings do not allow."""

    port: int = setting("25", "TCP port")
    colour: str = setting("green", "one of two", choices=("red", "blue"))


@dataclass(frozen=True)
class Unresolved:
    """A field of a type that does not exist."""

    x: "Nothing"  # type: ignore[name-defined] # noqa: F821, UP037 - the point of the test


@pytest.mark.parametrize(
    ("kind", "reasons"),
    [
        (dict, ["config.read: dict is not a dataclass: write @dataclass(frozen=True) above the class"]),
        (Shop(), ["config.read: Shop("]),
        (Mutable, ["config.read: Mutable is not frozen: write @dataclass(frozen=True)"]),
        (Unresolved, ["config.read: the types of Unresolved cannot be resolved: name 'Nothing' is not defined"]),
        (
            Unsupported,
            [
                "Unsupported.sizes: list[int] cannot be the type of a setting; use str, int, float, bool, tuple[str, ...]",
                "Unsupported.maybe: str | None cannot be the type of a setting; use ",
                "Unsupported.name: a setting has a plain default: no default_factory, no init=False",
                "Unsupported.key_file: the name cannot end in _file, because such a variable names the file of another",
            ],
        ),
        (
            WrongDefaults,
            [
                "WrongDefaults.port: the default must be a whole number, not '25'",
                'WrongDefaults.colour: the default must be "red" or "blue", not \'green\'',
            ],
        ),
    ],
)
def test_a_class_that_cannot_be_read_is_named_with_its_fields(kind: Any, reasons: list[str]) -> None:  # noqa: ANN401 - also what is no class
    with pytest.raises(BootError) as wrong:
        Config("test", Path()).read(kind)
    lines = wrong.value.detail.splitlines()
    assert len(lines) == len(reasons)
    assert all(line.startswith(reason) for line, reason in zip(lines, reasons, strict=True)), lines


def test_the_name_of_a_table_is_checked() -> None:
    with pytest.raises(BootError, match=r"'mail smtp' is not the name of a table"):
        Config("test", Path()).read(Mail, "mail smtp")


@pytest.mark.parametrize(
    ("app", "variable", "reads", "reason"),
    [
        ("", "CURENCY", [Shop], "did you mean ARLEN_SETTINGS_CURRENCY?"),
        ("", "UNRELATED", [Shop], "ARLEN_SETTINGS_UNRELATED: no setting has this variable"),
        ("", "MAIL_HSOT", [Mail], "did you mean ARLEN_SETTINGS_MAIL_HOST?"),
        ("", "UNRELATED", [Mail], ""),
        ("", "MAIL_HOST", [Shop, Mail], ""),
        ("", "MAIL_HOST", [], ""),
        ("mail_from = 'x'\n", "MAIL_FROM", [Mail], ""),
        ("[settings.mial]\nport = 1\n", "", [Mail], "line 2: nothing reads [settings.mial]; did you mean mail?"),
        ("[settings.mial]\nport = 1\n", "", [], ""),
        ("[settings.other]\nport = 1\n", "", [Mail], ""),
    ],
)
def test_what_no_class_asked_for_is_found_when_all_were_read(
    app: str, variable: str, reads: list[type[Any]], reason: str, tmp_path: Path
) -> None:
    variables = {"MAIL_PORT": "2", "MAIL_PASSWORD": "x", "MAIL_HOST": "a"} if Mail in reads else {}
    config = configured(tmp_path, f"[settings]\n{app}", **(variables | {variable: "x"} if variable else variables))
    tables: dict[type[Any], str] = {Mail: "mail", Shop: ""}
    for kind in reads:
        config.read(kind, tables[kind])
    check: Callable[[], None] = config.check_settings
    if not reason:
        check()
        return
    with pytest.raises(ConfigError) as wrong:
        check()
    assert reason in wrong.value.detail
    assert len(wrong.value.detail.splitlines()) == 1

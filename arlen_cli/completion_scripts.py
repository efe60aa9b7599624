"""The completion scripts for bash, zsh and fish, written from the pages of all commands.

A script holds everything as literals: completing starts no Python. It follows the words of the
command line to the longest path that has a page, and offers what that page lists.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from typing import NamedTuple

from arlen_cli.command_table import ALIASES
from arlen_runtime.config.command_page import CommandPage, Entry, sentence

Pages = Mapping[str, CommandPage]
"""Command line, such as "arlen generate resource", to its page."""

PROGRAMS = ("arlen", "propane")


_BASH = r"""_arlen() {
    local current="${COMP_WORDS[COMP_CWORD]}" path="${COMP_WORDS[0]##*/}" previous='' words='' options='' word='' index=1
    COMPREPLY=()
    while [ "$index" -lt "$COMP_CWORD" ]; do
        previous="${COMP_WORDS[index]}"
        case "$path $previous" in
@steps
        esac
        index=$((index + 1))
    done
    if [ "$current" = = ]; then
        current=''
    elif [ "$previous" = = ]; then
        previous="${COMP_WORDS[COMP_CWORD - 2]}"
    fi
    case "$path $previous" in
@values
        *)
            case "$path" in
@words
            esac
            case "$current" in -*) words="$options" ;; esac
            ;;
    esac
    # Without a word to offer, `-o default` completes the names of files.
    while read -r word; do COMPREPLY+=("$word"); done < <(compgen -W "$words" -- "$current")
}
complete -o default -F _arlen @programs
"""

_ZSH = r"""#compdef @programs
_arlen() {
    local line="${words[1]:t}" word
    local -a candidates options
    for word in "${(@)words[2,CURRENT-1]}"; do
        case "$line $word" in
@steps
        esac
    done
    case "$line ${words[CURRENT-1]}" in
@values
    esac
    case "$line" in
@words
    esac
    if [[ "${words[CURRENT]}" == -* ]]; then
        _describe -o option options
    elif (( $#candidates )); then
        _describe command candidates
    else
        _files
    fi
}
compdef _arlen @programs
"""

_FISH = r"""function __arlen_path
    set -l words (commandline -opc)
    set -l path (string replace -r '.*/' '' -- $words[1])
    for word in $words[2..-1]
        switch "$path $word"
@steps
        end
    end
    echo $path
end
function __arlen_at
    test (__arlen_path) = "$argv[1]"
end
@lines
"""


class Candidate(NamedTuple):
    """A word that can come next, and its description."""

    word: str
    text: str


def words_of(page: CommandPage) -> list[Candidate]:
    """Return the words that a page allows where no option stands: commands, actions, values."""
    rows = [entry for entry in page.entries if not _is_option(entry)]
    named = [Candidate(entry.names[0], sentence(entry.help)) for entry in rows if entry.section != "Arguments"]
    return named + [Candidate(value, "") for entry in rows for value in entry.values]


def options_of(page: CommandPage) -> list[Candidate]:
    """Return the options of a page."""
    return [Candidate(name, sentence(entry.help)) for entry in _options(page) for name in entry.names]


def bash(pages: Pages) -> str:
    """Return the script for bash."""
    values = "\n".join(
        f"        {'|'.join(map(_quoted, options))}) words='{' '.join(words)}' ;;"
        for words, options in _by_values(pages).items()
    )
    words = "\n".join(
        f"                '{path}') words='{' '.join(c.word for c in words_of(page))}'"
        f" options='{' '.join(c.word for c in options_of(page))}' ;;"
        for path, page in pages.items()
    )
    return _filled(
        _BASH,
        {
            "steps": _steps(pages, "            {source}) path='{target}' ;;"),
            "values": values,
            "words": words,
        },
    )


def zsh(pages: Pages) -> str:
    """Return the script for zsh."""
    values = "\n".join(
        f"        {'|'.join(map(_quoted, options))}) {_zsh_values(words)} ;;"
        for words, options in _by_values(pages).items()
    )
    words = "\n".join(
        f"        {_quoted(path)})\n            candidates=({_zsh_list(words_of(page))})\n"
        f"            options=({_zsh_list(options_of(page))}) ;;"
        for path, page in pages.items()
    )
    return _filled(
        _ZSH,
        {
            "steps": _steps(pages, "            {source}) line='{target}' ;;"),
            "values": values,
            "words": words,
        },
    )


def fish(pages: Pages) -> str:
    """Return the script for fish."""
    lines = [line for path, page in pages.items() for line in _fish_lines(path, page)]
    return _filled(
        _FISH,
        {
            "steps": _steps(pages, "            case {source}" + chr(10) + "                set path '{target}'"),
            "lines": chr(10).join(lines),
        },
    )


SCRIPTS: dict[str, Callable[[Pages], str]] = {"bash": bash, "zsh": zsh, "fish": fish}
"""Shell to the function that writes its script."""


def _filled(template: str, parts: Mapping[str, str]) -> str:
    """Return a script: the template with its @NAMES replaced."""
    values = {"programs": " ".join(PROGRAMS), **parts}
    return re.sub(r"@([a-z]+)", lambda match: values[match[1]], template)


def _is_option(entry: Entry) -> bool:
    return entry.names[0].startswith("-")


def _options(page: CommandPage) -> list[Entry]:
    return [entry for entry in page.entries if _is_option(entry)]


def _by_values(pages: Pages) -> dict[tuple[str, ...], list[str]]:
    """Map the words that a value can be to the options with that value, as `PATH OPTION`."""
    options: dict[tuple[str, ...], list[str]] = {}
    for path, page in pages.items():
        for entry in _options(page):
            if entry.metavar:
                options.setdefault(entry.values, []).extend(f"{path} {name}" for name in entry.names)
    return options


def _steps(pages: Pages, pattern: str) -> str:
    """Return a case for each word that leads from one page to another."""
    steps = {path: path for path in pages if " " in path}
    steps |= {f"arlen {alias}": f"arlen {name}" for alias, name in ALIASES.items()}
    return "\n".join(pattern.format(source=_quoted(source), target=target) for source, target in steps.items())


def _quoted(text: str) -> str:
    """Quote a text for a POSIX shell or zsh."""
    return "'" + text.replace("'", "'\\''") + "'"


def _zsh_list(candidates: list[Candidate]) -> str:
    return " ".join(_quoted(f"{item.word}:{item.text}" if item.text else item.word) for item in candidates)


def _zsh_values(words: tuple[str, ...]) -> str:
    if not words:
        return "_files; return"
    return f"candidates=({' '.join(words)}); _describe value candidates; return"


def _fish_lines(path: str, page: CommandPage) -> Iterator[str]:
    start = f"complete -c {path.partition(' ')[0]} -n {_fish(f'__arlen_at {_fish(path)}')}"
    if not any("FILE" in entry.names[0] for entry in page.entries if not _is_option(entry)):
        yield f"{start} -f"
    for item in words_of(page):
        yield f"{start} -a {_fish(item.word)}" + (f" -d {_fish(item.text)}" if item.text else "")
    for entry in _options(page):
        names = " ".join(f"-{'l' if name.startswith('--') else 's'} {name.lstrip('-')}" for name in entry.names)
        value = ""
        if entry.metavar:
            value = f" -x -a {_fish(' '.join(entry.values))}" if entry.values else " -x"
            value = " -r -F" if entry.metavar in {"FILE", "FOLDER"} else value
        yield f"{start} {names}{value} -d {_fish(sentence(entry.help))}"


def _fish(text: str) -> str:
    """Quote a text for fish, where a backslash escapes inside of quotes."""
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"

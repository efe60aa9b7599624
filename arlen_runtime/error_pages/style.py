"""The style sheet of Arlen's own pages.

It is inline; the policy allows it by its hash.
"""

from __future__ import annotations

import base64
import hashlib

STYLE = """
:root { color-scheme: light dark; --ink: #1d2129; --soft: #5c6573; --paper: #fbfbf9; --line: #dcdcd4; --mark: #b3261e;
  --shade: #f1f1ec }
@media (prefers-color-scheme: dark) {
  :root { --ink: #e7e8ea; --soft: #9aa3b0; --paper: #16181c; --line: #33373e; --mark: #ff8a80; --shade: #1f2228 } }
* { box-sizing: border-box }
body { margin: 0; background: var(--paper); color: var(--ink); font: 16px/1.5 system-ui, sans-serif }
main { max-width: 72rem; margin: 0 auto; padding: 3rem 1.5rem }
main.plain { max-width: 40rem; padding-top: 16vh }
h1 { font-size: 1.6rem; margin: 0 0 .5rem }
h2 { font-size: 1.1rem; margin: 2.5rem 0 .75rem; border-bottom: 1px solid var(--line) }
.status { color: var(--mark); font-weight: 600 }
.soft, dt, th { color: var(--soft) }
pre, code, td, summary { font: 13px/1.5 ui-monospace, monospace }
pre { background: var(--shade); padding: .75rem 1rem; overflow-x: auto; margin: .5rem 0; white-space: pre-wrap }
pre .here { color: var(--mark); font-weight: 600 }
details { border: 1px solid var(--line); margin: .5rem 0; padding: .4rem .75rem }
summary { cursor: pointer }
table { border-collapse: collapse; width: 100% }
th, td { text-align: left; vertical-align: top; padding: .2rem 1rem .2rem 0; word-break: break-word }
th { font-weight: 400; white-space: nowrap }
dl { display: grid; grid-template-columns: max-content 1fr; gap: .2rem 1rem; margin: 1.5rem 0 }
dd { margin: 0; word-break: break-all }
"""

_HASH = base64.b64encode(hashlib.sha256(STYLE.encode()).digest()).decode()

POLICY = f"default-src 'none'; style-src 'sha256-{_HASH}'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
"""Content-Security-Policy of these pages: no script, no image, no other style."""

"""Notes: an API in two versions, pages, uploads, downloads and live events, with users of its own.

One file, to be read from top to bottom. `arlen migrate && arlen serve` in this folder runs it.
"""

from dataclasses import dataclass
from datetime import datetime

from arlen_runtime import (
    ALNPg,
    App,
    Config,
    Context,
    Fields,
    Response,
    Routes,
    SetCookie,
    Unauthorized,
    after,
    before,
    setting,
)

NOTE = """
    select n.id, n.title, n.body, u.name as author, n.file_name, n.created_at
    from notes n join users u on u.id = n.author_id"""
USER = "select id, name from users where token_hash = sha256(convert_to($1, 'UTF8'))"
PAGE = f"{NOTE} where n.id < $1 order by n.id desc limit $2"
INSERT = "insert into notes (title, body, author_id) values ($1, $2, $3) returning id"
KEEP_FILE = "update notes set file = $2, file_name = $3 where id = $1"


@dataclass(frozen=True)
class Settings:
    """`[settings]` of the configuration."""

    page_size: int = setting(20, "notes on a page", minimum=1, maximum=100)


@dataclass(frozen=True)
class User:
    """Who sends the request."""

    id: int
    name: str


@dataclass(frozen=True)
class Note:
    """A note with the name of its author."""

    id: int
    title: str
    body: str
    author: str
    file_name: str | None
    created_at: datetime


@dataclass(frozen=True)
class NoteForm:
    """What a client may write."""

    title: str
    body: str


class NotesApp(App):
    """The application, with its settings."""

    settings: Settings


class Ctx(Context):
    """A request, with what `load_user` learned."""

    app: NotesApp
    pg: ALNPg
    user: User | None = None


def load_user(ctx: Ctx) -> None:
    """Find the user by the token of an API client or the cookie of a browser."""
    token = (ctx.header("Authorization") or "").removeprefix("Bearer ") or ctx.cookies.get("token", "")
    if token:
        ctx.user = ctx.pg.query_one(USER, token, into=User)
        ctx.log.bind(user=ctx.user.id if ctx.user else None)


def name_version(ctx: Ctx, response: Response) -> None:
    """Say in every answer of the API, errors too, which version it is."""
    response.set("X-Api-Version", str(ctx.endpoint.options.get("version", "none")))


def require_user(ctx: Ctx) -> None:
    """Let only users in."""
    if ctx.user is None:
        raise Unauthorized("Send a token: Authorization: Bearer TOKEN.", challenge="Bearer")


def note_form(fields: Fields) -> NoteForm:
    """Validate what a client writes."""
    return NoteForm(fields.string("title", max=80), fields.string("body", max=10_000))


def find(ctx: Ctx) -> Note:
    """Return the note that the path names."""
    note = ctx.pg.query_one(f"{NOTE} where n.id = $1", ctx.route["id"], into=Note)
    return note or ctx.halt(404, "There is no such note.")


def page(ctx: Ctx) -> list[Note]:
    """Return a page of notes, the newest first."""
    older_than = ctx.validate(lambda fields: fields.integer("before", default=2**63 - 1))
    return ctx.pg.query(PAGE, older_than, ctx.app.settings.page_size, into=Note)


def insert(ctx: Ctx, form: NoteForm) -> int:
    """Keep a note, and tell the open pages of all workers."""
    with ctx.pg.transaction():
        note_id: int = ctx.pg.query_value(INSERT, form.title, form.body, ctx.user.id if ctx.user else None)
        ctx.pg.notify("notes", {"id": note_id, "title": form.title})
    return note_id


def list_api(ctx: Ctx) -> object:
    """Return a page: in version 1 an array, in version 2 an object that names the next page."""
    notes = page(ctx)
    if ctx.endpoint.options["version"] == "v1":
        return notes
    return {"data": notes, "next": ctx.url_for("v2.notes", before=notes[-1].id) if notes else None}


def create_api(ctx: Ctx) -> Response:
    """Create a note from JSON."""
    note_id = insert(ctx, ctx.validate(note_form))
    route = f"{ctx.endpoint.options['version']}.note"
    return ctx.json({"id": note_id}, 201).add("Location", ctx.url_for(route, id=note_id))


def index(ctx: Ctx) -> Response:
    """Show the notes, as a page or as CSV."""
    notes = page(ctx)
    return ctx.negotiate(
        html=lambda: ctx.render("index.html", notes=notes, user=ctx.user),
        csv=lambda: ctx.render_text("notes.csv", notes=notes),
    )


def new(ctx: Ctx) -> Response:
    """Show an empty form."""
    return ctx.render("new.html", errors={}, sent={})


def create(ctx: Ctx) -> Response:
    """Create a note from the form, or show the form with what is wrong."""
    fields = ctx.fields()
    form = note_form(fields)
    if fields.errors:
        return ctx.render("new.html", 422, errors={e.field: e.message for e in fields.errors}, sent=ctx.params.body)
    return ctx.redirect_to("note", id=insert(ctx, form))


def show(ctx: Ctx) -> Response:
    """Show a note."""
    return ctx.render("show.html", note=find(ctx))


def upload(ctx: Ctx) -> Response:
    """Keep the file of a note."""
    file = ctx.params.file("file") or ctx.halt(400, "Choose a file.")
    ctx.pg.execute(KEEP_FILE, find(ctx).id, file.file.read(), file.filename)
    return ctx.redirect_to("note", id=ctx.route["id"])


def download(ctx: Ctx) -> Response:
    """Send the file of a note."""
    content: bytes | None = ctx.pg.query_value("select file from notes where id = $1", find(ctx).id)
    pieces = [content or ctx.halt(404, "This note has no file.")]
    return ctx.stream(pieces, "application/octet-stream").add("Content-Disposition", "attachment")


def log_in(ctx: Ctx) -> Response:
    """Keep the token in a cookie."""
    return ctx.redirect_to("home").cookie(SetCookie("token", ctx.params["token"], same_site="Strict"))


def routes(r: Routes) -> None:
    """List the routes."""
    r.get("/", index, name="home", formats=("html", "csv"))
    r.get("/events", lambda ctx: ctx.events("notes"))
    r.post("/log-in", log_in, name="log_in")
    r.redirect("/latest", "home")
    with r.group("/notes", guard=require_user):
        r.get("/new", new, name="new_note")
        r.post("/", create, name="create_note")
        r.get("/{id:int}", show, name="note")
        r.post("/{id:int}/file", upload, name="upload", limit=5_000_000)
        r.get("/{id:int}/file", download, name="download")
    for version in ("v1", "v2"):
        with r.group(f"/api/{version}", name=f"{version}.", guard=require_user, api=True, version=version):
            r.get("/notes", list_api, name="notes")
            r.get("/notes/{id:int}", find, name="note")
            r.post("/notes", create_api)


def create_app(config: Config) -> NotesApp:
    """Build the application."""
    pg = ALNPg.from_section(config.database)
    middleware = [before(load_user), after(name_version, options={"version"})]
    app = NotesApp(config, routes, pg=pg, context=Ctx, middleware=middleware, on_worker_stop=[pg.close])
    app.settings = config.read(Settings)
    app.follow("notes")
    return app

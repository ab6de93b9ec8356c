"""The service seen from outside: health, metrics, state and previews, and a page that shows them.

    /healthz   200 as long as the service answers and its work goes on
    /readyz    200 if every stream is online, else 503
    /metrics   for Prometheus
    /status    state of all streams as JSON; ?after=SECONDS leaves out what was told before
    /preview   WebSocket: a stream's name asks for its next picture, see `preview.Shot`
    /          a page for people

Needs starlette, uvicorn, websockets and prometheus-client (the extra ``web``).
"""

from __future__ import annotations

import asyncio
import contextlib
import math
import secrets
import socket
import threading
from collections.abc import Callable, Iterator
from importlib import resources

import msgspec
import uvicorn
from prometheus_client.exposition import choose_encoder
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import HTTPConnection, Request
from starlette.responses import HTMLResponse, PlainTextResponse, Response
from starlette.routing import Route, WebSocketRoute
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from starlette.websockets import WebSocket, WebSocketClose, WebSocketDisconnect

from streamrestore.errors import OutputError
from streamrestore.live.access import Access, Place, access_of, place_of
from streamrestore.live.config import HttpSettings
from streamrestore.live.metrics import registry_of
from streamrestore.live.outlets import Outlet
from streamrestore.live.preview import Previews, Shot
from streamrestore.live.service import ServiceStatus
from streamrestore.live.state import told
from streamrestore.live.timeline import Timelines

OPEN = frozenset({"/healthz", "/readyz"})
"""Tell little but one word; probes need no token for them."""
STANDSTILL_SECONDS = 60.0
"""No pictures take so long: a network, or the device it runs on, hangs."""
CLOSE_SECONDS = 0.5
"""How long those who look may take to say goodbye."""

_HEADERS = {
    "Cache-Control": "no-store",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}


class Window:
    """What can be seen of a service from outside, and where; made before the service, and served beside it.

    Attributes:
        outlets: of the service.

    Raises:
        UsageError: the address, or the token, cannot be used.
        OutputError: nobody can listen there.
    """

    def __init__(self, settings: HttpSettings) -> None:
        assert settings.address is not None
        place = place_of(settings.address)
        self._access = access_of(settings, place)
        self._socket = _listening(place)
        self._previews, self._timelines = Previews(), Timelines()
        self.outlets: tuple[Outlet, ...] = (self._timelines, self._previews)

    @property
    def address(self) -> str:
        """With the port that was chosen."""
        host, port = self._socket.getsockname()[:2]
        return f"http://[{host}]:{port}/" if ":" in host else f"http://{host}:{port}/"

    @contextlib.contextmanager
    def serving(self, status: Callable[[], ServiceStatus]) -> Iterator[None]:
        """Answer in a thread of its own, until left."""
        config = uvicorn.Config(
            application(status, self._access, self._previews, self._timelines),
            lifespan="off",
            log_config=None,
            log_level="critical",  # its lines hold the token
            access_log=False,
            server_header=False,
            ws="websockets-sansio",
            ws_max_size=1024,
            ws_per_message_deflate=False,  # JPEG files get no smaller
            timeout_graceful_shutdown=1,
        )
        server = uvicorn.Server(config)
        thread = threading.Thread(
            target=server.run, args=([self._socket],), name="streamrestore-http", daemon=True
        )
        thread.start()
        try:
            yield
        finally:
            server.should_exit = server.force_exit = True
            thread.join(CLOSE_SECONDS)
            self.close()

    def close(self) -> None:
        """Stop listening."""
        self._previews.close()
        self._socket.close()


def application(
    status: Callable[[], ServiceStatus], access: Access, previews: Previews, timelines: Timelines
) -> Starlette:
    """All routes."""
    registry = registry_of(status, previews)
    html = resources.files("streamrestore.live").joinpath("page.html").read_text("utf-8")

    async def healthz(_: Request) -> Response:
        standing = status().standing
        if standing > STANDSTILL_SECONDS:
            text = f"the same pictures have been at work for {standing:.0f} s; start the service anew\n"
            return PlainTextResponse(text, status_code=503)
        return PlainTextResponse("alive\n")

    async def readyz(_: Request) -> Response:
        streams = status().streams
        online = sum(stream.source.state == "online" for stream in streams)
        ready = online == len(streams) > 0
        return PlainTextResponse(
            f"{online} of {len(streams)} streams online\n", status_code=200 if ready else 503
        )

    async def metrics(request: Request) -> Response:
        encode, kind = choose_encoder(request.headers.get("accept", ""))
        return Response(encode(registry), headers={"Content-Type": kind})

    async def state(request: Request) -> Response:
        after = _number(request.query_params.get("after", ""))
        return Response(msgspec.json.encode(told(status(), timelines, after)), media_type="application/json")

    async def preview(socket: WebSocket) -> None:
        await socket.accept()
        await _show(socket, previews, lambda: {stream.name for stream in status().streams})

    async def page(_: Request) -> Response:
        nonce = secrets.token_urlsafe()
        policy = (
            f"default-src 'none'; style-src 'nonce-{nonce}'; script-src 'nonce-{nonce}'; connect-src 'self'; "
            "img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
        )
        return HTMLResponse(html.replace("{nonce}", nonce), headers={"Content-Security-Policy": policy})

    return Starlette(
        routes=[
            Route("/healthz", healthz),
            Route("/readyz", readyz),
            Route("/metrics", metrics),
            Route("/status", state),
            WebSocketRoute("/preview", preview),
            Route("/", page),
        ],
        middleware=[Middleware(_Guard, access=access)],
    )


class _Guard:
    """Lets those through who may look, and sets the headers of all answers."""

    def __init__(self, app: ASGIApp, access: Access) -> None:
        self._app, self._access = app, access

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        asked = HTTPConnection(scope)
        refusal = self._access.refusal(
            host=asked.headers.get("host", ""),
            origin=asked.headers.get("origin") if scope["type"] == "websocket" else None,
            authorization=asked.headers.get("authorization", ""),
            query=asked.query_params.get("token", ""),
        )
        app = self._app
        if refusal is not None and scope["path"] not in OPEN:
            if scope["type"] == "websocket":
                app = WebSocketClose(1008, refusal.text)
            else:
                app = PlainTextResponse(f"{refusal.text}\n", status_code=refusal.status)
                if refusal.status == 401:
                    app.headers["WWW-Authenticate"] = "Bearer"

        async def send_on(message: Message) -> None:
            if message["type"] == "http.response.start":
                pairs = [(name.lower().encode(), value.encode()) for name, value in _HEADERS.items()]
                message["headers"] = [*message.get("headers", ()), *pairs]
            await send(message)

        await app(scope, receive, send_on)


async def _show(socket: WebSocket, previews: Previews, names: Callable[[], set[str]]) -> None:
    """Give a viewer each stream's next picture when it has asked for it.

    Who asks less often, being slow or not looking, is given less; at most one picture of each stream waits.
    """
    loop, viewer = asyncio.get_running_loop(), object()
    shots: asyncio.Queue[Shot] = asyncio.Queue()
    given: dict[str, int] = {}

    def take(shot: Shot) -> None:
        with contextlib.suppress(RuntimeError):  # the loop is closed
            loop.call_soon_threadsafe(shots.put_nowait, shot)

    async def send() -> None:
        while True:
            shot = await shots.get()
            waiting.discard(shot.stream)
            given[shot.stream] = shot.number
            await socket.send_bytes(shot.message)

    waiting: set[str] = set()
    sending = asyncio.create_task(send())
    try:
        while True:
            name = await socket.receive_text()
            if name in names() and name not in waiting:
                waiting.add(name)
                previews.ask(viewer, name, given.get(name, 0), take)
    except WebSocketDisconnect:
        pass
    finally:
        previews.forget(viewer)
        sending.cancel()
        with contextlib.suppress(asyncio.CancelledError, WebSocketDisconnect, RuntimeError):
            await sending


def _number(text: str) -> float:
    """A time; minus infinity if it is none."""
    try:
        value = float(text)
    except ValueError:
        return -math.inf
    return value if math.isfinite(value) else -math.inf


def _listening(place: Place) -> socket.socket:
    family = socket.AF_INET6 if ":" in place.host else socket.AF_INET
    try:
        return socket.create_server((place.host, place.port), family=family)
    except (OSError, OverflowError) as error:
        raise OutputError(
            f"{place.host}:{place.port}: cannot listen there for HTTP: {getattr(error, 'strerror', error)}; "
            "take another port, or an address of this machine"
        ) from error

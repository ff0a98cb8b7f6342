"""The relay's web application: its routes, what they share, and nothing else."""

from collections import OrderedDict

from aiohttp import web

from vetrelay.relay.http import cases, envelopes, health, inbox, objects, parties, session, uploads
from vetrelay.relay.http.auth import ENVELOPES, STATEMENTS
from vetrelay.relay.http.openapi import document
from vetrelay.relay.http.problems import answer_problems
from vetrelay.relay.http.routes import RELAY, Route, register
from vetrelay.relay.ports import RelayServices
from vetrelay.relay.turns import Turns

ROUTES: tuple[Route, ...] = (
    *envelopes.ROUTES,  # first: of the addresses under /v1/cases the dispatcher tries one after the other
    *inbox.ROUTES,
    *cases.ROUTES,
    *parties.ROUTES,
    *session.ROUTES,
    *health.ROUTES,
    *uploads.ROUTES,
    *objects.ROUTES,
)


def build_app(relay: RelayServices) -> web.Application:
    """The application for these services. Every route bounds its own body, so the framework's bound is off."""
    app = web.Application(middlewares=[answer_problems], client_max_size=0)
    app[RELAY] = relay
    app[ENVELOPES] = OrderedDict()
    app[STATEMENTS] = OrderedDict()
    app[uploads.TURNS] = Turns()
    app[uploads.TURNS] = Turns()
    app[health.OPENAPI] = document(ROUTES, version=health.VERSION)
    for route in ROUTES:
        register(app, route)
    return app

"""`fleet web`: serve the pages that letters link to, and the API."""


def web() -> None:
    """Serve the pages that letters link to, and the API, on FLEET_WEB_HOST and FLEET_WEB_PORT, until told to stop."""
    from workers.web.server import serve  # noqa: PLC0415  # the web server is of no use to the other commands

    serve()

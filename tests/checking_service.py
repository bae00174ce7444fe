"""A service that is asked over HTTP who is let in and who may do what, in a thread of the test."""

import contextlib
import functools
import http.server
import threading
import urllib.parse


class Service(http.server.ThreadingHTTPServer):
    """Lets ann in with her password, and everybody without one; and to queues whose names begin with ann.

    asked: (method, path, form) of every question so far.
    """

    daemon_threads = True

    def __init__(self):
        super().__init__(("127.0.0.1", 0), _Handler)
        self.asked = []
        self.url = f"http://127.0.0.1:{self.server_port}"

    def answer(self, method, path, form):
        self.asked.append((method, path, form))
        if path == "/user":
            is_allowed = form.get("password") in (None, "s3cret")
        else:
            is_allowed = path == "/vhost" or form["name"].startswith(("ann", "amq."))
        return b"allow" if is_allowed else b"deny"


class _Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        path, _, query = self.path.partition("?")
        self._answer(path, query)

    def do_POST(self):
        self._answer(self.path, self.rfile.read(int(self.headers["content-length"])).decode())

    def _answer(self, path, form):
        body = self.server.answer(self.command, path, dict(urllib.parse.parse_qsl(form)))
        self.send_response(200)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *arguments):
        pass


@contextlib.contextmanager
def running_service():
    with Service() as service:
        thread = threading.Thread(target=functools.partial(service.serve_forever, poll_interval=0.01))
        thread.start()
        try:
            yield service
        finally:
            service.shutdown()
            thread.join()

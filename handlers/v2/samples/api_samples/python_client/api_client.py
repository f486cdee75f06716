"""A client of the CloudBolt v2 API, in one module and with the standard library alone.

    >>> from api_client import CloudBoltAPIClient
    >>> c = CloudBoltAPIClient("alice", "password", host="cloud.example")
    >>> c.get()
    >>> c.post("/api/v2/orders/", body={"group": "/api/v2/groups/2"})
"""

import json
import ssl
import urllib.error
import urllib.parse
import urllib.request

API_ROOT = "/api/v2/"


class APIError(Exception):
    """What the API, or the way to it, says of a request that failed.

    status is the HTTP status, 0 when there was no answer; error and detail are the
    members of the answer's body.
    """

    def __init__(self, status, error, detail="", method="", path=""):
        self.status, self.error, self.detail = status, error, detail or error
        text = self.detail if not status else "%d: %s" % (status, self.detail)
        super().__init__("%s %s: %s" % (method, path, text) if path else text)


class Document(dict):
    """A JSON object that an interactive shell shows as JSON."""

    def __repr__(self):
        return json.dumps(self, indent=4, ensure_ascii=False)

    __str__ = __repr__


class _NoRedirects(urllib.request.HTTPRedirectHandler):
    """The API does not redirect, and a token goes nowhere else."""

    def redirect_request(self, *args, **kwargs):
        return None


class CloudBoltAPIClient:
    """Signs in when it is first needed, and once more when the token has expired.

    token is the current code of two-factor authentication, and domain the one of a
    user who is not an internal one. verify is False to accept any certificate, or
    the path of a file with the certificates of the authorities to trust.
    """

    def __init__(self, username, password, token=None, domain=None, host="localhost", port=443, protocol="https", verify=True, timeout=60):
        self.username, self.password = username, password
        self.token, self.domain = token, domain
        self.base = "%s://%s:%d" % (protocol, host, int(port))
        self.timeout = timeout
        self._bearer = None
        handlers = [_NoRedirects()]
        if protocol == "https":
            handlers.append(urllib.request.HTTPSHandler(context=_tls(verify)))
        self._opener = urllib.request.build_opener(*handlers)

    def get(self, path=API_ROOT):
        """GET a path and give the document that answers."""
        return self.request("GET", path)

    def post(self, path, body=None):
        """POST a body, which is a dictionary, or JSON as text."""
        return self.request("POST", path, body)

    def put(self, path, body=None):
        """PUT a body, which is a dictionary, or JSON as text."""
        return self.request("PUT", path, body)

    def delete(self, path):
        """DELETE what is at a path."""
        return self.request("DELETE", path)

    def request(self, method, path, body=None):
        """Send a request, and give the answer: a Document, or bytes of what is no JSON.

        Raises APIError for every answer that is no success.
        """
        if body is not None and not isinstance(body, (str, bytes)):
            body = json.dumps(body)
        if self._bearer is None:
            self.authenticate()
        try:
            return self._send(method, path, body, self._bearer)
        except APIError as e:
            if e.status != 401:
                raise
        self.authenticate()
        return self._send(method, path, body, self._bearer)

    def authenticate(self):
        """Get a token for the name and the password."""
        credentials = {"username": self.username, "password": self.password}
        if self.token:
            credentials["token"] = self.token
        if self.domain:
            credentials["domain"] = self.domain
        self._bearer = self._send("POST", API_ROOT + "api-token-auth/", json.dumps(credentials), None)["token"]

    def url(self, path):
        """The URL of a path, of a path below /api/v2/, or of an href with this host."""
        url = urllib.parse.urljoin(self.base + API_ROOT, path)
        if urllib.parse.urlsplit(url)[:2] != urllib.parse.urlsplit(self.base)[:2]:
            raise ValueError("%s is not on %s, which the credentials are for" % (path, self.base))
        return urllib.parse.quote(url, safe="%/:=&?~#+!$,;'@()*[]")

    def _send(self, method, path, body, bearer):
        if isinstance(body, str):
            body = body.encode("utf-8")
        request = urllib.request.Request(self.url(path), data=body, method=method)
        request.add_header("Accept", "application/json")
        if body is not None:
            request.add_header("Content-Type", "application/json")
        if bearer:
            request.add_header("Authorization", "Bearer " + bearer)
        try:
            with self._opener.open(request, timeout=self.timeout) as answer:
                return _read(answer.headers.get_content_type(), answer.read())
        except urllib.error.HTTPError as e:
            raise _refusal(e, method, path) from None
        except urllib.error.URLError as e:
            raise APIError(0, str(e.reason), method=method, path=self.url(path)) from None


def _tls(verify):
    if verify is True:
        return ssl.create_default_context()
    if verify:
        return ssl.create_default_context(cafile=verify)
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


def _read(kind, data):
    if not data:
        return Document()
    if kind == "application/json" or kind.endswith("+json"):
        return json.loads(data.decode("utf-8"), object_pairs_hook=Document)
    return data


def _refusal(e, method, path):
    """The APIError of an answer."""
    with e:
        try:
            said = _read(e.headers.get_content_type(), e.read())
        except ValueError:
            said = None
    if not isinstance(said, dict):
        said = {}
    return APIError(e.code, said.get("error") or e.reason, said.get("detail"), method, path)

"""What the sample scripts have in common: options, names, and waiting for orders."""

import argparse
import getpass
import os
import sys
import time
import urllib.parse

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), os.pardir))

from api_client import APIError, CloudBoltAPIClient  # noqa: E402 (its folder has just been made known)

ENDED = ("SUCCESS", "WARNING", "FAILURE", "CANCELED", "DENIED")


def parser(description):
    """A parser of the options that every script has."""
    p = argparse.ArgumentParser(description=description)
    server = p.add_argument_group("connection")
    server.add_argument("--host", default="localhost", help="host of the API (localhost)")
    server.add_argument("--port", type=int, default=443, help="port of the API (443)")
    server.add_argument("--protocol", choices=("https", "http"), default="https", help="protocol of the API (https)")
    server.add_argument("--insecure", action="store_true", help="accept a certificate that nobody vouches for")
    server.add_argument("--ca-file", metavar="FILE", help="certificates of the authorities to trust")
    user = p.add_argument_group("user")
    user.add_argument("--username", required=True, help="who signs in")
    user.add_argument("--password", help="password; else it is taken from API_PASSWORD, or asked for")
    user.add_argument("--domain", help="domain of a user of a directory")
    user.add_argument("--token", help="current code, where two-factor authentication is set up")
    order = p.add_argument_group("order")
    order.add_argument("--no-submit", action="store_true", help="leave the order in the cart")
    order.add_argument("--no-wait", action="store_true", help="do not wait until the order has ended")
    order.add_argument("--timeout", type=int, metavar="SECONDS", default=1800, help="how long to wait (1800)")
    return p


def connect(args):
    """The client that the options describe."""
    password = args.password or os.environ.get("API_PASSWORD")
    if not password:
        password = getpass.getpass("Password of %s: " % args.username)
    verify = False if args.insecure else args.ca_file or True
    return CloudBoltAPIClient(args.username, password, token=args.token, domain=args.domain,
                              host=args.host, port=args.port, protocol=args.protocol, verify=verify)


def find(client, collection, ref, by="name"):
    """The document of a resource that is given by its id, its href or its name."""
    if ref.isdigit():
        return client.get("/api/v2/%s/%s" % (collection, ref))
    if "/" in ref:
        return client.get(ref)
    escaped = ref.replace("\\", "\\\\").replace(";", "\\;").replace(":", "\\:").replace(",", "\\,")
    found = client.get("/api/v2/%s/?filter=%s" % (collection, urllib.parse.quote("%s:%s" % (by, escaped), safe="")))["_embedded"]
    if len(found) != 1:
        raise SystemExit("%d of the %s have the %s %s" % (len(found), collection, by, ref))
    return client.get(href(found[0]))


def href(document):
    """Where a document is found."""
    return document["_links"]["self"]["href"]


def parameters(pairs):
    """What NAME=VALUE options say, as a dictionary."""
    said = {}
    for pair in pairs:
        name, equals, value = pair.partition("=")
        if not name or not equals:
            raise SystemExit("%r is not NAME=VALUE" % pair)
        said[name] = value
    return said


def place(client, args, group, items):
    """Order the items, wait as the options say, and give the script's exit code."""
    order = client.post("/api/v2/orders/", body={"group": group, "submit-now": not args.no_submit, "items": items})
    print("%s: %s, %s" % (order["_links"]["self"]["title"], order["summary"], order["rate"]))
    print(order["status"])
    if order["status"] == "CART":
        print("It is in the cart: POST to %s/actions/submit" % href(order))
        return 0
    if order["status"] == "PENDING":
        print("It waits for approval.")
    if args.no_wait:
        return 0
    return wait(client, order, args.timeout)


def wait(client, order, timeout):
    """Show what is done until the order has ended."""
    end = time.monotonic() + timeout
    status, shown = order["status"], {}
    while True:
        order = client.get(href(order))
        for link in order["_links"]["jobs"]:
            job = client.get(link["href"])
            messages = job["progress"]["messages"]
            for message in messages[shown.get(link["href"], 0):]:
                print("  %s (%s): %s" % (link["title"], job["type"], message))
            shown[link["href"]] = len(messages)
            if order["status"] in ENDED and job["errors"]:
                print("  %s (%s): %s" % (link["title"], job["type"], job["errors"]))
        if order["status"] != status:
            status = order["status"]
            print(status)
        if status in ENDED:
            break
        if time.monotonic() > end:
            print("It is still %s after %d seconds." % (status, timeout), file=sys.stderr)
            return 1
        time.sleep(1)
    for link in order["_links"].get("servers", []):
        server = client.get(link["href"])
        print("Server %s: %s, %s, %s, %s, %d CPU, %s" % (
            server["id"], server["hostname"], server["status"], server["power-status"], server["ip"], server["cpu-cnt"], server["mem-size"]))
    return 0 if status == "SUCCESS" else 1


def run(main):
    """Run a script, and say what went wrong in one line."""
    try:
        sys.exit(main())
    except APIError as e:
        sys.exit(str(e))
    except KeyboardInterrupt:
        sys.exit(130)

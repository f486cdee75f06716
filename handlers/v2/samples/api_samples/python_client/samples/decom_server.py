#!/usr/bin/env python3
"""Order the removal of servers. What is on them is lost."""

import sample


def main():
    p = sample.parser(__doc__)
    what = p.add_argument_group("what is removed")
    what.add_argument("--server", required=True, action="append", help="id, href or host name of a server; several of one group may be given")
    args = p.parse_args()

    client = sample.connect(args)
    groups, environments = set(), {}
    for ref in args.server:
        server = sample.find(client, "servers", ref, by="hostname")
        groups.add(server["_links"]["group"]["href"])
        environment = server["_links"]["environment"].get("href", "")
        environments.setdefault(environment, []).append(sample.href(server))
    if len(groups) != 1:
        raise SystemExit("The servers belong to %d groups; an order is for one." % len(groups))
    items = [{"environment": environment, "servers": servers} for environment, servers in environments.items()]
    return sample.place(client, args, groups.pop(), {"decom-items": items})


if __name__ == "__main__":
    sample.run(main)

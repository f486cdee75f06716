#!/usr/bin/env python3
"""Order a change of a server, such as more memory."""

import sample


def main():
    p = sample.parser(__doc__)
    what = p.add_argument_group("what is changed")
    what.add_argument("--server", required=True, help="id, href or host name of the server")
    what.add_argument("--parameter", metavar="NAME=VALUE", action="append", required=True, help="what is to be: \"mem_size=2 GB\", cpu-cnt=2")
    args = p.parse_args()

    client = sample.connect(args)
    server = sample.find(client, "servers", args.server, by="hostname")
    item = {"server": sample.href(server), "parameters": sample.parameters(args.parameter)}
    if server["_links"]["environment"]:
        item["environment"] = server["_links"]["environment"]["href"]
    return sample.place(client, args, server["_links"]["group"]["href"], {"mod-items": [item]})


if __name__ == "__main__":
    sample.run(main)

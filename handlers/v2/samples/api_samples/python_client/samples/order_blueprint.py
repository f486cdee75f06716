#!/usr/bin/env python3
"""Order a blueprint."""

import sample


def main():
    p = sample.parser(__doc__)
    what = p.add_argument_group("what is ordered (ids, hrefs or names)")
    what.add_argument("--group", required=True, help="group that it is ordered for")
    what.add_argument("--blueprint", required=True, help="blueprint to deploy")
    what.add_argument("--environment", required=True, help="environment that its servers are made in")
    what.add_argument("--os-build", help="operating system; else the blueprint's own")
    what.add_argument("--build-item", metavar="NAME", action="append", help="build item that the options are for; else each of the blueprint's servers")
    what.add_argument("--quantity", type=int, help="how many servers of each build item; else the blueprint says")
    what.add_argument("--hostname", help="host name; else the blueprint's pattern")
    what.add_argument("--parameter", metavar="NAME=VALUE", action="append", default=[], help="one of the blueprint's inputs, such as vm-size=small")
    what.add_argument("--service-name", default="", help="name of what is deployed; else the blueprint's")
    args = p.parse_args()

    client = sample.connect(args)
    group = sample.find(client, "groups", args.group)
    blueprint = sample.find(client, "blueprints", args.blueprint)
    argument = {
        "environment": sample.href(sample.find(client, "environments", args.environment)),
        "parameters": sample.parameters(args.parameter),
        "attributes": {},
    }
    if args.os_build:
        argument["os-build"] = sample.href(sample.find(client, "os-builds", args.os_build))
    if args.quantity is not None:
        argument["attributes"]["quantity"] = args.quantity
    if args.hostname:
        argument["attributes"]["hostname"] = args.hostname
    names = args.build_item or [i["name"] for i in blueprint["build-items"] if i["type"] in ("server", "provserver")]
    return sample.place(client, args, sample.href(group), {"deploy-items": [{
        "blueprint": sample.href(blueprint),
        "blueprint-items-arguments": {"build-item-" + name: argument for name in names},
        "service-name": args.service_name,
    }]})


if __name__ == "__main__":
    sample.run(main)

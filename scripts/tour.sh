#!/usr/bin/env bash
# The README's tour as one script: a cart, its price, submit, progress, the
# machine read back from vCenter itself, and bob's approval. It starts its
# own demo on a free port and stops it at the end. Requires curl.
set -euo pipefail
cd "$(dirname "$0")/.."

command -v curl >/dev/null || { echo "the tour needs curl: apt-get install curl" >&2; exit 1; }
[ -x bin/halcyon ] || go build -o bin/halcyon ./cmd/halcyon

out=$(mktemp)
bin/halcyon demo --listen 127.0.0.1:0 >"$out" 2>&1 &
demo=$!
trap 'kill "$demo" 2>/dev/null; wait "$demo" 2>/dev/null || true; rm -f "$out"' EXIT

for _ in $(seq 100); do
	grep -q 'msg=ready' "$out" && break
	kill -0 "$demo" 2>/dev/null || { cat "$out" >&2; exit 1; }
	sleep 0.1
done
api=$(sed -n 's/^Halcyon demo at \(.*\)$/\1/p' "$out")
host=${api%/api/v2/}
vcenter=$(sed -n 's/^The simulated vCenter is at \([^ ]*\).*/\1/p' "$out")

say() { printf '\n== %s\n' "$*"; }
fail() { echo "FAILED: $*" >&2; tail -n 20 "$out" >&2; exit 1; }
# value NAME: the first string member of that name in the JSON on standard input.
value() { grep -o "\"$1\":\"[^\"]*\"" | head -n 1 | cut -d'"' -f4; }
# as USER [curl's arguments]
as() { local user=$1; shift; curl -sS --fail-with-body -u "$user:demo" -H 'Content-Type: application/json' "$@"; }
wait_for() { # USER ORDER STATUS
	local status=
	for _ in $(seq 300); do
		status=$(as "$1" "$host$2" | value status)
		[ "$status" = "$3" ] && return
		sleep 0.1
	done
	fail "$2 is $status and not $3"
}

say "A token"
token=$(curl -sS -H 'Content-Type: application/json' -d '{"username":"alice","password":"demo"}' "${api}api-token-auth/" | value token)
[ -n "$token" ] || fail "no token"
curl -sS -o /dev/null --fail-with-body -H "Authorization: Bearer $token" "$api" || fail "the token is not taken"
echo "${token:0:24}…"

say "alice's cart"
as alice -X PATCH -d '{"group":"/api/v2/groups/2","name":"tour"}' "${api}user/current-order" >/dev/null
cart=$(as alice -d '{"blueprint":"/api/v2/blueprints/1","blueprint-items-arguments":{"build-item-Server":{"environment":"/api/v2/environments/3","parameters":{"vm-size":"medium","sw-stack":"Dev"}}}}' "${api}user/current-order/deploy-items/")
order=$(echo "$cart" | value href)
echo "$order: $(echo "$cart" | value summary), $(echo "$cart" | value rate)"
[ "$(echo "$cart" | value rate)" = 28.80/month ] || fail "the price is wrong"

say "Submit, and watch"
as alice -X POST "$host$order/actions/submit" >/dev/null
wait_for alice "$order" SUCCESS
server=$(as alice "$host$order" | grep -o '/api/v2/servers/[0-9]*/' | head -n 1)
job=$(as alice "$host$server" | grep -o '/api/v2/jobs/[0-9]*"' | head -n 1 | tr -d '"')
as alice "$host$job/log-download-txt/"

say "The server"
doc=$(as alice "$host$server")
uuid=$(echo "$doc" | grep -o '"uuid":"[^"]*"' | tail -n 1 | cut -d'"' -f4)
echo "$(echo "$doc" | value hostname) $(echo "$doc" | value ip) $(echo "$doc" | value mac) $(echo "$doc" | value mem-size) $(echo "$doc" | value rate)"

say "The machine, asked of vCenter itself (SOAP)"
jar=$(mktemp)
soap() { curl -sS -b "$jar" -c "$jar" -H 'Content-Type: text/xml' -d "<Envelope xmlns=\"http://schemas.xmlsoap.org/soap/envelope/\"><Body>$1</Body></Envelope>" "$vcenter"; }
soap '<Login xmlns="urn:vim25"><_this type="SessionManager">SessionManager</_this><userName>halcyon</userName><password>demo</password></Login>' >/dev/null
vm=$(soap "<FindByUuid xmlns=\"urn:vim25\"><_this type=\"SearchIndex\">SearchIndex</_this><uuid>$uuid</uuid><vmSearch>true</vmSearch><instanceUuid>true</instanceUuid></FindByUuid>" | grep -o 'vm-[0-9]*' | head -n 1)
[ -n "$vm" ] || fail "vCenter knows no machine with the instance uuid $uuid"
facts=$(soap "<RetrieveProperties xmlns=\"urn:vim25\"><_this type=\"PropertyCollector\">propertyCollector</_this><specSet><propSet><type>VirtualMachine</type><pathSet>summary.config.name</pathSet><pathSet>summary.config.memorySizeMB</pathSet><pathSet>summary.config.numCpu</pathSet></propSet><objectSet><obj type=\"VirtualMachine\">$vm</obj></objectSet></specSet></RetrieveProperties>")
rm -f "$jar"
fact() { echo "$facts" | tr -d '\n' | sed -n "s/.*<name>summary\.config\.$1<\/name>[^<]*<val[^>]*>\([^<]*\)<.*/\1/p"; }
echo "$vm $(fact name): $(fact numCpu) CPUs, $(fact memorySizeMB) MB"
[ "$(fact numCpu)" = 2 ] && [ "$(fact memorySizeMB)" = 2048 ] || fail "the machine is not what was ordered"

say "Group Bar's order waits for bob"
pending=/api/v2/orders/2
[ "$(as bob "$host$pending" | value status)" = PENDING ] || fail "order 2 does not wait"
code=$(curl -s -o /dev/null -w '%{http_code}' -u alice:demo -X POST "$host$pending/actions/approve")
echo "alice approves: $code"
[ "$code" = 403 ] || fail "alice could approve her own order"
code=$(curl -s -o /dev/null -w '%{http_code}' -u carol:demo "$host$pending")
echo "carol looks: $code"
[ "$code" = 404 ] || fail "carol sees another tenant's order"
echo "bob approves: $(as bob -X POST "$host$pending/actions/approve" | value status)"
wait_for alice "$pending" SUCCESS

say "Done"

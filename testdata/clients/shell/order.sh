#!/usr/bin/env bash
# A client as shell tools are written: curl, and lines cut out of the answers with
# grep and sed. It signs in, orders a server, polls, switches it off and removes it.
# It counts on the order of members, as such tools do: "token" is the first one of the
# token's answer, and "power-status" follows "hostname".
#
#   order.sh http://127.0.0.1:8080 alice demo
set -eu # no pipefail: grep -m 1 leaves the rest of an answer unread
host=$1 user=$2 password=$3
CT='Content-Type: application/json'
AC='Accept: application/json'

# lines puts every member and every element on a line of its own, as a
# pretty-printer would.
lines() { sed -e 's/[[{,]/&\n/g' -e 's/[]}]/\n&/g'; }
fail() { echo "$*" >&2; exit 1; }

# The token is the fourth field between quotes: the value of the first member.
TOKEN=$(curl -s -k -X POST -H "$CT" -d "{\"username\": \"$user\", \"password\": \"$password\"}" "$host/api/v2/api-token-auth/" | cut -d'"' -f4)
case $TOKEN in eyJ*) ;; *) fail "no token" ;; esac
AUTH="Authorization: Bearer $TOKEN"
api() { curl -s -k -H "$AUTH" -H "$CT" -H "$AC" "$@"; }
# href REL: where the first link of that name leads.
href() { lines | grep -A 1 -m 1 "^\"$1\":{" | grep -o '/api/v2/[^"]*'; }

orders=$(api "$host/api/v2/" | lines | grep '^"orders":"' | cut -d'"' -f4)
group=$(api "$host/api/v2/groups/?filter=name:Group%20Foo" | grep -o '/api/v2/groups/[0-9]*"' | tr -d '"' | head -n 1)
echo "group $group, orders $orders"

order=$(api -X POST "$host$orders" -d "{
  \"group\": \"$group\",
  \"submit-now\": \"true\",
  \"items\": {\"deploy-items\": [{
    \"blueprint\": \"/api/v2/blueprints/1\",
    \"blueprint-items-arguments\": {\"build-item-Server\": {
      \"attributes\": {\"quantity\": 1},
      \"environment\": \"/api/v2/environments/3\",
      \"parameters\": {\"vm-size\": \"small\", \"os_build\": \"/api/v2/os-builds/1\"}}},
    \"service-name\": \"\"}]}}" | href self)
[ -n "$order" ] || fail "no order"
echo "order $order"

# poll HREF: until the order or job has ended.
poll() {
	local status=
	for _ in $(seq 600); do
		status=$(api "$host$1" | lines | grep -m 1 '^"status":' | cut -d'"' -f4)
		case $status in
		SUCCESS) return ;;
		ACTIVE | PENDING | QUEUED | RUNNING) sleep 0.1 ;;
		*) fail "$1 is ${status:-of no status}" ;;
		esac
	done
	fail "$1 is still $status"
}
poll "$order"
echo "$order SUCCESS"

# The server is the one whose id the job of the provisioning says.
id=
for job in $(api "$host$order" | lines | grep -o '/api/v2/jobs/[0-9]*"' | tr -d '"'); do
	said=$(api "$host$job" | grep -o '"output":"[^"]*(ID [0-9]*)' | sed 's/.*(ID \([0-9]*\)).*/\1/')
	[ -z "$said" ] || id=$said
done
[ -n "$id" ] || fail "no job says (ID n)"

# power: the line behind the host name's.
power() { api "$host/api/v2/servers/$id/" | lines | grep -A 1 '^"hostname":' | tail -n 1 | cut -d'"' -f4; }
name=$(api "$host/api/v2/servers/$id" | lines | grep '^"hostname":' | cut -d'"' -f4)
echo "server $id $name $(power)"
[ "$(power)" = POWERON ] || fail "the server is $(power)"

# An action is sent with a label for a body, and without one.
off=$(api "$host/api/v2/servers/$id/" | lines | grep -A 1 '^"power_off":' | grep -o '/api/v2/[^"]*')
job=$(api -X POST "$host$off" | grep -o '/api/v2/jobs/[0-9]*')
poll "$job"
[ "$(power)" = POWEROFF ] || fail "the server is $(power)"
echo "server $id $name $(power)"

removal=$(api -X POST "$host/api/v2/orders/" -d "{\"group\": \"$group\", \"items\": {\"decom-items\": [{\"environment\": \"/api/v2/environments/3\", \"servers\": [\"/api/v2/servers/$id\"]}]}}" | href self)
submit=$(api "$host$removal" | lines | grep -A 1 '^"submit":' | grep -o '/api/v2/[^"]*')
api -X POST "$host$submit" >/dev/null
poll "$removal"
status=$(api "$host/api/v2/servers/$id" | lines | grep -m 1 '^"status":' | cut -d'"' -f4)
[ "$status" = HISTORICAL ] || fail "the server is $status"
echo "server $id $name $status"

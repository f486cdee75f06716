// Command floor is the reference that Halcyon is measured against: the three
// requests of the benchmark on Halcyon's own tables, written by hand with
// net/http, pgx, joins and appended JSON, for one database and nothing else.
// It has no users, no permissions, one filter and one representation: its cost is the
// minimum for these answers when everything is read from the database. It is not for
// production.
package main

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/signal"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
)

func main() {
	url := flag.String("database-url", "", "postgres://… with Halcyon's schema")
	listen := flag.String("listen", "127.0.0.1:0", "address to listen on")
	flag.Parse()
	slog.SetDefault(slog.New(slog.NewTextHandler(os.Stderr, nil)))
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := serve(ctx, *url, *listen); err != nil {
		slog.Error("floor", "error", err)
		os.Exit(1)
	}
}

func serve(ctx context.Context, url, listen string) error {
	conf, err := pgxpool.ParseConfig(url)
	if err != nil {
		return err
	}
	conf.MaxConns = 16
	conf.ConnConfig.RuntimeParams["timezone"] = "UTC"
	pool, err := pgxpool.NewWithConfig(ctx, conf)
	if err != nil {
		return err
	}
	defer pool.Close()
	f := &floor{db: pool}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /api/v2/servers/{id}/", f.server)
	mux.HandleFunc("GET /api/v2/servers/{$}", f.servers)
	mux.HandleFunc("POST /api/v2/orders/", f.order)
	l, err := (&net.ListenConfig{}).Listen(ctx, "tcp", listen)
	if err != nil {
		return err
	}
	s := &http.Server{Handler: mux, ReadHeaderTimeout: 10 * time.Second}
	go func() {
		<-ctx.Done()
		_ = s.Close() // a benchmark: open requests are not waited for
	}()
	slog.Info("ready", "url", "http://"+l.Addr().String())
	if err := s.Serve(l); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}

type floor struct{ db *pgxpool.Pool }

var buffers = sync.Pool{New: func() any { b := make([]byte, 0, 4096); return &b }}

func send(w http.ResponseWriter, status int, b []byte) {
	w.Header().Set("Content-Type", "application/hal+json")
	w.Header().Set("Content-Length", strconv.Itoa(len(b)))
	w.WriteHeader(status)
	_, _ = w.Write(b) // the client has disconnected
}

func fail(w http.ResponseWriter, err error) {
	status := http.StatusInternalServerError
	if errors.Is(err, pgx.ErrNoRows) {
		status = http.StatusNotFound
	}
	http.Error(w, err.Error(), status)
}

// quoted appends a JSON string. Most need no escapes.
func quoted(b []byte, s string) []byte {
	for i := range len(s) {
		if c := s[i]; c < ' ' || c == '"' || c == '\\' || c >= 0x80 {
			text, err := json.Marshal(s)
			if err != nil {
				panic(err) // encoding a string does not fail
			}
			return append(b, text...)
		}
	}
	return append(append(append(b, '"'), s...), '"')
}

// link appends "rel":{"href":"/api/v2/PLURAL/ID","title":TITLE}, and a comma
// before it.
func link(b []byte, rel, plural string, id int64, title string) []byte {
	b = append(b, `,"`...)
	b = append(b, rel...)
	b = append(b, `":{"href":"/api/v2/`...)
	b = append(b, plural...)
	b = append(b, '/')
	b = strconv.AppendInt(b, id, 10)
	b = append(b, `","title":`...)
	b = quoted(b, title)
	return append(b, '}')
}

func userLink(b []byte, rel string, id int64) []byte {
	return link(b, rel, "users", id, "User id "+strconv.FormatInt(id, 10))
}

const curies = `,"curies":[{"name":"cb","href":"/api/v2/docs/rels/{rel}","templated":true}]`

const selectServer = `SELECT s.id, s.uuid, s.global_id, s.hostname, s.power_status, s.status, s.ip, s.mac, s.added_at, s.cpus, s.memory_mb, s.disk_gb,
	s.os_family, s.notes, s.labels, s.disks, s.networks, s.parameters, s.tech_details, s.rate, s.hardware_rate, s.software_rate, s.extra_rate, s.tier, s.expires_on,
	u.id, g.id, g.name, e.id, e.name, h.id, h.name, o.id, o.name, z.id, z.name
FROM servers s
LEFT JOIN users u ON u.id = s.owner_id
LEFT JOIN groups g ON g.id = s.group_id
LEFT JOIN environments e ON e.id = s.environment_id
LEFT JOIN resource_handlers h ON h.id = s.handler_id
LEFT JOIN os_builds o ON o.id = s.os_build_id
LEFT JOIN sizes z ON z.id = s.size_id
WHERE s.id = $1`

type disk struct {
	UUID             string `json:"uuid"`
	Name             string `json:"name"`
	SizeGB           int64  `json:"size_gb"`
	Datastore        string `json:"datastore"`
	ProvisioningType string `json:"provisioning_type"`
}

type nic struct {
	Name    string   `json:"name"`
	Network string   `json:"network"`
	MAC     string   `json:"mac"`
	IPs     []string `json:"ips"`
}

type param struct {
	Name  string `json:"name"`
	Value string `json:"value"`
}

// server serves one server with its links and their titles.
func (f *floor) server(w http.ResponseWriter, r *http.Request) {
	asked, err := strconv.ParseInt(r.PathValue("id"), 10, 64)
	if err != nil {
		fail(w, pgx.ErrNoRows)
		return
	}
	var (
		id, rate, hardware, software, extra                                                                    int64
		cpus, memory, size                                                                                     int32
		uuid, global, hostname, power, status, ip, mac, family, notes, labels, disks, nics, params, tech, tier string
		expires                                                                                                string
		added                                                                                                  time.Time
		owner, group, env, handler, build, perf                                                                *int64
		groupName, envName, handlerName, buildName, perfName                                                   *string
	)
	err = f.db.QueryRow(r.Context(), selectServer, asked).Scan(
		&id, &uuid, &global, &hostname, &power, &status, &ip, &mac, &added, &cpus, &memory, &size,
		&family, &notes, &labels, &disks, &nics, &params, &tech, &rate, &hardware, &software, &extra, &tier, &expires,
		&owner, &group, &groupName, &env, &envName, &handler, &handlerName, &build, &buildName, &perf, &perfName)
	if err != nil {
		fail(w, err)
		return
	}
	var diskList []disk
	var nicList []nic
	var paramList, techList []param
	if err := errors.Join(json.Unmarshal([]byte(disks), &diskList), json.Unmarshal([]byte(nics), &nicList),
		json.Unmarshal([]byte(params), &paramList), json.Unmarshal([]byte(tech), &techList)); err != nil {
		fail(w, err)
		return
	}
	buf := buffers.Get().(*[]byte)
	defer buffers.Put(buf)
	self := "/api/v2/servers/" + strconv.FormatInt(id, 10) + "/"
	b := append((*buf)[:0], `{"_links":{"self":{"href":"`...)
	b = append(append(append(b, self...), `","title":`...), quoted(nil, hostname)...)
	b = append(append(b, '}'), curies...)
	if owner != nil {
		b = userLink(b, "owner", *owner)
	}
	if group != nil {
		b = link(b, "group", "groups", *group, *groupName)
	}
	if env != nil {
		b = link(b, "environment", "environments", *env, *envName)
	}
	if handler != nil {
		b = link(b, "resource-handler", "resource-handlers", *handler, *handlerName)
	}
	if build != nil {
		b = link(b, "os-build", "os-builds", *build, *buildName)
	}
	if perf != nil {
		b = link(b, "perf-type", "perf-types", *perf, *perfName)
	}
	b = append(append(append(b, `,"jobs":{"href":"`...), self...), `related-jobs/","title":`...)
	b = append(quoted(b, "Jobs Of "+hostname), `},"history":{"href":"`...)
	b = append(append(b, self...), `history/","title":`...)
	b = append(quoted(b, "History Of "+hostname), `},"cb:snapshots":{"href":"`...)
	b = append(append(b, self...), `snapshots/","title":`...)
	b = append(quoted(b, "Snapshots Of "+hostname), `},"collection":{"href":"/api/v2/servers/","title":"List of Servers"},"describedby":{"href":"/api/v2/docs/schemas/server","title":"Schema","type":"application/schema+json"}`...)
	b = serverActions(b, self, hostname, power)
	b = append(b, `},"hostname":`...)
	b = quoted(b, hostname)
	b = append(b, `,"power-status":"`...)
	b = append(append(append(b, power...), `","status":"`...), status...)
	b = append(append(append(b, `","id":"`...), strconv.FormatInt(id, 10)...), `","ip":`...)
	b = append(quoted(b, ip), `,"mac":`...)
	b = append(quoted(b, mac), `,"date-added-to-cloudbolt":"`...)
	b = added.UTC().AppendFormat(b, timeLayout)
	b = strconv.AppendInt(append(b, `","cpu-cnt":`...), int64(cpus), 10)
	b = strconv.AppendFloat(append(b, `,"mem-size":"`...), float64(memory)/1024, 'f', 4, 64)
	b = strconv.AppendInt(append(b, ` GB","disk-size":"`...), int64(size), 10)
	b = append(quoted(append(b, ` GB","os-family":`...), family), `,"notes":`...)
	b = append(quoted(b, notes), `,"labels":`...)
	b = append(b, labels...) // already an array of strings
	b = append(b, `,"credentials":{"username":"","password":"not set","key":""},"disks":[`...)
	for i, d := range diskList {
		if i > 0 {
			b = append(b, ',')
		}
		b = append(quoted(append(b, `{"uuid":`...), d.UUID), `,"disk-size":"`...)
		b = append(strconv.AppendInt(b, d.SizeGB, 10), ` GB","name":`...)
		b = append(quoted(b, d.Name), `,"datastore":`...)
		b = append(quoted(b, d.Datastore), `,"provisioning-type":`...)
		b = append(quoted(b, d.ProvisioningType), '}')
	}
	b = append(b, `],"networks":[`...)
	for i, n := range nicList {
		if i > 0 {
			b = append(b, ',')
		}
		first, more := "", []string{}
		if len(n.IPs) > 0 {
			first, more = n.IPs[0], n.IPs[1:]
		}
		b = append(quoted(append(b, `{"name":`...), n.Name), `,"network":`...)
		b = append(quoted(b, n.Network), `,"mac":`...)
		b = append(quoted(b, n.MAC), `,"ip":`...)
		b = append(quoted(b, first), `,"private-ip":`...)
		b = append(quoted(b, first), `,"additional-ips":[`...)
		for j, ip := range more {
			if j > 0 {
				b = append(b, ',')
			}
			b = quoted(b, ip)
		}
		b = append(b, "]}"...)
	}
	b = object(append(b, `],"parameters":`...), paramList)
	b = append(money(append(b, `,"rate":"`...), rate), `","rate-breakdown":{"total":"`...)
	b = append(money(b, rate), `","hardware":"`...)
	b = append(money(b, hardware), `","software":"`...)
	b = append(money(b, software), `","extra":"`...)
	b = object(append(money(b, extra), `"},"tech-specific-details":`...), techList)
	b = append(quoted(append(b, `,"tier":`...), tier), `,"expiration-date":`...)
	if expires == "" {
		b = append(b, "null"...)
	} else {
		b = quoted(b, expires)
	}
	b = append(append(append(b, `,"global-id":"`...), global...), `","uuid":"`...)
	b = append(append(b, uuid...), `"}`...)
	send(w, http.StatusOK, b)
	*buf = b
}

const timeLayout = "2006-01-02T15:04:05.000000"

// serverActions appends an administrator's actions on an active server.
func serverActions(b []byte, self, hostname, power string) []byte {
	actions := [][3]string{{"power-off", "poweroff", "Power off"}, {"reboot", "reboot", "Reboot"}, {"refresh-info", "refresh-info", "Refresh info"}, {"snapshot", "snapshot", "Snapshot"}, {"modify", "modify", "Modify"}}
	if power != "POWERON" {
		actions = [][3]string{{"power-on", "poweron", "Power on"}, {"refresh-info", "refresh-info", "Refresh info"}, {"snapshot", "snapshot", "Snapshot"}, {"modify", "modify", "Modify"}}
	}
	target := func(b []byte, x [3]string) []byte {
		b = append(append(append(append(b, `"href":"`...), self...), "actions/"...), x[1]...)
		return append(b, `/"`...)
	}
	title := func(b []byte, x [3]string) []byte {
		return quoted(append(b, `,"title":`...), x[2]+" '"+hostname+"'")
	}
	for _, x := range actions {
		b = append(append(append(b, `,"cb:`...), x[0]...), `":{`...)
		b = append(title(target(b, x), x), '}')
	}
	b = append(b, `,"actions":[`...)
	for i, x := range actions {
		if i > 0 {
			b = append(b, ',')
		}
		name := strings.ReplaceAll(x[0], "-", "_")
		b = target(append(b, '{'), x)
		b = append(append(append(b, `,"name":"`...), name...), '"')
		b = title(b, x)
		b = append(append(append(b, `,"`...), name...), `":{`...)
		b = append(title(target(b, x), x), "}}"...)
	}
	return append(b, ']')
}

func object(b []byte, params []param) []byte {
	b = append(b, '{')
	for i, p := range params {
		if i > 0 {
			b = append(b, ',')
		}
		b = quoted(append(quoted(b, p.Name), ':'), p.Value)
	}
	return append(b, '}')
}

// money appends an amount in millionths as "28.80/month".
func money(b []byte, m int64) []byte {
	cents := (m + 5000) / 10000
	b = append(strconv.AppendInt(b, cents/100, 10), '.', byte('0'+cents/10%10), byte('0'+cents%10))
	return append(b, "/month"...)
}

const (
	selectPage = `SELECT s.id, s.hostname, u.id, g.id, g.name, e.id, e.name
FROM servers s
JOIN environments e ON e.id = s.environment_id
LEFT JOIN users u ON u.id = s.owner_id
LEFT JOIN groups g ON g.id = s.group_id
WHERE e.name LIKE $1 AND s.id > $2
ORDER BY s.id LIMIT $3`
	countServers = `SELECT count(*) FROM servers s JOIN environments e ON e.id = s.environment_id WHERE e.name LIKE $1`
)

// servers serves the first page of servers whose environment's name contains a text.
func (f *floor) servers(w http.ResponseWriter, r *http.Request) {
	q := r.URL.Query()
	name, ok := strings.CutPrefix(q.Get("filter"), "environment.name.contains:")
	size, err := strconv.Atoi(q.Get("page_size"))
	if !ok || err != nil {
		http.Error(w, "this is no service", http.StatusBadRequest)
		return
	}
	rows, err := f.db.Query(r.Context(), selectPage, "%"+name+"%", 0, size+1)
	if err != nil {
		fail(w, err)
		return
	}
	defer rows.Close()
	// The items are built first: the head contains their number.
	items := buffers.Get().(*[]byte)
	defer buffers.Put(items)
	b := (*items)[:0]
	n, last := 0, int64(0)
	for rows.Next() {
		if n++; n > size {
			continue
		}
		var id, env int64
		var owner, group *int64
		var hostname, envName string
		var groupName *string
		if err := rows.Scan(&id, &hostname, &owner, &group, &groupName, &env, &envName); err != nil {
			fail(w, err)
			return
		}
		if n > 1 {
			b = append(b, ',')
		}
		last = id
		b = append(b, `{"_links":{"self":{"href":"/api/v2/servers/`...)
		b = append(strconv.AppendInt(b, id, 10), `/","title":`...)
		b = append(quoted(b, hostname), '}')
		if owner != nil {
			b = userLink(b, "owner", *owner)
		}
		if group != nil {
			b = link(b, "group", "groups", *group, *groupName)
		}
		b = link(b, "environment", "environments", env, envName)
		b = append(quoted(append(b, `},"hostname":`...), hostname), `,"id":"`...)
		b = append(strconv.AppendInt(b, id, 10), `"}`...)
	}
	if err := rows.Err(); err != nil {
		fail(w, err)
		return
	}
	*items = b
	var total int
	if err := f.db.QueryRow(r.Context(), countServers, "%"+name+"%").Scan(&total); err != nil {
		fail(w, err)
		return
	}
	pages := max(1, (total+size-1)/size)
	buf := buffers.Get().(*[]byte)
	defer buffers.Put(buf)
	b = append((*buf)[:0], `{"_links":{`...)
	page := func(b []byte, rel string, number int, after int64) []byte {
		b = append(append(append(b, '"'), rel...), `":{"href":"/api/v2/servers/?page=`...)
		b = strconv.AppendInt(b, int64(number), 10)
		b = strconv.AppendInt(append(b, "&page_size="...), int64(size), 10)
		b = append(append(b, "&filter="...), q.Get("filter")...)
		b = append(append(b, "&attributes="...), q.Get("attributes")...)
		if after != 0 {
			cursor := strconv.AppendInt([]byte(`["floor",`), after, 10)
			b = base64.RawURLEncoding.AppendEncode(append(b, "&after="...), append(cursor, ']'))
		}
		b = strconv.AppendInt(append(b, `","title":"List of Servers - Page `...), int64(number), 10)
		return append(strconv.AppendInt(append(b, " of "...), int64(pages), 10), `"}`...)
	}
	b = append(page(b, "self", 1, 0), curies...)
	b = page(append(b, ','), "first", 1, 0)
	if n > size {
		b = page(append(b, ','), "next", 2, last)
	}
	b = page(append(b, ','), "last", pages, 0)
	b = append(b, `,"cb:filter":{"href":"/api/v2/servers/{?filter,attributes,embed,order,page,page_size}","title":"Filter, sort and page this list","templated":true},"describedby":{"href":"/api/v2/docs/schemas/servers","title":"Schema","type":"application/schema+json"}},"total":`...)
	b = append(strconv.AppendInt(b, int64(total), 10), `,"count":`...)
	b = append(strconv.AppendInt(b, int64(min(n, size)), 10), `,"page":1,"page_size":`...)
	b = append(strconv.AppendInt(b, int64(size), 10), `,"_embedded":{"servers":[`...)
	b = append(append(b, *items...), "]}}"...)
	send(w, http.StatusOK, b)
	*buf = b
}

// body holds the parts of an order request that three rows need.
type body struct {
	Group string `json:"group"`
	Items struct {
		Deploy []struct {
			Blueprint string `json:"blueprint"`
			Name      string `json:"resource-name"`
			Arguments map[string]struct {
				Environment string            `json:"environment"`
				OSBuild     string            `json:"os-build"`
				Parameters  map[string]string `json:"parameters"`
			} `json:"blueprint-items-arguments"`
		} `json:"deploy-items"`
	} `json:"items"`
}

func tail(href string) int64 {
	href = strings.TrimSuffix(href, "/")
	n, _ := strconv.ParseInt(href[strings.LastIndexByte(href, '/')+1:], 10, 64)
	return n
}

const (
	insertOrder = `INSERT INTO orders (uuid, global_id, created_at, updated_at, status, group_id, owner_id, approved_by_id, summary, rate, submitted_at, approved_at)
VALUES ($1, $2, $3, $3, 'ACTIVE', $4, 1, 1, $5, $6, $3, $3) RETURNING id`
	insertItem = `INSERT INTO order_items (order_id, kind, position, blueprint_id, deploy, rate) VALUES ($1, 'deploy', 1, $2, $3, $4) RETURNING id`
	insertJob  = `INSERT INTO jobs (uuid, global_id, created_at, updated_at, type, status, order_id, order_item_id, owner_id, group_id)
VALUES ($1, $2, $3, $3, 'deploy_blueprint', 'QUEUED', $4, $5, 1, $6) RETURNING id`
)

// order inserts an order, its item and a job in one transaction, without checks, prices
// or workers.
func (f *floor) order(w http.ResponseWriter, r *http.Request) {
	data, err := io.ReadAll(io.LimitReader(r.Body, 1<<20))
	if err != nil {
		fail(w, err)
		return
	}
	var in body
	if err := json.Unmarshal(data, &in); err != nil || len(in.Items.Deploy) != 1 {
		http.Error(w, "this is no service", http.StatusBadRequest)
		return
	}
	item := in.Items.Deploy[0]
	args, err := json.Marshal(item)
	if err != nil {
		fail(w, err)
		return
	}
	const rate = 14_400_000
	now := time.Now().UTC().Truncate(time.Microsecond)
	group, blueprint := tail(in.Group), tail(item.Blueprint)
	orderUUID, jobUUID := uuid.NewString(), uuid.NewString()
	summary := "Provisioning of " + item.Name
	var order, orderItem, job int64
	var groupName string
	err = pgx.BeginFunc(r.Context(), f.db, func(tx pgx.Tx) error {
		if err := tx.QueryRow(r.Context(), insertOrder, orderUUID, "ORD-"+orderUUID, now, group, summary, rate).Scan(&order); err != nil {
			return err
		}
		if err := tx.QueryRow(r.Context(), insertItem, order, blueprint, args, rate).Scan(&orderItem); err != nil {
			return err
		}
		if err := tx.QueryRow(r.Context(), insertJob, jobUUID, "JOB-"+jobUUID, now, order, orderItem, group).Scan(&job); err != nil {
			return err
		}
		return tx.QueryRow(r.Context(), "SELECT name FROM groups WHERE id = $1", group).Scan(&groupName)
	})
	if err != nil {
		fail(w, err)
		return
	}
	id := strconv.FormatInt(order, 10)
	self, title := "/api/v2/orders/"+id, "Order id "+id
	buf := buffers.Get().(*[]byte)
	defer buffers.Put(buf)
	b := append((*buf)[:0], `{"_links":{"self":{"href":"`...)
	b = append(append(append(append(b, self...), `","title":"`...), title...), `"}`...)
	b = append(b, curies...)
	b = link(b, "group", "groups", group, groupName)
	b = userLink(userLink(b, "owner", 1), "approved-by", 1)
	b = strconv.AppendInt(append(b, `,"jobs":[{"href":"/api/v2/jobs/`...), job, 10)
	b = strconv.AppendInt(append(b, `","title":"Job id `...), job, 10)
	b = fmt.Appendf(b, `"}],"history":{"href":"%s/history/","title":"History Of %s"},"collection":{"href":"/api/v2/orders/","title":"List of Orders"},"describedby":{"href":"/api/v2/docs/schemas/order","title":"Schema","type":"application/schema+json"}`, self, title)
	for _, x := range [][2]string{{"cancel", "Cancel"}, {"duplicate", "Duplicate"}} {
		b = fmt.Appendf(b, `,"cb:%s":{"href":"%s/actions/%s","title":"%s '%s'"}`, x[0], self, x[0], x[1], title)
	}
	b = append(b, `,"actions":[`...)
	for i, x := range [][2]string{{"cancel", "Cancel"}, {"duplicate", "Duplicate"}} {
		if i > 0 {
			b = append(b, ',')
		}
		b = fmt.Appendf(b, `{"href":"%s/actions/%s","name":"%s","title":"%s '%s'","%s":{"href":"%s/actions/%s","title":"%s '%s'"}}`,
			self, x[0], x[0], x[1], title, x[0], self, x[0], x[1], title)
	}
	b = append(append(b, `]},"name":"","id":"`...), id...)
	b = append(quoted(append(b, `","status":"ACTIVE","summary":`...), summary), `,"rate":"`...)
	b = money(b, rate)
	for _, name := range []string{"create", "submit", "approve"} {
		b = append(append(append(b, `","`...), name...), `-date":"`...)
		b = now.AppendFormat(b, timeLayout)
	}
	b = append(append(append(b, `","items":{"deploy-items":[`...), args...), `]},"global-id":"ORD-`...)
	b = append(append(append(append(b, orderUUID...), `","uuid":"`...), orderUUID...), `"}`...)
	w.Header().Set("Location", self)
	send(w, http.StatusCreated, b)
	*buf = b
}

package server

import (
	"context"
	"fmt"
	"log/slog"
	"testing"
	"time"

	"halcyon/models"
	"halcyon/pkg/access"
	"halcyon/pkg/job"
	"halcyon/pkg/provider"
	"halcyon/pkg/provider/pool"
	"halcyon/pkg/provider/simulated"
	"halcyon/pkg/store"
)

var root = access.System("root")

// rig is an installation: a database, a back end, and one running process.
type rig struct {
	*Service
	store   *store.Store
	cloud   *simulated.Cloud
	jobs    *job.Service
	engine  *job.Engine
	pool    *pool.Pool
	group   *models.Group
	env     *models.Environment
	handler *models.ResourceHandler
	build   *models.OSBuild
	user    *models.User
}

func newRig(t *testing.T, s *store.Store) *rig {
	t.Helper()
	r := &rig{
		store: s, cloud: simulated.NewCloud(simulated.Options{}),
		group:   &models.Group{Name: "Team"},
		handler: &models.ResourceHandler{Name: "Cloud", Kind: models.HandlerSimulated},
		build:   &models.OSBuild{Name: "Debian 12", OSFamily: "linux"},
		user:    &models.User{Username: "alice", Active: true},
	}
	r.inTx(t, func(tx *store.Tx) error {
		// Ids in the order of a new installation: Unassigned is 1.
		for _, row := range []models.Keyed{
			&models.Group{Name: "Unassigned"}, &models.Environment{Name: "Unassigned"},
			r.group, r.handler, r.build, r.user,
		} {
			if err := store.Insert(tx, row); err != nil {
				return err
			}
		}
		r.env = &models.Environment{Name: "Lab", HandlerID: r.handler.ID, GroupID: r.group.ID, Network: "lan", Domain: "lab.example"}
		if err := store.Insert(tx, r.env); err != nil {
			return err
		}
		return tx.Create(&models.OSBuildTemplate{OSBuildID: r.build.ID, HandlerID: r.handler.ID, Template: "debian-12"}).Error
	})
	r.process(t)
	return r
}

// process connects a process to the installation. It does not start it.
func (r *rig) process(t *testing.T) {
	t.Helper()
	log := slog.New(slog.DiscardHandler)
	if testing.Verbose() {
		log = slog.New(slog.NewTextHandler(t.Output(), nil))
	}
	r.jobs = job.New(r.store, job.NewQueue(r.store, 8), log)
	r.pool = pool.New(r.store, map[models.HandlerKind]func(provider.Config) (provider.Provider, error){
		models.HandlerSimulated: func(c provider.Config) (provider.Provider, error) { return simulated.New(c, r.cloud), nil },
	}, func(s string) (string, error) { return s, nil })
	r.Service = New(r.store, r.jobs, r.pool, log)
	sync := newSync(machines{store: r.store, pool: r.pool, log: log})
	sync.batch = 20
	r.jobs.Register(models.JobSyncVMs, sync)
	r.engine = job.NewEngine(r.jobs, job.Config{
		Lease: 20 * time.Second, BackoffBase: 5 * time.Millisecond, BackoffMax: 50 * time.Millisecond, MaxFailures: 4,
		Sweep: 2 * time.Second, Log: log,
	})
}

func (r *rig) start(t *testing.T) *rig {
	t.Helper()
	if err := r.engine.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
		defer cancel()
		if err := r.engine.Stop(ctx); err != nil {
			t.Errorf("stop: %v", err)
		}
		if err := r.pool.Close(ctx); err != nil {
			t.Errorf("close: %v", err)
		}
	})
	return r
}

func (r *rig) inTx(t *testing.T, fn func(tx *store.Tx) error) {
	t.Helper()
	if err := r.store.InTx(t.Context(), fn); err != nil {
		t.Fatal(err)
	}
}

// ipPool adds an IP pool to the environment's network.
func (r *rig) ipPool(t *testing.T, first, last string) {
	t.Helper()
	p := &models.IPPool{Name: "Lab addresses", HandlerID: r.handler.ID, Network: "lan", FirstIP: first, LastIP: last, Prefix: 24, Gateway: "10.0.0.1", DNS: []string{"10.0.0.2"}}
	r.inTx(t, func(tx *store.Tx) error { return store.Insert(tx, p) })
}

// server inserts what an order creates: the row, and the job that creates the machine.
func (r *rig) server(t *testing.T, name string, change ...func(*models.Server)) (*models.Server, models.ID) {
	t.Helper()
	sv := &models.Server{
		Hostname: name, Status: models.ServerProv, PowerStatus: models.PowerUnknown, CPUs: 2, MemoryMB: 2048,
		GroupID: r.group.ID, EnvironmentID: r.env.ID, HandlerID: r.handler.ID, OSBuildID: r.build.ID, OwnerID: r.user.ID,
	}
	for _, fn := range change {
		fn(sv)
	}
	var id models.ID
	r.inTx(t, func(tx *store.Tx) error {
		sv.ID, sv.UUID, sv.GlobalID = 0, "", ""
		bare(sv)
		sv.AddedAt = tx.Now
		if err := store.Insert(tx, sv); err != nil {
			return err
		}
		j, err := r.jobs.InsertTx(tx, job.Spec{
			Type: models.JobProvision, ServerID: sv.ID, ServiceID: sv.ServiceID, HandlerID: sv.HandlerID, OwnerID: r.user.ID, GroupID: r.group.ID,
		})
		if err != nil {
			return err
		}
		id = j.ID
		return nil
	})
	return sv, id
}

// bare sets the nil lists of a row to empty ones, which the database requires.
func bare(sv *models.Server) {
	sv.Labels, sv.Parameters, sv.TechDetails = []string{}, []models.Param{}, []models.Param{}
	sv.Disks, sv.Networks = []models.ServerDisk{}, []models.ServerNIC{}
}

// insert inserts a job about a server.
func (r *rig) insert(t *testing.T, jt models.JobType, sv *models.Server, args models.JobArgs) models.ID {
	t.Helper()
	var id models.ID
	r.inTx(t, func(tx *store.Tx) error {
		j, err := r.jobs.InsertTx(tx, job.Spec{Type: jt, ServerID: sv.ID, ServiceID: sv.ServiceID, HandlerID: sv.HandlerID, OwnerID: r.user.ID, GroupID: r.group.ID, Args: args})
		if err == nil {
			id = j.ID
		}
		return err
	})
	return id
}

// active creates a running server.
func (r *rig) active(t *testing.T, name string) *models.Server {
	t.Helper()
	sv, id := r.server(t, name)
	r.await(t, id, models.JobSuccess)
	return r.read(t, sv.ID)
}

func (r *rig) read(t *testing.T, id models.ID) *models.Server {
	t.Helper()
	sv, err := store.First[models.Server](r.store.Read(context.Background()).Where("id = ?", id))
	if err != nil {
		t.Fatal(err)
	}
	return sv
}

func (r *rig) job(t *testing.T, id models.ID) *models.Job {
	t.Helper()
	j, err := store.First[models.Job](r.store.Read(context.Background()).Where("id = ?", id))
	if err != nil {
		t.Fatal(err)
	}
	return j
}

func (r *rig) await(t *testing.T, id models.ID, want models.JobStatus) *models.Job {
	t.Helper()
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(20 * time.Millisecond) {
		j := r.job(t, id)
		if j.Status == want {
			return j
		}
		if j.Ended() || time.Now().After(deadline) {
			text, _ := job.Log(r.store.Read(context.Background()), j)
			t.Fatalf("job %s is %s, not %s; errors: %s\n%s", id, j.Status, want, j.Errors, text)
		}
	}
}

func (r *rig) back(t *testing.T) provider.Provider {
	t.Helper()
	return simulated.New(provider.Config{}, r.cloud)
}

// run runs all steps of a list, as an operator at the back end would.
func run(t *testing.T, steps []provider.Step) {
	t.Helper()
	memo := provider.Memo{}
	for _, s := range steps {
		for {
			wait, err := s.Run(t.Context(), memo)
			if err != nil {
				t.Fatalf("%s: %v", s.Name, err)
			}
			if wait == 0 {
				break
			}
		}
	}
}

func (r *rig) addresses(t *testing.T) string {
	t.Helper()
	rows, err := store.Find[models.IPAddress](r.store.Read(t.Context()).Order("server_id"))
	if err != nil {
		t.Fatal(err)
	}
	out := ""
	for _, a := range rows {
		out += fmt.Sprintf("%s=%s ", a.ServerID, a.Address)
	}
	return out
}

// is checks a few fields of a server at once.
func (r *rig) is(t *testing.T, id models.ID, status models.ServerStatus, power models.PowerStatus, ip string) *models.Server {
	t.Helper()
	sv := r.read(t, id)
	if sv.Status != status || sv.PowerStatus != power || sv.IP != ip {
		t.Errorf("server %s is %s %s at %q, not %s %s at %q", sv.Hostname, sv.Status, sv.PowerStatus, sv.IP, status, power, ip)
	}
	return sv
}

// stop ends the process: queued jobs stay queued.
func (r *rig) stop(t *testing.T) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	if err := r.engine.Stop(ctx); err != nil {
		t.Fatalf("stop: %v", err)
	}
}

// Package vcsim runs govmomi's vCenter simulator inside this process: a SOAP endpoint
// with a small inventory, for the demo, for `halcyon simulator` and for tests.
//
// It serves plain HTTP: the demo uses it over the loopback interface, where a certificate
// would only cost start-up time.
//
// The inventory: a datacenter DC0 with the cluster DC0_C0 of one host, the datastore
// LocalDS_0, the network DC0_DVPG0, the folder /DC0/vm/Halcyon for clones, the templates
// debian-12 and rocky-9, and some running machines that Halcyon did not create.
package vcsim

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"sync"
	"time"

	"github.com/vmware/govmomi/object"
	"github.com/vmware/govmomi/simulator"
	"github.com/vmware/govmomi/vim25"
	"github.com/vmware/govmomi/vim25/types"
)

// Inventory paths of the simulated objects.
const (
	Datacenter = "/DC0"
	Cluster    = "/DC0/host/DC0_C0"
	Datastore  = "/DC0/datastore/LocalDS_0"
	Network    = "/DC0/network/DC0_DVPG0"
	Folder     = "/DC0/vm/Halcyon"
)

// Templates returns the names of the templates.
func Templates() []string { return []string{"debian-12", "rocky-9"} }

// Options configures a simulator. Username and Password are required.
type Options struct {
	Listen   string // host:port; "" is 127.0.0.1 with a free port
	Username string
	Password string
	Machines int // running machines besides the templates; 0 is 8, a negative number is none

	// State is the file that stores the machines between runs, with their Refs. It is
	// read by Start and written after changes and by Close. "" stores nothing.
	State string
}

// Server is a running simulator.
type Server struct {
	url    *url.URL
	model  *simulator.Model
	server *simulator.Server
	client *vim25.Client

	state     string
	changed   chan struct{}
	stop      chan struct{}
	saver     sync.WaitGroup
	saving    sync.Mutex
	closeOnce sync.Once
	closeErr  error
}

// saveDelay is the time between a change and the write of the state file: a burst of
// changes causes one write.
const saveDelay = 250 * time.Millisecond

// startMu is held while a simulator is created: govmomi's simulators are created from
// global variables, and write to them.
var startMu sync.Mutex

// Start starts a simulator, in a fraction of a second. It returns an error if the address
// is in use or the state file is invalid.
func Start(o Options) (*Server, error) {
	startMu.Lock()
	defer startMu.Unlock()
	if o.Username == "" || o.Password == "" {
		return nil, errors.New("vcsim: a user name and a password are needed")
	}
	if o.Listen == "" {
		o.Listen = "127.0.0.1:0"
	}
	machines := inventory(o.Machines)
	if o.State != "" {
		saved, err := load(o.State)
		if err != nil {
			return nil, err
		}
		if saved != nil {
			machines = saved
		}
	}

	model := simulator.VPX()
	model.Host, model.Cluster, model.ClusterHost, model.Machine = 0, 1, 1, 0
	if err := model.Create(); err != nil {
		return nil, fmt.Errorf("vcsim: create the inventory: %w", err)
	}
	s := &Server{
		model:   model,
		state:   o.State,
		changed: make(chan struct{}, 1),
		stop:    make(chan struct{}),
	}
	ctx := context.Background()
	client, err := vim25.NewClient(ctx, model.Service)
	if err != nil {
		model.Remove()
		return nil, fmt.Errorf("vcsim: connect in process: %w", err)
	}
	s.client = client
	if err := s.restore(ctx, machines); err != nil {
		model.Remove()
		return nil, fmt.Errorf("vcsim: make the machines: %w", err)
	}

	installWorkarounds(model)
	model.Service.Listen = &url.URL{Host: o.Listen, User: url.UserPassword(o.Username, o.Password)}
	if err := s.listen(); err != nil {
		model.Remove()
		return nil, err
	}
	if s.state != "" {
		model.Map().AddHandler(&watcher{changed: s.changed})
		s.saver.Add(1)
		go s.saveLoop()
	}
	return s, nil
}

// listen starts the HTTP server. The simulator panics if it cannot listen; the panic
// becomes an error.
func (s *Server) listen() (err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("vcsim: %v", r)
		}
	}()
	s.server = s.model.Service.NewServer()
	u := *s.server.URL
	u.User = nil
	s.url = &u
	return nil
}

// URL returns the endpoint, such as http://127.0.0.1:8989/sdk, without credentials.
func (s *Server) URL() string { return s.url.String() }

// Close writes the state, stops the server, and removes the simulator's files.
func (s *Server) Close() error {
	s.closeOnce.Do(func() {
		close(s.stop)
		s.saver.Wait()
		s.server.CloseClientConnections()
		s.server.Close()
		if s.state != "" {
			s.closeErr = s.save(s.state)
		}
		s.model.Remove()
	})
	return s.closeErr
}

// folder returns the machine folder with the inventory path, and creates it if needed.
func (s *Server) folder(ctx context.Context, path string) (*object.Folder, error) {
	index := object.NewSearchIndex(s.client)
	ref, err := index.FindByInventoryPath(ctx, path)
	if err != nil {
		return nil, err
	}
	if f, ok := ref.(*object.Folder); ok {
		return f, nil
	}
	parent, name := splitPath(path)
	if parent == "" {
		return nil, fmt.Errorf("no folder %q", path)
	}
	in, err := s.folder(ctx, parent)
	if err != nil {
		return nil, err
	}
	return in.CreateFolder(ctx, name)
}

// watcher signals changes of machines in the inventory.
type watcher struct {
	changed chan<- struct{}
}

// Reference implements mo.Reference, which the simulator's registry requires.
func (*watcher) Reference() types.ManagedObjectReference {
	return types.ManagedObjectReference{Type: "HalcyonWatcher", Value: "halcyon-watcher"}
}

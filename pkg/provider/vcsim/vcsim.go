// Package vcsim runs govmomi's vCenter simulator inside this process: a real SOAP
// endpoint with a small inventory, for the demo, for `halcyon simulator` and for
// tests.
//
// It speaks plain HTTP: the demo talks to it over loopback, and a certificate
// would cost start-up time and buy nothing.
//
// The inventory: a datacenter DC0 with the cluster DC0_C0 of one host, the
// datastore LocalDS_0, the network DC0_DVPG0, the folder /DC0/vm/Halcyon to clone
// into, the templates debian-12 and rocky-9, and some running machines that
// Halcyon did not make.
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

// What the inventory is made of, as inventory paths.
const (
	Datacenter = "/DC0"
	Cluster    = "/DC0/host/DC0_C0"
	Datastore  = "/DC0/datastore/LocalDS_0"
	Network    = "/DC0/network/DC0_DVPG0"
	Folder     = "/DC0/vm/Halcyon"
)

// Templates are the names of the templates.
func Templates() []string { return []string{"debian-12", "rocky-9"} }

// Options say what to start. Username and Password have no default: whoever
// starts a vCenter says who may sign in.
type Options struct {
	Listen   string // host:port; "" is 127.0.0.1:0, a free port
	Username string
	Password string
	Machines int // running machines besides the templates; 0 means 8, negative none

	// State is a file that keeps the machines between runs: they are read from it
	// when it exists, with their Refs, and written to it whenever something
	// changed and on Close. "" keeps nothing.
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

// saveDelay is how long after a change the state file is written: long enough
// that a burst of changes is one write.
const saveDelay = 250 * time.Millisecond

// startMu is held while a simulator is made: govmomi's keep what they are made
// from in globals, and write to it.
var startMu sync.Mutex

// Start starts a simulator. It takes a fraction of a second.
func Start(o Options) (*Server, error) {
	startMu.Lock()
	defer startMu.Unlock()
	if o.Username == "" || o.Password == "" {
		return nil, errors.New("vcsim: a user name and a password are needed")
	}
	if o.Listen == "" {
		o.Listen = "127.0.0.1:0"
	}
	machines := Inventory(o.Machines)
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

// listen starts the HTTP server. The simulator panics when it cannot listen.
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

// URL is the endpoint, such as http://127.0.0.1:8989/sdk, without a password.
func (s *Server) URL() string { return s.url.String() }

// Close writes the state, stops serving, and removes the simulator's files.
func (s *Server) Close() error {
	s.closeOnce.Do(func() {
		close(s.stop)
		s.saver.Wait()
		s.server.CloseClientConnections()
		s.server.Close()
		if s.state != "" {
			s.closeErr = s.Save(s.state)
		}
		s.model.Remove()
	})
	return s.closeErr
}

// folder finds or makes a folder of machines by its inventory path.
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

// watcher notes that something in the inventory changed.
type watcher struct {
	changed chan<- struct{}
}

// Reference makes the watcher a handler of the simulator's registry.
func (*watcher) Reference() types.ManagedObjectReference {
	return types.ManagedObjectReference{Type: "HalcyonWatcher", Value: "halcyon-watcher"}
}

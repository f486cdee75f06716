package command

import (
	"io"
	"log"

	"halcyon/pkg/provider/vcsim"
)

type simulatorCmd struct {
	Listen   string `help:"Address to listen on." default:"127.0.0.1:8989"`
	Username string `help:"User who may sign in." default:"halcyon"`
	Password string `help:"Password of that user." env:"HALCYON_SIMULATOR_PASSWORD" default:"halcyon"`
	Machines int    `help:"Running machines to begin with." default:"8"`
	State    string `help:"File that keeps the machines between runs." type:"path" placeholder:"FILE"`
}

// Run runs the simulator until it is told to stop.
func (c *simulatorCmd) Run(env *environment) error {
	log.SetOutput(io.Discard) // the simulator reports there to its own developers
	machines := c.Machines
	if machines == 0 {
		machines = -1
	}
	sim, err := vcsim.Start(vcsim.Options{Listen: c.Listen, Username: c.Username, Password: c.Password, Machines: machines, State: c.State})
	if err != nil {
		return err
	}
	env.log.Info("ready", "url", sim.URL(), "username", c.Username)
	<-env.ctx.Done()
	return sim.Close()
}

package command

import (
	"errors"
	"fmt"

	"halcyon/cmd/halcyon/app"
	"halcyon/models"
	"halcyon/pkg/access"
)

type userCmd struct {
	Add userAddCmd `cmd:"" help:"Add a user."`
}

type userAddCmd struct {
	databaseFlags
	Name         string `arg:"" help:"Name to sign in with."`
	PasswordFile string `help:"File with the password; - for standard input." required:"" placeholder:"FILE"`
	SuperAdmin   bool   `help:"The user may do everything."`
	Email        string `help:"E-mail address."`
}

// Run adds the user.
func (c *userAddCmd) Run(env *environment) error {
	s, err := c.settings(env)
	if err != nil {
		return err
	}
	path := c.PasswordFile
	if path == "-" {
		path = "/dev/stdin"
	}
	password, err := readSecret(path)
	if err != nil {
		return err
	}
	a, err := app.New(env.ctx, s)
	if err != nil {
		return err
	}
	u := &models.User{Username: c.Name, Email: c.Email, Active: true, SuperAdmin: c.SuperAdmin, NewPassword: password}
	err = a.Tenancy.CreateUser(env.ctx, access.System("command line"), u)
	if err == nil {
		_, err = fmt.Fprintf(env.stdout, "The user %s has been added, with the id %s.\n", u.Username, u.ID)
	}
	return errors.Join(err, a.Close(env.ctx))
}

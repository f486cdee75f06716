package app

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"
	"time"

	"halcyon/pkg/servercount"
)

// Listener says where the app listens, and how long it may take to end.
type Listener struct {
	Address         string        // host:port
	CertFile        string        // certificate chain, PEM; plain HTTP without it and KeyFile
	KeyFile         string        // PEM
	ShutdownTimeout time.Duration // for requests and steps that run when it is told to stop
}

// Serve starts the workers and the listener, calls ready with the address, and
// ends in order when the context does: the listener first, then the steps that
// run, then the database.
func (a *App) Serve(ctx context.Context, l Listener, ready func(ctx context.Context, url string) error) (err error) {
	defer func() {
		end, cancel := context.WithTimeout(context.WithoutCancel(ctx), l.ShutdownTimeout)
		defer cancel()
		err = errors.Join(err, a.Close(end))
	}()
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", l.Address)
	if err != nil {
		return fmt.Errorf("listen: %w", err)
	}
	server := &http.Server{
		Handler: a.Web, ReadHeaderTimeout: 10 * time.Second, ReadTimeout: time.Minute,
		IdleTimeout: 2 * time.Minute, MaxHeaderBytes: 64 << 10,
	}
	scheme := "http"
	if l.CertFile != "" || l.KeyFile != "" {
		cert, err := tls.LoadX509KeyPair(l.CertFile, l.KeyFile)
		if err != nil {
			return errors.Join(fmt.Errorf("certificate: %w", err), listener.Close())
		}
		scheme = "https"
		listener = tls.NewListener(listener, &tls.Config{Certificates: []tls.Certificate{cert}, MinVersion: tls.VersionTLS12, NextProtos: []string{"h2", "http/1.1"}})
	}
	if a.Engine != nil {
		if err := a.Engine.Start(ctx); err != nil {
			return errors.Join(err, listener.Close())
		}
		a.Sender.Start()
	}
	go a.housekeeping(ctx)
	go a.writeSeen(ctx)
	go a.sendMails(ctx)
	go a.endLeases(ctx)
	go a.Events.Run(ctx)
	go servercount.Run(ctx, a.Store, compactEvery, a.log)
	failed := make(chan error, 1)
	go func() { failed <- server.Serve(listener) }()
	url := scheme + "://" + listener.Addr().String()
	if err := ready(ctx, url); err != nil {
		return errors.Join(err, server.Close())
	}
	a.ready("url", url)
	select {
	case err := <-failed:
		return fmt.Errorf("serve: %w", err)
	case <-ctx.Done():
	}
	a.log.Info("stopping")
	end, cancel := context.WithTimeout(context.WithoutCancel(ctx), l.ShutdownTimeout)
	defer cancel()
	if err := server.Shutdown(end); err != nil {
		return errors.Join(fmt.Errorf("requests were cut off: %w", err), server.Close())
	}
	return nil
}

// Work starts the workers without a listener, and ends in order when the context does:
// the steps that run, which have shutdown to end, then the database.
func (a *App) Work(ctx context.Context, shutdown time.Duration) error {
	if err := a.Engine.Start(ctx); err != nil {
		a.Store.Close()
		return err
	}
	go a.Events.Run(ctx)
	a.Sender.Start()
	go servercount.Run(ctx, a.Store, compactEvery, a.log)
	a.ready("workers", a.workers)
	<-ctx.Done()
	end, cancel := context.WithTimeout(context.WithoutCancel(ctx), shutdown)
	defer cancel()
	return a.Close(end)
}

// ready ends the start of a process.
func (a *App) ready(about string, what any) {
	if err := letGo(); err != nil {
		a.log.Debug("memory of the start could not be given back", "error", err)
	}
	a.log.Info("ready", about, what, "version", a.version)
}

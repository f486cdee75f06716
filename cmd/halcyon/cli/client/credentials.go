package client

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"time"
)

// Profile is what is remembered of a server: where it is, who one is there, and the
// tokens of the session. A password is not.
type Profile struct {
	URL      string    `json:"url"`
	Username string    `json:"username,omitempty"`
	Access   string    `json:"access-token,omitempty"`
	Refresh  string    `json:"refresh-token,omitempty"`
	RenewAt  time.Time `json:"renew-at,omitzero"` // when the access token is about to end; zero when that is not known
	CAFile   string    `json:"ca-file,omitempty"`
	Insecure bool      `json:"insecure,omitempty"`
}

// SignedIn is whether there are credentials.
func (p Profile) SignedIn() bool { return p.Access != "" || p.Refresh != "" }

// String keeps the tokens out of whatever a Profile is printed into.
func (p Profile) String() string { return p.URL }

// GoString is String.
func (p Profile) GoString() string { return p.URL }

// Book is the content of the file of credentials.
type Book struct {
	Current  string             `json:"current,omitempty"` // the profile that is meant when none is named
	Profiles map[string]Profile `json:"profiles"`
}

// Names returns the names of the profiles, sorted.
func (b Book) Names() []string {
	list := make([]string, 0, len(b.Profiles))
	for name := range b.Profiles {
		list = append(list, name)
	}
	slices.Sort(list)
	return list
}

// Keeper keeps the file of credentials. Processes that change it at the same time
// wait for each other.
type Keeper struct {
	Path string
	Warn func(string) // told of what was mended; may be nil
}

// DefaultPath is where credentials are kept: $XDG_CONFIG_HOME/halcyon/credentials.json,
// below ~/.config when the variable is empty.
func DefaultPath() (string, error) {
	dir := os.Getenv("XDG_CONFIG_HOME")
	if dir == "" || !filepath.IsAbs(dir) {
		home, err := os.UserHomeDir()
		if err != nil {
			return "", Errorf(Other, "Credentials cannot be kept: neither XDG_CONFIG_HOME nor HOME is set.")
		}
		dir = filepath.Join(home, ".config")
	}
	return filepath.Join(dir, "halcyon", "credentials.json"), nil
}

// Read returns what the file holds; one that is not there is empty. A file that others
// can read is made private first, and it is an error when it cannot be.
func (k *Keeper) Read() (Book, error) {
	if err := k.mend(); err != nil {
		return Book{}, err
	}
	b := Book{Profiles: map[string]Profile{}}
	data, err := os.ReadFile(k.Path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return b, nil
	case err != nil:
		return b, fmt.Errorf("read the credentials: %w", err)
	}
	if err := json.Unmarshal(data, &b); err != nil {
		// What the decoder says may quote the content.
		return b, Errorf(Other, "%s is damaged. Remove it and sign in again.", k.Path)
	}
	if b.Profiles == nil {
		b.Profiles = map[string]Profile{}
	}
	return b, nil
}

// mend takes away what others may do with the file.
func (k *Keeper) mend() error {
	info, err := os.Stat(k.Path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("read the credentials: %w", err)
	}
	if wide := info.Mode().Perm(); wide&0o077 != 0 {
		if err := os.Chmod(k.Path, 0o600); err != nil {
			return Errorf(Other, "%s can be read by others (mode %04o), and that cannot be changed: it is not used.", k.Path, wide)
		}
		if k.Warn != nil {
			k.Warn(fmt.Sprintf("%s could be read by others (mode %04o). It is private now; who may have read it is signed in as you until you sign out.", k.Path, wide))
		}
	}
	return nil
}

// Change reads the file, lets the function change its content, and writes it, while
// no other process does. Readers see the old file or the new one, and no half.
func (k *Keeper) Change(fn func(*Book) error) error {
	dir := filepath.Dir(k.Path)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return fmt.Errorf("keep the credentials: %w", err)
	}
	f, err := os.OpenFile(k.Path+".lock", os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return fmt.Errorf("keep the credentials: %w", err)
	}
	defer f.Close()
	if err := lock(f); err != nil {
		return fmt.Errorf("lock the credentials: %w", err)
	}
	defer func() { _ = unlock(f) }()
	b, err := k.Read()
	if err != nil {
		return err
	}
	if err := fn(&b); err != nil {
		return err
	}
	return k.write(b)
}

func (k *Keeper) write(b Book) (err error) {
	data, err := json.MarshalIndent(b, "", "  ")
	if err != nil {
		return err
	}
	f, err := os.CreateTemp(filepath.Dir(k.Path), ".credentials-*") // mode 0600
	if err != nil {
		return fmt.Errorf("keep the credentials: %w", err)
	}
	defer func() {
		if err != nil {
			_ = os.Remove(f.Name())
		}
	}()
	_, err = f.Write(append(data, '\n'))
	err = errors.Join(err, f.Sync(), f.Close())
	if err != nil {
		return fmt.Errorf("keep the credentials: %w", err)
	}
	return os.Rename(f.Name(), k.Path)
}

// Kept is the session of a profile. It renews its access token before that ends, and
// when the server does not take it any more, and keeps the new one.
type Kept struct {
	Keeper *Keeper
	Name   string
	Now    func() time.Time
	Renew  func(ctx context.Context, refresh string) (Tokens, error)

	p    Profile
	read bool
}

// Token returns the token to send; see Session.
func (s *Kept) Token(ctx context.Context, refused string) (string, error) {
	if !s.read {
		b, err := s.Keeper.Read()
		if err != nil {
			return "", err
		}
		s.p, s.read = b.Profiles[s.Name], true
	}
	if !s.p.SignedIn() {
		return "", s.signedOut()
	}
	if refused == "" && s.fresh(s.p) {
		return s.p.Access, nil
	}
	if s.p.Refresh == "" {
		return s.p.Access, nil
	}
	return s.renew(ctx, refused)
}

func (s *Kept) fresh(p Profile) bool {
	return p.Access != "" && (p.RenewAt.IsZero() || s.Now().Before(p.RenewAt))
}

// renew asks for a new token, unless another process has done so meanwhile.
func (s *Kept) renew(ctx context.Context, refused string) (string, error) {
	err := s.Keeper.Change(func(b *Book) error {
		p := b.Profiles[s.Name]
		if p.Access != s.p.Access && p.Access != refused && s.fresh(p) {
			s.p = p
			return nil
		}
		if p.Refresh == "" {
			return s.signedOut()
		}
		t, err := s.Renew(ctx, p.Refresh)
		if err != nil {
			return err
		}
		p.Access, p.RenewAt = t.Access, RenewAt(s.Now(), t.Life)
		if t.Refresh != "" {
			p.Refresh = t.Refresh
		}
		b.Profiles[s.Name], s.p = p, p
		return nil
	})
	if KindOf(err) == SignedOut {
		return "", s.signedOut()
	}
	return s.p.Access, err
}

func (s *Kept) signedOut() error {
	how := "halcyon login"
	switch s.Name {
	case "":
		how += " URL"
	case DefaultProfile:
	default:
		how += " --profile " + s.Name
	}
	return Errorf(SignedOut, "You are not signed in, or not any more: %s.", how)
}

// DefaultProfile is the profile that is meant when nothing else is said.
const DefaultProfile = "default"

// early is how long before its end a token is renewed, when it lives long enough.
const early = 20 * time.Second

// RenewAt returns the moment at which a token that lives so long from now on should be
// renewed, zero when that is not known.
func RenewAt(now time.Time, life time.Duration) time.Time {
	if life <= 0 {
		return time.Time{}
	}
	return now.Add(life - min(early, life/10)).UTC().Truncate(time.Second)
}

package cli

import (
	"context"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/alecthomas/kong"

	"halcyon/cmd/halcyon/cli/client"
)

type completionCmd struct {
	Shell string `arg:"" help:"bash, zsh or fish." enum:"bash,zsh,fish"`
}

// The scripts ask the program itself, which knows its commands, the profiles, and by
// the server's root the collections and relations.
var completions = map[string]string{
	"bash": `# halcyon completion bash: . <(halcyon completion bash)
_halcyon() {
	local IFS=$'\n'
	COMPREPLY=($(compgen -W "$("${COMP_WORDS[0]}" __complete "${COMP_WORDS[@]:1:COMP_CWORD}" 2>/dev/null)" -- "${COMP_WORDS[COMP_CWORD]}"))
}
complete -o default -F _halcyon halcyon
`,
	"zsh": `#compdef halcyon
# halcyon completion zsh > "${fpath[1]}/_halcyon"
_halcyon() {
	local -a found
	found=("${(@f)$("${words[1]}" __complete "${(@)words[2,$CURRENT]}" 2>/dev/null)}")
	compadd -a found
	_files
}
compdef _halcyon halcyon
`,
	"fish": `# halcyon completion fish > ~/.config/fish/completions/halcyon.fish
function __halcyon_complete
	set -l words (commandline -opc) (commandline -ct)
	$words[1] __complete $words[2..-1] 2>/dev/null
end
complete -c halcyon -a '(__halcyon_complete)'
`,
}

// Run writes the completion for a shell.
func (c *completionCmd) Run(env *Environment) error {
	_, err := io.WriteString(env.Stdout, completions[c.Shell])
	return err
}

type completeCmd struct {
	Words []string `arg:"" optional:""`
}

// slowest is how long a completion may ask a server.
const slowest = 2 * time.Second

// Run writes what the last of the words could be, one on a line. What it cannot find
// out it leaves out.
func (c *completeCmd) Run(env *Environment, k *kong.Kong) error {
	words := c.Words
	if len(words) > 0 && words[0] == "--" {
		words = words[1:]
	}
	if len(words) == 0 {
		words = []string{""}
	}
	last := words[len(words)-1]
	for _, s := range candidates(env, k.Model.Node, words[:len(words)-1], last) {
		if s = client.Plain(s); strings.HasPrefix(s, last) {
			if _, err := fmt.Fprintln(env.Stdout, s); err != nil {
				return err
			}
		}
	}
	return nil
}

func candidates(env *Environment, node *kong.Node, before []string, last string) []string {
	depth := 0 // arguments behind the command
	var flags connectionFlags
	for i, w := range before {
		if name, ok := strings.CutPrefix(w, "--"); ok {
			name, value, _ := strings.Cut(name, "=")
			flags.remember(name, value, before[i+1:])
			continue
		}
		if next := child(node, w); next != nil && depth == 0 {
			node = next
			continue
		}
		depth++
	}
	prev := ""
	if len(before) > 0 {
		prev = before[len(before)-1]
	}
	switch {
	case prev == "--profile" || node.Name == "use" || node.Name == "remove":
		return profileNames(env)
	case prev == "-o" || prev == "--output":
		return []string{"table", "json", "yaml", "name"}
	case strings.HasPrefix(last, "-"):
		return flagNames(node)
	case len(node.Children) > 0:
		return childNames(node)
	case node.Name == "completion":
		return []string{"bash", "zsh", "fish"}
	case depth == 0 && slices.Contains([]string{"get", "follow", "list", "open", "run"}, node.Name):
		return relations(env, flags, last)
	}
	return nil
}

// remember keeps what a flag says about the connection.
func (f *connectionFlags) remember(name, value string, rest []string) {
	if value == "" && len(rest) > 0 {
		value = rest[0]
	}
	switch name {
	case "profile":
		f.Profile = value
	case "url":
		f.URL = value
	case "ca-file":
		f.CAFile = value
	case "insecure":
		f.Insecure = true
	}
}

func child(node *kong.Node, name string) *kong.Node {
	for _, c := range node.Children {
		if c.Name == name && !c.Hidden {
			return c
		}
	}
	return nil
}

func childNames(node *kong.Node) []string {
	var list []string
	for _, c := range node.Children {
		if !c.Hidden {
			list = append(list, c.Name)
		}
	}
	return list
}

func flagNames(node *kong.Node) []string {
	var list []string
	for _, group := range node.AllFlags(true) {
		for _, f := range group {
			list = append(list, "--"+f.Name)
		}
	}
	return list
}

func profileNames(env *Environment) []string {
	sh, err := newShell(env)
	if err != nil {
		return nil
	}
	book, err := sh.keeper.Read()
	if err != nil {
		return nil
	}
	return book.Names()
}

// relations returns the relations that may come next, of the root or of where the path
// before the last slash leads.
func relations(env *Environment, flags connectionFlags, last string) []string {
	ctx, cancel := context.WithTimeout(env.Ctx, slowest)
	defer cancel()
	quiet := *env
	quiet.Ctx, quiet.Stderr = ctx, io.Discard
	sh, err := flags.open(&quiet)
	if err != nil {
		return nil
	}
	var words []string
	path := ""
	if i := strings.LastIndexByte(last, '/'); i >= 0 {
		path = last[:i+1]
		words = []string{last[:i]}
	}
	f, err := sh.Resolve(ctx, words...)
	if err != nil || f.Doc == nil {
		return nil
	}
	list := []string{}
	if _, items, ok := f.Doc.Items(); ok {
		for _, d := range items {
			list = append(list, path+d.Name())
		}
		return list
	}
	for _, rel := range f.Doc.Rels() {
		list = append(list, path+rel)
	}
	return list
}

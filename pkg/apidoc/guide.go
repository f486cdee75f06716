package apidoc

import (
	"bytes"
	"embed"
	"path"
	"strings"
)

//go:embed guide/*.md
var guide embed.FS

// Guide gives the chapters of the guide in their order. The name of a chapter's file
// begins with its place, and the first line is its title.
func Guide() []Chapter {
	files, err := guide.ReadDir("guide")
	if err != nil {
		return nil // they are part of the program
	}
	list := make([]Chapter, 0, len(files))
	for _, file := range files {
		text, err := guide.ReadFile(path.Join("guide", file.Name()))
		if err != nil {
			continue
		}
		_, name, _ := strings.Cut(strings.TrimSuffix(file.Name(), ".md"), "-")
		title, _, _ := bytes.Cut(text, []byte("\n"))
		list = append(list, Chapter{Name: name, Title: strings.TrimPrefix(string(title), "# "), Text: text})
	}
	return list
}

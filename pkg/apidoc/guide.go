package apidoc

import (
	"bytes"
	"embed"
	"path"
	"strings"
)

//go:embed guide/*.md
var guide embed.FS

// demo is where the examples of the guide go as it is written.
var demo = []byte("http://127.0.0.1:8080")

// Guide gives the chapters of the guide in their order, with examples for the server
// at an address such as https://cloud.example.com; "" leaves them with the demo. The name of
// a chapter's file begins with its place, and the first line is its title.
func Guide(at string) []Chapter {
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
		if at != "" {
			text = bytes.ReplaceAll(text, demo, []byte(at))
		}
		_, name, _ := strings.Cut(strings.TrimSuffix(file.Name(), ".md"), "-")
		title, _, _ := bytes.Cut(text, []byte("\n"))
		list = append(list, Chapter{Name: name, Title: strings.TrimPrefix(string(title), "# "), Text: text})
	}
	return list
}

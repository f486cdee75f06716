package v2

import (
	"bytes"
	"embed"
	"path"
	"strings"

	"halcyon/pkg/apidoc"
)

//go:embed guide/*.md
var guideFiles embed.FS

// demoAddress is where the examples of the guide go as it is written.
var demoAddress = []byte("http://127.0.0.1:8080")

// guide returns the chapters of the guide in their order, with examples for the server
// at an address such as https://cloud.example.com; "" leaves them with the demo. The name of
// a chapter's file begins with its place, and the first line is its title.
func guide(at string) []apidoc.Chapter {
	files, err := guideFiles.ReadDir("guide")
	if err != nil {
		return nil // they are part of the program
	}
	list := make([]apidoc.Chapter, 0, len(files))
	for _, file := range files {
		text, err := guideFiles.ReadFile(path.Join("guide", file.Name()))
		if err != nil {
			continue
		}
		if at != "" {
			text = bytes.ReplaceAll(text, demoAddress, []byte(at))
		}
		_, name, _ := strings.Cut(strings.TrimSuffix(file.Name(), ".md"), "-")
		title, _, _ := bytes.Cut(text, []byte("\n"))
		list = append(list, apidoc.Chapter{Name: name, Title: strings.TrimPrefix(string(title), "# "), Text: text})
	}
	return list
}

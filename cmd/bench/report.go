package main

import (
	"fmt"
	"io"
	"os"
	"runtime"
	"strings"
	"text/tabwriter"
	"time"
)

// report prints progress to the terminal and tables to the output.
type report struct {
	w     io.Writer
	begin time.Time
}

func newReport(w io.Writer) *report { return &report{w: w, begin: time.Now()} }

// progress prints the current activity to the terminal.
func (r *report) progress(what string) {
	fmt.Fprintf(os.Stderr, "[%5.1fs] %s\n", time.Since(r.begin).Seconds(), what)
}

func (r *report) printf(format string, args ...any) {
	fmt.Fprintf(r.w, format, args...)
}

// table prints rows under a title.
func (r *report) table(title string, rows ...[]string) {
	r.printf("\n%s\n", title)
	t := tabwriter.NewWriter(r.w, 0, 0, 2, ' ', 0)
	for _, row := range rows {
		fmt.Fprintf(t, "  %s\n", strings.Join(row, "\t"))
	}
	_ = t.Flush() // writes to the same output as printf
}

func (r *report) end(took time.Duration) {
	r.printf("\n%d processors, %s, %.0f s\n", runtime.NumCPU(), runtime.Version(), took.Seconds())
}

func ms(d time.Duration) string { return fmt.Sprintf("%.2f", float64(d)/float64(time.Millisecond)) }

// perRequest returns milliseconds per request.
func perRequest(d time.Duration, n int) string {
	return fmt.Sprintf("%.3f", float64(d)/float64(time.Millisecond)/float64(n))
}

func met(ok bool) string {
	if ok {
		return "met"
	}
	return "missed"
}

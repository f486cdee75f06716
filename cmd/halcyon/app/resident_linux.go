package app

import (
	"bufio"
	"os"
	"strconv"
	"strings"
	"syscall"
)

// letGo takes the program's own file out of the memory of this process. What it needs
// comes back by itself, from the kernel's cache: half of what is there by now was only
// needed to start, by the initialisation of packages that are all over the file.
func letGo() error {
	path, err := os.Executable()
	if err != nil {
		return err
	}
	f, err := os.Open("/proc/self/smaps")
	if err != nil {
		return err
	}
	defer f.Close()
	var from, to uintptr // of the mapping that the lines are about; 0 when it is not to go
	for lines := bufio.NewScanner(f); lines.Scan(); {
		words := strings.Fields(lines.Text())
		switch {
		case len(words) == 3 && words[0] == "Anonymous:" && from != 0 && words[1] == "0":
			// Pages that are not as in the file, such as addresses that were put in when it
			// was loaded, would not come back.
			if _, _, no := syscall.Syscall(syscall.SYS_MADVISE, from, to-from, syscall.MADV_DONTNEED); no != 0 {
				return no
			}
		case len(words) >= 5 && strings.Contains(words[0], "-"):
			from = 0
			if len(words) == 6 && words[5] == path && !strings.Contains(words[1], "w") {
				from, to = between(words[0])
			}
		}
	}
	return nil
}

// between returns the addresses of a mapping, 0 and 0 for what is none.
func between(text string) (from, to uintptr) {
	a, b, _ := strings.Cut(text, "-")
	first, err := strconv.ParseUint(a, 16, strconv.IntSize)
	if err != nil {
		return 0, 0
	}
	last, err := strconv.ParseUint(b, 16, strconv.IntSize)
	if err != nil {
		return 0, 0
	}
	return uintptr(first), uintptr(last)
}

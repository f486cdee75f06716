package simulated

import "fmt"

// Rename renames a machine, as an operator would.
func (c *Cloud) Rename(ref, name string) error {
	return c.locked(func() error {
		r, ok := c.machines[ref]
		if !ok || c.names[name] != "" {
			return fmt.Errorf("simulated: no machine %s, or the name %q is taken", ref, name)
		}
		r = r.clone()
		r.Name = name
		return c.save(r)
	})
}

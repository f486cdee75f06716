package cache

// Signal has the cache hear a signal of its store.
func Signal[K comparable, V any](c *Cache[K, V], topic, key string) { c.signal(topic, key) }
